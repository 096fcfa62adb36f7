"""One incident from opening to resolution, with responders: played by `tocsin drill` and `tocsin explain`.

The incident opens as in production: a rule's compiled alert arrives, a type without a rule is declared. Responders act
at the script's times. The person who acknowledged answers reminders and confirms a recovery when asked, unless the
script has them fall silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from receiver.core.classify import Classified, Received, classify
from receiver.core.events import Acknowledge, AlertsReceived, Declare, Note, Resolve
from receiver.core.model import Entry, Fact, Incident, Instant, Recovery, State
from receiver.drill.repeats import Repeated, Repeats
from receiver.drill.simulator import Sent, World
from receiver.engine.commands import ForIncident
from receiver.errors import CannotError
from rules.compile import AlertingRule, compile  # noqa: A004 - it is called so
from rules.policy import HOUR, Policy

PEOPLE = tuple(f"responder {number}" for number in range(1, 11))
"""Ten, the maximum of a level's `confirmations`."""


class UnknownIncident(CannotError):  # noqa: N818 - said to people as it stands
    """The policy has no rule and no type of that name."""


@dataclass(frozen=True, slots=True)
class Script:
    """The actions, in microseconds since the incident began."""

    acknowledge_after: int | None = None
    resolve_after: int | None = None
    """The signal recovers then; if a person must confirm, the owner does."""
    recur_after: int | None = None
    """The signal fails again once, this long after the resolution, with the same actions."""
    falls_silent: bool = False
    """The owner stops answering."""
    lasts: int | None = None
    """The end of the drill; None: when no new event can occur."""


@dataclass(slots=True)
class Deadline:
    """A response time that was started."""

    began_at: Instant
    due_at: Instant
    ended_at: Instant | None = None
    outcome: str = "running"
    """`kept`, `breached`, `over` (resolved before an acknowledgement), `running`."""


@dataclass(frozen=True, slots=True)
class Played:
    """A finished drill."""

    policy: Policy
    incident: Incident
    """The incident's state at the end."""
    why: tuple[str, ...]
    """How its alert was classified; empty if it was declared."""
    began_at: Instant
    ended_at: Instant
    entries: tuple[Entry, ...]
    sent: tuple[Sent, ...]
    deadlines: tuple[Deadline, ...]
    repeated: tuple[Repeated, ...] = ()
    """Repetitions between two entries, left out of the timeline."""

    @property
    def reached_after(self) -> int | None:
        """Microseconds until the first page reached a person (`receiver.core.reached`); None: no page did."""
        return next((each.at - self.began_at for each in self.sent if each.reached), None)


def play(world: World, script: Script, name: str) -> Played:
    """Run a drill of a rule or type of the policy. Raises UnknownIncident."""
    policy = world.policy_version.policy
    alert = compiled_alert(policy, name)
    if alert is not None:
        return play_alert(world, script, received(alert, world.now))
    if world.policy_version.kind(name) is None and name not in world.policy_version.types:
        raise UnknownIncident(name)
    return _Cast(world, script, None).perform(name.rpartition("/")[2])


def play_alert(world: World, script: Script, alert: Received, group_labels: Mapping[str, str] | None = None) -> Played:
    """Run a drill of any alert."""
    return play_classified(world, script, classify(world.policy_version, "", group_labels or {}, alert))


def play_classified(world: World, script: Script, classified: Classified) -> Played:
    """Run a drill of a classified alert; level 0 opens no incident."""
    return _Cast(world, script, classified).perform(classified.alert.type)


def compiled_alert(policy: Policy, name: str) -> AlertingRule | None:
    """The alert that a rule or type (name, or ``section/name``) compiles to, not its missing-data twin."""
    for group in compile(policy):
        for alert in group.alerts:
            if alert.rule is not None and alert.lost is None and name in {alert.rule.key, alert.rule.name}:
                return alert
    return None


def received(alert: AlertingRule, at: Instant) -> Received:
    """A compiled alert as Alertmanager would send it, without expanded templates."""
    labels = {"alertname": alert.alert, **dict(alert.labels)}
    annotations = {name: text for name, text in alert.annotations if "{{" not in text}
    return Received(labels, annotations, alert.alert, at)


