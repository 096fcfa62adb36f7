"""Skips repetitions: a drill plays a few rounds of repeated events, then the clock leaps over the others.

Decisions depend only on the incident, the event and the time until its windows. So if the complete state recurs twice
after equal periods, it recurs until a person acts. Counters continue at their rate. While a channel fails, no rounds
are skipped, because failures and retry times depend on the message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from receiver.core.model import Incident, Instant
from receiver.core.rate_limit import Bucket, RateLimitKey
from receiver.drill.simulator import World

LONGEST = 12
"""The maximum of moments in a round."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Skipped rounds, each equal to the one before."""

    since: Instant
    """The last moment played: the end of a round."""
    every: int
    """The length of a round, in microseconds."""
    times: int
    entries: int
    """Timeline entries per round."""
    sent: int
    """Messages per round."""

    @property
    def begins(self) -> Instant:
        """The end of the first skipped round."""
        return Instant(self.since + self.every)

    @property
    def until(self) -> Instant:
        """The end of the last skipped round."""
        return Instant(self.since + self.times * self.every)


@dataclass(frozen=True, slots=True)
class _Moment:
    at: Instant
    incident: Incident
    buckets: Mapping[RateLimitKey, Bucket]
    entries: int
    sent: int


class Uneven(Exception):  # noqa: N818 - control flow: not a repetition
    """The rounds differ, so none may be skipped."""


class Repeats:
    """Detects the repetitions of one incident of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moments: list[_Moment] = []
        self.found: list[Repeated] = []

    def look(self, incident_id: str) -> None:
        """Called after each moment: if it ends a repeated round, leap to the last such moment before the end."""
        world = self._world
        if world.channel_faults.down or world.channel_faults.flaky or world.store.is_waiting:
            self._moments.clear()
            return
        incident, buckets = world.incident(incident_id), dict(world.store.stored_buckets)
        moment = _Moment(world.now, incident, buckets, len(world.timeline), len(world.sent))
        self._moments = [*self._moments[-2 * LONGEST :], moment]
        for length in range(1, (len(self._moments) - 1) // 2 + 1):
            if self._leap(*self._moments[-1 - 2 * length :: length]):
                self._moments.clear()
                return

    def _leap(self, first: _Moment, second: _Moment, third: _Moment) -> bool:
        world, every = self._world, third.at - second.at
        times = (world.until - third.at) // every if every else 0
        if times < 1 or not _is_round(first, second, third):
            return False
        try:
            incident = _after(first.incident, second.incident, third.incident, times)
            buckets = _after(first.buckets, second.buckets, third.buckets, times)
        except Uneven:
            return False
        world.store.leap(incident, buckets)
        world.now = Instant(third.at + times * every)
        entries, sent = third.entries - second.entries, third.sent - second.sent
        self.found.append(Repeated(third.at, every, times, entries, sent))
        return True


def _is_round(first: _Moment, second: _Moment, third: _Moment) -> bool:
    """Whether both rounds are equally long, with every window equally far ahead at both ends."""
    every = third.at - second.at
    before, after = second.incident.windows, third.incident.windows
    return (
        second.at - first.at == every
        and before.keys() == after.keys()
        and all(after[window] - at == every for window, at in before.items())
        and (third.entries - second.entries, third.sent - second.sent)
        == (second.entries - first.entries, second.sent - first.sent)
    )


def _after(first: Any, second: Any, third: Any, times: int) -> Any:
    """The value `times` rounds later: the same, or a number that continues linearly. Raises Uneven."""
    if first == second == third:
        return third
    if type(third) is not type(first) or type(third) is not type(second):
        raise Uneven
    if type(third) is int:
        if third - second != second - first:
            raise Uneven
        return third + times * (third - second)
    if isinstance(third, tuple) and len(first) == len(second) == len(third):
        return tuple(_after(*each, times) for each in zip(first, second, third, strict=True))
    if isinstance(third, dict) and first.keys() == second.keys() == third.keys():
        return {name: _after(first[name], second[name], third[name], times) for name in third}
    if isinstance(third, Struct):
        names = third.__struct_fields__
        return type(third)(
            **{n: _after(getattr(first, n), getattr(second, n), getattr(third, n), times) for n in names}
        )
    raise Uneven
