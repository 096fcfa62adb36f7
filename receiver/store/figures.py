"""Queries of `/metrics` and of the external watchdog's ping: figures over all incidents and notifications.

Called by `Reads.figures` and `Reads.oldest_emergency`, on the readers' thread.
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
_OVERDUE = "SELECT count(*) AS incidents FROM incidents WHERE due_at < :now"


@dataclass(frozen=True, slots=True)
class WaitingMessages:
    """A channel's waiting notifications."""

    count: int
    oldest: Instant
    """When the oldest one was planned."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The metrics of the store."""

    incidents: Mapping[tuple[int, State], int]
    """(level, state) → number of incidents that are not closed; combinations without incidents are missing."""
    waiting: Mapping[str, WaitingMessages]
    """Channel → its waiting notifications."""
    oldest_emergency: Instant | None
    """When the longest-unreached open emergency began to page."""
    overdue: int
    """Incidents with a due window that has not been processed."""
    on_hold: int = 0
    """Incidents under legal hold."""
    set_aside: int = 0
    """Rows found damaged."""


def oldest_emergency(session: Session) -> Instant | None:
    """When the longest-unreached open emergency began to page; None: every one has reached a responder."""
    return session.rows(_OLDEST_EMERGENCY)[0].oldest  # type: ignore[no-any-return] # a BIGINT


def count(session: Session, now: Instant) -> StoreFigures:
    """The metrics of the store at `now`."""
    (overdue,) = session.rows(_OVERDUE, now=now)
    (damaged,) = session.rows(_SET_ASIDE)
    (held,) = session.rows(_ON_HOLD)
    return StoreFigures(
        incidents={(row.level, State(row.state)): row.incidents for row in session.rows(_ACTIVE)},
        waiting={row.channel: WaitingMessages(row.waiting, row.oldest) for row in session.rows(_WAITING)},
        oldest_emergency=oldest_emergency(session),
        overdue=overdue.incidents,
        on_hold=held.incidents,
        set_aside=damaged.rows,
    )
