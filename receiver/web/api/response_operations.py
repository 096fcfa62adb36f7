"""The part of the API that is about working on an incident: checklists, handover, notices, follow-ups.

`routes` wires it beside `receiver.web.api.incident_operations`, whose way of finding incidents and acting on them it
shares.
"""

from receiver.core.events import Assign, Handover, Tick
from receiver.web.api import requests, response_shapes, response_views, responses
from receiver.web.api.call import Call
from receiver.web.api.incident_operations import Api


class Responding:
    """The handlers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def hand_over(self, call: Call[requests.HandoverBody]) -> responses.IncidentView:
        """Give an incident to another person."""
        said = call.said
        return await self._api.act(call, Handover(call.by(said.by), said.to, said.note))

    async def assign(self, call: Call[requests.AssignBody]) -> responses.IncidentView:
        """Name who holds a role of the policy."""
        said = call.said
        return await self._api.act(call, Assign(call.by(said.by), call.part, said.to, said.note))

    async def checklists(self, call: Call[requests.Nothing]) -> response_shapes.ChecklistsView:
        """What is to do, and who did what."""
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.policy_version(found))
        )

    async def tick(self, call: Call[requests.TickBody]) -> response_shapes.ChecklistsView:
        """Say that a step is done."""
        said = call.said
        await self._api.act(call, Tick(call.by(said.by), call.part, said.done, said.note, said.link))
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.policy_version(found))
        )
