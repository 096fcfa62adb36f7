"""A simulated world over the real engine and the real store, with all faults, from one seed.

Time is virtual, and everything that happens is an entry of one queue. One to three workers share a store; Alertmanager,
people and providers are simulated. `run` ends with every fault mended and every promise checked.
"""

import heapq
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from receiver.core.model import Instant
from receiver.core.plan import PolicyVersion
from receiver.core.sight import ANY, SIGHTED, Sight
from receiver.core.storage import Changes
from receiver.engine.engine import Engine
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore
from rules.policy import HOUR, MINUTE, SECOND
from rules.stored import digest
from tests.core.alerts import START
from tests.faults.lies import TRUTH, Lie
from tests.faults.mirror import VERSION, Broken, Mirror
from tests.faults.on_call import on_call_of
from tests.faults.onlooker import Onlooker
from tests.faults.outside import Alertmanager, People
from tests.faults.paged import Pager
from tests.faults.policy import POLICY
from tests.faults.promises import check_all_believed, check_all_cleared, check_end, check_nothing_forgotten
from tests.faults.providers import Providers
from tests.faults.stores import DEADLY, FAILURES, Crash, Fate, database, empty_store
from tests.faults.swaps import Swaps
from tests.faults.workers import Worker

SLACK = 130 * SECOND
"""How late a window or a message may be after the last fault: a lease, or a postponement, and some."""


FORMS = 0.03
"""Share of the worlds in which what each medium makes of the words is read as well; it costs more than all the rest."""


class PromiseError(AssertionError):
    """What was not kept, the story, and how to live it again."""


