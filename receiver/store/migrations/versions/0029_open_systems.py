"""Which incidents that are not closed are about which system, to find others of the same system from each.

Of closed ones the table of migration 0024 says it. Those that are open when this runs are gathered once.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0024"
readable_from = "0018"  # a table of its own

SYSTEMS = ("system", "service", "application", "app", "job", "namespace", "cluster")
"""As the core had them when this was written."""

INCIDENTS = sa.text("SELECT number, doc FROM incidents WHERE state IN ('open', 'acknowledged', 'resolved')")
KEEP = sa.text("INSERT INTO open_systems (system, number) VALUES (:system, :number)")


def upgrade() -> None:
    """Create the table, and fill it."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "open_systems",
        sa.Column("system", sa.Text, primary_key=True),
        sa.Column("number", number, primary_key=True, autoincrement=False),
    )
    connection = op.get_bind()
    kept = [
        {"number": row.number, "system": system} for row in connection.execute(INCIDENTS) if (system := _of(row.doc))
    ]
    if kept:
        connection.execute(KEEP, kept)


def _of(doc: str) -> str:
    try:
        labels = json.loads(doc).get("labels", {})
        return str(next((labels[each] for each in SYSTEMS if labels.get(each)), "")).replace("\0", "")
    except (ValueError, AttributeError, TypeError):
        return ""  # the store sets it aside when it meets it
