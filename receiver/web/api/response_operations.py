"""The operations of incident work: handover, roles, checklists, notices, follow-up actions.

`routes` wires them beside `receiver.web.api.incident_operations`, whose lookup and action helpers they use. A notice is
rendered here from the current incident; an approval names the hash of the text that the approver read, and exactly that
text is sent.
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
    """Handlers of incident work: handover, roles, checklists, notices, follow-up actions."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def hand_over(self, call: Call[requests.HandoverBody]) -> responses.IncidentView:
        """Hand an incident over to another person."""
        said = call.said
        return await self._api.act(call, Handover(call.by(said.by), said.to, said.note))

    async def assign(self, call: Call[requests.AssignBody]) -> responses.IncidentView:
        """Assign a role of the policy to a person."""
        said = call.said
        return await self._api.act(call, Assign(call.by(said.by), call.part, said.to, said.note))

    async def checklists(self, call: Call[requests.Nothing]) -> response_shapes.ChecklistsView:
        """List an incident's checklists with the done steps."""
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.policy_version(found))
        )

    async def tick(self, call: Call[requests.TickBody]) -> response_shapes.ChecklistsView:
        """Mark a checklist step as done or not done."""
        said = call.said
        await self._api.act(call, Tick(call.by(said.by), call.part, said.done, said.note, said.link))
        return await self._api.read(
            call.incident, lambda found: response_views.show_checklists(found, self._api.policy_version(found))
        )

    async def notices(self, call: Call[requests.Nothing]) -> response_shapes.NoticesView:
        """List an incident's notices to external groups."""
        return await self._api.read(call.incident, self.show_notices)

    async def approve(self, call: Call[requests.ApproveBody]) -> response_shapes.NoticesView:
        """Approve a held notice: exactly the text with this hash is sent."""
        subject, body = await self._api.read(call.incident, lambda found: self._read(found, call.part, call.said.hash))
        chosen = tuple(dict.fromkeys(call.said.recipients))
        await self._api.act(call, ApproveNotice(call.by(call.said.by), call.part, subject, body, chosen))
        return await self._api.read(call.incident, self.show_notices)

    async def edit_notice(self, call: Call[requests.EditNoticeBody]) -> response_shapes.NoticesView:
        """Replace the text of a held notice; the approver must approve the new text."""
        said = call.said
        read = await self._api.read(call.incident, lambda found: self._read(found, call.part, said.hash))
        subject, body = line(said.subject, 200), plain(said.text, 20_000)
        await self._api.act(call, EditNotice(call.by(said.by), call.part, subject, body, *read))
        return await self._api.read(call.incident, self.show_notices)

    async def reject(self, call: Call[requests.RejectBody]) -> response_shapes.NoticesView:
        """Reject a notice: it is not sent."""
        said = call.said
        await self._api.act(call, RejectNotice(call.by(said.by), call.part, said.note))
        return await self._api.read(call.incident, self.show_notices)

    async def follow_ups(self, call: Call[requests.Nothing]) -> response_shapes.FollowUpsView:
        """List an incident's follow-up actions."""
        return await self._api.read(call.incident, response_views.show_follow_ups)

    async def add_follow_up(self, call: Call[requests.FollowUpBody]) -> response_shapes.FollowUpsView:
        """Add a follow-up action."""
        said = call.said
        due_at = instant(said.due) if said.due else None
        await self._api.act(call, AddFollowUp(call.by(said.by), said.text, said.owner, due_at, said.link))
        return await self._api.read(call.incident, response_views.show_follow_ups)

    async def finish(self, call: Call[requests.RejectBody]) -> response_shapes.FollowUpsView:
        """Mark a follow-up action as done."""
        said = call.said
        await self._api.act(call, FinishFollowUp(call.by(said.by), call.part, said.note))
        return await self._api.read(call.incident, response_views.show_follow_ups)

    def _read(self, incident: Incident, id_: str, hash_: str) -> tuple[str, str]:
        """Returns the text that the caller read. Raises HttpProblem 404, or 409 if the text has changed."""
        notice = find(incident, id_)
        if notice is None:
            raise HttpProblem(404, "the incident has no such notice")
        subject, body = self._text(incident, notice)
        if notice.standing is Standing.HELD and fingerprint(subject, body) != hash_:
            raise HttpProblem(409, "the notice reads differently by now: read it again, and name its hash")
        return subject, body

    def show_notices(self, incident: Incident) -> response_shapes.NoticesView:
        """An incident's notices; call on the readers' thread. Raises HttpProblem 409 if a template fails."""
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
        """Current text of a held notice, sent text of a sent one; empty for the others. Raises HttpProblem 409."""
        if notice.standing is not Standing.HELD or notice.edited_by:
            return notice.subject, notice.body
        context: DecisionContext = self._api.context(incident)
        try:
            return render_notice(notice, IncidentText(incident, context, notice.held_at, ""))
        except TemplateError as error:
            raise HttpProblem(409, f"the policy's template cannot be filled: {error}") from None
