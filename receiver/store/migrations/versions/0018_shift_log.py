"""The shift log, and the messages of handoffs."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
readable_from = "0017"  # it only adds


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "shift_log",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("doc", sa.Text, nullable=False),
    )
    op.create_index("shift_log_by_key", "shift_log", ["key", "position"])
    op.create_table(
        "handoffs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("doc", sa.Text, nullable=False),
    )
    op.create_index(
        "handoffs_due",
        "handoffs",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("handoffs_by_time", "handoffs", ["at"])
