"""Other incidents of the same system, for an incident's page and for programs.

They are the unclosed ones, and the closed ones of the last 30 days with what helped.
"""

from dataclasses import dataclass

from receiver.core.model import Incident, Instant
from receiver.store import Reads
from rules.policy import HOUR

DAYS = 30

LOOKED_AT = 50
"""Incidents of each kind that are read, the newest."""

SHOWN = 8
"""Incidents of each kind that are shown; History has the others."""

HELPFUL = ("root_cause", "fix_description", "immediate_actions_taken", "lessons_learned")
"""Facts that describe what helped."""


@dataclass(frozen=True, slots=True)
class RelatedIncidents:
    """The incidents for the page."""

    now: tuple[Incident, ...]
    """Not closed: real ones before exercises, then the worst level first, then the newest."""
    lately: tuple[Incident, ...]
    """Closed: those with documented help first, then the newest."""
    more_now: int
    more_lately: int
    """Incidents that were read and are not shown."""


def find_related(reads: Reads, incident: Incident, at: Instant) -> RelatedIncidents:
    """The incidents related to one. Raises StoreUnavailable."""
    since = Instant(at - DAYS * 24 * HOUR)
    now, lately = reads.related(incident, since, LOOKED_AT)
    now.sort(key=lambda each: (each.exercise, -each.level, -each.number))
    lately.sort(key=lambda each: (not what_helped(each), -each.number))
    return RelatedIncidents(tuple(now[:SHOWN]), tuple(lately[:SHOWN]), len(now[SHOWN:]), len(lately[SHOWN:]))


def what_helped(incident: Incident) -> dict[str, str]:
    """Facts of an incident that may help again, by name."""
    return {name: incident.facts[name] for name in HELPFUL if incident.facts.get(name)}
