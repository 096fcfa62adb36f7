"""A small world in memory that lives by the real rules: incidents, alerts, an outbox, a timeline, and a clock.

Every event goes through `receiver.engine.unit_of_work.UnitOfWork`, as in the engine, on the drill's store in memory. Deadlines fire at their exact times as the clock is moved on,
unless Tocsin is down (`sleep`). Channels in `down` answer nothing: what is for them waits until told its fate.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from receiver.core.cluster import Cluster
from receiver.core.draft import Effects, Refusal
from receiver.core.events import (
    Acknowledge,
    Action,
    AlertsReceived,
    Arrived,
    Bounced,
    Change,
    Declare,
    Delivered,
    EchoesListed,
    Escalate,
    Event,
    GiveBack,
    Handover,
    Note,
    Outcome,
    Overtaken,
    Rejected,
    Relieved,
    Replan,
    Reported,
    Resolve,
    Retry,
    SilenceAnswered,
    Silenced,
    TimePassed,
    TrainingRead,
    Undo,
    Unheard,
    Update,
    Withdraw,
)
from receiver.core.handoff import is_relieved
from receiver.core.model import (
    Alert,
    Entry,
    Fact,
    Incident,
    Instant,
    Kind,
    Notification,
    Reason,
    State,
    Target,
    Window,
)
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.sight import ANY, Sight
from receiver.drill.memory_store import MemoryStore
from receiver.engine.unit_of_work import UnitOfWork
from receiver.on_call.expand import shifts
from receiver.on_call.override_log import in_effect, kept
from receiver.on_call.shift import Roster
from rules.policy import HOUR, MINUTE, SECOND, Policy
from rules.stored import digest
from tests.core.alerts import KEY, START, alert
from tests.core.guide import ALL, POLICY
from tests.core.truth import Record


class World:
    """Incidents under a policy, as they live in the service. Times are given in minutes from the start."""

    def __init__(self, policy: Policy = POLICY, configured: Collection[str] = ALL, down: Iterable[str] = ()) -> None:
        self.now = START
        self.policy_versions: dict[str, PolicyVersion] = {}
        self.configured = frozenset(configured)
        self.down = set(down)
        """Channels that answer nothing; ``deliver`` and ``fail`` tell what became of their messages."""
        self.blind = False
        self.beaten: dict[str, Instant] = {}
        """Source → the last evaluation of its heartbeat."""
        self.verifies = False
        self.receipts = False
        """Providers can call back here."""
        self.accounts: frozenset[str] = frozenset()
        """Who may log in, by name."""
        self.cluster = Cluster()
        """The Alertmanagers that send here."""
        """There is a Prometheus to ask."""
        self.use(policy)
        self.store = MemoryStore()
        self.incidents = self.store.incidents
        self.stored_alerts = self.store.stored_alerts
        self.outbox = self.store.outbox
        self.timeline = self.store.timeline
        self.delivered: list[Notification] = []
        """In the order of delivery."""

    def use(self, policy: Policy) -> None:
        """Take a policy into use (a reload): what it has no channel for is not configured any more."""
        self.current = PolicyVersion.of(policy, digest(policy))
        self.policy_versions[self.current.digest] = self.current
        self.configured &= frozenset(self.current.channels)

    def context(self, version: str | None = None) -> DecisionContext:
        """What a decision looks things up in."""
        policy_version = self.policy_versions.get(version or "", self.current)
        sight = Sight(frozenset({ANY}) if self.blind else frozenset(), self.beaten)
        return DecisionContext(
            policy_version,
            self.current,
            self.configured,
            sight,
            self.verifies,
            self.cluster,
            receipts=self.receipts,
            rosters=self._rosters(),
            at=self.now,
            accounts=self.accounts,
        )

    def _rosters(self) -> Sequence[Roster]:
        """Who is on call about now."""
        overrides = in_effect(kept(self.store.override_changes(0)))
        return shifts(self.current.policy, {}, overrides, self.now - 24 * HOUR, self.now + 8 * 24 * HOUR)

    # What happens.

    def decide(self, event: Event, incident_id: str | None = None, *, settle: bool = True) -> Effects:
        """One event, one transaction; then the channels that are up deliver what waits."""
        work = UnitOfWork(self.store, self.context, self.now)
        if isinstance(event, AlertsReceived):
            work.load_received([event], [event.key], [])
            for part in work.route(event):
                effects = work.decide(work.by_key(part.key), part)
        elif isinstance(event, Declare | EchoesListed | Silenced | SilenceAnswered | TrainingRead | Unheard):
            work.load([event.key], [])
            work.load_held()
            effects = work.decide(work.by_key(event.key), event)
        else:
            work.load([], [incident_id or self.incident.id])
            work.load_held()
            effects = work.decide(work.by_id(incident_id or self.incident.id), event)
        work.save()
        if settle:
            self.send(channel for channel in ALL if channel not in self.down)
        return effects

    def receive(self, *alerts: Alert, key: str = KEY) -> Effects:
        """A webhook's alerts for one incident."""
        return self.decide(AlertsReceived(key, "", alerts))

    def fire(self, *names: str, level: int = 3, rule: str | None = None, twin: bool = False) -> Effects:
        """Alerts that begin to fire now; one that ended now begins 1 µs later."""
        return self.receive(*(alert(name, level, rule, twin=twin, starts_at=self._begin(name)) for name in names))

    def _begin(self, name: str) -> Instant:
        known = self.stored_alerts.get(self.incident.id, {}).get(name) if self.incidents else None
        ended_at = known.ended_at if known is not None else None
        return Instant(self.now if ended_at is None else max(self.now, ended_at + 1))

    def clear(self, *names: str) -> Effects:
        """Alerts that cease to fire now."""
        known = self.stored_alerts.get(self.incident.id, {})
        ended = ((known[name], max(self.now, known[name].starts_at)) for name in names)
        return self.receive(*(replace(each, firing=False, ended_at=at) for each, at in ended))

    def declare(self, type_: str = "engine_failure", by: str = "ada", **more: object) -> Effects:
        """A person opens an incident."""
        return self.decide(Declare(KEY, type_, by, **more))  # type: ignore[arg-type]

    def act(self, action: Action) -> Refusal | None:
        """A person does something; the refusal, if it is refused."""
        return self.decide(action).refusal

    def acknowledge(self, by: str = "ada", hold: int | None = None, expects: State | None = None) -> Refusal | None:
        """A person takes it; `hold` in microseconds."""
        return self.act(Acknowledge(by, hold=hold, expects=expects))

    def resolve(
        self, by: str = "ada", note: str = "", *, force: bool = False, expects: State | None = None
    ) -> Refusal | None:
        """A person says that it is over."""
        return self.act(Resolve(by, note, force, expects))

    def escalate(self, by: str = "ada", expects: State | None = None) -> Refusal | None:
        """A person wants the next step now."""
        return self.act(Escalate(by, expects=expects))

    def withdraw(self, by: str = "ada") -> Refusal | None:
        """A person asks for help no more."""
        return self.act(Withdraw(by))

    def give_back(self, by: str = "ada") -> Refusal | None:
        """A person does not have it any more."""
        return self.act(GiveBack(by))

    def undo(self, by: str = "ada") -> Refusal | None:
        """A person takes their answer back."""
        return self.act(Undo(by))

    def note(self, by: str = "ada", text: str = "looking") -> Refusal | None:
        """A person writes something down."""
        return self.act(Note(by, text))

    def update(self, by: str = "ada", text: str = "better") -> Refusal | None:
        """A person tells everyone how it stands."""
        return self.act(Update(by, text))

    def change(self, by: str = "ada", level: int | None = None, reason: str = "", **facts: str) -> Refusal | None:
        """A person assesses."""
        return self.act(Change(by, level, reason, facts))

    def hand_over(self, to: str = "ben", by: str = "ada") -> Refusal | None:
        """A person gives it to another."""
        return self.act(Handover(by, to))

    def replan(self, by: str = "ada") -> Refusal | None:
        """A person moves it to the current policy."""
        return self.act(Replan(by))

    def silence(self, minutes: float | None, alerts: int | None = None, by: str = "ada: disk swap") -> Effects:
        """Alertmanager says that all that fires is silenced for so long from now (None: it is not)."""
        until = None if minutes is None else Instant(self.now + round(minutes * MINUTE))
        return self.decide(
            Silenced(self.incident.key, sum(self.incident.firing) if alerts is None else alerts, until, by)
        )

    # Time.

    def advance(self, minutes: float = 0, seconds: float = 0) -> "World":
        """Move the clock on; what is due on the way happens at its exact time, in order."""
        until = self.now + round((minutes * 60 + seconds) * SECOND)
        while (due := self._next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.fire_due()
        self.now = Instant(until)
        return self

    def sleep(self, minutes: float) -> "World":
        """Tocsin is down for so long; then what is overdue happens at once."""
        self.now = Instant(self.now + round(minutes * MINUTE))
        self.fire_due()
        return self

    def fire_due(self) -> None:
        """What is due now: windows first, then messages of the channels that are up."""
        for each in sorted(self.incidents.values(), key=lambda incident: incident.due_at or 0):
            if each.due_at is not None and each.due_at <= self.now:
                self.decide(TimePassed(), each.id)
        self.send(channel for channel in ALL if channel not in self.down)

    def _next_due(self) -> Instant | None:
        windows = [each.due_at for each in self.incidents.values() if each.due_at is not None]
        messages = [each.due_at for each in self._heads() if each.channel not in self.down and each.due_at is not None]
        return min((*windows, *messages), default=None)

    # Messages.

    def waiting(self, channel: str = "") -> list[Notification]:
        """What is in the outbox (on that channel), in the order it was planned."""
        return [each for each in self.store.waiting() if channel in ("", each.channel)]

    def send(self, channels: Iterable[str], outcome: Outcome | None = None) -> None:
        """These channels work off what is due; by default all of it is delivered."""
        wanted = set(channels)
        while due := [each for each in self._heads() if each.channel in wanted and (each.due_at or 0) <= self.now]:
            for each in due:
                if is_relieved(self.context(self.incidents[each.incident_id].policy), each):
                    self.decide(Relieved(each), each.incident_id, settle=False)
                    continue
                self.report(each, outcome or Delivered())

    def deliver(self, *channels: str) -> "World":
        """What waits for these channels (all, if none is named) is delivered."""
        self.send(channels or ALL)
        return self

    def fail(self, channel: str, reason: str = "busy", after: int | None = None) -> "World":
        """A try on this channel fails, and may be made again."""
        self._fate(channel, Retry(reason, after))
        return self

    def receive_receipt(self, channel: str, receipt: str = "its receipt says delivered") -> "World":
        """A receipt comes for the newest page on this channel."""
        self.decide(Arrived(self._newest(channel), "", receipt))
        return self

    def bounce(self, channel: str, reason: str = "carrier says no") -> "World":
        """Bad news comes of the newest page on this channel."""
        self.decide(Bounced(self._newest(channel), reason))
        return self

    def _newest(self, channel: str) -> Notification:
        mine = (each for each in self.planned(Kind.PAGE) if each.incident_id == self.incident.id)
        return [each for each in mine if each.channel == channel][-1]

    def reject(self, channel: str, reason: str = "no such recipient") -> "World":
        """The channel refuses for good."""
        self._fate(channel, Rejected(reason))
        return self

    def report(self, notification: Notification, outcome: Outcome) -> None:
        """What became of one message."""
        final = Overtaken() if notification.superseded else outcome
        self.decide(Reported(notification, final), notification.incident_id, settle=False)
        if isinstance(final, Delivered):
            self.delivered.append(self.outbox[notification.id])

    def _fate(self, channel: str, outcome: Outcome) -> None:
        for each in self._heads():
            if each.channel == channel and (each.due_at or 0) <= self.now:
                self.report(each, outcome)

    def _heads(self) -> list[Notification]:
        """The first that waits, per incident, channel and recipient."""
        heads: dict[tuple[str, str, str], Notification] = {}
        for each in self.waiting():
            heads.setdefault((each.incident_id, each.channel, each.recipient), each)
        return list(heads.values())

    # What can be seen of it.

    @property
    def incident(self) -> Incident:
        """The incident opened last."""
        return next(reversed(self.incidents.values()))

    @property
    def minutes(self) -> float:
        """Since the start."""
        return self.since(self.now)

    @staticmethod
    def since(at: int) -> float:
        """Minutes from the start to an instant."""
        return (at - START) / MINUTE

    def window(self, window: Window) -> float | None:
        """When a window of the incident is due; None if it is not set."""
        at = self.incident.windows.get(window)
        return None if at is None else self.since(at)

    def entries(self, *facts: Fact) -> list[Entry]:
        """Lines of the incident's timeline (of these facts)."""
        return [
            each for each in self.timeline if each.incident_id == self.incident.id and (not facts or each.fact in facts)
        ]

    def record(self, incident: Incident | None = None, message: Notification | None = None) -> Record:
        """All that is known of an incident now (of the last one), for the oracle."""
        of = incident or self.incident
        entries = [each for each in self.timeline if each.incident_id == of.id]
        alerts = [*self.stored_alerts.get(of.id, {}).values()]
        messages = [each for each in self.outbox.values() if each.incident_id == of.id]
        return Record(of, entries, self.now, self.context(of.policy).policy_version, alerts, messages, message)

    def facts(self) -> list[Fact]:
        """The facts of the timeline, in order."""
        return [entry.fact for entry in self.entries()]

    def pages(self) -> list[tuple[float, Reason, str]]:
        """Every page: when, why, on which channels."""
        return [
            (self.since(each.at), Reason(each.data["reason"]), each.data["channels"].replace(",", ""))
            for each in self.entries(Fact.PAGED)
        ]

    def planned(self, kind: Kind, reason: Reason | None = None) -> list[Notification]:
        """Notifications of a kind (and reason), of any status."""
        return [each for each in self.outbox.values() if each.kind is kind and reason in (None, each.reason)]

    def heard(self, kind: Kind) -> list[Target]:
        """Who was delivered a message of that kind, in order."""
        return [Target(each.channel, each.recipient) for each in self.delivered if each.kind is kind]
