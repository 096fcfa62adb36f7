"""`/`: the incidents that need action now, the most urgent first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from receiver.core.events import Acknowledge, Action, Handover
from receiver.core.loaded_rules import RulesVerdict
from receiver.core.model import Alert, Incident, Instant, State
from receiver.core.paging import LAST_PLANNED_STEP
from receiver.core.undo import can_undo
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.messages.deadlines import DeadlineRow, deadlines
from receiver.messages.incident_text import IncidentText
from receiver.messages.times import Manner
from receiver.store import Reads
from receiver.web.api.incident_operations import Api
from receiver.web.api.several import Taken, act_on_several
from receiver.web.console.open_standing import worst_open
from receiver.web.console.pages import Frame, Visit, go_to
from receiver.web.http.problem_details import HttpProblem
from rules.policy import HOUR, UTC

SHOWN = 50
"""Incidents on a page of the list; more cannot be taken in."""

READ = 500
"""Incidents, the most urgent ones, that filters and paging work on."""

NAMED = 10
"""Firing alerts read per incident: the first gives the title and its value."""

MOST_AT_ONCE = 100
"""Incidents per bulk action."""

NONE = "#{}: there is no such incident"

NEAR = 24 * HOUR
"""Microseconds ahead of which a card shows deadlines."""

KEEPS = "tocsin-now"
"""Cookie with the last filter."""


@dataclass(frozen=True, slots=True)
class Card:
    """One incident of the list."""

    case: IncidentText
    deadlines: tuple[DeadlineRow, ...]

    @property
    def near(self) -> tuple[DeadlineRow, ...]:
        """The deadlines of a day, and those that have passed; what is due in weeks is read on the incident's page."""
        until = Instant(self.case.now + NEAR)
        return tuple(each for each in self.deadlines if each.at <= until)

    @property
    def is_breached(self) -> bool:
        """Whether its response time has ended and it is still open."""
        incident = self.case.incident
        return incident.breached_at is not None and incident.state is State.OPEN

    @property
    def step(self) -> str:
        """The escalation step that it has reached, in words; empty: it wants no answer."""
        incident = self.case.incident
        if not incident.wants_answer:
            return ""
        again = incident.step - LAST_PLANNED_STEP
        return f"step {min(incident.step, LAST_PLANNED_STEP) + 1} of {LAST_PLANNED_STEP + 1}" + (
            f", repeated {again} {'time' if again == 1 else 'times'}" if again > 0 else ""
        )


class Chosen(BaseModel):
    """The page's filter."""

    level: int = Field(default=0, ge=0, le=4)
    """This level and worse; 0: all."""
    system: str = Field(default="", max_length=200)
    section: str = Field(default="", max_length=200)
    mine: bool = False

    def takes(self, incident: Incident, who: str) -> bool:
        """Whether the incident passes the filter. `who`: the visitor's name."""
        return (
            incident.level >= self.level
            and self.system in {"", incident.system}
            and self.section in {"", incident.labels.get("section", "")}
            and (not self.mine or incident.holder == who)
        )

    @property
    def query(self) -> str:
        """The filter as a query; empty: no filter."""
        return urlencode(self.model_dump(exclude_defaults=True))

    def chip(self, **other: Any) -> str:
        """The address of the same filter with changes."""
        return f"/?{self.model_copy(update=other).query or 'all'}"


@dataclass(frozen=True, slots=True)
class ShownPart:
    """The part of the filtered incidents that the page shows."""

    begin: int
    """Number of more urgent incidents before it."""
    shown: int
    total: int

    @property
    def before(self) -> int | None:
        """Start of the previous part; None: this is the first."""
        return max(0, self.begin - SHOWN) if self.begin else None

    @property
    def after(self) -> int | None:
        """Start of the next part; None: this is the last, or History has the rest."""
        end = self.begin + SHOWN
        return end if end < min(self.total, READ) else None


@dataclass(frozen=True, slots=True)
class Told:
    """The effect of the last action on an incident."""

    kind: str
    """One of TOLD."""
    card: Card
    can_undo: bool


