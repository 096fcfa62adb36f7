"""A simulated world over the real engine and the real store: everything that can go wrong, from one seed.

Time is virtual, and whatever happens is an entry of one queue. One to three workers (each an engine with its own
dispatcher) share a store; Alertmanager, people and providers do as they do. `run` ends with every fault mended,
and with everything that was promised checked.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from receiver.core.events import Acknowledge, AlertsReceived, Change, Escalate, Note, Overtaken, Resolve
from receiver.core.model import Alert, Fact, Instant, State, Status
from receiver.engine import Engine, ForIncident, Report
from receiver.errors import StoreConflict, StoreUnavailable
from receiver.store import SqlStore
from rules.policy import EMERGENCY, HOUR, MINUTE, SECOND, Channel, Level, Micros, Policy, Rule, Stakeholders
from receiver.work import Changes
from tests.core.alerts import START, alert
from tests.core.guide import POLICY as GUIDE
from tests.faults.mirror import Broken, Mirror
from tests.faults.providers import Attempt, Providers
from tests.faults.stores import Crash, Fate, FaultyStore, database, empty_store

FRESH = SECOND
BUSY = 3
"""Messages under way per channel and worker."""
SLACK = 130 * SECOND
"""How late a window or a message may be after the last fault: a lease, or a postponement, and some."""

CHANNELS = ("email", "slack", "pagerduty", "sms")
SLO, SAFETY, BUDGET, DRIFT = "s/slo", "s/safety", "s/budget", "s/drift"
RULES = (
    Rule("s", "slo", "slo > 0", 3, ("email", "slack")),
    Rule("s", "budget", "budget > 0", 3, ("slack", "pagerduty")),
    Rule("s", "safety", "safety > 0", 4, ("slack", "pagerduty")),
    Rule("s", "drift", "drift > 0", 2, ("email",)),
)
LEVEL_OF = {rule.key: rule.level for rule in RULES}
POLICY = Policy(
    levels=(
        Level(1, "informational", Micros(4 * HOUR), Micros(2 * HOUR)),
        Level(2, "warning", Micros(HOUR), Micros(30 * MINUTE)),
        Level(3, "critical", Micros(25 * MINUTE), Micros(10 * MINUTE), resolve_after=Micros(3 * MINUTE)),
        Level(4, "emergency", Micros(15 * MINUTE), Micros(7 * MINUTE), resolution="confirmed"),
    ),
    channels=(
        Channel("email", "email", recipients=("on@call",)),
        Channel("slack", "slack", recipients=("#inc",)),
        Channel("pagerduty", "pagerduty", recipients=("ml",)),
        Channel("sms", "sms", recipients=("+1",)),
    ),
    rules=RULES,
    templates=GUIDE.templates,
    stakeholders=(Stakeholders("in", "", ("boss@x",), ("email",), external=False),),
)


@dataclass
class Worker:
    """One process: an engine, a dispatcher, and what it has in its hands."""

    name: str
    life: int = 0
    engine: Engine | None = None
    store: Any = None
    paused_until: int = 0
    pulse_at: int | None = None
    under_way: list[Attempt] = field(default_factory=list)
    installation: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.life}"


class World:
    """One life of Tocsin from one seed. `engine` and `store` take the place of the real ones (planted bugs)."""

    def __init__(
        self,
        seed: int,
        engine: type[Engine] = Engine,
        store: Callable[[SqlStore], Any] = lambda real: real,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self.seed = seed
        self.dice = Random(seed)
        self.now = Instant(START)
        self.engine, self.wrap, self.on_restart = engine, store, on_restart
        self.story: list[str] = []
        self.queue: list[tuple[int, int, Worker | None, int, Callable[[], None]]] = []
        self.serial = 0
        self.mirror = Mirror()
        self.providers = Providers(self.dice)
        self.blind = False
        self.trouble = True
        self.troubled_at = self.now
        self.fault_rate = self.dice.choice((0.0, 0.01, 0.05, 0.15))
        self.crash_rate = self.dice.choice((0.0, 0.002, 0.01))
        self.nested = False
        self.keys: dict[str, str] = {}
        self.said: dict[str, str] = {}
        self.truth: dict[str, Alert] = {}
        self.poisoned = 0
        self.ended = False
        self.workers = [Worker(f"w{number}") for number in range(1, self.dice.choice((1, 1, 2, 3)) + 1)]

    # What happens, in order.

    def run(self) -> "World":
        """Let the world live, mend it, and check what was promised."""
        try:
            self._live()
        except Broken as broken:
            raise Broken(f"seed {self.seed}: {broken}\n{self.tell()}") from None
        return self

    def tell(self) -> str:
        """The story, and how to hear it again."""
        again = f"TOCSIN_SEED={self.seed} pytest tests/faults/test_simulation.py"
        return "\n".join([*self.story[-400:], f"again: {again}"])

    def say(self, text: str) -> None:
        self.story.append(f"{(self.now - START) / MINUTE:9.3f} min  {text}")

    def at(self, when: int, what: Callable[[], None], worker: Worker | None = None) -> None:
        self.serial += 1
        heapq.heappush(self.queue, (int(when), self.serial, worker, worker.life if worker else 0, what))

    def _live(self) -> None:
        empty_store()
        self.providers.upset(CHANNELS)
        lasts = self.dice.choice((12, 20, 45)) * MINUTE
        for worker in self.workers:
            self._start(worker)
        self._plan_alerts(lasts)
        self._plan_people(lasts)
        self._plan_trouble(lasts)
        self._until(START + lasts)
        self._mend()

    def _until(self, when: int) -> None:
        while self.queue and self.queue[0][0] <= when:
            at, _, worker, life, what = heapq.heappop(self.queue)
            self.now = Instant(max(self.now, at))
            if worker is not None and worker.life != life:
                continue
            if worker is not None and worker.paused_until > self.now:
                self.at(worker.paused_until, what, worker)
                continue
            self._guarded(worker, what)
        self.now = Instant(when)

    def _guarded(self, worker: Worker | None, what: Callable[[], None]) -> None:
        try:
            what()
        except Crash:
            assert worker is not None
            self._die(worker)

    # Processes.

    def _start(self, worker: Worker) -> None:
        """A process starts; while the database fails it tries again."""
        store = empty_store_again()
        worker.installation = store.installation
        worker.store = FaultyStore(self.wrap(store), lambda: self._fate(worker), lambda saved: self._committed(worker, saved))
        try:
            worker.engine = self.engine(worker.store, POLICY, CHANNELS, self.now, self._poison)
        except (StoreUnavailable, StoreConflict, RuntimeError):
            self.at(self.now + 5 * SECOND, lambda: self._start(worker), worker)
            return
        worker.engine.blind = self.blind
        self.say(f"{worker.id} starts")
        worker.pulse_at = None
        self._wake(worker, self.now)

    def _poison(self, *_: object) -> None:
        self.poisoned += 1

    def _die(self, worker: Worker) -> None:
        self.say(f"{worker.id} dies with {[each.ids for each in worker.under_way]} under way")
        for attempt in worker.under_way:
            attempt.over = "died"
        worker.under_way, worker.engine, worker.life = [], None, worker.life + 1
        worker.paused_until = 0
        self._be_troubled()
        for other in self.workers:
            self._wake(other, self.now + SECOND)
        down = self.dice.choice((0, 1, 5, 60, 600, 2400)) * SECOND
        self.at(self.now + down, lambda: (self.on_restart(), self._start(worker)), worker)

    def _be_troubled(self) -> None:
        self.troubled_at = self.now

    def _fate(self, worker: Worker) -> Fate:
        self._interleave(worker)
        if not self.trouble:
            return Fate.WELL
        if self.dice.random() < self.crash_rate:
            fate = self.dice.choice((Fate.DIES_BEFORE, Fate.DIES_AFTER))
        elif self.dice.random() < self.fault_rate:
            fate = self.dice.choice((Fate.REFUSED, Fate.UNDONE, Fate.CONFLICT, Fate.ANSWER_LOST, Fate.BUG))
        else:
            return Fate.WELL
        if fate in {Fate.DIES_BEFORE, Fate.DIES_AFTER} and worker.engine is None:
            return Fate.WELL
        self._be_troubled()
        self.say(f"{worker.id}: a transaction's fate is {fate}")
        return fate

    def _interleave(self, worker: Worker) -> None:
        """Between any two transactions of one worker another one may do its work."""
        others = [each for each in self.workers if each is not worker and self._is_up(each)]
        if self.nested or not others or self.dice.random() > 0.2:
            return
        self.nested = True
        other = self.dice.choice(others)
        try:
            self._guarded(other, lambda: self._pulse(other))
        finally:
            self.nested = False

    def _is_up(self, worker: Worker) -> bool:
        return worker.engine is not None and worker.paused_until <= self.now

    def _committed(self, by: Worker, saved: Sequence[Changes]) -> None:
        for changes in saved:
            for each in changes.settled:
                self.providers.settle(each)
            self.mirror.take(changes, self.now, blind=self.blind)
        for worker in self.workers if saved else ():
            if worker is by or self.dice.random() < 0.2:
                self._wake(worker, self.now + self.dice.randrange(10_000, SECOND))

    # The pulse and the dispatcher.

    def _wake(self, worker: Worker, when: int) -> None:
        if worker.engine is None or (worker.pulse_at is not None and worker.pulse_at <= when):
            return
        worker.pulse_at = when
        self.at(when, lambda: self._due_pulse(worker, when), worker)

    def _due_pulse(self, worker: Worker, when: int) -> None:
        if worker.pulse_at == when:
            worker.pulse_at = None
            self._pulse(worker)

    def _pulse(self, worker: Worker) -> None:
        """As the service's pulse: fire what is due, send what is due, sleep until the next."""
        assert worker.engine is not None
        try:
            if (self.mirror.next_due() or self.now + 1) <= self.now or self.dice.random() < 0.1:  # most would find nothing
                worker.engine.fire_due(self.now)
            self._send_due(worker)
            due_at = worker.store.next_due()
        except (StoreUnavailable, StoreConflict, RuntimeError):
            due_at = self.now + SECOND
        if due_at is not None:
            self._wake(worker, max(due_at, self.now + SECOND // 10 if due_at > self.now else self.now + SECOND))

    def _send_due(self, worker: Worker) -> None:
        assert worker.engine is not None
        busy = [each.items[0][0].channel for each in worker.under_way]
        full = frozenset(channel for channel in CHANNELS if busy.count(channel) >= BUSY)
        for delivery in worker.engine.claim(self.now, worker.id, full):
            attempt = Attempt(worker.id, self.now, delivery)
            worker.under_way.append(attempt)
            wait = self.dice.choice((0, 0, 0, SECOND // 2, 3 * SECOND)) if self.trouble else 0
            self.at(self.now + wait, lambda attempt=attempt: self._send(worker, attempt), worker)

    def _send(self, worker: Worker, attempt: Attempt) -> None:
        """As the dispatcher's: a second look at the lease where it is not fresh, then the first byte."""
        assert worker.engine is not None
        if self.now - attempt.claimed_at > FRESH:
            try:
                ours = worker.engine.holds([each for each, _ in attempt.items], self.now)
            except (StoreUnavailable, RuntimeError):
                ours = False
            if not ours:
                self.say(f"{worker.id} does not send {attempt.ids}: its lease is over, or it is overtaken")
                self._report(worker, attempt, Overtaken())
                return
        outcome, after, mood = self.providers.receive(attempt, worker.installation, self.now)
        first = attempt.items[0][0]
        self.say(f"{worker.id} sends {attempt.ids} ({first.kind}/{first.reason}) on {first.channel}: {mood}")
        for each in attempt.ids:
            if self.mirror.fates.get(each) is not Status.WAITING and not attempt.lease_ignored:
                raise Broken(f"{each} is sent although it is {self.mirror.fates.get(each)}")
        self.at(self.now + after, lambda: self._report(worker, attempt, outcome), worker)

    def _report(self, worker: Worker, attempt: Attempt, outcome: Any, tries: int = 6) -> None:
        assert worker.engine is not None
        try:
            worker.engine.report([Report(each, outcome) for each, _ in attempt.items], self.now)
        except (StoreUnavailable, StoreConflict, RuntimeError):
            if tries:
                self.at(self.now + 5 * SECOND, lambda: self._report(worker, attempt, outcome, tries - 1), worker)
                return
            attempt.over = "not recorded"
        if attempt in worker.under_way:
            worker.under_way.remove(attempt)
        self._wake(worker, self.now + SECOND // 100)

    # Alertmanager.

    def _plan_alerts(self, lasts: int) -> None:
        for number in range(self.dice.choice((1, 1, 2, 3))):
            self.keys[f"key{number}"] = f"key{number}"
        for key in self.keys:
            at = START + self.dice.randrange(lasts // 4)
            while at < START + lasts:
                self.at(at, lambda key=key: self._something_fires_or_clears(key))
                at += self.dice.choice((20, 120, 400, 1200)) * SECOND

    def _something_fires_or_clears(self, key: str) -> None:
        names = [f"{key}.{name}" for name in "abc"]
        chosen = self.dice.sample(names, self.dice.choice((1, 1, 2)))
        for name in chosen:
            old = self.truth.get(name)
            if old is not None and old.firing and self.dice.random() < 0.7:
                self.truth[name] = _ended(old, self.now)
            else:
                rule = self.dice.choice((SLO, SLO, BUDGET, SAFETY, DRIFT))
                twin = self.dice.random() < 0.1
                self.truth[name] = alert(name, LEVEL_OF[rule], rule, twin=twin, starts_at=self.now)
        self._notify(key)
        if self.dice.random() < 0.3:
            self._notify(key, self.dice.randrange(10 * MINUTE))  # a repeat, or a second Alertmanager's

    def _notify(self, key: str, late: int | None = None, *, last: bool = False) -> None:
        group = tuple(each for name, each in sorted(self.truth.items()) if name.startswith(key))
        wait = self.dice.choice((0, 0, 0, SECOND, 30 * SECOND, 300 * SECOND)) if late is None else late
        self.at(self.now + wait, lambda: None if self.ended and not last else self._post(key, group))

    def _post(self, key: str, group: tuple[Alert, ...]) -> None:
        """One webhook; where the answer is none, or 5xx, it is sent again."""
        up = [each for each in self.workers if self._is_up(each)]
        if not up:
            self.at(self.now + 10 * SECOND, lambda: self._post(key, group))
            return
        worker = self.dice.choice(up)
        before = self.mirror.open_key(key)
        known = dict(self.mirror.alerts[before.id]) if before else {}
        words = ", ".join(f"{each.fingerprint} {'fires' if each.firing else 'clears'} {each.rule}" for each in group)
        self.say(f"webhook to {worker.id}: {words}")
        life = worker.life
        assert worker.engine is not None
        try:
            result = worker.engine.handle([AlertsReceived(key, "", group)], self.now)[0]
            well = not result.error
        except (StoreUnavailable, RuntimeError):
            well = False
        except Crash:
            self._die(worker)
            well = False
        if not well or worker.life != life:
            self.say("  not accepted; Alertmanager tries again")
            self.at(self.now + self.dice.choice((1, 5, 20)) * SECOND, lambda: self._post(key, group))
            return
        self._check_danger(key, before, known, group)

    def _check_danger(self, key: str, before: Any, known: dict[str, Alert], group: Sequence[Alert]) -> None:
        """New danger is never swallowed: whoever had acknowledged (or resolved) is paged again."""
        fired = [each for each in group if each.firing and _is_news(each, known.get(each.fingerprint))]
        after = self.mirror.open_key(key)
        if not fired:
            return
        if after is None:
            raise Broken(f"{[each.fingerprint for each in fired]} accepted, and no incident knows of it")
        for each in fired:
            if not self.mirror.alerts[after.id][each.fingerprint].firing:
                raise Broken(f"{each.fingerprint} was accepted, and its incident does not know that it fires")
        facts = {each.fact for each in self.mirror.timeline[after.id][before.entries if before else 0 :]}
        if before is None or before.id != after.id:
            wanted = {Fact.OPENED}
        elif before.state is State.RESOLVED:
            wanted = {Fact.REOPENED}
        elif before.state is State.ACKNOWLEDGED and (
            max(each.level for each in fired) > before.level
            or any(each.rule not in before.rules for each in fired)
            or before.level == EMERGENCY
        ):
            wanted = {Fact.ACK_VOIDED, Fact.ACK_EXPIRED}
        else:
            wanted = {Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.FIRED_AGAIN}
        if not wanted & facts:
            raise Broken(f"new danger was swallowed: {[each.fingerprint for each in fired]} gave only {sorted(facts)}")

    # People.

    def _plan_people(self, lasts: int) -> None:
        for _ in range(self.dice.choice((0, 2, 5))):
            self.at(START + self.dice.randrange(lasts), self._act)

    def _act(self) -> None:
        live = [each for each in self.mirror.incidents.values() if each.state is not State.CLOSED]
        up = [each for each in self.workers if self._is_up(each)]
        if not live or not up:
            return
        incident = self.dice.choice(live)
        self.serial += 1
        note = f"note {self.serial}"
        by = self.dice.choice(("ada", "ben"))
        hold = self.dice.choice((None, None, 2 * MINUTE, HOUR))
        action = self.dice.choice(
            (
                Acknowledge(by, note, hold),
                Acknowledge(by, note, hold, incident.state),
                Escalate(by, note),
                Resolve(by, note, force=self.dice.random() < 0.5),
                Note(by, note),
                Change(by, level=self.dice.randint(1, 4), reason=note),
            )
        )
        self._do(self.dice.choice(up), incident.id, action, note)

    def _do(self, worker: Worker, incident_id: str, action: Any, note: str) -> bool:
        assert worker.engine is not None
        number = self.mirror.incidents[incident_id].number
        try:
            result = worker.engine.handle([ForIncident(incident_id, action)], self.now)[0]
        except (StoreUnavailable, RuntimeError):
            self.say(f"{type(action).__name__} of #{number} fails")
            return False
        except Crash:
            self._die(worker)
            return False
        self.say(f"{type(action).__name__} of #{number}: {result.refusal or result.error or 'done'}")
        if not result.refusal and not result.error and not isinstance(action, Change):
            self.said[note] = incident_id
        return not result.refusal and not result.error

    # Trouble.

    def _plan_trouble(self, lasts: int) -> None:
        for _ in range(self.dice.choice((0, 1, 3))):
            self.at(START + self.dice.randrange(lasts), self._pause_somebody)
        for _ in range(self.dice.choice((0, 1, 3))):
            self.at(START + self.dice.randrange(lasts), self._kill_somebody)
        if self.dice.random() < 0.3:
            begins = START + self.dice.randrange(lasts)
            self.at(begins, lambda: self._go_blind(blind=True))
            self.at(begins + self.dice.randrange(20 * MINUTE), lambda: self._go_blind(blind=False))

    def _pause_somebody(self) -> None:
        worker = self.dice.choice(self.workers)
        if worker.engine is not None:
            worker.paused_until = self.now + self.dice.choice((5, 40, 70, 200)) * SECOND
            self.at(worker.paused_until, self._be_troubled)
            self.say(f"{worker.id} is stopped, and wakes in {(worker.paused_until - self.now) // SECOND} s")

    def _kill_somebody(self) -> None:
        worker = self.dice.choice(self.workers)
        if worker.engine is not None:
            self._die(worker)

    def _go_blind(self, *, blind: bool) -> None:
        self.say("the heartbeat is missing" if blind else "the heartbeat is back")
        self.blind = blind
        for worker in self.workers:
            if worker.engine is not None:
                worker.engine.blind = blind

    # The end.

    def _mend(self) -> None:
        """All is well again: what was promised comes true, and then everything comes to its end."""
        self.say("everything is mended")
        self.trouble = False
        self.providers.heal()
        self._go_blind(blind=False)
        for worker in self.workers:
            worker.paused_until = 0
            if worker.engine is None:
                worker.life += 1
                self.on_restart()
                self._start(worker)
            worker.pulse_at = None
            self._wake(worker, self.now)
        for key in self.keys:
            if any(name.startswith(key) for name in self.truth):
                self._notify(key, 0)
        self._until(self.now + SLACK + MINUTE * 6)
        self._check_overdue()
        self._finish()
        self._check_all()

    def _check_overdue(self) -> None:
        for incident in self.mirror.incidents.values():
            for window, at in incident.windows.items():
                if at < self.now - SLACK:
                    raise Broken(f"the window {window} of #{incident.number} was forgotten")
        _check_pages(self.mirror)

    def _finish(self) -> None:
        self.ended = True
        for name, each in self.truth.items():
            if each.firing:
                self.truth[name] = _ended(each, self.now)
        for key in self.keys:
            if any(name.startswith(key) for name in self.truth):
                self._notify(key, 0, last=True)
        self._until(self.now + 2 * MINUTE)
        for incident in list(self.mirror.incidents.values()):
            if self.mirror.incidents[incident.id].is_live:
                self._do(self.workers[0], incident.id, Resolve("ada", f"end {incident.number}", force=True), "end")
        self._until(self.now + 40 * MINUTE)
        self._until(self.now + 25 * HOUR)

    def _check_all(self) -> None:
        from tests.faults.promises import check  # noqa: PLC0415

        check(self)


def _is_news(new: Alert, old: Alert | None) -> bool:
    return old is None or not old.firing or new.level > old.level or new.starts_at > old.starts_at


def _ended(old: Alert, now: int) -> Alert:
    from dataclasses import replace  # noqa: PLC0415

    return replace(old, firing=False, ended_at=Instant(now))


def _check_pages(mirror: Mirror) -> None:
    """Whoever is open has reached somebody, tries the next fallback, or has said that none is left."""
    from receiver.core.model import Window  # noqa: PLC0415

    for incident in mirror.incidents.values():
        if incident.state is not State.OPEN or incident.page.delivered or Window.RESCUE in incident.windows:
            continue
        entries = mirror.timeline[incident.id]
        joins = {"fallback", "rule_joined"}
        paged = max((e.position for e in entries if e.fact is Fact.PAGED and e.data["reason"] not in joins), default=0)
        none_left = max((e.position for e in entries if e.fact is Fact.FALLBACK_EXHAUSTED), default=0)
        if none_left < paged:
            raise Broken(f"a page of #{incident.number} reached nobody and was left at that")


def empty_store_again() -> SqlStore:
    """The store as a process finds it when it starts."""
    return SqlStore(database())
