"""The incident operations of the API under /api/v1, for programs, the command line and the console.

Handlers take a `Call` and return a response model; `routes` maps them to paths, and the OpenAPI document is generated
from the same table. Rules: reads run on the readers' thread; actions become requests to the command queue; a refused
action is answered 409 with the incident's current state.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any, TypeVar

from receiver.core.classify import incident_key
from receiver.core.closing import outstanding
from receiver.core.duties import running
from receiver.core.events import (
    Acknowledge,
    Action,
    Change,
    Close,
    Declare,
    Escalate,
    GiveBack,
    Note,
    Replan,
    Resolve,
    SignOff,
    Undo,
    Update,
    Withdraw,
)
from receiver.core.model import Alert, Incident, Instant, State
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.engine.commands import Asked, ForIncident
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import CursorError
from receiver.messages import MessageRenderer
from receiver.store import Reads, Span
from receiver.web.api import requests, responses, views
from receiver.web.api.call import Call
from receiver.web.api.related_incidents import find_related
from receiver.web.api.several import act_on_several
from receiver.web.http.problem_details import HttpProblem
from rules.durations import parse as duration
from rules.policy import UTC

Out = TypeVar("Out")
Item = TypeVar("Item")

ALERTS_SHOWN, ALERTS_LISTED = 100, 20
"""Alerts listed in a single incident's view, and in each view of a list."""
NAMED = 10
"""Firing alerts (worst and oldest first) whose title, value and units are read, as for messages."""

SIMILAR_SHOWN = 5
"""Earlier incidents shown with one; few enough to read during an incident."""

CURSOR = "after-"
"""Prefix of the cursor of an incident's list."""

MOST_DIGITS = 18
"""Digits of the number in a cursor; larger numbers exceed the database's integers."""

LONGEST_NUMBER = 10
"""Number of digits from which a name cannot be an incident number."""

NEW_TYPE_HINT = " (`new_type`; on the command line --type-is-new)"
"""Tells programs how to confirm a new type; pages have a checkbox for it."""