TOLD = ("took", "gave", "undone")
"""Acknowledged, handed over, undone: query names for the effects of the last action."""


@dataclass(frozen=True, slots=True)
class Now:
    """Handlers of the page `/`."""

    frame: Frame
    queue: CommandQueue
    engine: Engine
    reads: Reads
    api: Api
    state: ServiceState

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        query = visit.request.query
        return await self._page(visit, {kind: numbers_of(query.get(kind, "")) for kind in TOLD})

    async def _page(self, visit: Visit, done: Mapping[str, Sequence[int]], left: Sequence[str] = ()) -> web.Response:
        """`done`: the incidents that the last action changed, by its kind; `left`: what it did not change, and why."""
        chosen, who = _chosen(visit), visit.caller.name

        def read() -> dict[str, Any]:
            overview = self.reads.overview
            live = overview.live()
            begin = _begin(visit)
            found = overview.urgent(READ if chosen.query else min(READ, begin + SHOWN))
            taken = [each for each in found if chosen.takes(each, who)]
            part, urgent = _part(taken, begin, len(taken) if chosen.query else sum(live.values()))
            firing = self.reads.first_firing([each.id for each in urgent], NAMED)
            cards = sorted((self.card(each, firing.get(each.id, ()), visit) for each in urgent), key=urgency)
            resolved = [self.card(each, (), visit) for each in overview.resolved(SHOWN) if chosen.takes(each, who)]
            worst = worst_open(live)
            return {
                "cards": [each for each in cards if not each.case.incident.exercise],
                "exercises": [each for each in cards if each.case.incident.exercise],
                "unclosed": [each for each in resolved if each.case.outstanding],
                "counts": _by_state(live),
                "part": part,
                "worst": worst,
                "worst_name": self.engine.current.policy.level(worst).name if worst else "",
                "systems": sorted({each.system for each in found if each.system} | {chosen.system} - {""})[:20],
                "sections": sorted({each.labels.get("section", "") for each in found} | {chosen.section} - {""})[:20],
                "told": self._told(visit, done),
            }

        answer = self.frame.page(
            visit,
            "now.html",
            status=409 if left else 200,
            left=left,
            **await self.queue.read(read),
            chosen=chosen,
            people=self.engine.context(self.engine.current).known_names,
            worries=self.worries(),
        )
        answer.set_cookie(KEEPS, chosen.query, samesite="Lax", httponly=True)
        return answer

    async def act(self, visit: Visit) -> web.Response:
        """Acknowledges the ticked incidents, or hands them over. Raises HttpProblem 400."""
        numbers = [int(each) for name, each in visit.form.items() if name.startswith("n.") and is_number(each)]
        if not numbers or len(numbers) > MOST_AT_ONCE:
            raise HttpProblem(400, f"tick the incidents that it is about, {MOST_AT_ONCE} at most")
        by, to = visit.caller.name, visit.form.get("to", "").strip()
        is_handover = visit.form.get("action") == "hand-over"
        if is_handover and not to:
            raise HttpProblem(400, "say to whom they are handed over")
        action: Action = Handover(by, to) if is_handover else Acknowledge(by)
        found = await self.queue.read(self.reads.by_numbers, numbers)
        taken = await act_on_several(self.queue, [(each.id, action) for each in found], visit.caller.origin)
        kind, done = "gave" if is_handover else "took", [each.number for each in taken.done]
        unknown = sorted(set(numbers) - {each.number for each in found})
        if not (taken.refused or taken.lost or unknown):
            return go_to(f"/?{urlencode({kind: ','.join(map(str, done))})}#said")
        return await self._page(visit, {kind: done}, [*self._left(taken, visit), *map(NONE.format, unknown)])

    def _left(self, taken: Taken, visit: Visit) -> list[str]:
        """Each incident that a bulk action did not change, with the reason."""
        cards = ((self.card(each, (), visit).case, why) for each, why in taken.refused)
        lost = [f"{taken.lost} could not be stored; look again in a moment"] if taken.lost else []
        return [*(f"{case.number}, {case.what}: {why}" for case, why in cards), *lost]

    def _told(self, visit: Visit, done: Mapping[str, Sequence[int]]) -> list[Told]:
        """The effects of the last action, with the incidents' current state."""
        return [
            Told(kind, self.card(incident, (), visit), can_undo(incident, visit.caller.name, visit.now))
            for kind, numbers in done.items()
            for incident in self.reads.by_numbers(numbers)
        ]

    def worries(self) -> list[str]:
        """Problems that keep Tocsin from working."""
        return [
            *map(str, self.state.failing()),
            *self._refused_policy(),
            *self._other_rules(),
            *self._silent_channels(),
        ]

    def card(self, incident: Incident, firing: Sequence[Alert], visit: Visit) -> Card:
        """An incident for the list. `firing`: its first firing alerts."""
        context = self.engine.context(self.api.policy_version(incident))
        case = IncidentText(incident, context, visit.now, "", zone_of_channel=UTC, manner=Manner.LIVE, alerts=firing)
        return Card(case, deadlines(incident, context.policy_version, visit.now))

    def _refused_policy(self) -> list[str]:
        refused = self.state.policy_problems
        return (
            [f"the policy's files have problems ({len(refused)}); the policy before them is in use"] if refused else []
        )

    def _other_rules(self) -> list[str]:
        if self.state.loaded_rules is not RulesVerdict.OTHER:
            return []
        return ["Prometheus evaluates rules of another policy: those of the one in use may be evaluated by nobody"]

    def _silent_channels(self) -> list[str]:
        engine = self.engine
        context = engine.context(engine.current)
        silent = [
            each.name for each in engine.current.policy.channels if each.enabled and not context.is_set_up(each.name)
        ]
        return [f"nothing can be sent on {', '.join(silent)}: not configured"] if silent else []


