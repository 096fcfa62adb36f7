"""Makes a database with many incidents: the engine opens one, and SQL copies it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from bench.ingest import POLICY, body
from receiver.clients.alert_payload import parse
from receiver.clock import wall_clock
from receiver.core.classify import classify
from receiver.core.events import AlertsReceived
from receiver.core.model import Incident, Instant
from receiver.engine.engine import Engine
from receiver.store import open_store
from rules.load import load

CHANNELS = ("email", "slack")

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= :size)"

_FOUND_BY = (
    """
    INSERT INTO closed_words (number, system, words)
    SELECT i, 'system-' || (i % 1000), 'region=north' || char(10) || 'service=system-' || (i % 1000) || char(10)
        || 'unit=u' || i || char(10) || 'person-' || (i % 50) || char(10) || 'looked at the log of u' || i FROM n
    """,
    "INSERT INTO closed_people (person, number) SELECT 'person-' || (i % 50), i FROM n",
)
"""Searchable properties of closed incidents besides their titles: a thousand systems, fifty people, a note for each."""


def url(folder: Path) -> str:
    """The database's URL."""
    return f"sqlite:///{folder / 'tocsin.db'}"


def engine(folder: Path, now: Instant, database: str = "") -> Engine:
    """An engine on that database; empty: on the folder's."""
    (folder / "policy.yaml").write_text(POLICY)
    return Engine(open_store(database or url(folder)), load([folder / "policy.yaml"]), CHANNELS, now)


def first(folder: Path, database: str = "") -> Incident:
    """Open the incident to be copied."""
    now = wall_clock()
    opening = engine(folder, now, database)
    payload = parse(body(1), now)
    found = classify(opening.current, "", payload.group_labels, payload.alerts[0])
    (result,) = opening.handle([AlertsReceived(found.key, "", (found.alert,))], now)
    if result.incident is None:
        raise RuntimeError("the alert opened no incident")

    return result.incident


def pending(folder: Path, size: int, begin: Instant, apart: int) -> None:
    """Open incidents, each with one escalation window: the first at `begin`, then one every `apart` microseconds."""
    at = f"({begin} + (i - 2) * {apart})"
    _copy_incidents(folder, size, f"json_set(doc, '$.windows', json_object('escalate', {at}))", "'k' || i", "state", at)


def history(folder: Path, size: int) -> None:
    """Closed incidents, each with its alert, its messages and its timeline; one in a thousand of another type."""
    closed = "json_set(doc, '$.state', 'closed', '$.windows', json('{}'))"
    _copy_incidents(folder, size, closed, "NULL", "'closed'", "NULL")
    with closing(_connect(folder)) as connection, connection:
        for table in ("alerts", "entries", "notifications"):
            _copy_parts(connection, table, size)
        for statement in _FOUND_BY:
            connection.execute(f"{_NUMBERS} {statement}", {"size": size})


def history_of_server(address: str, size: int) -> None:
    """As `history`, in PostgreSQL, without alerts, messages and timelines. Indexes are made after the rows."""
    with psycopg.connect(address, autocommit=True) as connection:
        made_by = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename IN ('incidents', 'closed_words', 'closed_people') AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        ).fetchall()
        for name, _ in made_by:
            connection.execute(f'DROP INDEX "{name}"')
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = off")
            _copy_on_server(connection, size)
        for _, made in made_by:
            connection.execute(made)
        connection.execute("VACUUM ANALYZE")


def _copy_on_server(connection: psycopg.Connection[Any], size: int) -> None:
    what = {
        "number": "i",
        "id": "'id-' || i",
        "key": "'k' || i",
        "open_key": "NULL",
        "state": "'closed'",
        "type": "CASE WHEN i % 1000 <> 0 THEN type ELSE 'rare' END",
        "title": "title || ' ' || i",
        "due_at": "NULL",
        "doc": "(doc::jsonb || jsonb_build_object('state', 'closed', 'windows', '{}'::jsonb, 'id', 'id-' || i,"
        " 'number', i, 'key', 'k' || i))::text",
    }
    names = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'incidents' ORDER BY ordinal_position"
        )
    ]
    columns, values = ", ".join(names), ", ".join(what.get(name, name) for name in names)
    numbers = f"generate_series(2, {size + 1}) AS n(i)"
    connection.execute(f"INSERT INTO incidents ({columns}) SELECT {values} FROM {numbers}, incidents WHERE number = 1")
    connection.execute("UPDATE incidents SET due_at = NULL WHERE number = 1")
    connection.execute("UPDATE notifications SET due_at = NULL, status = 'accepted'")
    connection.execute(f"UPDATE meta SET value = '{size + 1}' WHERE name = 'last_number'")
    for statement in _FOUND_BY:
        connection.execute(statement.replace("char(10)", "chr(10)").replace("FROM n", f"FROM {numbers}"))


def _copy_incidents(folder: Path, size: int, doc: str, open_key: str, state: str, due_at: str) -> None:
    what = {
        "number": "i",
        "id": "'id-' || i",
        "key": "'k' || i",
        "open_key": open_key,
        "state": state,
        "type": "CASE WHEN i % 1000 THEN type ELSE 'rare' END",
        "title": "title || ' ' || i",
        "due_at": due_at,
        "doc": f"json_set({doc}, '$.id', 'id-' || i, '$.number', i, '$.key', 'k' || i)",
    }
    with closing(_connect(folder)) as connection, connection:
        _insert(connection, "incidents", what, size, "number = 1")
        connection.execute("UPDATE incidents SET due_at = NULL WHERE number = 1")
        connection.execute("UPDATE notifications SET due_at = NULL, status = 'accepted'")
        connection.execute("UPDATE meta SET value = :size WHERE name = 'last_number'", {"size": size + 1})


def _connect(folder: Path) -> sqlite3.Connection:
    """Connect without durability, because the file is temporary."""
    connection = sqlite3.connect(folder / "tocsin.db")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    return connection


def _copy_parts(connection: sqlite3.Connection, table: str, size: int) -> None:
    what = {"incident_id": "'id-' || i", "id": "'id-' || i || '-' || sequence", "held_source": "NULL"}
    (one,) = connection.execute("SELECT id FROM incidents WHERE number = 1").fetchone()
    _insert(connection, table, what, size, f"incident_id = '{one}'")


def _insert(connection: sqlite3.Connection, table: str, what: dict[str, str], size: int, which: str) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(what.get(name, f'"{name}"') for name in names)
    sql = f"{_NUMBERS} INSERT INTO {table} ({columns}) SELECT {values} FROM n, {table} WHERE {which} ORDER BY i"
    connection.execute(sql, {"size": size})


def memory(process: int | str = "self") -> float:
    """A process's current resident memory, in megabytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
