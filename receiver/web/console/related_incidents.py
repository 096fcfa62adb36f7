"""Other incidents of the same system, on an incident's page: those that are not closed, and those of the last 30 days
with what helped then.
"""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from receiver.core.model import Incident, Instant
from receiver.messages.times import moment
from receiver.store import Reads
from rules.policy import HOUR

DAYS = 30

LOOKED_AT = 50
"""Incidents of each kind that are read, the newest."""

SHOWN = 8
"""Of each kind; the link leads to the others."""

HELPFUL = ("root_cause", "fix_description", "immediate_actions_taken", "lessons_learned")
"""Facts that say what helped."""


@dataclass(frozen=True, slots=True)
class RelatedIncidents:
    """What the page shows."""

    now: tuple[Incident, ...]
    """Not closed; real ones first, then the worst first, and of a level the newest."""
    lately: tuple[Incident, ...]
    """Closed; those of which somebody wrote down what helped first, then the newest first."""
    more_now: int
    more_lately: int
    """How many of those that were read are not shown."""
    listed: str
    """Where History has all of the last 30 days."""

    @property
    def numbers(self) -> frozenset[int]:
        """Of all that are shown."""
        return frozenset(each.number for each in (*self.now, *self.lately))


def find_related(reads: Reads, incident: Incident, at: Instant) -> RelatedIncidents:
    """Those of an incident. Raises StoreUnavailable."""
    since = Instant(at - DAYS * 24 * HOUR)
    now, lately = reads.related(incident, since, LOOKED_AT)
    now.sort(key=lambda each: (each.exercise, -each.level, -each.number))
    lately.sort(key=lambda each: (not what_helped(each), -each.number))
    asked = {"system": incident.system, "since": (moment(at) - timedelta(days=DAYS)).date().isoformat()}
    return RelatedIncidents(
        tuple(now[:SHOWN]),
        tuple(lately[:SHOWN]),
        len(now[SHOWN:]),
        len(lately[SHOWN:]),
        f"/history?{urlencode(asked)}",
    )


def what_helped(incident: Incident) -> dict[str, str]:
    """What people wrote down about an incident that may help again, by fact."""
    return {name: incident.facts[name] for name in HELPFUL if incident.facts.get(name)}
