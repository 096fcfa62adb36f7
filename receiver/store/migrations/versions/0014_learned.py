"""What people wrote down about incidents, to be found by words and by type and system.

For what an older Tocsin holds it is gathered once, from the incidents' documents.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
readable_from = "0013"  # it only adds

SYSTEMS = ("system", "service", "application", "app", "job", "namespace", "cluster")
"""As the core had them when this was written."""

INCIDENTS = sa.text("SELECT number, type, doc FROM incidents WHERE number > :after ORDER BY number LIMIT 1000")
KEEP = sa.text("INSERT INTO learned (number, type, system, words) VALUES (:number, :type, :system, :words)")


def upgrade() -> None:
    """Create the table and its indexes, and fill it."""
    op.create_table(
        "learned",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("learned_by_type", "learned", ["type", "number"])
    op.create_index("learned_by_system", "learned", ["system", "number"])
    connection = op.get_bind()
    after = -1
    while rows := connection.execute(INCIDENTS, {"after": after}).all():
        found = [learned for row in rows for learned in _learned(row)]
        if found:
            connection.execute(KEEP, found)
        after = rows[-1].number


def _learned(row: Any) -> Iterator[dict[str, Any]]:
    try:
        doc = json.loads(row.doc)
        earlier = [each.get("facts", {}) for each in doc.get("response", {}).get("occurrences", ())]
        words = "\n".join(value for facts in (doc.get("facts", {}), *earlier) for value in facts.values() if value)
        labels = doc.get("labels", {})
        system = next((labels[each] for each in SYSTEMS if labels.get(each)), "")
    except (ValueError, AttributeError, TypeError):
        return  # the store sets it aside when it meets it
    if words:
        kept = {"type": row.type, "system": system, "words": words}
        yield {"number": row.number, **{name: value.replace("\0", "") for name, value in kept.items()}}
