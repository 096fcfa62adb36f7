"""Incidents and messages to store, and the saving of them in one line."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from receiver.core.model import Alert, Entry, Fact, FileChange, Incident, Kind, Notification, Reason, Supersede, Window
from receiver.core.storage import Changes
from receiver.store import SqlStore

NOW = 1_760_000_000_000_000
MINUTE = 60_000_000


def incident(name: str = "a", **more: Any) -> Incident:
    """An incident whose id and key come from its name."""
    return replace(
        Incident(
            id=f"id-{name}",
            key=f"key-{name}",
            policy="digest",
            level=3,
            type="slo_violation",
            title="Availability is low",
            opened_at=NOW,
            response_due_at=NOW + 60 * MINUTE,
        ),
        **more,
    )


def due(name: str, at: int | None) -> Incident:
    """An incident with one window (or none)."""
    return incident(name, windows={} if at is None else {Window.ESCALATE: at})


def message(sequence: int, incident_id: str = "id-a", **more: Any) -> Notification:
    """A page on Slack, due at once."""
    return replace(
        Notification(
            id=f"{incident_id}-{sequence}",
            incident_id=incident_id,
            sequence=sequence,
            kind=Kind.PAGE,
            reason=Reason.OPENED,
            channel="slack",
            recipient="#ops",
            level=3,
            created_at=NOW,
            due_at=NOW,
            give_up_at=NOW + 60 * MINUTE,
        ),
        **more,
    )


def alert(fingerprint: str = "f", **more: Any) -> Alert:
    """A firing alert."""
    return replace(
        Alert(fingerprint, NOW, firing=True, level=3, rule="s/r", type="r", labels={"a": "b"}, annotations={}), **more
    )


def entry(position: int = 1, incident_id: str = "id-a", **more: Any) -> Entry:
    """A line of a timeline."""
    return replace(Entry(incident_id, position, NOW, Fact.OPENED, data={"level": "3"}), **more)


def changes(
    opened: Sequence[Incident] = (),
    changed: Sequence[Incident] = (),
    alerts: Sequence[tuple[str, Alert]] = (),
    planned: Sequence[Notification] = (),
    settled: Sequence[Notification] = (),
    supersedes: Sequence[tuple[str, Supersede]] = (),
    entries: Sequence[Entry] = (),
    *,
    unreached: Mapping[str, int | None] = MappingProxyType({}),
    files: Sequence[tuple[str, FileChange]] = (),
    on_hold: Mapping[str, bool] = MappingProxyType({}),
) -> Changes:
    """What a transaction writes; new incidents in key order, as the engine hands them over.

    `alerts` are given with an incident's id; an incident that is not among `opened` has a source of its own.
    """
    known = {each.id: each for each in opened}
    held = [(known.get(name) or replace(incident(), id=name, source=name), each) for name, each in alerts]
    in_order = sorted(opened, key=lambda each: each.key)
    more: dict[str, Any] = {"unreached": unreached, "files": files, "on_hold": on_hold}
    return Changes(in_order, changed, held, planned, settled, supersedes, entries, **more)


def save(store: SqlStore, **what: Any) -> list[Incident]:
    """One transaction that writes; new incidents without a number get one. Returns the new incidents."""
    with store.transaction() as transaction:
        opened = what.pop("opened", [])
        if opened:
            first = transaction.next_numbers(len(opened))
            opened = [replace(each, number=each.number or first + place) for place, each in enumerate(opened)]
        transaction.save(changes(opened=opened, **what))
    return opened


def heads(store: SqlStore, *ids: str, now: int = NOW, busy: frozenset[str] = frozenset()) -> list[int]:
    """The sequences of what may be sent now."""
    with store.transaction() as transaction:
        return [each.sequence for each in transaction.heads(ids or ["id-a"], now, busy)]


def stored(store: SqlStore, sequence: int, incident_id: str = "id-a") -> Notification:
    """A message as the store has it."""
    with store.transaction() as transaction:
        return transaction.notifications([f"{incident_id}-{sequence}"])[f"{incident_id}-{sequence}"]


def stale_index(path: Path) -> None:
    """Entries that an index has lost: what a copy made while the file is in use looks like."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'notifications_due'").fetchone()[0]
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'notifications_due'", (f"{sql} AND 0",))
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE notifications SET due_at = NULL WHERE incident_id NOT BETWEEN 'id-0000' AND 'id-0100'"
        )
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'notifications_due'", (sql,))
        connection.commit()
