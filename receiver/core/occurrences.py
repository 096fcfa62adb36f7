"""The times that an incident was open: when it comes back, what people had done about it and entered is set apart.

The checklists, the facts and the grades of an occurrence are about that occurrence. Its cause and its fix did not hold,
so nothing of them is told of what fires now; the report has a section for each occurrence.
"""

from receiver.core.draft import Draft
from receiver.core.model import Incident, Instant
from receiver.core.response import Checklists, Occurrence

KEPT = 20
"""Earlier occurrences that an incident carries; the timeline tells of all."""

DISPROVED = ("root_cause", "fix_description")
"""What an earlier occurrence had for its cause and its fix."""


def begun_at(incident: Incident) -> Instant:
    """When the occurrence began that it is in now: the opening, or the last time that it came back."""
    earlier = incident.response.occurrences
    return earlier[-1].ended_at if earlier else incident.opened_at


def trouble_since(incident: Incident) -> Instant:
    """When what people are told of began, by its alerts; of what came back, when that was heard."""
    return begun_at(incident) if incident.response.occurrences else incident.occurred_at or incident.opened_at


def begin_anew(draft: Draft) -> None:
    """Set apart what belongs to the occurrence that ends now; the next begins with nothing done and nothing known."""
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
