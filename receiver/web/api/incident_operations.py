"""The API under /api/v1: what programs, the command line and the console ask for and do.

Handlers take a `Call` (who asks, about which incident, saying what) and return a shape; `routes` wires
them to paths, and the OpenAPI document is made of the same table. Rules: reads go through the readers'
thread; actions become requests to the command queue, and what the core refuses is answered 409 with what is true now.
"""

from collections.abc import Callable, Sequence
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
from receiver.web.api.several import act_on_several
from receiver.web.http.problem_details import HttpProblem
from rules.durations import parse as duration

Out = TypeVar("Out")
Item = TypeVar("Item")

ALERTS_SHOWN, ALERTS_LISTED = 100, 20
"""Alerts that an incident is shown with, alone and in a list."""
NAMED = 10
"""Alerts that fire of which title, value and units are told, the worst and oldest first, as messages do."""

SIMILAR_SHOWN = 5
"""Earlier incidents that one is shown with; more nobody reads while it lasts."""

CURSOR = "after-"
"""How the cursor of an incident's list begins."""

MOST_DIGITS = 18
"""Of a number in a cursor: a database counts no further."""

LONGEST_NUMBER = 10
"""Digits from which on a name is no number that an incident has."""

NEW_TYPE_HINT = " (`new_type`; on the command line --type-is-new)"
"""How a program says that a type is new on purpose; pages have a box for it."""


