"""What left together in one message, so that whoever answers it takes exactly that."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "bundles",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.Text, nullable=False),
        sa.Column("notifications", sa.Text, nullable=False),
    )
    op.create_index("bundles_by_incident", "bundles", ["incident_id"])
