"""What the console reads across incidents: the most urgent ones, how many there are, what changed, how channels fare.

Reached as `Reads.overview`, on the readers' thread and connections. Each question reads an index and a bounded
number of rows, however much history there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from receiver.core.model import Incident, Instant, Notification, State
from receiver.store import codec
from receiver.store.database import Database
from receiver.store.session import Session

RECENT = 300
"""Incidents whose messages tell how a channel fares."""

FAILURES = 5
"""Failures of a channel that are shown."""

# Covered by incidents_by_state; 'open' sorts after 'acknowledged', and what nobody has taken comes first.
_URGENT = """
SELECT number, doc FROM incidents WHERE number IN (
    SELECT number FROM (
        SELECT number FROM incidents WHERE state IN ('open', 'acknowledged')
        ORDER BY level DESC, state DESC, number LIMIT :limit
    ) AS worst
)
"""
# Those that are watched are few: an incident is resolved for a day, or until what is missing is there.
_RESOLVED = """
SELECT number, doc FROM incidents WHERE number IN (
    SELECT number FROM (
        SELECT number FROM incidents WHERE state = 'resolved' ORDER BY level DESC, number LIMIT :limit
    ) AS worst
)
"""
_LIVE = """
SELECT level, state, exercise, count(*) AS incidents FROM incidents
WHERE state IN ('open', 'acknowledged') GROUP BY level, state, exercise
"""
_ONE = "SELECT number, doc FROM incidents WHERE number = :number"
_RECENT = """
(SELECT id FROM incidents WHERE number > (SELECT coalesce(max(number), 0) FROM incidents) - :recent)
"""
_LAST_SUCCESS = f"""
SELECT channel, max(done_at) AS at FROM notifications
WHERE incident_id IN {_RECENT} AND status IN ('accepted', 'delivered') GROUP BY channel
"""  # noqa: S608 - put together from our own words
_FAILURES = f"""
SELECT * FROM (
    SELECT n.*, row_number() OVER (PARTITION BY channel ORDER BY coalesce(done_at, created_at) DESC, id) AS place
    FROM notifications n
    WHERE incident_id IN {_RECENT} AND detail <> '' AND status IN ('waiting', 'gave_up', 'undeliverable')
) AS failed WHERE place <= :failures
"""  # noqa: S608 - put together from our own words
_LAST_TO_PERSON = f"""
SELECT * FROM (
    SELECT n.*, row_number() OVER (PARTITION BY channel, recipient ORDER BY done_at DESC, id) AS place
    FROM notifications n
    WHERE incident_id IN {_RECENT} AND person = :person AND status IN ('accepted', 'delivered', 'gave_up')
) AS last WHERE place = 1 ORDER BY done_at DESC, id
"""  # noqa: S608 - put together from our own words
_WAITING = """
SELECT channel, count(*) AS waiting, min(created_at) AS oldest FROM notifications
WHERE due_at IS NOT NULL GROUP BY channel
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How a channel fares."""

    last_success: Instant | None
    """Of the messages about the latest incidents."""
    waiting: int
    oldest: Instant | None
    """When the oldest message that waits was planned."""
    failures: tuple[Notification, ...]
    """The latest first."""


class Overview:
    """Read-only questions across incidents. All raise StoreUnavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def urgent(self, limit: int) -> list[Incident]:
        """The incidents that somebody must act on, the worst level first and what nobody has taken before the rest."""
        found = codec.readable(lambda row: codec.read_incident(row.doc, row.number), self._rows(_URGENT, limit=limit))
        return sorted(found, key=lambda each: (-each.level, each.state is not State.OPEN, each.number))

    def resolved(self, limit: int) -> list[Incident]:
        """The incidents that are resolved and not closed, the worst level first, in it the oldest."""
        rows = self._rows(_RESOLVED, limit=limit)
        found = codec.readable(lambda row: codec.read_incident(row.doc, row.number), rows)
        return sorted(found, key=lambda each: (-each.level, each.number))

    def live(self) -> Mapping[tuple[int, State, bool], int]:
        """(level, state, whether it is an exercise) → how many incidents somebody must act on."""
        return {(row.level, State(row.state), bool(row.exercise)): row.incidents for row in self._rows(_LIVE)}

    def mark(self, number: int | None, limit: int) -> str:
        """Changes whenever that incident does, or (None) one of the most urgent or of those that are not closed."""
        if number is None:
            rows = [*self._rows(_URGENT, limit=limit), *self._rows(_RESOLVED, limit=limit)]
        else:
            rows = [*self._rows(_ONE, number=number)]
        return sha256("\n".join(f"{row.number} {row.doc}" for row in sorted(rows)).encode()).hexdigest()

    def traffic(self) -> Mapping[str, Traffic]:
        """Channel → how it fares; a channel that nothing was sent on is missing."""
        with self._database.read() as connection:
            session = Session(connection)
            success = {row.channel: row.at for row in session.rows(_LAST_SUCCESS, recent=RECENT)}
            waiting = {row.channel: row for row in session.rows(_WAITING)}
            failed = session.rows(_FAILURES, recent=RECENT, failures=FAILURES)
        failures: dict[str, list[Notification]] = {}
        for each in codec.readable(codec.read_notification, failed):
            failures.setdefault(each.channel, []).append(each)
        return {
            name: Traffic(
                last_success=success.get(name),
                waiting=waiting[name].waiting if name in waiting else 0,
                oldest=waiting[name].oldest if name in waiting else None,
                failures=tuple(failures.get(name, ())),
            )
            for name in {*success, *waiting, *failures}
        }

    def last_to(self, person: str) -> list[Notification]:
        """The last message about the latest incidents on each of a person's ways that left or failed, newest first."""
        rows = self._rows(_LAST_TO_PERSON, recent=RECENT, person=person)
        return list(codec.readable(codec.read_notification, rows))

    def _rows(self, sql: str, **parameters: Any) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return Session(connection).rows(sql, **parameters)
