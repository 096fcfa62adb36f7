"""A storm before the queue, from one seed: more comes than can be decided, for a while, and in any mixture.

Time is virtual. Every batch is checked against what was promised of the order as soon as it is taken.
"""

from collections.abc import Callable
from random import Random

from msgspec import Struct

from receiver.core.events import Acknowledge, AlertsReceived, Event, Silenced, TimePassed
from receiver.core.model import Instant
from receiver.core.urgency import ANSWERS, CLAIMS, EMERGENCIES, PEOPLE, STEPS, Queue, is_aged, rank
from rules.policy import LEVELS, SECOND
from tests.core.alerts import START, alert
from tests.faults.mirror import Broken

ROOM = 20
"""Alerts in a batch."""

TAKES = SECOND // 2
"""Microseconds that a batch takes: so a storm of seconds is a long one."""

LASTS = 12 * SECOND


class Waiting(Struct, frozen=True, eq=False):
    """A request of a caller."""

    serial: int
    """In order of arrival."""
    key: str
    event: Event
    rank: int
    since: Instant

    def __str__(self) -> str:
        return f"{self.serial} ({type(self.event).__name__}, rank {self.rank}, {self.key})"


class Crowd:
    """One storm. `queue` is where bugs are planted."""

    def __init__(self, seed: int, queue: Callable[[], Queue[Waiting]] = Queue) -> None:
        self.dice = Random(seed)
        self.queue = queue()
        self.now = START
        self.waiting: list[Waiting] = []
        """In order of arrival."""
        self.decided = 0
        self._serial = 0
        self._flood = self.dice.choice(LEVELS)
        """The level of most of what comes."""
        self._batch = self.dice.choice((5, 20, 30))
        """How many come while a batch is decided: fewer or more than it takes."""

    def run(self) -> "Crowd":
        """Lets requests come and be decided until none waits. Raises Broken."""
        while self.now < START + LASTS:
            self._come()
            self._decide()
            self.now = Instant(self.now + TAKES)
        while self.waiting:
            self._decide()
            self.now = Instant(self.now + TAKES)
        return self

    def _come(self) -> None:
        for _ in range(self.dice.randrange(2 * self._batch)):
            self._serial += 1
            key, event, its_rank, weight = self._event()
            since = Instant(self.now + self.dice.randrange(1000))
            each = Waiting(self._serial, key, event, its_rank, since)
            self.waiting.append(each)
            self.queue.put(each, key, each.rank, since, weight)

    def _event(self) -> tuple[str, Event, int, int]:
        """Key, event, rank and weight; a window stands for any call, which is a transaction of its own."""
        dice = self.dice
        key = f"key {dice.randrange(40)}"
        if dice.random() < 0.02:
            return f"id {dice.randrange(5)}", Acknowledge("ada"), PEOPLE, 1
        if dice.random() < 0.05:
            return key, Silenced(key, 1, None), ANSWERS, 1
        if dice.random() < 0.05:
            return f"call {self._serial}", TimePassed(), dice.choice((ANSWERS, CLAIMS, STEPS, EMERGENCIES)), ROOM
        level = self._flood if dice.random() < 0.8 else dice.choice(LEVELS)
        firing = dice.random() < 0.7
        weight = dice.choice((1, 1, 1, 3)) if dice.random() < 0.98 else 2 * ROOM
        event = AlertsReceived(key, "", (alert(level=level, firing=firing),))
        return key, event, rank(event), weight

    def _decide(self) -> None:
        batch = self.queue.take(self.now, ROOM)
        if self.waiting and not batch:
            raise Broken("somebody waits, and nothing is decided")
        if self.waiting and is_aged(self.waiting[0].since, self.now) and self.waiting[0] not in batch:
            raise Broken(f"{self.waiting[0]} is the oldest, and waits for ever")
        for place, each in enumerate(batch):
            self._check(each, max(other.rank for other in batch[place:] if other.key == each.key))
            self.waiting.remove(each)
            self.decided += 1

    def _check(self, next_one: Waiting, needed: int) -> None:
        """`needed`: the rank of what is to be decided with it, because it is of the same incident."""
        for each in self.waiting:
            is_earlier = each.serial < next_one.serial
            if is_earlier and each.key == next_one.key:
                raise Broken(f"{each} is overtaken by {next_one}, of the same incident")
            if is_earlier and each.rank >= EMERGENCIES and next_one.rank < each.rank:
                raise Broken(f"{each} is decided after the later {next_one}")
            if each.rank > needed and not is_aged(next_one.since, self.now):
                raise Broken(f"{each} waits while {next_one} is decided, which is less urgent")
            if each.rank == next_one.rank == needed and is_earlier:
                raise Broken(f"{each} is as urgent as the later {next_one}")
