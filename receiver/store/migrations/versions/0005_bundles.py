"""What is bundled is found level by level, as what is not.

While a storm's bundles left, each look for the next one sorted everything that was bundled: webhooks waited for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WHERE = sa.text("due_at IS NOT NULL AND bundle_at IS NOT NULL")


def upgrade() -> None:
    """Put the level first."""
    op.drop_index("notifications_bundled", "notifications", if_exists=True)
    op.create_index(
        "notifications_bundled",
        "notifications",
        ["level", "due_at", "channel"],
        sqlite_where=WHERE,
        postgresql_where=WHERE,
    )
