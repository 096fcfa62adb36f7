"""Alerts that nobody repeats: where no Alertmanager can be asked, its repeats are all that says that they still fire.

Alertmanager repeats what fires. Where the repeats stay away the alert may be over and its resolve lost, or it is
silenced, or the way from there to here is cut: so the incident is marked, and nothing else happens to it. Repeats
write nothing, but for one note now and then of when an incident was last heard of.
"""

from collections.abc import Iterable

from receiver.core.draft import Draft
from receiver.core.events import Unheard
from receiver.core.model import Fact, Incident, Instant
from rules.policy import MINUTE

NOTE_EVERY = 10 * MINUTE
"""Microseconds between two notes that an incident is still heard of."""

TIMES = 3
"""Repeats that must stay away."""


def is_worth_noting(incident: Incident, now: Instant) -> bool:
    """Whether a repeat that came now should be written down."""
    return incident.stale_since is not None or now - (incident.heard_at or incident.opened_at) >= NOTE_EVERY


def note_heard(draft: Draft) -> None:
    """Alertmanager told of it."""
    if draft.incident.stale_since is not None:
        draft.enter(Fact.HEARD_AGAIN)
    draft.set(heard_at=draft.now, stale_since=None)


def unheard(incidents: Iterable[Incident], listening_since: Instant, now: Instant, repeat: int) -> list[Unheard]:
    """Those that should have been repeated. `repeat`: Alertmanager's repeat_interval, in microseconds."""
    before = now - TIMES * repeat - NOTE_EVERY
    found = []
    for incident in incidents:
        last = max(incident.heard_at or incident.opened_at, listening_since)
        if incident.is_firing and incident.stale_since is None and not incident.is_own and last < before:
            found.append(Unheard(incident.key, last))
    return found


def mark(draft: Draft, event: Unheard) -> bool:
    """Mark it, unless it was heard of meanwhile; returns whether anything changed."""
    incident = draft.incident
    heard_at = incident.heard_at or incident.opened_at
    if not (incident.is_live and incident.is_firing) or incident.stale_since is not None or heard_at > event.since:
        return False
    draft.set(stale_since=draft.now)
    draft.enter(Fact.STALE, since=heard_at)
    return True
