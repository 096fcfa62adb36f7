"""Who has an incident is a history that the incident carries.

For those that an older Tocsin holds and that are not closed it is read from their timelines, once.
"""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

INCIDENTS = "SELECT id, doc FROM incidents WHERE state IN ('open', 'acknowledged', 'resolved')"
TURNS = sa.text("""
SELECT fact, at, "by", data FROM entries
WHERE incident_id = :id
  AND fact IN ('acknowledged', 'handed_over', 'escalated', 'ack_expired', 'ack_voided', 'reopened')
ORDER BY position
""")
KEEP_DOC = sa.text("UPDATE incidents SET doc = :doc WHERE id = :id")
KEPT = 50
DEEDS = {
    "acknowledged": "acknowledged",
    "handed_over": "handed_over",
    "escalated": "asked_for_help",
    "ack_expired": "expired",
    "ack_voided": "voided",
    "reopened": "reopened",
}


def upgrade() -> None:
    """Read the timelines."""
    connection = op.get_bind()
    for row in connection.execute(sa.text(INCIDENTS)).all():
        try:
            doc = json.loads(row.doc)
            entries = connection.execute(TURNS, {"id": row.id}).all()
            turns = [turn for each in entries if (turn := _turn(each.fact, each.at, each.by, json.loads(each.data)))]
        except ValueError:
            continue  # the store sets it aside when it meets it
        if turns:
            doc["response"] = {**doc.get("response", {}), "history": turns[-KEPT:]}
            connection.execute(KEEP_DOC, {"doc": json.dumps(doc, separators=(",", ":")), "id": row.id})


def _turn(fact: str, at: int, by: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """A line of the history; None: no person did it, and it happened to nobody's acknowledgement."""
    if fact == "escalated" and not by:
        return None
    whom = data.get("whom", "") if fact in {"ack_expired", "ack_voided"} else by
    return {"deed": DEEDS[fact], "at": at, "by": whom, "to": data.get("to", "")}
