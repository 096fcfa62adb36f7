"""Which page reached somebody, what was accepted only, and who of the stakeholders was told of an incident.

What an older Tocsin called delivered was accepted: it knew no more. Of its pages each that was accepted had reached
somebody, as it counted. Incidents that are not over know whom it told, so that these get the all-clear.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ACCEPTED = """
UPDATE notifications SET status = 'accepted', reached_at = CASE WHEN kind = 'page' THEN done_at END
WHERE status = 'delivered'
"""
LIVE = "SELECT id, doc FROM incidents WHERE state IN ('open', 'acknowledged')"
TOLD = sa.text("""
SELECT DISTINCT channel, recipient FROM notifications
WHERE incident_id = :id AND kind IN ('breach', 'acknowledged', 'reminder') AND status = 'accepted'
ORDER BY channel, recipient
""")
KEEP_DOC = sa.text("UPDATE incidents SET doc = :doc WHERE id = :id")


def upgrade() -> None:
    """Add the column, and say of each message no more than is known."""
    op.add_column("notifications", sa.Column("reached_at", sa.BigInteger))
    op.execute(ACCEPTED)
    connection = op.get_bind()
    for row in connection.execute(sa.text(LIVE)).all():
        told = [dict(each) for each in connection.execute(TOLD, {"id": row.id}).mappings()]
        try:
            doc = json.loads(row.doc) | {"told": told}
        except (ValueError, TypeError):
            continue  # the store sets it aside when it meets it
        if told:
            connection.execute(KEEP_DOC, {"doc": json.dumps(doc, separators=(",", ":")), "id": row.id})
