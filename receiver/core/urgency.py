"""What the database is asked for first when much waits: what people do, emergencies, windows and outcomes, claims of
messages, other alerts by their level, and then what machines answer and everything else.

Within one rank the older goes first. What concerns one incident keeps its order: nothing of a key is taken before what
came earlier for that key. So that nothing starves, the second half of each batch belongs to what has waited for longer
than `AGED`, the oldest first, whatever its rank: the first half is still the most urgent's, however much has aged.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from receiver.core.events import Action, AlertsReceived, Declare, Event
from receiver.core.model import Instant
from rules.policy import EMERGENCY, SECOND

ANSWERS = 0
"""Rank of what Alertmanager and Prometheus answered when Tocsin asked, and of upkeep: nobody is paged by it first."""

CLAIMS = EMERGENCY
"""Rank of claiming messages that are due. Below it, alerts have the rank of their level."""

STEPS = CLAIMS + 1
"""Rank of due windows, and of what became of messages: the next step of somebody's page."""

EMERGENCIES = STEPS + 1
"""Rank of an emergency's alerts, and of claiming its messages."""

PEOPLE = EMERGENCIES + 1
"""Rank of what a person does."""

AGED = 4 * SECOND
"""Microseconds after which what waits has its share of each batch: well within the patience of whoever asked."""

Item = TypeVar("Item")


def rank(event: Event) -> int:
    """How urgent an event is, higher first. Of several alerts the highest level counts, whether it fires or clears."""
    if isinstance(event, AlertsReceived):
        level = max((alert.level for alert in event.alerts), default=ANSWERS)
        return EMERGENCIES if level == EMERGENCY else level
    return PEOPLE if isinstance(event, Action | Declare) else ANSWERS


def is_aged(since: Instant, now: Instant) -> bool:
    """Whether what has waited since then has a claim to the share of the old."""
    return now - since > AGED


class _Place(Generic[Item]):
    """Where something stands in the queue."""

    __slots__ = ("is_taken", "item", "key", "since", "weight")

    def __init__(self, item: Item, key: str, since: Instant, weight: int) -> None:
        self.item, self.key, self.since, self.weight = item, key, since, weight
        self.is_taken = False


class Queue(Generic[Item]):
    """What waits to be decided. It has no clock and no threads: `now` is an argument."""

    def __init__(self) -> None:
        self._by_age: deque[_Place[Item]] = deque()
        self._by_rank: tuple[deque[_Place[Item]], ...] = tuple(deque() for _ in range(PEOPLE + 1))
        self._by_key: dict[str, deque[_Place[Item]]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        """What waits, the oldest first."""
        return (place.item for place in self._by_age if not place.is_taken)

    def put(self, item: Item, key: str, its_rank: int, now: Instant, weight: int = 1) -> None:
        """Append. `key`: what keeps its order. `weight`: what it takes of a batch's room."""
        place = _Place(item, key, now, weight)
        self._by_age.append(place)
        self._by_rank[its_rank].append(place)
        self._by_key.setdefault(key, deque()).append(place)
        self._length += 1

    def take(self, now: Instant, room: int) -> list[Item]:
        """The next batch, in the order in which it is to be decided; empty only where nothing waits.

        It ends with the item that fills the room, which may weigh more than is left; and it has at least one that is
        aged, where one is.
        """
        batch: list[_Place[Item]] = []
        used = self._fill(batch, 0, max(1, room // 2) if self._aged(now) else room, self._most_urgent)
        used = self._fill(batch, used, max(used + 1, room), lambda: self._aged(now))
        self._fill(batch, used, room, self._most_urgent)
        return [place.item for place in batch]

    def _fill(self, batch: list[_Place[Item]], used: int, room: int, choose: Callable[[], _Place[Item] | None]) -> int:
        """Take what is chosen, after what came before it for its key, while there is room; returns what is used."""
        while used < room and (chosen := choose()):
            of_key = self._by_key[chosen.key]
            while not chosen.is_taken:
                place = of_key.popleft()
                place.is_taken = True
                batch.append(place)
                used += place.weight
                self._length -= 1
            if not of_key:
                del self._by_key[chosen.key]
        return used

    def _most_urgent(self) -> _Place[Item] | None:
        return next((first for line in reversed(self._by_rank) if (first := _first(line))), None)

    def _aged(self, now: Instant) -> _Place[Item] | None:
        oldest = _first(self._by_age)
        return oldest if oldest and is_aged(oldest.since, now) else None


def _first(line: deque[_Place[Item]]) -> _Place[Item] | None:
    """The first that still waits."""
    while line and line[0].is_taken:
        line.popleft()
    return line[0] if line else None
