"""The devices on which people turned notifications on."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0018"
readable_from = "0018"  # a new table


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "devices",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("doc", sa.Text, nullable=False),
    )
    op.create_index("devices_by_person", "devices", ["person", "at"])
