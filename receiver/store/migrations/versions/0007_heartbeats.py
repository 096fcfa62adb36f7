"""One clock for each heartbeat, instead of one instant for all.

What the one instant was about is not known: it becomes a clock without source and labels, which ends when a heartbeat
is heard by name.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table, and move the instant."""
    table = op.create_table(
        "heartbeats", sa.Column("key", sa.Text, primary_key=True), sa.Column("doc", sa.Text, nullable=False)
    )
    meta = sa.table("meta", sa.column("name"), sa.column("value"))
    at = op.get_bind().execute(sa.select(meta.c.value).where(meta.c.name == "heartbeat_at")).scalar()
    if at is not None:
        clock = {"key": "", "source": "", "labels": {}, "evaluated_at": int(at), "heard_at": int(at)}
        op.bulk_insert(table, [{"key": "", "doc": json.dumps(clock)}])
        op.execute(meta.delete().where(meta.c.name == "heartbeat_at"))
