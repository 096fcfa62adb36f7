"""What all callbacks have in common: finding an incident, acting on it in time, and saying how it stands."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from receiver.audit import Origin
from receiver.core.events import Action, Declare
from receiver.core.model import Incident, Notification, State
from receiver.desk import Desk
from receiver.errors import StoreUnavailable
from receiver.messages.case import name
from receiver.requests import Asked, ForIncident, Result
from receiver.store import Reads

ANSWER_WITHIN = 2.0
"""Seconds for an action: Slack wants its answer within three."""

LATER = "Tocsin's database does not answer. Look again in a moment, and act in Tocsin if nothing happened."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action, in words for the person."""

    words: str
    done: bool
    incident: Incident | None = None
    again: bool = False
    """It may work when it is asked again."""


class CallbackDesk:
    """Finds and acts."""

    def __init__(self, desk: Desk, reads: Reads) -> None:
        self.desk = desk
        self._reads = reads

    async def by_number(self, number: int) -> Incident | None:
        """The incident of that number."""
        return await self.desk.read(self._reads.by_number, number)

    async def live(self, limit: int) -> list[Incident]:
        """Incidents that somebody has to act on, the newest first."""
        states = {State.OPEN, State.ACKNOWLEDGED}
        found, _ = await self.desk.read(lambda: self._reads.incidents(state=states, limit=limit))
        return found

    async def notification(self, notification_id: str) -> Notification | None:
        """The notification of that id."""
        incident_id = notification_id.rpartition("-")[0]
        found = await self.desk.read(self._reads.notifications, incident_id) if incident_id.isalnum() else []
        return next((each for each in found if each.id == notification_id), None)

    async def act(self, incident_id: str, action: Action, origin: Origin) -> Outcome:
        """Do it, and say how the incident stands then."""
        return await self._ask(Asked(ForIncident(incident_id, action), origin))

    async def declare(self, declare: Declare, origin: Origin) -> Outcome:
        """Open an incident by hand."""
        return await self._ask(Asked(declare, origin))

    async def _ask(self, asked: Asked) -> Outcome:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                [result] = await self.desk.handle([asked])
        except (TimeoutError, StoreUnavailable):
            return Outcome(LATER, done=False, again=True)
        return _outcome(result)


def _outcome(result: Result) -> Outcome:
    if result.error:
        return Outcome("This could not be stored; Tocsin's log says why.", done=False, again=True)
    if result.incident is None:
        why = result.refusal.reason if result.refusal else "there is no such incident"
        return Outcome(f"{why[0].upper()}{why[1:]}.", done=False)
    now = stands(result.incident)
    if result.refusal is None:
        return Outcome(now, done=True, incident=result.incident)
    why = result.refusal.reason
    return Outcome(f"{now} Nothing was done: {why}.", done=False, incident=result.incident)


def stands(incident: Incident, number: Callable[[int], str] = "#{}".format) -> str:
    """How an incident stands, and by whom: ``#12 is acknowledged by ron.``"""
    who = {State.ACKNOWLEDGED: incident.acknowledged_by, State.RESOLVED: incident.resolved_by}.get(incident.state, "")
    return f"{number(incident.number)} is {incident.state}{f' by {name(who)}' if who else ''}."
