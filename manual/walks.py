"""The transitions between incident states with their causes, found by exhaustive trials of the decider.

Every event is tried on every reachable incident, under policies with and without confirmation, with and without a
Prometheus to query, with and without a heartbeat. Incidents that differ in nothing that affects a transition are tried
once. This module contains no transitions; `decide` has them.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from msgspec.structs import replace

from receiver.core.decide import decide
from receiver.core.events import (
    Acknowledge,
    AddFollowUp,
    AlertsReceived,
    ApproveNotice,
    ApproveReport,
    Arrived,
    Assign,
    AttachFile,
    Bounced,
    Change,
    Close,
    Declare,
    Delivered,
    EchoesListed,
    EditNotice,
    Escalate,
    Event,
    FileReport,
    FinishFollowUp,
    GiveBack,
    Handover,
    JudgeObligation,
    Note,
    OpenRoom,
    PlaceHold,
    RedactFile,
    Rejected,
    RejectNotice,
    ReleaseHold,
    Relieved,
    Replan,
    Reported,
    Resolve,
    RosterChanged,
    SignOff,
    SilenceAnswered,
    Silenced,
    Tick,
    TimePassed,
    TrainingRead,
    Undo,
    Unheard,
    Update,
    Withdraw,
    WithdrawFiling,
)
from receiver.core.inquiry import Answered, Inquiry
from receiver.core.model import Alert, Incident, Instant, Notification, Recovery, State, Status, Window
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.response import Practice
from receiver.core.sight import ANY, Sight
from rules.load import load
from rules.policy import (
    CRITICAL,
    EMERGENCY,
    HOUR,
    Closing,
    Micros,
    Policy,
    ReportingObligation,
    ReportStage,
    ResponseRole,
)

START = Instant(1_767_225_600_000_000)
NOBODY = ""
"""The state before an incident exists."""

WINDOWS: Mapping[Window, str] = {
    Window.VERIFY: "the signal has stayed well for `resolve_after`",
    Window.CHECK: "Prometheus gave no answer in time",
    Window.FORCED: "resolved by force, and it still fires after `response_time`",
    Window.CLOSE: "the monitoring after the resolution ends",
    Window.ACK_EXPIRY: "an acknowledgement expires: nobody was heard of for `response_time`",
    Window.ACK_REMINDER: "two thirds of an acknowledgement's time have passed",
    Window.CONFIRM_REMINDER: "a recovery waits for confirmation",
    Window.BREACH: "`response_time` passes without an acknowledgement",
    Window.ACKNOWLEDGE_LIMIT: "the policy's own limit for acknowledging passes",
    Window.ASSESS_LIMIT: "the limit for assessing the severity passes",
    Window.ESCALATE: "`escalation_time` passes without an acknowledgement",
    Window.HELP: "`escalation_time` passes, and nobody else answers a call for help",
    Window.RESCUE: "a page has reached nobody",
    Window.EVIDENCE: "evidence did not come in time",
    Window.UPDATE_REMINDER: "a status update is due soon",
    Window.UPDATE: "a status update is due",
    Window.NOTICE: "a notice to the outside still waits for approval",
    Window.FOLLOW_UP: "a follow-up action is due",
    Window.REVISION: "a revised report is due",
    Window.REACH: "a step of a person's `reach` is due",
    Window.HANDOFF: "the shift of who was paged ends",
    Window.DUTY: "a checklist's limit, or a report to an authority, is due or overdue",
    Window.TRAINING: "a person's training is due or overdue",
    Window.SILENCE: "the silence in Alertmanager ends",
    Window.ECHO: "an alert that was held as a possible echo is believed",
    Window.STEADY: "what flapped fires steadily",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of a walk."""

    context: DecisionContext
    now: Instant = START
    incident: Incident | None = None
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    last: Notification | None = None

    @property
    def kind(self) -> tuple[object, ...]:
        """All properties that may affect a transition."""
        incident = self.incident
        if incident is None:
            return ()
        place = (incident.state, incident.recovery, incident.level, incident.is_firing, incident.twin_cleared_last)
        written = (name for name in ("follow_ups", "files", "holds", "filings") if getattr(incident.response, name))
        has_written = next(written, "") if incident.state is State.OPEN else ""
        return (
            *place,
            len(incident.confirmed_by),
            Window.FORCED in incident.windows,
            incident.is_paused,
            has_written,
            incident.held > 0,
            incident.state is State.RESOLVED and incident.response.kept_open > 0,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One event on one incident."""

    before: Incident | None
    cause: str
    event: Event
    carried_out: bool
    after: Incident | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The results: the causes of each transition with their number, and the events that never changed a state."""

    states: Mapping[tuple[str, str], tuple[str, ...]]
    recoveries: Mapping[tuple[str, str], tuple[str, ...]]
    quiet: tuple[str, ...]
    tried: frozenset[str]
    """Events that were tried, and executed at least once."""


@cache
def explore() -> Changes:
    """Walk until no new kind of spot is found."""
    states: dict[tuple[str, str], list[str]] = {}
    recoveries: dict[tuple[str, str], list[str]] = {}
    moved: set[str] = set()
    tried: Counter[str] = Counter()
    for step in (step for start in _starts() for step in _walk(start)):
        name = type(step.event).__name__
        tried[name] += step.carried_out
        for found, pair in ((states, _states(step)), (recoveries, _recoveries(step))):
            if pair[0] != pair[1]:
                found.setdefault(pair, []).append(step.cause)
        if len(set(_states(step))) > 1:
            moved.add(name)
    quiet = tuple(sorted(name for name in tried if tried[name] and name not in moved))
    done = frozenset(name for name in tried if tried[name])
    return Changes(_ordered(states), _ordered(recoveries), quiet, done)


def _ordered(found: Mapping[tuple[str, str], list[str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    order = ["", *State, *Recovery]
    pairs = sorted(found, key=lambda pair: [order.index(each) for each in pair])
    return {
        pair: tuple(each for each in sorted(set(found[pair])) if each not in _said_better(found[pair]))
        for pair in pairs
    }


def _said_better(causes: Iterable[str]) -> set[str]:
    """Causes "at level 4" that are redundant, because any alert of a known rule has the same effect."""
    return {f"{each}, at level 4" for each in causes}


def _states(step: Step) -> tuple[str, str]:
    return (step.before.state if step.before else NOBODY), (step.after.state if step.after else NOBODY)


def _recoveries(step: Step) -> tuple[str, str]:
    """The recovery of an incident that is not resolved; a resolve ends it."""
    before, after = step.before, step.after
    if not before or not after or not before.is_live:
        return NOBODY, NOBODY
    return before.recovery, after.recovery if after.is_live else before.recovery and after.state


def _starts() -> Iterator[Spot]:
    law = ReportingObligation("law", "the authority", (ReportStage("report", Micros(72 * HOUR)),))
    policy = dataclasses.replace(
        load([]),
        roles=(ResponseRole("commander"),),
        closing=Closing(EMERGENCY, facts=("root_cause",)),
    )
    rare = dataclasses.replace(
        policy,
        levels=tuple(dataclasses.replace(each, confirmations=2) for each in policy.levels),
        reporting_obligations=(law,),
    )
    for each, blind, verifies in (
        (policy, False, False),
        (policy, False, True),
        (policy, True, False),
        (rare, False, False),
    ):
        yield Spot(_context(each, blind=blind, verifies=verifies))


def _context(policy: Policy, *, blind: bool, verifies: bool) -> DecisionContext:
    policy_version = PolicyVersion.of(policy, "now")
    sight = Sight(frozenset({ANY}) if blind else frozenset())
    return DecisionContext(
        policy_version, policy_version, frozenset(each.name for each in policy.channels), sight, verifies
    )


def _walk(start: Spot) -> Iterator[Step]:
    """Every step from every kind of reachable spot, each kind once; then time passes, window by window."""
    waiting, seen = [start], {start.kind}
    while waiting:
        spot = waiting.pop()
        for cause, event in (*_alerts(spot), *_persons(), *_machines(spot)):
            step, there = _take(spot, cause, event, Instant(spot.now + 1_000_000))
            yield step
            if there.kind not in seen:
                seen.add(there.kind)
                waiting.append(there)
        for _ in Window:
            windows = spot.incident.windows if spot.incident else {}
            if not windows:
                break
            window = min(windows, key=windows.__getitem__)
            step, spot = _take(spot, WINDOWS[window], TimePassed(), windows[window])
            yield step
            if spot.kind not in seen:
                seen.add(spot.kind)
                waiting.append(spot)


def _take(spot: Spot, cause: str, event: Event, now: Instant) -> tuple[Step, Spot]:
    effects = decide(spot.incident, event, now, spot.context, spot.alerts)
    after = _apart(effects.incident) if effects.incident else spot.incident
    alerts = {**spot.alerts, **{each.fingerprint: each for each in effects.alerts}}
    last = effects.notifications[-1] if effects.notifications else spot.last
    there = dataclasses.replace(spot, now=now, incident=after, alerts=alerts, last=last)
    return Step(spot.incident, cause, event, effects.incident is not None, after), there


def _apart(incident: Incident) -> Incident:
    """Shift simultaneous windows apart by a microsecond, so that each step has one cause."""
    ordered = sorted(incident.windows, key=lambda each: (incident.windows[each], list(Window).index(each)))
    windows: dict[Window, Instant] = {}
    for each in ordered:
        windows[each] = Instant(max(incident.windows[each], max(windows.values(), default=0) + 1))
    return replace(incident, windows=windows)


def _alerts(spot: Spot) -> Iterator[tuple[str, Event]]:
    """Alerts that fire, join, worsen and clear."""
    at = Instant(spot.now + 1_000_000)
    known = tuple(spot.incident.rules) if spot.incident else ()
    for rule in (*known[:1], "first/rule", "second/rule"):
        for level in (CRITICAL, EMERGENCY):
            alert = _alert(f"{rule}-{level}-{len(spot.alerts)}", level, rule, at)
            yield _what_fires(spot.incident, alert), AlertsReceived("key", "", (alert,))
    firing = [each for each in spot.alerts.values() if each.firing]
    if firing:
        yield "the last alert clears", _cleared(firing, at)
        yield "the last alert clears", _cleared(firing, at, truncated=True)
    elif spot.alerts:
        last = list(spot.alerts.values())[-1]
        old = replace(last, firing=True, ended_at=None, held_until=None)
        yield "an alert that cleared is told to fire, which may be an echo", AlertsReceived("key", "", (old,))


def _what_fires(incident: Incident | None, alert: Alert) -> str:
    if incident is None or not incident.is_live:
        return "an alert fires"
    if alert.level > incident.level:
        return "a worse alert fires: the level rises"
    if alert.rule not in incident.rules:
        return "another rule fires"
    return "another alert of a known rule fires" + (", at level 4" if incident.level == EMERGENCY else "")


def _alert(name: str, level: int, rule: str, at: Instant) -> Alert:
    return Alert(name, at, True, level, rule, rule.rpartition("/")[2], {"signal": "s"}, {"summary": "s"})


def _cleared(firing: Iterable[Alert], at: Instant, *, truncated: bool = False) -> AlertsReceived:
    gone = tuple(replace(each, firing=False, ended_at=at) for each in firing)
    return AlertsReceived("key", "", gone, truncated=truncated)


def _persons() -> Iterator[tuple[str, Event]]:
    """Actions of people."""
    yield "a person declares it", Declare("key", "engine_failure", "ada", level=3)
    yield "a person acknowledges", Acknowledge("ada")
    yield "a person escalates", Escalate("ada")
    yield "a call for help is withdrawn", Withdraw("ada")
    yield "a person gives it back", GiveBack("ada")
    yield "a person takes their answer back at once", Undo("ada")
    yield "a person resolves", Resolve("ada")
    yield "a person resolves", Resolve("ben")
    yield "a person resolves, by force and with a reason", Resolve("ada", "false alarm", force=True)
    yield "a person raises the level", Change("ada", EMERGENCY, "worse than thought")
    yield "a person closes it, with a reason", Close("ada", "a duplicate")
    yield "a person enters what was missing", Change("ada", facts={"root_cause": "a worn bearing"})
    yield "a report that an authority had to get is filed", FileReport("ada", "law", "report", "1")
    yield "a person lowers the level", Change("ada", CRITICAL, "better than thought")
    for event in (
        Handover("ada", "ben"), Assign("ada", "commander", "ben"), Note("ada", "looking"), Update("ada", "better"),
        SignOff("cleo"), Replan("ada"), Tick("ada", "initial_response.1"), AddFollowUp("ada", "write it up"),
        FinishFollowUp("ada", "f1"), ApproveNotice("ada", "n1", "subject", "body"), RejectNotice("ada", "n2"),
        EditNotice("ada", "n1", "subject", "body", "", ""),
        JudgeObligation("ada", "law", True, "counsel"), WithdrawFiling("ada", "r1", "a mistake"),
        AttachFile("ada", "log.txt", "0" * 64, 1, "u"), RedactFile("ada", "e1", "a name in it"),
        OpenRoom("ada"), PlaceHold("ada", "court"), ReleaseHold("ada", "h1", "settled"),
        ApproveReport("ada", 1, "0" * 64, "ada", "", "{}"),
    ):  # fmt: skip
        yield type(event).__name__, event


def _machines(spot: Spot) -> Iterator[tuple[str, Event]]:
    """Answers of Prometheus and of channels."""
    yield "Prometheus says that all is well", Answered(Inquiry.CHECK, ok=True)
    yield "Prometheus says that it is still bad", Answered(Inquiry.CHECK, ok=False, detail="0.9")
    yield "Prometheus has no data", Answered(Inquiry.CHECK, ok=None)
    later = Instant(spot.now + 3_600_000_000)
    firing = sum(spot.incident.firing) if spot.incident else 0
    yield "what fires is silenced in Alertmanager", Silenced("key", firing, later, "ben: maintenance")
    yield "the silence in Alertmanager ends", Silenced("key", firing, None)
    held = frozenset(each.fingerprint for each in spot.alerts.values() if each.held_until is not None)
    yield "Alertmanager lists an alert that was held as a possible echo", EchoesListed("key", listed=held)
    yield "no Alertmanager lists what was held as a possible echo", EchoesListed("key", unlisted=held)
    yield "Alertmanager made a silence", SilenceAnswered("key", later)
    yield "nobody repeats the alerts", Unheard("key", spot.now)
    if spot.incident:
        practice = Practice("ada", "scribe", Instant(0))
        yield "the record of drills is read", TrainingRead("key", (practice,))
    if spot.last:
        yield "a message is delivered", Reported(spot.last, Delivered())
        yield "a message is rejected", Reported(spot.last, Rejected("no such number"))
        yield "a message proves to have arrived", Arrived(replace(spot.last, status=Status.WAITING), "SM1")
        yield "who was to be paged is off call", Relieved(spot.last)
        yield "an override is made", RosterChanged()
        yield "a message bounces", Bounced(replace(spot.last, status=Status.ACCEPTED), "busy")
