"""A drill script: webhooks and people's actions with times, and the latest time of each channel's first page.

`tocsin report ID --as-test` writes a script from a past incident (`receiver.drill.from_incident`); `tocsin drill
--script` plays it under a policy, and fails if a channel is notified later or not at all. Earlier pages and additional
channels pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from receiver.core.classify import Received, sort
from receiver.core.events import (
    Acknowledge,
    Action,
    Assign,
    Change,
    Declare,
    Delivered,
    Escalate,
    FileReport,
    GiveBack,
    Handover,
    Note,
    Resolve,
    Tick,
    Undo,
    Update,
    Withdraw,
    WithdrawFiling,
)
from receiver.core.model import Entry, Fact, Incident, Instant, Kind
from receiver.core.responder_history import response_times
from receiver.drill.script import Deadline, Played
from receiver.drill.simulator import Sent, World
from receiver.drill.text_report import offset
from receiver.engine.commands import ForIncident
from receiver.errors import CannotError
from rules.durations import parse as duration
from rules.policy import SECOND

FORMAT = 1
"""The version of the file's form."""

ACTIONS: Mapping[Fact, str] = {
    Fact.ACKNOWLEDGED: "acknowledge",
    Fact.ESCALATED: "escalate",
    Fact.HELP_ASKED: "escalate",
    Fact.HELP_WITHDRAWN: "withdraw",
    Fact.GIVEN_BACK: "give_back",
    Fact.ACK_UNDONE: "undo",
    Fact.CONFIRMED: "resolve",
    Fact.NOTED: "note",
    Fact.UPDATED: "update",
    Fact.HANDED_OVER: "handover",
    Fact.STEP_DONE: "tick",
    Fact.REPORT_FILED: "file_report",
    Fact.FILING_WITHDRAWN: "withdraw_filing",
    Fact.ROLE_TAKEN: "assign",
    Fact.ROLE_LEFT: "assign",
}
"""A person's action in the timeline → its name in scripts."""

BEGINS = frozenset({Fact.OPENED, Fact.DECLARED, Fact.LEVEL_ROSE})

Micros = Annotated[int, BeforeValidator(lambda text: duration(str(text)))]


class ScriptError(CannotError):
    """The file is no drill script; the text says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Alert(_Part):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: AwareDatetime | None = None  # noqa: N815 - as Alertmanager has it
    endsAt: AwareDatetime | None = None  # noqa: N815
    fingerprint: str = ""

    def received(self, now: Instant) -> Received:
        starts_at = _instant(self.startsAt, now)
        ended_at = None if self.status == "firing" else max(starts_at, _instant(self.endsAt, now))
        name = self.fingerprint or repr(sorted(self.labels.items()))
        return Received(self.labels, self.annotations, name, starts_at, ended_at)


class _Webhook(_Part):
    source: str = ""
    groupLabels: dict[str, str] = {}  # noqa: N815
    alerts: list[_Alert]


class _Said(_Part):
    """A person's action, and its text."""

    by: str
    note: str = ""
    text: str = ""
    reason: str = ""
    hold: Micros | None = None
    force: bool = False
    to: str = ""
    step: str = ""
    role: str = ""
    obligation: str = ""
    stage: str = ""
    reference: str = ""
    filing: str = ""
    link: str = ""
    type: str = ""
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    facts: dict[str, str] = {}
    exercise: bool = False


class Step(_Part):
    """One step of a script: one event."""

    after: Micros
    webhook: _Webhook | None = None
    declare: _Said | None = None
    acknowledge: _Said | None = None
    escalate: _Said | None = None
    withdraw: _Said | None = None
    give_back: _Said | None = None
    undo: _Said | None = None
    resolve: _Said | None = None
    note: _Said | None = None
    update: _Said | None = None
    change: _Said | None = None
    handover: _Said | None = None
    tick: _Said | None = None
    assign: _Said | None = None
    file_report: _Said | None = None
    withdraw_filing: _Said | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if len(self.model_fields_set - {"after"}) != 1:
            raise ValueError("says one thing that happened: webhook, declare, acknowledge, note …")
        return self

    @property
    def what(self) -> str:
        """The name of the event."""
        return next(iter(self.model_fields_set - {"after"}))

    @property
    def said(self) -> _Said:
        """The person's action. Not for webhooks."""
        said = getattr(self, self.what)
        assert isinstance(said, _Said)
        return said

    def action(self) -> Action:
        """The engine's action. Not for webhooks and declarations."""
        said = self.said
        actions: dict[str, Action] = {
            "acknowledge": Acknowledge(said.by, said.note, said.hold),
            "escalate": Escalate(said.by, said.note),
            "withdraw": Withdraw(said.by, said.note),
            "give_back": GiveBack(said.by, said.note),
            "undo": Undo(said.by),
            "resolve": Resolve(said.by, said.note, said.force),
            "note": Note(said.by, said.text or said.note),
            "update": Update(said.by, said.text or said.note),
            "change": Change(said.by, said.level, said.reason or said.note, said.facts),
            "handover": Handover(said.by, said.to, said.note),
            "assign": Assign(said.by, said.role, said.to, said.note),
            "tick": Tick(said.by, said.step, note=said.note, link=said.link),
            "file_report": FileReport(said.by, said.obligation, said.stage, said.reference, note=said.note),
            "withdraw_filing": WithdrawFiling(said.by, said.filing, said.note),
        }
        return actions[self.what]


class Expected(_Part):
    """The expectations of a script; better results pass."""

    level: Annotated[int, Field(ge=1, le=4)]
    told: dict[str, Micros]
    """Channel → the latest time of its first page."""