class _Cast:
    """The world and the responders who follow the script."""

    def __init__(self, world: World, script: Script, classified: Classified | None) -> None:
        self._world = world
        self._script = script
        self._classified = classified
        self._id = ""
        self._deadlines: list[Deadline] = []
        self._seen = 0
        self._repeats = Repeats(world)

    @property
    def _incident(self) -> Incident:
        return self._world.incident(self._id)

    def perform(self, type_: str) -> Played:
        world, script = self._world, self._script
        began_at = world.now
        world.after_step = self._after_step
        self._begin(type_)
        self._episode(world.now)
        if script.recur_after is not None and self._incident.state is State.RESOLVED:
            world.advance(Instant(world.now + script.recur_after))
            self._fire(world.now)
            self._episode(world.now)
        world.advance(self._end(began_at))
        self._answer()
        return Played(
            policy=world.policy_version.policy,
            incident=self._incident,
            why=self._classified.why if self._classified else (),
            began_at=began_at,
            ended_at=world.now,
            entries=tuple(each for each in world.timeline if each.incident_id == self._id),
            sent=tuple(each for each in world.sent if each.notification.incident_id == self._id),
            deadlines=tuple(self._deadlines),
            repeated=tuple(self._repeats.found),
        )

    def _after_step(self) -> None:
        self._answer()
        self._repeats.look(self._id)

    def _begin(self, type_: str) -> None:
        if self._classified is not None:
            self._fire(self._world.now)
            return
        (result,) = self._world.handle(Declare(f"drill/{type_}", type_, PEOPLE[0], exercise=True, new_type=True))
        assert result.incident is not None, "a declaration opens an incident"
        self._id = result.incident.id
        self._look()

    def _fire(self, at: Instant) -> None:
        """The alert fires (again)."""
        if self._classified is None:
            return  # only a new declaration reopens what was declared
        alert = replace(self._classified.alert, starts_at=at)
        (result,) = self._world.handle(AlertsReceived(self._classified.key, "", (alert,)))
        if result.incident is not None:
            self._id = result.incident.id
        self._look()

    def _episode(self, start: Instant) -> None:
        """Responders acknowledge, then the signal recovers; until resolution or the script's end."""
        script = self._script
        steps = [(script.acknowledge_after, self._acknowledge), (script.resolve_after, self._recover)]
        for after, act in sorted(((after, act) for after, act in steps if after is not None), key=lambda step: step[0]):
            self._world.advance(Instant(start + after))
            act()
            self._answer()
        if script.resolve_after is not None:
            limit = Instant(self._world.now + self._tail())
            self._world.advance(limit, lambda: not self._incident.is_live)
            self._answer()

    def _acknowledge(self) -> None:
        self._act(Acknowledge(PEOPLE[0]))

    def _recover(self) -> None:
        """The alert clears; a declared incident is resolved by its owner."""
        if self._classified is None:
            self._confirm()
            return
        at = self._world.now
        alert = replace(self._classified.alert, firing=False, starts_at=self._last_start(), ended_at=at)
        self._world.handle(AlertsReceived(self._classified.key, "", (alert,)))

    def _last_start(self) -> Instant:
        assert self._classified is not None
        return self._world.store.stored_alerts[self._id][self._classified.alert.fingerprint].starts_at

    def _confirm(self) -> None:
        for person in PEOPLE:
            if self._incident.is_live:
                self._act(Resolve(person))

    def _answer(self) -> None:
        """Responders answer reminders, and confirm when asked."""
        self._look()
        incident = self._incident
        if incident.state is State.ACKNOWLEDGED and not self._script.falls_silent:
            if incident.recovery in {Recovery.CONFIRM, Recovery.UNVERIFIED}:
                self._confirm()
            elif self._is_reminded():
                self._act(Note(PEOPLE[0], "still at it"))
        self._look()

    def _is_reminded(self) -> bool:
        facts = [each.fact for each in self._world.timeline[self._seen :] if each.incident_id == self._id]
        self._seen = len(self._world.timeline)
        return Fact.REMINDED in facts

    def _act(self, action: Acknowledge | Note | Resolve) -> None:
        self._world.handle(ForIncident(self._id, action))
        self._look()

    def _look(self) -> None:
        """Update the deadlines."""
        incident = self._incident
        last = self._deadlines[-1] if self._deadlines else None
        if last is not None and last.outcome == "running":
            if incident.breached_at is not None:
                last.ended_at, last.outcome = incident.breached_at, "breached"
            elif incident.state is not State.OPEN:
                last.ended_at = self._world.now
                last.outcome = "kept" if incident.state is State.ACKNOWLEDGED else "over"
        known = {each.due_at for each in self._deadlines}
        if incident.state is State.OPEN and incident.response_due_at not in known and incident.breached_at is None:
            if last is not None and last.outcome == "running":
                last.ended_at, last.outcome = self._world.now, "over"
            self._deadlines.append(Deadline(self._world.now, incident.response_due_at))

    def _tail(self) -> int:
        """How long an unattended incident is played: two escalations past the breach (microseconds)."""
        plan = self._world.policy_version.plan(self._incident)
        return plan.resolve_after + plan.response_time + 2 * plan.escalation_time

    def _end(self, began_at: Instant) -> Instant:
        if self._script.lasts is not None:
            return Instant(began_at + self._script.lasts)
        if self._incident.is_live:
            return Instant(self._world.now + self._tail())
        return Instant(self._world.now + self._world.policy_version.policy.monitoring_duration + HOUR)
