"""The order of waiting events: people's actions, emergencies, windows and delivery results, claims of messages, other
alerts by level, then answers to Tocsin's own queries and the rest.

Within a rank the oldest goes first; events of one key keep their order. Against starvation, the second half of each
batch goes to items that waited longer than `AGED`, the oldest first.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from receiver.core.events import Action, AlertsReceived, Declare, Event
from receiver.core.model import Instant
from rules.policy import EMERGENCY, SECOND

ANSWERS = 0
"""Rank of answers to Tocsin's queries, and of upkeep: they never cause a first page."""

CLAIMS = EMERGENCY
"""Rank of claiming messages that are due. Below it, alerts have the rank of their level."""

STEPS = CLAIMS + 1
"""Rank of due windows, and of delivery results: they lead to the next escalation step."""

EMERGENCIES = STEPS + 1
"""Rank of an emergency's alerts, and of claiming its messages."""

PEOPLE = EMERGENCIES + 1
"""Rank of a person's action."""

AGED = 4 * SECOND
"""Microseconds of waiting after which an item may use a batch's second half; shorter than a requester's timeout."""

Item = TypeVar("Item")


def rank(event: Event) -> int:
    """The rank of an event, the most urgent highest; of several alerts, that of the highest level, firing or not."""
    if isinstance(event, AlertsReceived):
        level = max((alert.level for alert in event.alerts), default=ANSWERS)
        return EMERGENCIES if level == EMERGENCY else level
    return PEOPLE if isinstance(event, Action | Declare) else ANSWERS


def is_aged(since: Instant, now: Instant) -> bool:
    """Whether an item that has waited since then may use the second half of a batch."""
    return now - since > AGED


class _Place(Generic[Item]):
    __slots__ = ("is_taken", "item", "key", "since", "weight")

    def __init__(self, item: Item, key: str, since: Instant, weight: int) -> None:
        self.item, self.key, self.since, self.weight = item, key, since, weight
        self.is_taken = False


class Queue(Generic[Item]):
    """Items waiting for a decision. It has no clock and no threads: `now` is an argument."""

    def __init__(self) -> None:
        self._by_age: deque[_Place[Item]] = deque()
        self._by_rank: tuple[deque[_Place[Item]], ...] = tuple(deque() for _ in range(PEOPLE + 1))
        self._by_key: dict[str, deque[_Place[Item]]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        """The waiting items, the oldest first."""
        return (place.item for place in self._by_age if not place.is_taken)

    def put(self, item: Item, key: str, its_rank: int, now: Instant, weight: int = 1) -> None:
        """Append an item. Items of one `key` keep their order. `weight`: its share of a batch's room."""
        place = _Place(item, key, now, weight)
        self._by_age.append(place)
        self._by_rank[its_rank].append(place)
        self._by_key.setdefault(key, deque()).append(place)
        self._length += 1

    def take(self, now: Instant, room: int) -> list[Item]:
        """Returns the next batch, in the order of decision; empty only if nothing waits.

        The last item may exceed the room. At least one item is aged, if any is.
        """
        batch: list[_Place[Item]] = []
        used = self._fill(batch, 0, max(1, room // 2) if self._aged(now) else room, self._most_urgent)
        used = self._fill(batch, used, max(used + 1, room), lambda: self._aged(now))
        self._fill(batch, used, room, self._most_urgent)
        return [place.item for place in batch]

    def _fill(self, batch: list[_Place[Item]], used: int, room: int, choose: Callable[[], _Place[Item] | None]) -> int:
        """Take chosen items after earlier ones of their keys, while there is room; returns the room used."""
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
    """The first item that still waits."""
    while line and line[0].is_taken:
        line.popleft()
    return line[0] if line else None
