"""The part of the API that is about working on an incident: handover, roles, checklists, notices, follow-up actions.

`routes` wires it beside `receiver.web.api.incident_operations`, whose way of finding incidents and acting on them it
shares. What a notice says is rendered here from the incident as it is; approving names the hash of the text that the
approver read, and exactly that text goes out.
"""

from receiver.clients.alert_payload import instant
from receiver.core.events import (
    AddFollowUp,
    ApproveNotice,
    Assign,
    EditNotice,
    FinishFollowUp,
    Handover,
    RejectNotice,
    Tick,
)
from receiver.core.model import Incident
from receiver.core.notice_checks import faults
from receiver.core.notices import find
from receiver.core.plan import DecisionContext
from receiver.core.response import Notice, Standing
from receiver.messages.incident_text import IncidentText
from receiver.messages.notice_text import fingerprint, render_notice
from receiver.messages.plain import line, plain
from receiver.web.api import requests, response_shapes, response_views, responses
from receiver.web.api.call import Call
from receiver.web.api.incident_operations import Api
from receiver.web.http.problem_details import HttpProblem
from rules.placeholders import TemplateError


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

    async def notices(self, call: Call[requests.Nothing]) -> response_shapes.NoticesView:
        """What external groups may be told, and were told."""
        return await self._api.read(call.incident, self.show_notices)

    async def approve(self, call: Call[requests.ApproveBody]) -> response_shapes.NoticesView:
        """Send a held notice: exactly the text with this hash."""
        subject, body = await self._api.read(call.incident, lambda found: self._read(found, call.part, call.said.hash))
        chosen = tuple(dict.fromkeys(call.said.recipients))
        await self._api.act(call, ApproveNotice(call.by(call.said.by), call.part, subject, body, chosen))
        return await self._api.read(call.incident, self.show_notices)

    async def edit_notice(self, call: Call[requests.EditNoticeBody]) -> response_shapes.NoticesView:
        """Write a held notice anew; whoever approves it reads and approves that text."""
        said = call.said
        read = await self._api.read(call.incident, lambda found: self._read(found, call.part, said.hash))
        subject, body = line(said.subject, 200), plain(said.text, 20_000)
        await self._api.act(call, EditNotice(call.by(said.by), call.part, subject, body, *read))
        return await self._api.read(call.incident, self.show_notices)

    async def reject(self, call: Call[requests.RejectBody]) -> response_shapes.NoticesView:
        """Tell a group nothing."""
        said = call.said
        await self._api.act(call, RejectNotice(call.by(said.by), call.part, said.note))
        return await self._api.read(call.incident, self.show_notices)

    async def follow_ups(self, call: Call[requests.Nothing]) -> response_shapes.FollowUpsView:
        """What must still be done, by whom, until when."""
        return await self._api.read(call.incident, response_views.show_follow_ups)

    async def add_follow_up(self, call: Call[requests.FollowUpBody]) -> response_shapes.FollowUpsView:
        """Write down what must still be done."""
        said = call.said
        due_at = instant(said.due) if said.due else None
        await self._api.act(call, AddFollowUp(call.by(said.by), said.text, said.owner, due_at, said.link))
        return await self._api.read(call.incident, response_views.show_follow_ups)

    async def finish(self, call: Call[requests.RejectBody]) -> response_shapes.FollowUpsView:
        """Say that a follow-up action is done."""
        said = call.said
        await self._api.act(call, FinishFollowUp(call.by(said.by), call.part, said.note))
        return await self._api.read(call.incident, response_views.show_follow_ups)

    def _read(self, incident: Incident, id_: str, hash_: str) -> tuple[str, str]:
        """The text that somebody read. Raises HttpProblem where it is another by now."""
        notice = find(incident, id_)
        if notice is None:
            raise HttpProblem(404, "the incident has no such notice")
        subject, body = self._text(incident, notice)
        if notice.standing is Standing.HELD and fingerprint(subject, body) != hash_:
            raise HttpProblem(409, "the notice reads differently by now: read it again, and name its hash")
        return subject, body

    def show_notices(self, incident: Incident) -> response_shapes.NoticesView:
        """An incident's notices, on the readers' thread. Raises HttpProblem where a template cannot be filled."""
        context = self._api.context(incident)
        groups = {group.name: group for group in context.current.policy.stakeholders}
        shown = []
        for notice in incident.response.notices:
            subject, body = self._text(incident, notice)
            group = groups.get(notice.group)
            is_held = notice.standing is Standing.HELD
            zone = context.current.policy.time_zone
            problems = faults(subject, body, notice, incident, self._api.now(), zone) if is_held else ()
            choices = context.choices(group) if group and is_held else ()
            shown.append(response_views.show_notice(notice, subject, body, group, problems, choices))
        return response_shapes.NoticesView(notices=shown)

    def _text(self, incident: Incident, notice: Notice) -> tuple[str, str]:
        """Of a held notice as it reads now, of a sent one as it was sent; of the others nothing."""
        if notice.standing is not Standing.HELD or notice.edited_by:
            return notice.subject, notice.body
        context: DecisionContext = self._api.context(incident)
        try:
            return render_notice(notice, IncidentText(incident, context, notice.held_at, ""))
        except TemplateError as error:
            raise HttpProblem(409, f"the policy's template cannot be filled: {error}") from None
