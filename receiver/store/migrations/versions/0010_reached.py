"""Which page reached somebody, and what was accepted only.

What an older Tocsin called delivered was accepted: it knew no more. Of its pages each that was accepted had reached
somebody, as it counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ACCEPTED = """
UPDATE notifications SET status = 'accepted', reached_at = CASE WHEN kind = 'page' THEN done_at END
WHERE status = 'delivered'
"""


def upgrade() -> None:
    """Add the column, and say of each message no more than is known."""
    op.add_column("notifications", sa.Column("reached_at", sa.BigInteger))
    op.execute(ACCEPTED)
