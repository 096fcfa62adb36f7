"""Emergencies whose alarm has reached nobody, and what could not be read.

Incidents that are open know from now on when their alarm began and how many of its pages were delivered; for those that
an older Tocsin opened it is counted here, once.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

EMERGENCIES = "SELECT id, exercise, doc FROM incidents WHERE state = 'open' AND level = 4"
PAGES = sa.text("""
SELECT min(created_at) AS began, sum(CASE WHEN status = 'delivered' THEN 1 ELSE 0 END) AS reached FROM notifications
WHERE incident_id = :id AND kind = 'page' AND page >= :alarm
""")
KEEP_DOC = sa.text("UPDATE incidents SET doc = :doc WHERE id = :id")
KEEP_ALARM = sa.text("INSERT INTO alarms (incident_id, since) VALUES (:id, :since)")


def upgrade() -> None:
    """Create both tables, and count."""
    op.create_table(
        "alarms",
        sa.Column("incident_id", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "set_aside",
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.text(EMERGENCIES)).all():
        try:
            doc = json.loads(row.doc)
        except ValueError:
            continue  # the store sets it aside when it meets it
        pages = connection.execute(PAGES, {"id": row.id, "alarm": doc.get("alarm", 0)}).one()
        began = pages.began or doc["opened_at"]
        doc |= {"alarmed_at": began, "reached": int(pages.reached or 0)}
        connection.execute(KEEP_DOC, {"doc": json.dumps(doc, separators=(",", ":")), "id": row.id})
        if not (pages.reached or row.exercise):
            connection.execute(KEEP_ALARM, {"id": row.id, "since": began})
