"""Alerts that are no longer repeated: without Alertmanager's API, its repeats alone show that they still fire.

Without repeats the alert may be over and its resolve lost, or silenced, or the connection interrupted: the incident is
marked, and nothing else changes. A repeat is recorded once per NOTE_EVERY at most.
"""

from collections.abc import Iterable

from receiver.core.draft import Draft
from receiver.core.events import Unheard
from receiver.core.model import Fact, Incident, Instant
from rules.policy import MINUTE

NOTE_EVERY = 10 * MINUTE
"""Microseconds between two records of the last repeat."""

TIMES = 3
"""Repeats that must be missing before an incident is marked."""


def is_worth_noting(incident: Incident, now: Instant) -> bool:
    """Whether a repeat that arrived now should be recorded."""
    return incident.stale_since is not None or now - (incident.heard_at or incident.opened_at) >= NOTE_EVERY


def note_heard(draft: Draft) -> None:
    """Record a repeat."""
    if draft.incident.stale_since is not None:
        draft.enter(Fact.HEARD_AGAIN)
    draft.set(heard_at=draft.now, stale_since=None)


def unheard(incidents: Iterable[Incident], listening_since: Instant, now: Instant, repeat: int) -> list[Unheard]:
    """Events for incidents with overdue repeats. `repeat`: Alertmanager's repeat_interval, in microseconds."""
    before = now - TIMES * repeat - NOTE_EVERY
    found = []
    for incident in incidents:
        last = max(incident.heard_at or incident.opened_at, listening_since)
        if incident.is_firing and incident.stale_since is None and not incident.is_own and last < before:
            found.append(Unheard(incident.key, last))
    return found


def mark(draft: Draft, event: Unheard) -> bool:
    """Mark the incident, unless a repeat arrived meanwhile; returns whether anything changed."""
    incident = draft.incident
    heard_at = incident.heard_at or incident.opened_at
    if not (incident.is_live and incident.is_firing) or incident.stale_since is not None or heard_at > event.since:
        return False
    draft.set(stale_since=draft.now)
    draft.enter(Fact.STALE, since=heard_at)
    return True
