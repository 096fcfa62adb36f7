"""The store: opened once by the service, written by the engine (`receiver.core.storage.Store`), read by all parts."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from receiver.core.audit_log import Audit
from receiver.core.canary import Canary
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.heartbeat import UNKNOWN, Beat, HeartbeatClock, hear
from receiver.core.loaded_rules import LoadedRules
from receiver.core.model import Instant
from receiver.errors import CannotError, DatabaseInUse, StoreUnavailable
from receiver.store import audit_chain, codec, evidence_bytes
from receiver.store.database import Database, Identity, identify
from receiver.store.files import copy_out, identify_handle, lock_of, require_one_name, take_ownership
from receiver.store.integrity import IntegrityFindings, look, require_sound
from receiver.store.people_rows import DeviceRows, HandoffRows
from receiver.store.reads import Reads
from receiver.store.session import Session
from receiver.store.statements import (
    CALENDAR_IS_GOOD,
    FORGET,
    FORGET_HEARTBEAT,
    FORGETTABLE,
    HEARTBEATS,
    KEEP_CALENDAR,
    KEEP_HEARTBEAT,
    KEEP_NOTE,
    LOCK_CLOSED,
    LOCK_HEARTBEATS,
    NEXT_DUE,
    ON_HOLD,
    PROBE,
    RELEASE_LEASES,
    TAKE_TURN,
    TOLD,
)
from receiver.store.transaction import SqlTransaction
from receiver.store.upgrade import SchemaState

log = structlog.get_logger()

LET_GO = 6.0
"""Seconds to wait for the file lock of a killed service's processes: longer than they wait for a database lock."""


def open_store(
    url: str, *, to_serve: bool = False, identity: Identity | None = None, breaking: bool = True
) -> "SqlStore":
    """Open a database and migrate its schema.

    `sqlite://` is in memory, `sqlite:///path` a file, `postgresql://…` a server. `to_serve`: lock the file for this
    process, check it, and release the leases of an earlier process. `identity`: require this file. `breaking`: allow
    migrations after which the previous Tocsin version cannot use the schema. Raises SettingsError (unsupported URL),
    DatabaseInUse, SchemaTooNew, UpgradeNotAllowed, StoreDamaged and StoreUnavailable.
    """
    database = Database(url, identity)
    lock = take_ownership(database.file, LET_GO) if to_serve and database.file else None
    try:
        if lock is not None and database.file:
            require_one_name(database.file)
        found = require_sound(database.file) if lock is not None and database.file else IntegrityFindings.WHOLE
        _say_if_newer(database.migrate(breaking=breaking))
        _require_whole(database)
        store = SqlStore(database, lock, found)
        if lock is not None:
            store.release_leases()
    except BaseException as error:
        database.close()
        if lock is not None:
            os.close(lock)
        if isinstance(error, DBAPIError):  # not a known state of the store: missing privileges, other tables …
            raise StoreUnavailable(f"{database.name} cannot be used: {error.orig}") from error
        raise
    return store


def _say_if_newer(schema: SchemaState) -> None:
    if schema.is_newer:
        log.warning("a newer Tocsin made the schema; this one can work on it", schema=schema.found, ours=schema.ours)


def _require_whole(database: Database) -> None:
    """Raises CannotError if the database is the unfinished target of a copy (`receiver.store.copying`)."""
    if database.rows("SELECT 1 FROM meta WHERE name = 'copy_unfinished'"):
        raise CannotError(f"{database.name} is a copy that was not finished", "run `tocsin copy` again")


def _clocks(rows: Iterable[Row[Any]]) -> dict[str, HeartbeatClock]:
    """Clocks by key. An unreadable one is left out; the next heartbeat starts it again."""
    return dict(codec.readable(lambda row: (row.key, codec.read_heartbeat(row.doc)), rows))