class World:
    """One life of Tocsin from one seed. `engine`, `store`, `on_restart` and `lie` are where bugs are planted."""

    def __init__(
        self,
        seed: int,
        engine: type[Engine] = Engine,
        store: Callable[[SqlStore], Any] = lambda real: real,
        on_restart: Callable[[], None] = lambda: None,
        lie: Lie = TRUTH,
        on_call: bool | None = None,
    ) -> None:
        """`on_call`: whether it has schedules; None: one in three has."""
        self.seed = seed
        self.dice = Random(seed)
        self.now = Instant(START)
        self.engine, self.wrap, self.on_restart = engine, store, on_restart
        self.lie = lie
        self.mirror = Mirror(lie.line)
        self.policy, self.version = POLICY, VERSION
        self._swaps: Swaps | None = None
        if seed % 3 == 1 if on_call is None else on_call:
            self._add_schedules()
        self.channels = tuple(self.version.channels)
        self.providers = Providers(self.dice)
        self.alertmanager = Alertmanager(self)
        self.people = People(self)
        self.onlooker = Onlooker(self)
        self.workers = [Worker(f"w{number}", self) for number in range(1, self.dice.choice((1, 1, 2, 3)) + 1)]
        self.reads_forms = lie.in_forms or Random(f"{seed}, forms").random() < FORMS
        self.blind = False
        self.trouble = True
        self._fault_rate = self.dice.choice((0.0, 0.01, 0.05, 0.15))
        self._crash_rate = self.dice.choice((0.0, 0.002, 0.01))
        self._nested = False
        self._queue: list[tuple[int, int, Worker | None, int, Callable[[], object]]] = []
        self._serial = 0
        self._story: list[str] = []

    def _add_schedules(self) -> None:
        on_call = on_call_of(self.seed)
        self.policy = on_call.policy
        self.version = self.mirror.version = PolicyVersion.of(self.policy, digest(self.policy))
        self.mirror.pager = Pager(on_call, self.version)
        self._swaps = Swaps(self, on_call)

    def run(self) -> "World":
        """Let the world live, mend it, and check what was promised. Raises PromiseError."""
        try:
            self._live()
            self._mend()
        except Broken as broken:
            again = f"TOCSIN_SEED={self.seed} pytest tests/faults/test_simulation.py"
            story = "\n".join(self._story[-400:])
            raise PromiseError(f"seed {self.seed}: {broken}\n{story}\nthe same again: {again}") from None
        return self

    def say(self, text: str) -> None:
        """A line of the story."""
        self._story.append(f"{(self.now - START) / MINUTE:9.3f} min  {text}")

    def at(self, when: int, what: Callable[[], object], worker: Worker | None = None) -> None:
        """This will happen then; if a worker does it: when it is awake, and if it has not died."""
        self._serial += 1
        heapq.heappush(self._queue, (int(when), self._serial, worker, worker.life if worker else 0, what))

    def up(self) -> list[Worker]:
        """The workers that answer."""
        return [each for each in self.workers if each.is_up]

    def _live(self) -> None:
        empty_store()
        self.providers.upset(self.channels)
        lasts = self.dice.choice((4, 8, 8, 16, 25)) * MINUTE
        if self._swaps is not None:
            self._swaps.plan(START, lasts)
        for worker in self.workers:
            worker.start()
        self.alertmanager.plan(START, lasts)
        self.people.plan(START, lasts)
        self.onlooker.plan(START, lasts)
        self._plan_trouble(lasts)
        self._until(START + lasts)

    def _until(self, when: int) -> None:
        while self._queue and self._queue[0][0] <= when:
            at, _, worker, life, what = heapq.heappop(self._queue)
            self.now = Instant(max(self.now, at))
            if worker is None:
                what()
            elif worker.life == life and worker.paused_until > self.now:
                self.at(worker.paused_until, what, worker)
            elif worker.life == life:
                self._let(worker, what)
        self.now = Instant(when)

    def _let(self, worker: Worker, what: Callable[[], object]) -> None:
        try:
            what()
        except Crash:
            self.kill(worker)

    # Trouble.

    def fate(self, worker: Worker) -> Fate:
        """What becomes of the transaction that begins; before it another worker may have done its work."""
        self._interleave(worker)
        if not self.trouble:
            return Fate.WELL
        if worker.engine is not None and self.dice.random() < self._crash_rate:
            fate = self.dice.choice(DEADLY)
        elif self.dice.random() < self._fault_rate:
            fate = self.dice.choice(FAILURES)
        else:
            return Fate.WELL
        self.say(f"{worker.id}: a transaction's fate is {fate}")
        return fate

    def _interleave(self, worker: Worker) -> None:
        others = [each for each in self.up() if each is not worker]
        if self._nested or not others or self.dice.random() > 0.1:
            return
        self._nested = True
        other = self.dice.choice(others)
        self._let(other, other.scheduler)
        self._nested = False

    def committed(self, by: Worker, saved: Sequence[Changes]) -> None:
        """A transaction is stored: remember and check it; it means work for this worker, and perhaps for others."""
        for changes in saved:
            for each in changes.settled:
                self.providers.settle(each)
            self.mirror.take(changes, self.now, blind=self.blind)
        for worker in self.workers if saved else ():
            if worker is by or self.dice.random() < 0.2:
                worker.wake(self.now + self.dice.randrange(10_000, SECOND))

    def swapped(self, number: int, change: OverrideChange) -> None:
        """An override was made or cancelled, and that is stored."""
        if self._swaps is not None:
            self._swaps.on_call.heed(number, change)

    def poison(self, _item: object, error: Exception) -> None:
        """The engine contained an unexpected error: only planted ones (RuntimeError) may come."""
        if not isinstance(error, RuntimeError):
            raise Broken(f"the engine met {error!r}") from error

    def kill(self, worker: Worker) -> None:
        """A process dies, and starts again at a later time; the others go on."""
        if worker.engine is None:
            return
        worker.die()
        for other in self.workers:
            other.wake(self.now + SECOND)
        down = self.dice.choice((0, 1, 5, 60, 600, 1200)) * SECOND
        self.at(self.now + down, worker.revive, worker)

    def _plan_trouble(self, lasts: int) -> None:
        for what in (
            lambda: self.pause(self.dice.choice(self.workers)),
            lambda: self.kill(self.dice.choice(self.workers)),
        ):
            for _ in range(self.dice.choice((0, 1, 3))):
                self.at(START + self.dice.randrange(lasts), what)
        if self.dice.random() < 0.5:
            begins = START + self.dice.randrange(lasts)
            self.at(begins, lambda: self._go_blind(blind=True))
            self.at(begins + self.dice.randrange(30 * MINUTE), lambda: self._go_blind(blind=False))

    def pause(self, worker: Worker) -> None:
        """A process is stopped, and wakes late."""
        if worker.engine is not None:
            seconds = self.dice.choice((5, 40, 70, 200))
            worker.paused_until = self.now + seconds * SECOND
            self.say(f"{worker.id} is stopped, and wakes in {seconds} s")

    @property
    def sight(self) -> Sight:
        """What the engine is told of the heartbeats."""
        return Sight(frozenset({ANY})) if self.blind else SIGHTED

    def _go_blind(self, *, blind: bool) -> None:
        self.say("the heartbeat is missing" if blind else "the heartbeat is there")
        self.blind = blind
        for worker in self.workers:
            if worker.engine is not None:
                worker.engine.standing.sight = self.sight

    # The end.

    def _mend(self) -> None:
        """All is well again: what was promised comes true, and then everything comes to its end."""
        self.say("everything is mended")
        self.trouble = False
        self.providers.heal()
        self._go_blind(blind=False)
        for worker in self.workers:
            worker.revive()
        self.alertmanager.tell_all()
        self._until(self.now + SLACK + 6 * MINUTE)
        check_nothing_forgotten(self.mirror, self.now - SLACK)
        self.mirror.check_open(self.now)
        check_all_believed(self.mirror, self.alertmanager.truth)
        self.alertmanager.end()
        self._until(self.now + 2 * MINUTE)
        check_all_cleared(self.mirror)
        self.people.resolve_all()
        self._until(self.now + 25 * HOUR)
        self.onlooker.read_periods()
        for incident in self.mirror.incidents.values():
            self.onlooker.read_report(incident)
        check_end(self.mirror, self.providers, self.people.said, SqlStore(database()).reads())
