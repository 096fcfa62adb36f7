"""Alembic's way in: the connection comes from `receiver.store.database`, which owns the transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
