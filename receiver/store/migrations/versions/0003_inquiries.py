"""Incidents about which Prometheus is to be asked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table("inquiries", sa.Column("incident_id", sa.Text, primary_key=True))
