"""Copies a database into another of any kind, SQLite to PostgreSQL and back. Used by `tocsin copy`.

Rows are copied in the order of the source's keys, and the target stores the last key with the rows, so that an
interrupted copy continues there. Rules: the source is not served meanwhile, and only read; the target is empty or an
unfinished copy of the same source; no Tocsin serves the target until the copy is complete; finally every table is
compared row by row, and the audit chain is verified.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, LargeBinary, Row, Table, func, literal, select, text, tuple_

from receiver.errors import CannotError
from receiver.store import audit_chain, schema
from receiver.store.database import Database
from receiver.store.files import take_ownership
from receiver.store.session import Session
from receiver.store.upgrade import look

UNFINISHED = "copy_unfinished"
"""Name of the row in the target's `meta` during a copy; its value is the source's installation."""

AT_A_TIME = 500
LARGE = 20
"""Rows per batch in tables that hold files."""

_MODULUS = 1 << 256

_META = schema.metadata.tables["meta"]
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tocsin' AND pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a verified copy."""

    rows: dict[str, int]
    """By table."""
    audit_head: str
    """The last audit log entry of both, ``POSITION:HASH``."""
    open_windows: int
    """Incidents whose next escalation window has a due time."""


def copy(source_url: str, target_url: str, say: Callable[[str], None]) -> Copied:
    """Copy and verify; `say` is called with the progress of each table.

    Raises CannotError, AuditBroken, SettingsError, StoreUnavailable, DatabaseInUse.
    """
    with closing(Database(source_url)) as source, closing(Database(target_url)) as target:
        locks = [take_ownership(each.file) for each in (source, target) if each.file]
        try:
            return _copy(source, target, say)
        finally:
            _let_go(locks)


def _copy(source: Database, target: Database, say: Callable[[str], None]) -> Copied:
    _require_unserved(source)
    with source.read() as connection:
        state = look(connection)
    if state.found != state.ours:
        raise CannotError(
            f"the source's schema is {state.found or 'none'}, this Tocsin's is {state.ours}",
            "start this version on it once, or run `tocsin database upgrade`",
        )
    target.migrate()
    _begin(target, _meta(source, "installation"))
    for table in _tables():
        say(f"{table.name}: {_copy_table(source, target, table)} rows")
    _finish(source, target)
    return _verify(source, target)


def _tables() -> Iterator[Table]:
    """All tables but `meta`, which is copied last: with it the target becomes a copy that can be served."""
    return (table for table in schema.metadata.sorted_tables if table is not _META)


def _require_unserved(database: Database) -> None:
    """Raises CannotError where a Tocsin is connected to a server; a file has a lock instead."""
    if database.is_sqlite:
        return
    with database.read() as connection:
        if connection.execute(text(_OTHERS)).scalar():
            raise CannotError(f"a Tocsin is connected to {database.name}", "stop it first: scale it to 0 replicas")


def _begin(target: Database, installation: str) -> None:
    """Mark the target as an unfinished copy. Raises CannotError where it holds anything else."""
    unfinished = _meta(target, UNFINISHED)
    if unfinished == installation:
        return
    with target.write() as connection:
        filled = [table.name for table in _tables() if connection.execute(select(table).limit(1)).first()]
        if unfinished or filled or _meta_in(connection, "installation"):
            what = "is an unfinished copy of another database" if unfinished else "is not empty"
            raise CannotError(f"the target {what}", "name a new one; nothing of it was changed")
        connection.execute(_META.insert().values(name=UNFINISHED, value=installation))


def _copy_table(source: Database, target: Database, table: Table) -> int:
    """Copy the rows that are missing; returns the table's number of rows in the target."""
    place = f"copy_at {table.name}"
    noted = _meta(target, place)
    last = orjson.loads(noted) if noted else None
    while rows := _rows(source, table, last):
        last = _key_of(rows[-1], table)
        with target.write() as connection:
            Session(connection).insert(table, [tuple(row) for row in rows])
            connection.execute(_META.delete().where(_META.c.name == place))
            connection.execute(_META.insert().values(name=place, value=orjson.dumps(last).decode()))
    with target.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _rows(database: Database, table: Table, last: Sequence[Any] | None) -> list[Row[Any]]:
    """The next rows after a key, in this database's key order."""
    key = list(table.primary_key.columns)
    is_large = any(isinstance(column.type, LargeBinary) for column in table.columns)
    query = select(table).order_by(*key).limit(LARGE if is_large else AT_A_TIME)
    if last is not None:
        query = query.where(
            tuple_(*key) > tuple_(*(literal(value, each.type) for value, each in zip(last, key, strict=True)))
        )
    with database.read() as connection:
        return list(connection.execute(query))


def _key_of(row: Row[Any], table: Table) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in table.primary_key.columns)


def _finish(source: Database, target: Database) -> None:
    """Copy `meta`; this removes the mark, so that the target can be served."""
    with source.read() as connection:
        rows = [tuple(row) for row in connection.execute(select(_META).where(_META.c.name != UNFINISHED))]
    with target.write() as connection:
        connection.execute(_META.delete())
        Session(connection).insert(_META, rows)


def _verify(source: Database, target: Database) -> Copied:
    """Compare all tables. Raises CannotError with the first that differs, AuditBroken."""
    counts: dict[str, int] = {}
    for table in (*_tables(), _META):
        (count, digest), theirs = _digest(source, table), _digest(target, table)
        if (count, digest) != theirs:
            _take_back(target, source)
            raise CannotError(
                f"the table {table.name} differs: {count} rows in the source, {theirs[0]} in the target",
                "was the source written to meanwhile? Copy into a new database; this one is not served",
            )
        counts[table.name] = count
    head = audit_chain.verify(source)
    audit_chain.verify(target, head if head[0] else None)
    with target.read() as connection:
        incidents = schema.incidents
        due = select(func.count()).select_from(incidents).where(incidents.c.due_at.is_not(None))
        windows = connection.execute(due).scalar_one()
    return Copied(counts, f"{head[0]}:{head[1]}", windows)


def _digest(database: Database, table: Table) -> tuple[int, int]:
    """Number of rows, and the sum of their hashes: a sum, because the databases sort texts differently."""
    digest, count, last = 0, 0, None
    while rows := _rows(database, table, last):
        hashes = (sha256(repr(tuple(row)).encode("utf-8", "surrogateescape")).digest() for row in rows)
        digest = (digest + sum(map(int.from_bytes, hashes))) % _MODULUS
        count += len(rows)
        last = _key_of(rows[-1], table)
    return count, digest


def _take_back(target: Database, source: Database) -> None:
    with target.write() as connection:
        connection.execute(_META.insert().values(name=UNFINISHED, value=_meta(source, "installation")))


def _meta(database: Database, name: str) -> str:
    with database.read() as connection:
        return _meta_in(connection, name)


def _meta_in(connection: Connection, name: str) -> str:
    return str(connection.execute(select(_META.c.value).where(_META.c.name == name)).scalar() or "")


def _let_go(locks: list[int | None]) -> None:
    for lock in locks:
        if lock is not None:
            os.close(lock)
