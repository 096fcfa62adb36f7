"""The part of the API that is about working on an incident: checklists, handover, notices, follow-ups.

`routes` wires it beside `receiver.web.api`, whose way of finding incidents and acting on them it shares.
"""

from receiver.core.events import Assign, Handover, Tick
from receiver.web import bodies, response_shapes, response_views, shapes
from receiver.web.api import Api
from receiver.web.call import Call


class Responding:
    """The handlers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def hand_over(self, call: Call[bodies.HandoverBody]) -> shapes.IncidentView:
        """Give an incident to another person."""
        said = call.said
        return await self._api.act(call, Handover(call.by(said.by), said.to, said.note))

    async def assign(self, call: Call[bodies.AssignBody]) -> shapes.IncidentView:
        """Name who holds a role of the policy."""
        said = call.said
        return await self._api.act(call, Assign(call.by(said.by), call.part, said.to, said.note))

    async def checklists(self, call: Call[bodies.Nothing]) -> response_shapes.ChecklistsView:
        """What is to do, and who did what."""
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.playbook(found))
        )

    async def tick(self, call: Call[bodies.TickBody]) -> response_shapes.ChecklistsView:
        """Say that a step is done."""
        said = call.said
        await self._api.act(call, Tick(call.by(said.by), call.part, said.done, said.note, said.link))
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.playbook(found))
        )
