"""`/incidents/{number}`: one incident, what to do about it, and the buttons that do it.

A button carries the state that the person saw. What the core refuses is answered with the page as it is now, the
reason above it and the words typed still in their field.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from receiver.settings import Role
from receiver.web import bodies
from receiver.web.api import Api
from receiver.web.call import Call
from receiver.web.console import tables
from receiver.web.console.deadlines import deadlines
from receiver.web.console.frame import Form, Frame, Visit, go_to
from receiver.web.console.reading import Reader
from receiver.web.noticing import Noticing
from receiver.web.problems import Problem, invalid
from receiver.web.responding import Responding
from receiver.web.sessions import allow


@dataclass(frozen=True, slots=True)
class FactForm:
    """A form for what only people can know: facts, by the names that templates and reports have for them."""

    name: str
    title: str
    facts: tuple[str, ...]


FORMS = (
    FactForm("impact", "Impact", ("impact_description",)),
    FactForm("cause", "Root cause", ("root_cause", "contributing_factors", "investigation_status")),
    FactForm("fix", "Fix", ("fix_description", "fix_status", "estimated_resolution_time")),
    FactForm("verification", "Verification", ("testing_performed", "verification_status")),
    FactForm(
        "afterwards",
        "Lessons",
        ("lessons_learned", "long_term_improvements", "process_changes", "post_incident_actions"),
    ),
)

DONE = {
    "declare": "Declared. Whoever the policy names is told now.",
    "acknowledge": "You have it. Escalation has stopped.",
    "escalate": "Escalated: the next step has been told.",
    "resolve": "Resolved. Everybody who was paged is told.",
    "notes": "Noted.",
    "updates": "The update goes out.",
    "change": "Recorded.",
    "handover": "Handed over.",
    "roles": "Written down.",
    "replan": "It runs under the current policy now.",
    "approve": "Approved: exactly this text goes out.",
    "reject": "Rejected: they are told nothing.",
    "follow-ups": "Written down.",
    "finish": "Done, and written down.",
}
"""Said after a press, by the name that the redirect carries."""

PLACES = {"steps": "todo", "approve": "notices", "reject": "notices", "finish": "follow-ups"}
"""Where the page is looked at again after an action; elsewhere at what is said."""

OURS = frozenset({"csrf", "back", "part", "form"})
"""Fields of our forms that are not the action's."""

Run = Callable[[Call[Any]], Awaitable[BaseModel]]


class IncidentPage:
    """The page and its buttons."""

    def __init__(self, frame: Frame, reader: Reader) -> None:
        api, noticing = reader.api, reader.noticing
        self._frame = frame
        self._reader = reader
        self._exports = Exports(api, noticing)
        self._actions = _actions(api, noticing)

    async def show(self, visit: Visit) -> web.Response:
        """The page."""
        return await self._page(visit, said=DONE.get(visit.request.query.get("done", ""), ""))

    async def act(self, visit: Visit) -> web.Response:
        """A button was pressed."""
        name, action = visit.request.match_info["incident"], visit.request.match_info["action"]
        if action not in self._actions:
            raise Problem(404, "there is no such action")
        role, model, run = self._actions[action]
        allow(visit.caller, role)
        try:
            try:
                said = model.model_validate(_body(visit.form), strict=False)  # forms say everything in words
            except ValidationError as error:
                raise invalid(error, "form") from None
            await run(Call(visit.caller, said, name, "", visit.form.get("part", "")))
        except Problem as problem:
            if problem.status not in {400, 409}:
                raise
            return await self._page(visit, problem=problem, action=action)
        if visit.form.get("back") == "now":
            return go_to("/")
        done = "" if action == "steps" else f"?done={action}"
        return go_to(f"/incidents/{int(name)}{done}#{PLACES.get(action, 'said')}")

    async def export(self, visit: Visit) -> web.Response:
        """One of the incident's lists as CSV."""
        asked = Call(visit.caller, bodies.Nothing(), visit.request.match_info["incident"], "")
        return await self._exports.answer(visit.request.match_info["list"], asked)

    async def _page(
        self, visit: Visit, said: str = "", problem: Problem | None = None, action: str = ""
    ) -> web.Response:
        name = visit.request.match_info["incident"]
        if not name.isdigit() or len(name) > 9:
            raise Problem(404, "there is no such incident")
        reading = await self._reader.api.read(name, lambda found: self._reader.read(found, visit.now))
        incident = reading.case.incident
        return self._frame.page(
            visit,
            "incident.html",
            status=problem.status if problem else 200,
            reading=reading,
            case=reading.case,
            incident=incident,
            deadlines=deadlines(incident, reading.case.plan),
            levels=reading.case.policy.levels,
            forms=FORMS,
            may_approve=visit.caller.role >= Role.APPROVER,
            said=said,
            problem=problem,
            action=action,
            typed=visit.form if problem else {},
            typed_for=lambda of, field: visit.form.get(field, "") if of == action else "",
        )


