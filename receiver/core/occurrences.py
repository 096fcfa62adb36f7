"""The occurrences of an incident: when it recurs, work and facts of the ended one are stored apart.

Cause and fix of an ended occurrence did not hold, so messages about the next one omit them; the report has a section
for each.
"""

from receiver.core.draft import Draft
from receiver.core.model import Incident, Instant
from receiver.core.response import Checklists, Occurrence

KEPT = 20
"""Earlier occurrences that an incident keeps; the timeline has all."""

DISPROVED = ("root_cause", "fix_description")
"""Facts of an earlier occurrence that its recurrence disproves."""


def begun_at(incident: Incident) -> Instant:
    """When the current occurrence began: the opening or the last recurrence."""
    earlier = incident.response.occurrences
    return earlier[-1].ended_at if earlier else incident.opened_at


def trouble_since(incident: Incident) -> Instant:
    """When the reported problem began: the alerts' own start; of a recurrence, its receipt."""
    return begun_at(incident) if incident.response.occurrences else incident.occurred_at or incident.opened_at


def begin_anew(draft: Draft) -> None:
    """Store the occurrence that ends now; the next begins without facts and with no step done."""
    incident, response = draft.incident, draft.incident.response
    ended = Occurrence(
        number=incident.recurrences + 1,
        began_at=begun_at(incident),
        ended_at=draft.now,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        checklists=response.checklists,
        facts=incident.facts,
        impacts=response.impacts,
    )
    draft.set(facts={}, recurrences=incident.recurrences + 1)
    draft.respond(
        occurrences=(*response.occurrences, ended)[-KEPT:], checklists=Checklists(), impacts={}, assessed_at=None
    )
    draft.respond(kept_open=0, signed_off_by="")
