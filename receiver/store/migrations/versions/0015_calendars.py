"""The last good copy of each calendar that is fetched from a URL."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
readable_from = "0014"  # it only adds


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "calendars",
        sa.Column("schedule", sa.Text, primary_key=True),
        sa.Column("fetched_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
