"""`/incidents/{number}`: one incident, what to do about it, and the buttons that do it.

A button carries the state that the person saw. What the core refuses is answered with the page as it is now, the
reason above it and the words typed still in their field.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from receiver.core.model import Alert, Entry, Fact, Incident, Notification
from receiver.desk import Desk
from receiver.messages.case import Case, web_address
from receiver.messages.plain import line, plain
from receiver.messages.timeline import sentence
from receiver.store import Reads
from receiver.web import bodies, views
from receiver.web.api import Api
from receiver.web.call import Call
from receiver.web.console import tables
from receiver.web.console.deadlines import deadlines
from receiver.web.console.frame import Form, Frame, Visit, go_to
from receiver.web.problems import Problem, invalid
from receiver.web.responding import Responding
from receiver.web.response_shapes import ChecklistsView
from receiver.web.response_views import show_checklists

ALERTS = 20
ENTRIES = 80
MESSAGES = 60
"""How much of each the page shows; the exports have everything."""

ASKED = (
    "impact_description",
    "root_cause",
    "fix_description",
    "fix_status",
    "investigation_status",
    "verification_status",
    "estimated_resolution_time",
    "post_incident_actions",
    "lessons_learned",
)
"""Facts that the page has fields for: the templates' placeholders that only a person can fill."""

DONE = {
    "acknowledge": "You have it. Escalation has stopped.",
    "escalate": "Escalated: the next step has been told.",
    "resolve": "Resolved. Everybody who was paged is told.",
    "notes": "Noted.",
    "updates": "The update goes out.",
    "change": "Recorded.",
    "handover": "Handed over.",
    "replan": "It runs under the current policy now.",
}
"""Said after a press, by the name that the redirect carries."""