class DrillScript(_Part):
    """The content of a drill script."""

    format: Literal[1]
    incident: str = ""
    happened_at: AwareDatetime
    happened: Annotated[list[Step], Field(min_length=1)]
    expect: Expected

    @property
    def began_at(self) -> Instant:
        """The start on the drill's clock: that of the incident."""
        return _instant(self.happened_at, Instant(0))


def read(document: str) -> DrillScript:
    """Parse a file's text. Raises ScriptError."""
    try:
        return DrillScript.model_validate(yaml.safe_load(document))
    except yaml.YAMLError as error:
        raise ScriptError(f"this is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ScriptError(f"{where}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of one expectation."""

    what: str
    then: str
    now: str
    verdict: str
    """`kept`, `sooner`, `worse`, `later`, `not at all`."""

    @property
    def fails(self) -> bool:
        """Whether it is worse than in the incident."""
        return self.verdict in {"worse", "later", "not at all"}


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A played script."""

    played: Played | None
    """None: no incident was opened."""
    compared: tuple[Compared, ...]
    refused: tuple[str, ...]
    """Actions that this policy refused."""

    @property
    def fails(self) -> bool:
        """Whether any result is worse than in the incident."""
        return any(each.fails for each in self.compared)


def relive(world: World, script: DrillScript) -> ScriptRun:
    """Play it in a fresh world that begins at the incident's time."""
    cast = _Cast(world, world.now)
    for step in sorted(script.happened, key=lambda each: each.after):
        world.advance(Instant(cast.began_at + step.after))
        cast.do(step)
    last = max((*script.expect.told.values(), *(each.after for each in script.happened)))
    world.advance(Instant(cast.began_at + last))
    return ScriptRun(cast.played(), tuple(cast.compare(script.expect)), tuple(cast.refused))


class _Cast:
    def __init__(self, world: World, began_at: Instant) -> None:
        self.began_at = began_at
        self.refused: list[str] = []
        self._world = world
        self._id = ""

    def do(self, step: Step) -> None:
        """Perform a step now."""
        if step.webhook is not None:
            self._receive(step.webhook)
        elif step.declare is not None:
            self._declare(step.declare)
        elif not self._id:
            self.refused.append(f"{offset(step.after)} {step.what}: there is no incident")
        else:
            (result,) = self._world.handle(ForIncident(self._id, step.action()))
            if result.refusal is not None:
                said = f"{offset(step.after)} {step.what} by {step.said.by}: {result.refusal.reason}"
                self.refused.append(said)

    def _receive(self, webhook: _Webhook) -> None:
        world = self._world
        alerts = [each.received(world.now) for each in webhook.alerts]
        events = sort(world.policy_version, webhook.source, webhook.groupLabels, alerts)
        self._remember(result.incident for result in world.handle(*events))

    def _declare(self, said: _Said) -> None:
        declaration = Declare(
            "drill/script", said.type, said.by, said.level, note=said.note, exercise=said.exercise, new_type=True
        )
        self._remember(result.incident for result in self._world.handle(declaration))

    def _remember(self, incidents: Iterable[Incident | None]) -> None:
        self._id = self._id or next((each.id for each in incidents if each), "")

    def played(self) -> Played | None:
        """The incident that resulted."""
        if not self._id:
            return None
        world = self._world
        incident = world.incident(self._id)
        return Played(
            policy=world.policy_version.policy,
            incident=incident,
            why=(),
            began_at=self.began_at,
            ended_at=world.now,
            entries=tuple(each for each in world.timeline if each.incident_id == self._id),
            sent=tuple(each for each in world.sent if each.notification.incident_id == self._id),
            deadlines=tuple(deadlines(world.timeline, incident)),
        )

    def compare(self, expected: Expected) -> Iterable[Compared]:
        """The level, and each channel that was notified in the incident."""
        level = worst_level(self._world.timeline)
        verdict = "kept" if level == expected.level else "sooner" if level > expected.level else "worse"
        yield Compared("level", str(expected.level), str(level) if level else "—", verdict)
        first = _first(self._world.sent, self.began_at)
        for channel, then in expected.told.items():
            now = first.get(channel)
            yield Compared(channel, offset(then), "—" if now is None else offset(now), _verdict(then, now))


def _verdict(then: int, now: int | None) -> str:
    if now is None:
        return "not at all"
    return "later" if now > then else "kept" if offset(now) == offset(then) else "sooner"


def _first(sent: Sequence[Sent], began_at: Instant) -> dict[str, int]:
    """Channel → time until its first page."""
    first: dict[str, int] = {}
    for each in sent:
        if each.notification.kind is Kind.PAGE and isinstance(each.outcome, Delivered):
            first.setdefault(each.notification.channel, each.at - began_at)
    return first


def worst_level(timeline: Iterable[Entry]) -> int:
    """The most severe level of alerts and declarations; 0: none."""
    return max((int(each.data["level"]) for each in timeline if each.fact in BEGINS), default=0)


def deadlines(timeline: Iterable[Entry], incident: Incident) -> list[Deadline]:
    """The last effective response time."""
    return [
        Deadline(each.began_at, incident.response_due_at, each.ended_at, each.outcome)
        for each in response_times(timeline)[-1:]
    ]


def as_json(relived: ScriptRun) -> dict[str, Any]:
    """As JSON."""
    return {
        "kept": not relived.fails,
        "compared": [
            {"what": each.what, "then": each.then, "now": each.now, "is": each.verdict} for each in relived.compared
        ],
        "refused": list(relived.refused),
    }


def _instant(at: AwareDatetime | None, otherwise: Instant) -> Instant:
    return otherwise if at is None else Instant(int(at.replace(microsecond=0).timestamp()) * SECOND + at.microsecond)
