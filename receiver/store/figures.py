"""What `/metrics` and the ping of the outside watcher ask of the store: numbers over all incidents and messages.

`Reads.figures` and `Reads.oldest_emergency` ask here, on the readers' thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.core.model import Instant, State
from receiver.store.session import Session

_ACTIVE = """
SELECT level, state, count(*) AS incidents FROM incidents
WHERE state IN ('open', 'acknowledged', 'resolved') GROUP BY level, state
"""
_WAITING = """
SELECT channel, count(*) AS waiting, min(created_at) AS oldest FROM notifications
WHERE status = 'waiting' GROUP BY channel
"""
_OLDEST_EMERGENCY = "SELECT min(since) AS oldest FROM alarms"
_SET_ASIDE = "SELECT count(*) AS rows FROM set_aside"
_ON_HOLD = "SELECT count(*) AS incidents FROM legal_holds"
_OVERDUE = "SELECT count(*) AS incidents, min(due_at) AS oldest FROM incidents WHERE due_at < :now"


@dataclass(frozen=True, slots=True)
class WaitingMessages:
    """A channel's part of the outbox."""

    count: int
    oldest: Instant
    """When the oldest of them was planned."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What metrics say about the store."""

    incidents: Mapping[tuple[int, State], int]
    """(level, state) → how many that are not closed; where there are none, nothing."""
    waiting: Mapping[str, WaitingMessages]
    """Channel → its waiting notifications."""
    oldest_emergency: Instant | None
    """When paging began, of the open emergency that has reached nobody for the longest."""
    overdue: int
    """Incidents with a window that is due and has not been carried out."""
    overdue_since: Instant | None
    """When the most overdue of these was due."""
    on_hold: int = 0
    """Incidents under legal hold."""
    set_aside: int = 0
    """Rows that proved to be damaged."""


def oldest_emergency(session: Session) -> Instant | None:
    """When paging began, of the open emergency that has reached nobody for the longest; None: all reached some."""
    return session.rows(_OLDEST_EMERGENCY)[0].oldest  # type: ignore[no-any-return] # a BIGINT


def count(session: Session, now: Instant) -> StoreFigures:
    """What metrics say about the store at this moment."""
    (overdue,) = session.rows(_OVERDUE, now=now)
    (damaged,) = session.rows(_SET_ASIDE)
    (held,) = session.rows(_ON_HOLD)
    return StoreFigures(
        incidents={(row.level, State(row.state)): row.incidents for row in session.rows(_ACTIVE)},
        waiting={row.channel: WaitingMessages(row.waiting, row.oldest) for row in session.rows(_WAITING)},
        oldest_emergency=oldest_emergency(session),
        overdue=overdue.incidents,
        overdue_since=overdue.oldest,
        on_hold=held.incidents,
        set_aside=damaged.rows,
    )
