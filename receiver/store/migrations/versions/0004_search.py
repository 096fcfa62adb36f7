"""Incidents by when they were opened, and by what stands in their titles.

Titles are indexed by their trigrams, by what the database itself has for it; on SQLite when the incident closes, so
that a storm's webhooks do not wait for it (it took a quarter of the time that a new incident costs). Where it has
nothing (SQLite without FTS5) or does not let us (PostgreSQL without pg_trgm, or with no right to add it), a search
reads titles one by one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SQLITE = (
    (
        "CREATE VIRTUAL TABLE incident_titles USING fts5"
        " (title, content='incidents', content_rowid='number', tokenize='trigram')"
    ),
    "INSERT INTO incident_titles (rowid, title) SELECT number, title FROM incidents WHERE state = 'closed'",
    (
        "CREATE TRIGGER incident_titles_in AFTER INSERT ON incidents WHEN new.state = 'closed' BEGIN"
        " INSERT INTO incident_titles (rowid, title) VALUES (new.number, new.title); END"
    ),
    (
        "CREATE TRIGGER incident_titles_out AFTER DELETE ON incidents WHEN old.state = 'closed' BEGIN"
        " INSERT INTO incident_titles (incident_titles, rowid, title) VALUES ('delete', old.number, old.title); END"
    ),
    (
        "CREATE TRIGGER incident_titles_closed AFTER UPDATE OF state ON incidents"
        " WHEN new.state = 'closed' AND old.state <> 'closed' BEGIN"
        " INSERT INTO incident_titles (rowid, title) VALUES (new.number, new.title); END"
    ),
    (
        "CREATE TRIGGER incident_titles_changed AFTER UPDATE OF title ON incidents"
        " WHEN old.state = 'closed' AND old.title <> new.title BEGIN"
        " INSERT INTO incident_titles (incident_titles, rowid, title) VALUES ('delete', old.number, old.title);"
        " INSERT INTO incident_titles (rowid, title) VALUES (new.number, new.title); END"
    ),
)
POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public",
    "CREATE INDEX incidents_by_words ON incidents USING gin (lower(title) public.gin_trgm_ops)",
)


def upgrade() -> None:
    """Create both indexes."""
    op.create_index("incidents_by_opening", "incidents", ["opened_at", "number"])
    connection = op.get_bind()
    statements = SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        if not _is_about_the_index(error):
            raise


def _is_about_the_index(error: sa.exc.DBAPIError) -> bool:
    """Whether the database has no such index for us; anything else (a full disk, a timeout) is an error."""
    state = getattr(error.orig, "sqlstate", None)
    # Not there to be installed; no right to install it; installed, but in a schema of somebody's own.
    return "no such module" in str(error.orig) or state in {"0A000", "58P01", "42501", "42704"}