class Api:
    """Handlers of the incident operations."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads, words: MessageRenderer) -> None:
        """`words`: renders an incident's account."""
        self._queue = queue
        self._words = words
        self._engine = engine
        self._reads = reads

    async def list(self, call: Call[requests.ListQuery]) -> responses.IncidentsView:
        """List incidents, the newest first."""
        query = call.said

        def read() -> responses.IncidentsView:
            found, cursor = self._reads.incidents(
                state=query.states,
                level=query.level,
                type=query.type,
                system=query.system or "",
                person=query.person or "",
                search=query.search or "",
                on_hold=query.legal_hold,
                limit=query.limit,
                cursor=query.cursor,
            )
            firing = self._reads.first_firing([each.id for each in found], NAMED)
            shown = [self._show_with(each, firing.get(each.id, ()), ALERTS_LISTED) for each in found]
            return responses.IncidentsView(incidents=shown, next=cursor)

        try:
            return await self._queue.browse(read)
        except CursorError as error:
            raise HttpProblem(400, str(error)) from None

    async def show(self, call: Call[requests.Nothing]) -> responses.IncidentView:
        """Get an incident."""
        return await self.read(call.incident, self._show)

    async def similar(self, call: Call[requests.Nothing]) -> responses.SimilarIncidentsView:
        """List earlier incidents of the same type or system, with cause, fix and lessons."""
        return await self.browse(
            call.incident, lambda incident: views.show_similar(self._reads.similar(incident, SIMILAR_SHOWN))
        )

    async def related(self, call: Call[requests.Nothing]) -> responses.RelatedIncidentsView:
        """List other incidents of the same system: unclosed ones, and those of the last 30 days with what helped."""

        def read(incident: Incident) -> responses.RelatedIncidentsView:
            return views.show_related(incident.system, find_related(self._reads, incident, self.now()))

        return await self.browse(call.incident, read)

    async def timeline(self, call: Call[requests.PageQuery]) -> responses.TimelineView:
        """Get an incident's timeline: what happened, when, by whom, with which result."""

        def read(incident: Incident) -> responses.TimelineView:
            found, following = page(partial(self._reads.timeline, incident.id), call.said, lambda each: each.position)
            return responses.TimelineView(timeline=[views.show_entry(each) for each in found], next=following)

        return await self.browse(call.incident, read)

    async def notifications(self, call: Call[requests.PageQuery]) -> responses.NotificationsView:
        """List an incident's notifications with their delivery status."""

        def read(incident: Incident) -> responses.NotificationsView:
            context = self.context(incident)
            list_ = partial(self._reads.notifications, incident.id)
            found, following = page(list_, call.said, lambda each: each.sequence)
            shown = [views.show_notification(each, context.facts(each.channel)) for each in found]
            return responses.NotificationsView(notifications=shown, next=following)

        return await self.browse(call.incident, read)

    async def alerts(self, call: Call[requests.AlertsQuery]) -> responses.AlertsView:
        """List all alerts of an incident."""

        def read(incident: Incident) -> responses.AlertsView:
            found, following = self._alerts(incident, call.said)
            return responses.AlertsView(alerts=[views.show_alert(each) for each in found], next=following)

        return await self.browse(call.incident, read)

    def _alerts(self, incident: Incident, said: requests.AlertsQuery) -> tuple[Sequence[Alert], str | None]:
        after = self._reads.alert(incident.id, _after(said.cursor)) if said.cursor else None
        if said.cursor and after is None:
            raise HttpProblem(404, "the incident has no such alert; take the cursor from the `next` of the list before")
        found = self._reads.alerts(incident.id, said.limit + 1, after)
        following = f"{CURSOR}{found[said.limit - 1].fingerprint}" if len(found) > said.limit else None
        return found[: said.limit], following

    async def policy(self, _call: Call[requests.Nothing]) -> responses.PolicyView:
        """Get the policy in use."""
        current = self._engine.current
        return views.show_policy(current, self._engine.context(current).known_names)

    async def declare(self, call: Call[requests.DeclareBody]) -> responses.IncidentView:
        """Declare an incident; the same Idempotency-Key opens it once."""
        said = call.said
        return await self._handle(
            call,
            Declare(
                key=incident_key(("declared", call.idempotency_key or token_hex(16))),
                type=said.type,
                by=call.by(said.by),
                level=said.level,
                title=said.title,
                note=said.note,
                labels=said.labels,
                exercise=said.exercise,
                new_type=said.new_type,
            ),
        )

    async def acknowledge(self, call: Call[requests.AcknowledgeBody]) -> responses.IncidentView:
        """Acknowledge an incident."""
        said = call.said
        hold = None if said.hold is None else duration(said.hold)
        return await self.act(call, Acknowledge(call.by(said.by), said.note, hold, said.state))

    async def acknowledge_several(self, call: Call[requests.AcknowledgeSeveralBody]) -> responses.TakenView:
        """Acknowledge several incidents; the response lists the taken and the unchanged ones."""
        said = call.said
        found = await self._queue.read(self._several, said)
        hold = None if said.hold is None else duration(said.hold)
        action = Acknowledge(call.by(said.by), said.note, hold, State.OPEN if said.incidents is None else None)
        taken = await act_on_several(self._queue, [(each.id, action) for each in found], call.caller.origin)
        unknown = set(said.incidents or ()) - {each.number for each in found}
        return views.show_taken(taken, unknown)

    def _several(self, said: requests.AcknowledgeSeveralBody) -> Sequence[Incident]:
        """The incidents that the request selects; runs on the readers' thread."""
        if said.incidents is not None:
            return self._reads.by_numbers(said.incidents)
        found, cursor = self._reads.incidents(state={State.OPEN}, level=said.level, limit=requests.MOST_NAMED)
        while cursor is not None:
            more, cursor = self._reads.incidents(
                state={State.OPEN}, level=said.level, limit=requests.MOST_NAMED, cursor=cursor
            )
            found += more
        return found

    async def resolve(self, call: Call[requests.ResolveBody]) -> responses.IncidentView:
        """Resolve an incident."""
        said = call.said
        return await self.act(call, Resolve(call.by(said.by), said.note, said.force, said.state))

    async def escalate(self, call: Call[requests.EscalateBody]) -> responses.IncidentView:
        """Ask for help: run the next escalation step now."""
        said = call.said
        return await self.act(call, Escalate(call.by(said.by), said.note, said.state))

    async def withdraw(self, call: Call[requests.WithdrawBody]) -> responses.IncidentView:
        """Withdraw a call for help."""
        return await self.act(call, Withdraw(call.by(call.said.by), call.said.note))

    async def give_back(self, call: Call[requests.GiveBackBody]) -> responses.IncidentView:
        """Give an incident back: it is open again."""
        said = call.said
        return await self.act(call, GiveBack(call.by(said.by), said.note, said.state))

    async def undo(self, call: Call[requests.UndoBody]) -> responses.IncidentView:
        """Undo the caller's last answer."""
        return await self.act(call, Undo(call.by(call.said.by)))

    async def sign_off(self, call: Call[requests.SignOffBody]) -> responses.IncidentView:
        """Sign off a resolved incident; must be another person than the resolver."""
        return await self.act(call, SignOff(call.by_themselves(call.said.by), call.said.note))

    async def close(self, call: Call[requests.CloseBody]) -> responses.IncidentView:
        """Close a resolved incident even if required items are missing; the note must give the reason."""
        return await self.act(call, Close(call.by_themselves(call.said.by), call.said.note))

    async def note(self, call: Call[requests.TextBody]) -> responses.IncidentView:
        """Add a note to the timeline."""
        return await self.act(call, Note(call.by(call.said.by), call.said.words))

    async def update(self, call: Call[requests.TextBody]) -> responses.IncidentView:
        """Send an update on the incident to all notified recipients."""
        return await self.act(call, Update(call.by(call.said.by), call.said.words))

    async def change(self, call: Call[requests.ChangeBody]) -> responses.IncidentView:
        """Change the level or facts of an incident."""
        said = call.said
        return await self.act(call, Change(call.by(said.by), said.level, said.reason, said.facts))

    async def replan(self, call: Call[requests.ReplanBody]) -> responses.IncidentView:
        """Move an incident to the current policy."""
        return await self.act(call, Replan(call.by(call.said.by)))

    async def act(self, call: Call[Any], action: Action) -> responses.IncidentView:
        """Applies an action to the incident that the call names. Raises HttpProblem: 404, 409."""
        incident = await self.read(call.incident, lambda found: found)
        return await self._handle(call, ForIncident(incident.id, action))

    async def _handle(self, call: Call[Any], what: Declare | ForIncident) -> responses.IncidentView:
        [result] = await self._queue.handle([Asked(what, call.caller.origin)])
        if result.refusal is not None and result.incident is None:
            hint = NEW_TYPE_HINT if isinstance(what, Declare) else ""
            raise HttpProblem(409, f"{result.refusal.reason}{hint}")
        if result.error or result.incident is None:
            raise HttpProblem(500, "this could not be stored; the log says why")
        view = await self._queue.read(self._show, result.incident)
        if result.refusal is not None:
            state = {"state": result.refusal.state, "incident": view.model_dump(mode="json")}
            raise HttpProblem(409, result.refusal.reason, state)
        return view

    async def browse(self, name: str, read: Callable[[Incident], Out]) -> Out:
        """Like `read`, on the browsers' thread, for reads that may take long. Raises HttpProblem 404."""
        return await self._queue.browse(self._find_for, name, read)

    async def read(self, name: str, read: Callable[[Incident], Out]) -> Out:
        """Finds an incident and applies `read` to it, both on the readers' thread. Raises HttpProblem 404."""
        return await self._queue.read(self._find_for, name, read)

    def _find_for(self, name: str, read: Callable[[Incident], Out]) -> Out:
        incident = self._find(name)
        if incident is None:
            raise HttpProblem(404, "there is no such incident")
        return read(incident)

    def policy_version(self, incident: Incident) -> PolicyVersion:
        """The policy version that the incident runs under; call on the readers' thread."""
        return self._engine.find_policy_version(incident.policy, self._reads.policy)

    def context(self, incident: Incident) -> DecisionContext:
        """The context for rendering the incident's text; call on the readers' thread."""
        return DecisionContext(self.policy_version(incident), self._engine.current, frozenset())

    def now(self) -> Instant:
        """The command queue's current time."""
        return self._queue.clock()

    def _find(self, name: str) -> Incident | None:
        """Finds by number (12 or #12), else by id."""
        digits = name.removeprefix("#")
        if digits.isascii() and digits.isdigit() and len(digits) < LONGEST_NUMBER:
            return self._reads.by_number(int(digits))
        return self._reads.incident(name) if name.isascii() and name.isalnum() else None

    def _show(self, incident: Incident) -> responses.IncidentView:
        firing = self._reads.first_firing([incident.id], NAMED).get(incident.id, ())
        return self._show_with(incident, firing, ALERTS_SHOWN)

    def _show_with(self, incident: Incident, firing: Sequence[Alert], alerts: int) -> responses.IncidentView:
        """`firing`: the first firing alerts; `alerts`: how many alerts are listed."""
        version = self.policy_version(incident)
        missing = outstanding(incident, version) if incident.state is State.RESOLVED else []
        alerts_shown, duties = self._reads.alerts(incident.id, alerts), running(incident, version)
        case = self._words.case(incident, self.context(incident), self.now(), firing)
        return views.show_incident(replace(case, zone_of_channel=UTC), alerts_shown, duties, missing)


def page(
    read: Callable[[Span], list[Item]], said: requests.PageQuery, number: Callable[[Item], int]
) -> tuple[list[Item], str | None]:
    """Returns a page of a numbered list and the next page's cursor. Raises HttpProblem 400 for an invalid cursor."""
    found = read(Span(after=_number(said.cursor), limit=said.limit + 1))
    return found[: said.limit], f"{CURSOR}{number(found[said.limit - 1])}" if len(found) > said.limit else None


def _number(cursor: str | None) -> int:
    """The number after which the page begins; -1 without a cursor."""
    if cursor is None:
        return -1
    digits = _after(cursor)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MOST_DIGITS:
        raise _no_cursor(cursor)
    return int(digits)


def _after(cursor: str) -> str:
    if not cursor.startswith(CURSOR):
        raise _no_cursor(cursor)
    return cursor.removeprefix(CURSOR)


def _no_cursor(cursor: str) -> HttpProblem:
    return HttpProblem(400, f"{cursor[:40]!r} is no cursor; take it from the `next` of the list before")