class SqlStore:
    """The store in SQL. Its methods raise StoreUnavailable and StoreConflict."""

    def __init__(
        self, database: Database, lock: int | None = None, found: IntegrityFindings = IntegrityFindings.WHOLE
    ) -> None:
        """`lock`: handle of the lock on a served file. `found`: result of the file's check at the start."""
        self.found = found
        """Result of the file's check at the start."""
        self._database = database
        self.lock = lock
        """Handle of the file lock; the lock is held until all copies of the handle are closed."""
        self._lock_file = lock_of(database.file) if database.file else None
        """Path of the lock file when opened: links may point elsewhere later. The writer has a copy of the handle."""
        self._reads = Reads(database)
        self.handoffs = HandoffRows(database)
        """The shift log and the handoff messages."""
        self.devices = DeviceRows(database)
        """The devices on which notifications are turned on."""
        self.installation = self._remember("installation", secrets.token_hex(4))
        """Identifies this installation in idempotency keys; made once per database."""
        self.key = self._remember("key", secrets.token_hex(32))
        """Signs sessions and links if no setting gives a key; made once per database, shared by all replicas."""

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """One transaction: committed at the end of the block, rolled back if it raises."""
        with self._database.write() as connection:
            yield SqlTransaction(Session(connection))

    def next_due(self) -> Instant | None:
        """When the next escalation window or the first notification of a queue is due; None: nothing is."""
        (due_at,) = self._database.rows(NEXT_DUE)[0]
        return due_at  # type: ignore[no-any-return] # a BIGINT column

    def reads(self) -> Reads:
        """Queries for pages, API and metrics; on connections of their own."""
        return self._reads

    def clock_offset(self, local: Instant) -> int:
        """Microseconds by which the database's clock is ahead of `local`, the caller's clock now; SQLite: 0."""
        if self._database.is_sqlite:
            return 0
        sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now"
        return int(self._database.rows(sql)[0].now) - local

    def backup(self, path: Path) -> None:
        """Copy a SQLite database into a file, while it is served; the file is replaced when the copy is complete.

        Raises CannotError where the file cannot be written, StoreUnavailable where the database cannot be read.
        """
        copy_out(self._database, path)

    @property
    def identity(self) -> Identity | None:
        """Identity of the database file; None: no file."""
        return self._database.identity

    def keep_lock(self) -> None:
        """Check that this process still holds the file's lock; lock again if the lock file was deleted or replaced.

        Raises StoreUnavailable where another Tocsin holds it.
        """
        file = self._database.file
        if self.lock is None or file is None or self._lock_file is None:
            return
        if identify(self._lock_file) == identify_handle(self.lock):
            return
        if identify(file) != self.identity:
            return  # another file has the name now; it is not this process's to lock
        try:
            again = take_ownership(file, lock=self._lock_file)
        except DatabaseInUse as error:
            raise StoreUnavailable(f"{self._lock_file} was deleted, and another Tocsin serves {file} by now") from error
        os.close(self.lock)
        self.lock = again

    def shorten_journal(self) -> None:
        """Truncate a journal that grew during a long read. Raises StoreUnavailable."""
        self._database.shorten_journal()

    def look_at_file(self, seconds: float) -> list[str] | None:
        """Check a SQLite file for at most that many seconds. Returns its problems; None: out of time."""
        return [] if self._database.file is None else look(self._database.file, seconds)

    def reindex(self, index: str) -> None:
        """Rebuild an index of a SQLite database. Raises StoreDamaged where it cannot be rebuilt."""
        with self._database.write() as connection:
            session = Session(connection)
            if session.rows("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = :index", index=index):
                session.run(f'REINDEX "{index}"', {})

    def probe(self) -> None:
        """Write a random value under a key of its own. Raises StoreUnavailable where the store takes no writes."""
        self._database.run(PROBE, {"value": secrets.token_hex(4)})

    def forget(self, before: Instant, limit: int) -> int:
        """Delete incidents closed before then, with all their rows, the oldest first; returns how many.

        Incidents under legal hold are kept.
        """
        with self._database.write() as connection:
            session = Session(connection)
            ids = [row.id for row in session.rows(FORGETTABLE, before=before, limit=limit)]
            locked = [row.id for row in session.rows(LOCK_CLOSED, ids=ids)]
            on_hold = {row.incident_id for row in session.rows(ON_HOLD, ids=locked)}
            closed = [each for each in locked if each not in on_hold]
            evidence_bytes.drop_of_incidents(session, closed)
            for statement in FORGET if closed else ():
                session.run(statement, {"ids": closed})
            return len(closed)

    def add_evidence(self, upload: str, position: int, content: bytes, now: Instant) -> None:
        """Store a chunk of an upload that belongs to no incident yet."""
        with self._database.write() as connection:
            evidence_bytes.add_chunk(Session(connection), upload, position, content, now)

    def drop_evidence(self, upload: str) -> None:
        """Delete an upload, unless it belongs to an incident."""
        with self._database.write() as connection:
            evidence_bytes.drop_pending(Session(connection), upload)

    def drop_stale_evidence(self, before: Instant) -> None:
        """Delete uploads begun before then that belong to no incident."""
        with self._database.write() as connection:
            evidence_bytes.drop_stale(Session(connection), before)

    def verify_evidence(self) -> tuple[int, list[str]]:
        """Compare all evidence files with the audit log and their hashes; returns their number and the problems."""
        return self._reads.verify_evidence(audit_chain.about_evidence(self._database))

    def put_right(self, incident_ids: Sequence[str], notification_ids: Sequence[str], now: Instant) -> None:
        """Repair rows that seem damaged: set aside unreadable ones, correct columns that contradict their document."""
        with self.transaction() as transaction:
            transaction.put_right(incident_ids, notification_ids, now)

    def told_damage(self, rows: Sequence[tuple[str, str]]) -> None:
        """Mark damaged rows, given as (kind, id), as reported to a person."""
        self._database.run(TOLD, *({"what": what, "id": id_} for what, id_ in rows))

    def release_leases(self) -> None:
        """Make notifications leased by an ended process due at once. Only for the single server of a database."""
        self._database.run(RELEASE_LEASES, {})

    def verify_audit(self, known: tuple[int, str] | None = None) -> tuple[int, str]:
        """Check the audit log; returns position and hash of its last entry. Raises AuditBroken if it was changed."""
        return audit_chain.verify(self._database, known)

    def newest_audits(self, limit: int, before: int | None = None) -> list[tuple[int, Audit]]:
        """Audit log entries with their positions, the newest first; only those before a position if one is given."""
        return audit_chain.newest(self._database, limit, before)

    def hear(self, beats: Sequence[Beat]) -> None:
        """Store heartbeats, merged with those that other replicas stored meanwhile."""
        with self._database.write() as connection:
            session = Session(connection)
            rows = session.rows(LOCK_HEARTBEATS, keys=sorted(each.key for each in beats))
            known = _clocks(rows)
            for damaged in {row.key for row in rows} - set(known):
                SqlTransaction(session).note_damage("heartbeat", damaged, "it cannot be read, and begins anew")
            for beat in sorted(beats, key=lambda each: each.key):
                clock = hear(known.get(beat.key), beat)
                if clock is not None:
                    known[beat.key] = clock
                    session.run(KEEP_HEARTBEAT, {"key": clock.key, "doc": codec.to_json(clock)})
                    session.run(FORGET_HEARTBEAT, {"key": UNKNOWN})

    def heartbeats(self) -> list[HeartbeatClock]:
        """All heartbeat clocks, retired ones included."""
        return list(_clocks(self._database.rows(HEARTBEATS)).values())

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Stop expecting a heartbeat; `entry` is the audit log's entry of it."""
        with self._database.write() as connection:
            session = Session(connection)
            for clock in _clocks(session.rows(LOCK_HEARTBEATS, keys=[key])).values():
                session.run(KEEP_HEARTBEAT, {"key": key, "doc": codec.to_json(replace(clock, retired_at=entry.at))})
            SqlTransaction(session).append_audits([entry])

    def take_turn(self, channel: str, last: Canary | None, begun: Canary) -> bool:
        """Record that a canary is being sent; False: another replica has recorded one since `last`."""
        return self._take_turn(f"canary/{channel}", last, begun, codec.read_canary)

    def take_calendar_turn(self, schedule: str, last: CalendarFetches | None, begun: CalendarFetches) -> bool:
        """Record that a schedule's calendar is being fetched; False: another replica has recorded one since `last`."""
        return self._take_turn(f"calendar/{schedule}", last, begun, codec.read_calendar_fetches)

    def keep_calendar(self, schedule: str, after: CalendarFetches, text: str, digest: str) -> None:
        """Store a fetch's result and its copy of the calendar. `text` empty: the last copy stays."""
        with self._database.write() as connection:
            session = Session(connection)
            session.run(KEEP_NOTE, {"name": f"calendar/{schedule}", "value": codec.to_json(after)})
            row = {"schedule": schedule, "fetched_at": after.good_at}
            if text:
                session.run(KEEP_CALENDAR, {**row, "digest": digest, "text": text})
            elif after.good_at is not None:
                session.run(CALENDAR_IS_GOOD, row)

    def loaded_rules(self) -> LoadedRules | None:
        """What is known of the rules that Prometheus evaluates (`receiver.core.loaded_rules`); None: nothing yet."""
        rows = self._database.rows("SELECT value FROM meta WHERE name = 'loaded_rules'")
        return next(iter(codec.readable(lambda row: codec.read_loaded_rules(row.value), rows)), None)

    def keep_loaded_rules(self, last: LoadedRules | None, rules: LoadedRules) -> bool:
        """Store what is known of these rules; False: another replica has stored something since `last`."""
        return self._take_turn("loaded_rules", last, rules, codec.read_loaded_rules)

    def _take_turn(self, name: str, last: object, value: object, read: Callable[[str], object]) -> bool:
        """Store a value if the stored one is still `last`; an unreadable one is set aside first."""
        with self._database.write() as connection:
            session = Session(connection)
            if last is None:
                for row in session.rows("SELECT value FROM meta WHERE name = :name", name=name):
                    if not codec.readable(lambda found: read(found.value), [row]):
                        session.run(
                            "UPDATE meta SET name = :aside WHERE name = :name", {"name": name, "aside": f"{name}!"}
                        )
                        SqlTransaction(session).note_damage("meta", name, "it cannot be read, and begins anew")
            known = "" if last is None else codec.to_json(last)
            return bool(session.rows(TAKE_TURN, name=name, value=codec.to_json(value), last=known))

    def keep_canary(self, channel: str, canary: Canary) -> None:
        """Store a canary's result."""
        self._database.run(KEEP_NOTE, {"name": f"canary/{channel}", "value": codec.to_json(canary)})

    def close(self) -> None:
        """Close all connections and release the file lock."""
        self._database.close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def _remember(self, name: str, value: str) -> str:
        """The value stored under a name; stores `value` if there is none."""
        with self._database.write() as connection:
            session = Session(connection)
            row = {"name": name, "value": value}
            session.run("INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING", row)
            return str(session.rows("SELECT value FROM meta WHERE name = :name", name=name)[0].value)
