"""What people did and entered before an incident came back belongs to the occurrence that it was about.

For incidents that an older Tocsin holds, that came back and that are not closed, it is set apart once, by the times in
their records: ticks of steps, and the facts by the timeline.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

INCIDENTS = "SELECT id, opened_at, doc FROM incidents WHERE state IN ('open', 'acknowledged', 'resolved')"
LINES = sa.text("""
SELECT fact, at, "by", data FROM entries
WHERE incident_id = :id AND fact IN ('resolved', 'reopened', 'changed')
ORDER BY position
""")
KEEP_DOC = sa.text("UPDATE incidents SET doc = :doc WHERE id = :id")
KEPT = 20


def upgrade() -> None:
    """Read the timelines of those that came back."""
    connection = op.get_bind()
    for row in connection.execute(sa.text(INCIDENTS)).all():
        try:
            doc = json.loads(row.doc)
            if not doc.get("recurrences"):
                continue
            lines = [
                (each.fact, each.at, each.by, json.loads(each.data))
                for each in connection.execute(LINES, {"id": row.id}).all()
            ]
        except ValueError:
            continue  # the store sets it aside when it meets it
        _set_apart(doc, row.opened_at, lines)
        connection.execute(KEEP_DOC, {"doc": json.dumps(doc, separators=(",", ":")), "id": row.id})


def _set_apart(doc: dict[str, Any], opened_at: int, lines: Sequence[tuple[str, int, str, Mapping[str, str]]]) -> None:
    """Cut what the incident has at the moments at which it came back."""
    response = doc.setdefault("response", {})
    lists = response.setdefault("checklists", {})
    done, facts = lists.get("done", {}), doc.get("facts", {})
    found: list[dict[str, Any]] = []
    entered: dict[str, str] = {}
    began_at, resolved = opened_at, {}
    for fact, at, by, data in lines:
        if fact == "changed" and data.get("field") in facts:
            entered[data["field"]] = data.get("value", "")
        elif fact == "resolved":
            resolved = {"resolved_at": at, "resolved_by": by}
        elif fact == "reopened" and data.get("reason") == "recurred":
            ticked = {step: each for step, each in done.items() if began_at <= each["at"] < at}
            own = {"number": len(found) + 1, "began_at": began_at, "ended_at": at, "facts": entered}
            found.append(own | resolved | {"checklists": {"done": ticked}})
            began_at, entered, resolved = at, {}, {}
    if found:
        doc["facts"] = {name: value for name, value in facts.items() if name in entered}
        lists["done"] = {step: each for step, each in done.items() if each["at"] >= began_at}
        response["occurrences"] = found[-KEPT:]