Run = Callable[[Call[Any]], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert: only the labels that not all share."""

    alert: Alert
    summary: str
    labels: tuple[tuple[str, str], ...]
    source: str
    """Where the expression can be looked at; empty: nowhere a browser may go."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline."""

    entry: Entry
    text: str
    is_person: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the page shows of an incident."""

    case: Case
    alerts: tuple[AlertRow, ...]
    lines: tuple[Line, ...]
    """The newest first."""
    messages: tuple[Any, ...]
    checklists: ChecklistsView
    more_messages: int


class IncidentPage:
    """The page and its buttons."""

    def __init__(self, frame: Frame, desk: Desk, reads: Reads, api: Api) -> None:
        self._frame = frame
        self._desk = desk
        self._reads = reads
        self._api = api
        responding = Responding(api)
        self._actions: Mapping[str, tuple[type[bodies.Body], Run]] = {
            "acknowledge": (bodies.AcknowledgeBody, api.acknowledge),
            "escalate": (bodies.EscalateBody, api.escalate),
            "resolve": (bodies.ResolveBody, api.resolve),
            "notes": (bodies.TextBody, api.note),
            "updates": (bodies.TextBody, api.update),
            "change": (bodies.ChangeBody, api.change),
            "replan": (bodies.ReplanBody, api.replan),
            "steps": (bodies.TickBody, responding.tick),
            "handover": (bodies.HandoverBody, responding.hand_over),
        }

    async def show(self, visit: Visit) -> web.Response:
        """The page."""
        return await self._page(visit, said=DONE.get(visit.request.query.get("done", ""), ""))

    async def act(self, visit: Visit) -> web.Response:
        """A button was pressed."""
        name, action = visit.request.match_info["incident"], visit.request.match_info["action"]
        if action not in self._actions:
            raise Problem(404, "there is no such action")
        model, run = self._actions[action]
        try:
            try:
                said = model.model_validate(_body(visit.form))
            except ValidationError as error:
                raise invalid(error, "form") from None
            await run(Call(visit.caller, said, name, "", visit.form.get("step", "")))
        except Problem as problem:
            if problem.status not in {400, 409}:
                raise
            return await self._page(visit, problem=problem, action=action)
        if visit.form.get("back") == "now":
            return go_to("/")
        if action == "steps":
            return go_to(f"/incidents/{int(name)}#todo")
        return go_to(f"/incidents/{int(name)}?done={action}#said")

    async def export(self, visit: Visit) -> web.Response:
        """One of the incident's lists as CSV: alerts, timeline or messages."""
        name, wanted = visit.request.match_info["incident"], visit.request.match_info["list"]
        asked = Call(visit.caller, bodies.Nothing(), name, "")
        file = f"incident-{int(name)}-{wanted}"
        match wanted:
            case "alerts":
                alerts = (await self._api.alerts(asked)).alerts
                return tables.answer(file, tables.ALERT_COLUMNS, map(tables.alert_row, alerts))
            case "timeline":
                entries = (await self._api.timeline(asked)).timeline
                return tables.answer(file, tables.ENTRY_COLUMNS, map(tables.entry_row, entries))
            case "messages":
                messages = (await self._api.notifications(asked)).notifications
                return tables.answer(file, tables.MESSAGE_COLUMNS, map(tables.message_row, messages))
            case _:
                raise Problem(404, "there is no such list; there are alerts, timeline and messages")

    async def _page(
        self, visit: Visit, said: str = "", problem: Problem | None = None, action: str = ""
    ) -> web.Response:
        name = visit.request.match_info["incident"]
        if not name.isdigit() or len(name) > 9:
            raise Problem(404, "there is no such incident")
        reading = await self._api.read(name, lambda found: self._read(found, visit))
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
            asked=ASKED,
            said=said,
            problem=problem,
            action=action,
            typed=visit.form if problem else {},
            typed_for=lambda of, field: visit.form.get(field, "") if of == action else "",
        )

    def _read(self, incident: Incident, visit: Visit) -> Reading:
        playbook = self._api.playbook(incident)
        channels = self._desk.engine.current.channels
        entries = self._reads.timeline(incident.id)
        messages = self._reads.notifications(incident.id)
        return Reading(
            case=Case(incident, self._desk.engine.book(playbook), visit.now, ""),
            alerts=tuple(_row(incident, alert) for alert in self._reads.alerts(incident.id, ALERTS)),
            lines=tuple(_line(entry) for entry in reversed(entries[-ENTRIES:])),
            messages=tuple(_message(each, channels) for each in reversed(messages[-MESSAGES:])),
            checklists=show_checklists(incident, playbook),
            more_messages=max(0, len(messages) - MESSAGES),
        )


def _message(notification: Notification, channels: Mapping[str, Any]) -> Mapping[str, Any]:
    """With its instants as they are: the page writes them itself."""
    view = views.show_notification(notification, channels.get(notification.channel))
    at = notification.done_at or notification.created_at
    return view.model_dump() | {"at": at, "due_at": notification.due_at}


def _row(incident: Incident, alert: Alert) -> AlertRow:
    labels = [(line(name, 60), line(value, 120)) for name, value in sorted(alert.labels.items())]
    shared = {(line(name, 60), line(value, 120)) for name, value in incident.labels.items()}
    told = alert.annotations.get("summary") or alert.annotations.get("description") or alert.labels.get("alertname", "")
    return AlertRow(
        alert=alert,
        summary=line(told),
        labels=tuple(each for each in labels if each not in shared and each[0] != "alertname")[:10],
        source=web_address(alert.generator_url),
    )


def _line(entry: Entry) -> Line:
    """What a person wrote stands whole; everything else is one line."""
    written = entry.fact in {Fact.NOTED, Fact.UPDATED}
    text = plain(entry.data.get("text", "")) if written else sentence(entry)
    return Line(entry, text, bool(entry.by))


def _body(form: Form) -> dict[str, Any]:
    """A form as the API's body: what was left empty is left out; `facts.name` are facts, empty ones too."""
    ours = {"csrf", "back", "step"}
    body: dict[str, Any] = {
        name: value for name, value in form.items() if value and name not in ours and "." not in name
    }
    facts = {name.removeprefix("facts."): value for name, value in form.items() if name.startswith("facts.")}
    return body | ({"facts": facts} if facts else {})
