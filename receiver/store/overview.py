"""Queries of the console across incidents: the most urgent, their number, changes, and the state of channels.

Reached as `Reads.overview`, on the readers' thread and connections. Each query uses an index and reads a bounded
number of rows, independent of the length of the history.
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
"""The latest incidents, whose notifications show the state of a channel."""

FAILURES = 5
"""Failures shown per channel."""

# Covered by incidents_by_state. 'open' sorts after 'acknowledged', so DESC lists unacknowledged incidents first.
_URGENT = """
SELECT number, doc FROM incidents WHERE number IN (
    SELECT number FROM (
        SELECT number FROM incidents WHERE state IN ('open', 'acknowledged')
        ORDER BY level DESC, state DESC, number LIMIT :limit
    ) AS worst
)
"""
# Resolved incidents are few: they close after a day, or when the required record is complete.
_RESOLVED = """
SELECT number, doc FROM incidents WHERE number IN (
    SELECT number FROM (
        SELECT number FROM incidents WHERE state = 'resolved' ORDER BY level DESC, number LIMIT :limit
    ) AS worst
)
"""
# What may ring: the newest, so that one that has just opened is among them however many are open.
_LOUD = """
SELECT number, doc FROM incidents WHERE number IN (
    SELECT number FROM (
        SELECT number FROM incidents WHERE state IN ('open', 'acknowledged') AND level >= :level AND NOT exercise
        ORDER BY number DESC LIMIT :limit
    ) AS newest
)
"""
# Covered by incidents_by_state. It tells of changes beyond the most urgent ones.
_STANDING = """
SELECT state, level, count(*) AS incidents, max(number) AS newest FROM incidents
WHERE state IN ('open', 'acknowledged') GROUP BY state, level
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
"""  # noqa: S608 - formatted with this module's own fragments
_FAILURES = f"""
SELECT * FROM (
    SELECT n.*, row_number() OVER (PARTITION BY channel ORDER BY coalesce(done_at, created_at) DESC, id) AS place
    FROM notifications n
    WHERE incident_id IN {_RECENT} AND detail <> '' AND status IN ('waiting', 'gave_up', 'undeliverable')
) AS failed WHERE place <= :failures
"""  # noqa: S608 - formatted with this module's own fragments
_LAST_TO_PERSON = f"""
SELECT * FROM (
    SELECT n.*, row_number() OVER (PARTITION BY channel, recipient ORDER BY done_at DESC, id) AS place
    FROM notifications n
    WHERE incident_id IN {_RECENT} AND person = :person AND status IN ('accepted', 'delivered', 'gave_up')
) AS last WHERE place = 1 ORDER BY done_at DESC, id
"""  # noqa: S608 - formatted with this module's own fragments
_WAITING = """
SELECT channel, count(*) AS waiting, min(created_at) AS oldest FROM notifications
WHERE due_at IS NOT NULL GROUP BY channel
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The state of a channel."""

    last_success: Instant | None
    """Over the notifications of the latest incidents."""
    waiting: int
    oldest: Instant | None
    """When the oldest waiting notification was planned."""
    failures: tuple[Notification, ...]
    """The latest first."""


class Overview:
    """Read-only queries across incidents. All raise StoreUnavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def urgent(self, limit: int) -> list[Incident]:
        """Open and acknowledged incidents: the highest level first, then open ones, then the oldest."""
        found = codec.readable(lambda row: codec.read_incident(row.doc, row.number), self._rows(_URGENT, limit=limit))
        return sorted(found, key=lambda each: (-each.level, each.state is not State.OPEN, each.number))

    def resolved(self, limit: int) -> list[Incident]:
        """Resolved incidents that are not closed: the highest level first, then the oldest."""
        rows = self._rows(_RESOLVED, limit=limit)
        found = codec.readable(lambda row: codec.read_incident(row.doc, row.number), rows)
        return sorted(found, key=lambda each: (-each.level, each.number))

    def loud(self, level: int, limit: int) -> list[Incident]:
        """Open and acknowledged incidents of that level or worse, without exercises: the newest first."""
        rows = self._rows(_LOUD, level=level, limit=limit)
        found = codec.readable(lambda row: codec.read_incident(row.doc, row.number), rows)
        return sorted(found, key=lambda each: -each.number)

    def live(self) -> Mapping[tuple[int, State, bool], int]:
        """(level, state, whether an exercise) → number of open or acknowledged incidents."""
        return {(row.level, State(row.state), bool(row.exercise)): row.incidents for row in self._rows(_LIVE)}

    def mark(self, number: int | None, limit: int) -> str:
        """A hash of that incident, or (None) of all open ones; it changes when they change.

        Of all open ones: the content of the most urgent and of the resolved, the numbers by level of the others.
        """
        if number is None:
            rows = [*self._rows(_URGENT, limit=limit), *self._rows(_RESOLVED, limit=limit), *self._rows(_STANDING)]
        else:
            rows = [*self._rows(_ONE, number=number)]
        return sha256("\n".join(sorted(" ".join(map(str, row)) for row in rows)).encode()).hexdigest()

    def traffic(self) -> Mapping[str, Traffic]:
        """Channel → its state; a channel without notifications is missing."""
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
        """The latest sent or failed notification per channel and recipient of a person, newest first.

        Of the latest incidents only.
        """
        rows = self._rows(_LAST_TO_PERSON, recent=RECENT, person=person)
        return list(codec.readable(codec.read_notification, rows))

    def _rows(self, sql: str, **parameters: Any) -> Sequence[Row[Any]]:
        return self._database.rows(sql, **parameters)
