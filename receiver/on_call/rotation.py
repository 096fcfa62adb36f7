"""A layer's turns in wall time: person, start, end. `expand` converts them to instants.

Times are minutes since the layer's start. Turns are counted from there: weeks and months by the calendar; days and
shorter ones by the days (or parts of days) in which the layer has hours, so that the turn after Friday's is Monday's.
Hours beyond midnight belong whole to the day on which they begin.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from rules.policy import Layer
from rules.rota import DAY_MINUTES, DAYS, months_later, parse_every, parse_start, parse_time

WEEK = 7 * DAY_MINUTES
_MINUTE = timedelta(minutes=1)


class LayerTurn(NamedTuple):
    """A person's turn, or a part of it, in minutes since the layer's start."""

    starts: int
    ends: int
    person: str


@lru_cache(maxsize=1000)
def rotation(layer: Layer) -> "Rotation":
    """Returns the layer's rotation."""
    return Rotation(layer)


class Rotation:
    """A layer's turns."""

    def __init__(self, layer: Layer) -> None:
        self.start = parse_start(layer.starts)
        self._people = layer.people
        self._every = parse_every(layer.every)
        self._time_of_day = self.start.hour * 60 + self.start.minute
        self._hours = tuple(
            (frozenset(map(DAYS.index, each.days)), parse_time(each.begins), parse_time(each.ends))
            for each in layer.only
        )
        self._counted = self._slots_of_a_week()

    def turns(self, first: datetime, last: datetime) -> Iterator[LayerTurn]:
        """Yields every turn that overlaps the time between two wall times, in order of their start."""
        since, until = ((each - self.start) // _MINUTE for each in (first, last))
        if self._hours:
            yield from self._within_hours(since, until)
            return
        number = self._number(max(0, since))
        while (starts := self._handoff(number)) < until:
            yield LayerTurn(starts, self._handoff(number + 1), self._people[number % len(self._people)])
            number += 1

    def at(self, minutes: int) -> datetime:
        """Returns the wall time that many minutes after the start."""
        return self.start + minutes * _MINUTE

    def _within_hours(self, since: int, until: int) -> Iterator[LayerTurn]:
        for day in range((max(0, since) + self._time_of_day) // DAY_MINUTES - 1, until // DAY_MINUTES + 2):
            for starts, ends in self._parts(day):
                if ends > 0:
                    turn = self._turn(max(0, starts))
                    yield LayerTurn(max(0, starts), ends, self._people[turn % len(self._people)])

    def _parts(self, day: int) -> Iterator[tuple[int, int]]:
        """Yields the hours that begin on a day (0: that of the start), divided at handoffs on that day."""
        midnight = day * DAY_MINUTES - self._time_of_day
        weekday = (self.start.weekday() + day) % 7
        windows = ((begins, ends) for days, begins, ends in self._hours if weekday in days)
        for begins, ends in sorted(windows):
            starts, until = midnight + begins, midnight + ends + (DAY_MINUTES if ends < begins else 0)
            while starts < until:
                cut = self._next_handoff(starts)
                cut = cut if cut < min(until, midnight + DAY_MINUTES) else until
                yield starts, cut
                starts = cut

    def _next_handoff(self, minutes: int) -> int:
        """Returns the first possible handoff after that time."""
        if self._every.unit in {"w", "month"}:
            return self._handoff(self._number(minutes) + 1) if minutes >= 0 else 0
        slot = self._every.slot_minutes
        return (minutes // slot + 1) * slot

    def _turn(self, minutes: int) -> int:
        """Returns the number of the turn that contains the start time."""
        if self._every.unit in {"w", "month"}:
            return self._number(minutes)
        week, rest = divmod(minutes, WEEK)
        before = week * len(self._counted) + bisect_right(self._counted, rest) - 1
        return max(0, before) // (self._every.number if self._every.unit == "d" else 1)

    def _slots_of_a_week(self) -> tuple[int, ...]:
        """Returns where in the start's week the counted slots begin: days that the layer has, and parts of days in
        which it has hours.
        """
        slot = self._every.slot_minutes
        if self._every.unit == "d":
            had = frozenset[int]().union(*(days for days, _, _ in self._hours))
            return tuple(day * slot for day in range(7) if (self.start.weekday() + day) % 7 in had)
        if self._every.unit in {"w", "month"}:
            return ()
        found = {starts // slot * slot % WEEK for day in range(7) for starts, _ in self._parts(day)}
        return tuple(sorted(found))

    def _number(self, minutes: int) -> int:
        """Returns the number of the turn at that time, counting every turn."""
        if self._every.unit != "month":
            return minutes // self._length
        then = self.at(minutes)
        months = (then.year - self.start.year) * 12 + then.month - self.start.month
        number = months // self._every.number
        return number if self._handoff(number) <= minutes else number - 1

    def _handoff(self, number: int) -> int:
        """Returns the start of that turn."""
        if self._every.unit != "month":
            return number * self._length
        return (months_later(self.start, number * self._every.number) - self.start) // _MINUTE

    @property
    def _length(self) -> int:
        """Minutes of a turn that is not in months."""
        if self._every.unit == "w":
            return self._every.number * WEEK
        return self._every.slot_minutes * (self._every.number if self._every.unit == "d" else 1)
