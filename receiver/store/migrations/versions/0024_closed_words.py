"""What closed incidents are found by beside their titles: labels, system, people, and what people noted.

The words are indexed by their trigrams, as titles are (migration 0004), by what the database has for it. For incidents
that are closed already they are gathered once.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
readable_from = "0018"  # tables of their own

SYSTEMS = ("system", "service", "application", "app", "job", "namespace", "cluster")
"""As the core had them when this was written."""
ANSWERS = ("acknowledged", "answered")

SQLITE = (
    (
        "CREATE VIRTUAL TABLE closed_words_index USING fts5"
        " (words, content='closed_words', content_rowid='number', tokenize='trigram')"
    ),
    (
        "CREATE TRIGGER closed_words_in AFTER INSERT ON closed_words BEGIN"
        " INSERT INTO closed_words_index (rowid, words) VALUES (new.number, new.words); END"
    ),
    (
        "CREATE TRIGGER closed_words_out AFTER DELETE ON closed_words BEGIN"
        " INSERT INTO closed_words_index (closed_words_index, rowid, words)"
        " VALUES ('delete', old.number, old.words); END"
    ),
    (
        "CREATE TRIGGER closed_words_changed AFTER UPDATE OF words ON closed_words WHEN old.words <> new.words BEGIN"
        " INSERT INTO closed_words_index (closed_words_index, rowid, words)"
        " VALUES ('delete', old.number, old.words);"
        " INSERT INTO closed_words_index (rowid, words) VALUES (new.number, new.words); END"
    ),
)
POSTGRESQL = ("CREATE INDEX closed_words_by_words ON closed_words USING gin (lower(words) public.gin_trgm_ops)",)

INCIDENTS = sa.text(
    "SELECT number, id, doc FROM incidents WHERE number > :after AND state = 'closed' ORDER BY number LIMIT 1000"
)
SAID = sa.text("""SELECT incident_id, fact, data FROM entries WHERE incident_id IN :ids AND "by" <> ''""").bindparams(
    sa.bindparam("ids", expanding=True)
)
KEEP = sa.text("INSERT INTO closed_words (number, system, words) VALUES (:number, :system, :words)")
KEEP_PERSON = sa.text("INSERT INTO closed_people (person, number) VALUES (:person, :number)")


def upgrade() -> None:
    """Create the tables and their indexes, and fill them."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "closed_words",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("closed_words_by_system", "closed_words", ["system", "number"])
    op.create_table(
        "closed_people",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_index("closed_people_by_number", "closed_people", ["number"])
    connection = op.get_bind()
    _index(connection)
    after = -1
    while rows := connection.execute(INCIDENTS, {"after": after}).all():
        said: dict[str, list[str]] = {}
        for each in connection.execute(SAID, {"ids": [row.id for row in rows]}):
            said.setdefault(each.incident_id, []).extend(_said(each.fact, each.data))
        for row in rows:
            _fill(connection, row, said.get(row.id, ()))
        after = rows[-1].number


def _index(connection: sa.Connection) -> None:
    try:
        with connection.begin_nested():
            for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        # Not there; no right to it; in a schema of somebody's own. Anything else (a full disk, a timeout) is an error.
        state = getattr(error.orig, "sqlstate", None)
        if "no such module" not in str(error.orig) and state not in {"42501", "42704", "3F000"}:
            raise


def _said(fact: str, data: str) -> Iterable[str]:
    try:
        doc = json.loads(data)
        return [doc[each] for each in ("note", *(["text"] if fact == "noted" else [])) if doc.get(each)]
    except (ValueError, AttributeError):
        return []


def _fill(connection: sa.Connection, row: Any, said: Iterable[str]) -> None:
    try:
        doc = json.loads(row.doc)
        labels, people = doc.get("labels", {}), sorted(_people(doc))
        system = next((labels[each] for each in SYSTEMS if labels.get(each)), "")
        words = "\n".join((*(f"{name}={value}" for name, value in sorted(labels.items())), *people, *said))
    except (ValueError, AttributeError, TypeError):
        return  # the store sets it aside when it meets it
    kept = {"number": row.number, "system": system.replace("\0", ""), "words": words.replace("\0", "")}
    connection.execute(KEEP, kept)
    if people:
        connection.execute(KEEP_PERSON, [{"person": each.replace("\0", ""), "number": row.number} for each in people])


def _people(doc: Mapping[str, Any]) -> set[str]:
    response = doc.get("response", {})
    turns = response.get("history", ())
    answered = {each.get("by", "") for each in turns if each.get("deed") in ANSWERS}
    handed = {each.get("to", "") for each in turns}
    return {*answered, *handed, response.get("owner", ""), doc.get("acknowledged_by", "")} - {""}
