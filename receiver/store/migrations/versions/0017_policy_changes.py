"""Which follow-up action of which incident brought a policy version."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
readable_from = "0016"  # it only adds


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "policy_changes",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    )