def urgency(card: Card) -> tuple[int, bool, bool, int]:
    """Sort key: worst level, then breached, then unanswered, then the earliest deadline."""
    incident = card.case.incident
    due_at = min((each.at for each in card.deadlines if not each.passed), default=incident.opened_at)
    return -incident.level, not card.is_breached, not incident.wants_answer, due_at


def _begin(visit: Visit) -> int:
    """Number of incidents before the part, from the query."""
    text = visit.request.query.get("from", "")
    return min(int(text), READ - SHOWN) if is_number(text) else 0


def _part(taken: Sequence[Incident], begin: int, total: int) -> tuple[ShownPart, Sequence[Incident]]:
    """The part that begins there; if fewer are left by now, the last part."""
    begin = min(begin, max(0, len(taken) - 1) // SHOWN * SHOWN)
    urgent = taken[begin : begin + SHOWN]
    return ShownPart(begin, len(urgent), total), urgent


def _by_state(live: Mapping[tuple[int, State, bool], int]) -> dict[str, int]:
    """Numbers of open and acknowledged incidents; exercises are counted apart."""
    found = {"open": 0, "acknowledged": 0, "exercises": 0}
    for (_, state, is_exercise), count in live.items():
        found["exercises" if is_exercise else state.value] += count
    return found


def numbers_of(text: str) -> list[int]:
    """Incident numbers in a query: ``12,13``; invalid ones are left out."""
    return [int(each) for each in text.split(",")[:MOST_AT_ONCE] if is_number(each)]


def is_number(text: str) -> bool:
    """Whether the text can be an incident's number."""
    return text.isascii() and text.isdigit() and len(text) < 10


def _chosen(visit: Visit) -> Chosen:
    """The filter of the query, else the last one."""
    query = {name: value for name, value in visit.request.query.items() if name in Chosen.model_fields and value}
    if not query and "all" not in visit.request.query:
        query = dict(parse_qsl(visit.request.cookies.get(KEEPS, "")))
    try:
        return Chosen.model_validate(query)
    except ValidationError:
        return Chosen()
