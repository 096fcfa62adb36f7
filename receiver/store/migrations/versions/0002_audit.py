"""The audit log, and its head, which whoever appends locks last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the log, empty."""
    op.create_table(
        "audit",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, unique=True),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO meta (name, value) VALUES ('audit_head', '0 ')")