def _actions(api: Api, noticing: Noticing) -> Mapping[str, tuple[Role, type[bodies.Body], Run]]:
    """Action → who may do it, what it takes, who does it: the API's own handlers."""
    responding, responder, approver = Responding(api), Role.RESPONDER, Role.APPROVER
    return {
        "acknowledge": (responder, bodies.AcknowledgeBody, api.acknowledge),
        "escalate": (responder, bodies.EscalateBody, api.escalate),
        "resolve": (responder, bodies.ResolveBody, api.resolve),
        "notes": (responder, bodies.TextBody, api.note),
        "updates": (responder, bodies.TextBody, api.update),
        "change": (responder, bodies.ChangeBody, api.change),
        "replan": (responder, bodies.ReplanBody, api.replan),
        "steps": (responder, bodies.TickBody, responding.tick),
        "roles": (responder, bodies.AssignBody, responding.assign),
        "handover": (responder, bodies.HandoverBody, responding.hand_over),
        "follow-ups": (responder, bodies.FollowUpBody, noticing.add_follow_up),
        "finish": (responder, bodies.RejectBody, noticing.finish),
        "approve": (approver, bodies.ApproveBody, noticing.approve),
        "reject": (approver, bodies.RejectBody, noticing.reject),
    }


@dataclass(frozen=True, slots=True)
class Exports:
    """An incident's lists as CSV."""

    api: Api
    noticing: Noticing

    async def answer(self, wanted: str, asked: Call[bodies.Nothing]) -> web.Response:
        """The list of that name. Raises Problem 404."""
        file = f"incident-{int(asked.incident)}-{wanted}"
        match wanted:
            case "alerts":
                alerts = (await self.api.alerts(asked)).alerts
                return tables.answer(file, tables.ALERT_COLUMNS, map(tables.alert_row, alerts))
            case "timeline":
                entries = (await self.api.timeline(asked)).timeline
                return tables.answer(file, tables.ENTRY_COLUMNS, map(tables.entry_row, entries))
            case "messages":
                messages = (await self.api.notifications(asked)).notifications
                return tables.answer(file, tables.MESSAGE_COLUMNS, map(tables.message_row, messages))
            case "steps":
                lists = (await Responding(self.api).checklists(asked)).checklists
                return tables.answer(file, tables.STEP_COLUMNS, tables.step_rows(lists))
            case "notices":
                notices = (await self.noticing.notices(asked)).notices
                return tables.answer(file, tables.NOTICE_COLUMNS, map(tables.notice_row, notices))
            case "follow-ups":
                actions = (await self.noticing.follow_ups(asked)).follow_ups
                return tables.answer(file, tables.FOLLOW_UP_COLUMNS, map(tables.follow_up_row, actions))
            case _:
                known = "alerts, timeline, messages, steps, notices and follow-ups"
                raise Problem(404, f"there is no such list; there are {known}")


def _body(form: Form) -> dict[str, Any]:
    """A form as the API's body: what was left empty is left out; `facts.name` are facts, empty ones too.

    `scale.name` is a fact that is only said, never taken back; a day (`due`) ends at its midnight, UTC.
    """
    body: dict[str, Any] = {
        name: value for name, value in form.items() if value and name not in OURS and "." not in name
    }
    facts = {name.removeprefix("facts."): value for name, value in form.items() if name.startswith("facts.")}
    facts |= {name.removeprefix("scale."): value for name, value in form.items() if value and name.startswith("scale.")}
    if "due" in body and "T" not in body["due"]:
        body["due"] += "T23:59:59Z"
    return body | ({"facts": facts} if facts else {})