class Api:
    """The API's handlers."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads, words: MessageRenderer) -> None:
        """`words`: in which an incident is told of."""
        self._queue = queue
        self._words = words
        self._engine = engine
        self._reads = reads

    async def list(self, call: Call[requests.ListQuery]) -> responses.IncidentsView:
        """Incidents, the newest first."""
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
        """One incident."""
        return await self.read(call.incident, self._show)

    async def similar(self, call: Call[requests.Nothing]) -> responses.SimilarIncidentsView:
        """Earlier incidents like it: of its type or its system, with cause, fix and lesson."""
        return await self.browse(
            call.incident, lambda incident: views.show_similar(self._reads.similar(incident, SIMILAR_SHOWN))
        )

    async def timeline(self, call: Call[requests.PageQuery]) -> responses.TimelineView:
        """What happened, when, who did it, with which result."""

        def read(incident: Incident) -> responses.TimelineView:
            found, following = page(partial(self._reads.timeline, incident.id), call.said, lambda each: each.position)
            return responses.TimelineView(timeline=[views.show_entry(each) for each in found], next=following)

        return await self.browse(call.incident, read)

    async def notifications(self, call: Call[requests.PageQuery]) -> responses.NotificationsView:
        """Who was told what, and whether it arrived."""

        def read(incident: Incident) -> responses.NotificationsView:
            context = self.context(incident)
            list_ = partial(self._reads.notifications, incident.id)
            found, following = page(list_, call.said, lambda each: each.sequence)
            shown = [views.show_notification(each, context.facts(each.channel)) for each in found]
            return responses.NotificationsView(notifications=shown, next=following)

        return await self.browse(call.incident, read)

    async def alerts(self, call: Call[requests.AlertsQuery]) -> responses.AlertsView:
        """All of an incident's alerts."""

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
        """The policy in use."""
        current = self._engine.current
        return views.show_policy(current, self._engine.context(current).known_names)

    async def declare(self, call: Call[requests.DeclareBody]) -> responses.IncidentView:
        """Open an incident by hand; the same Idempotency-Key opens it once."""
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
        """Take an incident."""
        said = call.said
        hold = None if said.hold is None else duration(said.hold)
        return await self.act(call, Acknowledge(call.by(said.by), said.note, hold, said.state))

    async def acknowledge_several(self, call: Call[requests.AcknowledgeSeveralBody]) -> responses.TakenView:
        """Take several incidents; the answer lists which were taken and which were not."""
        said = call.said
        found = await self._queue.read(self._several, said)
        hold = None if said.hold is None else duration(said.hold)
        action = Acknowledge(call.by(said.by), said.note, hold, State.OPEN if said.incidents is None else None)
        taken = await act_on_several(self._queue, [(each.id, action) for each in found], call.caller.origin)
        unknown = set(said.incidents or ()) - {each.number for each in found}
        return views.show_taken(taken, unknown)

    def _several(self, said: requests.AcknowledgeSeveralBody) -> Sequence[Incident]:
        """The incidents that a request is about; on the readers' thread."""
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
        """Say that it is over."""
        said = call.said
        return await self.act(call, Resolve(call.by(said.by), said.note, said.force, said.state))

    async def escalate(self, call: Call[requests.EscalateBody]) -> responses.IncidentView:
        """Ask for help: the next step now."""
        said = call.said
        return await self.act(call, Escalate(call.by(said.by), said.note, said.state))

    async def withdraw(self, call: Call[requests.WithdrawBody]) -> responses.IncidentView:
        """Ask for help no more."""
        return await self.act(call, Withdraw(call.by(call.said.by), call.said.note))

    async def give_back(self, call: Call[requests.GiveBackBody]) -> responses.IncidentView:
        """Give an incident back: it is open again."""
        said = call.said
        return await self.act(call, GiveBack(call.by(said.by), said.note, said.state))

    async def undo(self, call: Call[requests.UndoBody]) -> responses.IncidentView:
        """Take back an answer that was a slip."""
        return await self.act(call, Undo(call.by(call.said.by)))

    async def sign_off(self, call: Call[requests.SignOffBody]) -> responses.IncidentView:
        """Sign off a resolved incident: a second person says that it may close."""
        return await self.act(call, SignOff(call.by_themselves(call.said.by), call.said.note))

    async def close(self, call: Call[requests.CloseBody]) -> responses.IncidentView:
        """Close a resolved incident now, whatever is missing; the note says why."""
        return await self.act(call, Close(call.by_themselves(call.said.by), call.said.note))

    async def note(self, call: Call[requests.TextBody]) -> responses.IncidentView:
        """Write something down."""
        return await self.act(call, Note(call.by(call.said.by), call.said.words))

    async def update(self, call: Call[requests.TextBody]) -> responses.IncidentView:
        """Tell everyone how it stands."""
        return await self.act(call, Update(call.by(call.said.by), call.said.words))

    async def change(self, call: Call[requests.ChangeBody]) -> responses.IncidentView:
        """Assess or document."""
        said = call.said
        return await self.act(call, Change(call.by(said.by), said.level, said.reason, said.facts))

    async def replan(self, call: Call[requests.ReplanBody]) -> responses.IncidentView:
        """Move an incident to the current policy."""
        return await self.act(call, Replan(call.by(call.said.by)))

    async def act(self, call: Call[Any], action: Action) -> responses.IncidentView:
        """Do something to the incident that the call names. Raises Problem: 404, 409."""
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
        """The same for what may take long, on the browsers' thread. Raises Problem 404."""
        return await self._queue.browse(self._find_for, name, read)

    async def read(self, name: str, read: Callable[[Incident], Out]) -> Out:
        """Find an incident and read what is asked, both on the readers' thread. Raises Problem 404."""
        return await self._queue.read(self._find_for, name, read)

    def _find_for(self, name: str, read: Callable[[Incident], Out]) -> Out:
        incident = self._find(name)
        if incident is None:
            raise HttpProblem(404, "there is no such incident")
        return read(incident)

    def policy_version(self, incident: Incident) -> PolicyVersion:
        """The policy version that the incident runs under; on the readers' thread."""
        return self._engine.find_policy_version(incident.policy, self._reads.policy)

    def context(self, incident: Incident) -> DecisionContext:
        """What the incident's words look things up in; on the readers' thread."""
        return DecisionContext(self.policy_version(incident), self._engine.current, frozenset())

    def now(self) -> Instant:
        """The time that the queue's requests are decided at."""
        return self._queue.clock()

    def _find(self, name: str) -> Incident | None:
        """By number (12 or #12), else by id."""
        digits = name.removeprefix("#")
        if digits.isascii() and digits.isdigit() and len(digits) < LONGEST_NUMBER:
            return self._reads.by_number(int(digits))
        return self._reads.incident(name) if name.isascii() and name.isalnum() else None

    def _show(self, incident: Incident) -> responses.IncidentView:
        firing = self._reads.first_firing([incident.id], NAMED).get(incident.id, ())
        return self._show_with(incident, firing, ALERTS_SHOWN)

    def _show_with(self, incident: Incident, firing: Sequence[Alert], alerts: int) -> responses.IncidentView:
        """`firing`: the first of its alerts that fire; `alerts`: how many are listed."""
        version = self.policy_version(incident)
        missing = outstanding(incident, version) if incident.state is State.RESOLVED else []
        alerts_shown, duties = self._reads.alerts(incident.id, alerts), running(incident, version)
        case = self._words.case(incident, self.context(incident), self.now(), firing)
        return views.show_incident(case, alerts_shown, duties, missing)


def page(
    read: Callable[[Span], list[Item]], said: requests.PageQuery, number: Callable[[Item], int]
) -> tuple[list[Item], str | None]:
    """A page of a numbered list, and the cursor of the next. Raises Problem 400 for a cursor that is none."""
    found = read(Span(after=_number(said.cursor), limit=said.limit + 1))
    return found[: said.limit], f"{CURSOR}{number(found[said.limit - 1])}" if len(found) > said.limit else None


def _number(cursor: str | None) -> int:
    """After which number the page begins."""
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
