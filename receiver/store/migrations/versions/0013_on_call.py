"""Whom a message is for, by which reference and shift; and the overrides of schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
readable_from = "0012"  # it only adds


def upgrade() -> None:
    """Add the columns, empty for what was planned before, and the table."""
    for name in ("person", "via", "shift"):
        op.add_column("notifications", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_table(
        "overrides",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("doc", sa.Text, nullable=False),
    )
