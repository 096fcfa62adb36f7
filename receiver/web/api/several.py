"""Applies one action to several incidents: those of an answered page, or those that a request lists.

Each incident is decided separately, in one batch; the result lists the changed and the refused ones, with reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from receiver.core.audit_log import Origin
from receiver.core.events import Action
from receiver.core.model import Incident
from receiver.engine.commands import Asked, ForIncident
from receiver.engine.queue import CommandQueue
from receiver.messages.incident_text import numbers


@dataclass(frozen=True, slots=True)
class Taken:
    """Result of a bulk action, with the incidents in their new state."""

    done: tuple[Incident, ...]
    refused: tuple[tuple[Incident, str], ...]
    """Incident and reason."""
    lost: int = 0
    """How many incidents could not be stored; their state is unknown."""

    def words(self, deed: str) -> tuple[str, ...]:
        """The result as sentences: ``Acknowledged: #12-#31, #40.`` `deed`: the action's past participle."""
        if not (self.done or self.refused or self.lost):
            return (f"{deed}: none. Nothing that was sent here waits for an answer.",)
        said = [f"{deed}: {numbers(each.number for each in self.done) or 'none'}."]
        for why in dict.fromkeys(why for _, why in self.refused):
            which = numbers(each.number for each, reason in self.refused if reason == why)
            said.append(f"Not changed: {which} ({why}).")
        if self.lost:
            said.append(f"{self.lost} could not be stored: look again in a moment.")
        return tuple(said)


async def act_on_several(queue: CommandQueue, wanted: Sequence[tuple[str, Action]], origin: Origin) -> Taken:
    """Applies (incident id, action) pairs. Raises StoreUnavailable.

    A request that a provider delivers twice is applied once to each incident.
    """
    asked = [Asked(ForIncident(each, action), _origin_for(origin, each)) for each, action in wanted]
    results = await queue.handle(asked) if asked else []
    known = [(each.incident, each.refusal) for each in results if each.incident is not None and not each.error]
    return Taken(
        tuple(incident for incident, refusal in known if refusal is None),
        tuple((incident, refusal.reason) for incident, refusal in known if refusal is not None),
        len(results) - len(known),
    )


def _origin_for(origin: Origin, incident_id: str) -> Origin:
    if not origin.reference:
        return origin
    return Origin(origin.who, origin.via, origin.address, f"{origin.reference} {incident_id}")
