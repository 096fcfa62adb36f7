"""The expansion of policy, calendars and overrides to each schedule's shifts and gaps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from heapq import heappop, heappush
from itertools import pairwise

from receiver.on_call.calendar_events import CalendarError, CalendarReading, read_calendar
from receiver.on_call.rotation import rotation
from receiver.on_call.shift import Override, Roster, Shift, clipped, gaps, merged, without
from receiver.on_call.wall_time import instant, wall
from rules.policy import Layer, OnCallSchedule, Policy

_MARGIN = timedelta(days=2)
"""Exceeds the difference between wall time and UTC, plus hours that began before the window."""

_NOBODY = ""


def shifts(
    policy: Policy,
    calendars: Mapping[str, str],
    overrides: Sequence[Override],
    from_: int,
    until: int,
) -> tuple[Roster, ...]:
    """Returns every schedule's shifts and gaps in a window, in the policy's order.

    `calendars`: schedule → iCalendar text, of schedules with a URL. `overrides`: in the order in which they were made;
    the later one wins. An override whose person is no longer in the policy leaves a gap. A calendar that cannot be read
    is the `fault` of its schedule alone.
    """
    return tuple(
        _roster(policy, each, calendars.get(each.name) or each.calendar_text, overrides, from_, until)
        for each in policy.schedules
    )


def why_void(policy: Policy, override: Override) -> str:
    """Returns why an override has no effect; empty: it has."""
    if policy.schedule(override.schedule) is None:
        return f"the policy has no schedule {override.schedule}"
    return "" if policy.person(override.person) else f"the policy has nobody named {override.person}"


def _roster(
    policy: Policy, schedule: OnCallSchedule, calendar: str, overrides: Iterable[Override], from_: int, until: int
) -> Roster:
    own = [each for each in overrides if each.schedule == schedule.name and each.starts < each.ends]
    known = {person.name for person in policy.people}
    over = _uppermost(
        Shift(each.starts, each.ends, each.person if each.person in known else _NOBODY, f"override by {each.by}")
        for each in own
    )
    try:
        read, fault = read_calendar(calendar, policy.people, schedule.time_zone, from_, until), ""
    except CalendarError as error:
        read, fault = CalendarReading(()), str(error)
    usual = (*_of_layers(schedule.layers, from_, until), *read.shifts)
    found = (*without(usual, over), *(each for each in over if each.person != _NOBODY))
    inside = merged(clipped(found, from_, until))
    open_ = tuple(gaps(inside, from_, until))
    said = (read.unknown, read.free, fault, read.backwards)
    return Roster(schedule.name, schedule.time_zone, inside, open_, *said)


def _of_layers(layers: Iterable[Layer], from_: int, until: int) -> list[Shift]:
    return _uppermost(each for layer in layers for each in _of_layer(layer, from_, until))


def _of_layer(layer: Layer, from_: int, until: int) -> Iterator[Shift]:
    zone, turns = layer.time_zone, rotation(layer)
    for turn in turns.turns(wall(from_, zone) - _MARGIN, wall(until, zone) + _MARGIN):
        starts, ends = instant(turns.at(turn.starts), zone), instant(turns.at(turn.ends), zone)
        if starts < ends and starts < until and ends > from_:
            yield Shift(starts, ends, turn.person, layer.name)


def _uppermost(pieces: Iterable[Shift]) -> list[Shift]:
    """Returns at each instant the last given of the pieces that cover it."""
    ranked = sorted((each.starts, rank, each) for rank, each in enumerate(pieces))
    edges = sorted({edge for starts, _, each in ranked for edge in (starts, each.ends)})
    covering: list[tuple[int, Shift]] = []
    found: list[Shift] = []
    waiting = iter((*ranked, None))
    coming = next(waiting)
    for edge, following in pairwise(edges):
        while coming is not None and coming[0] <= edge:
            heappush(covering, (-coming[1], coming[2]))
            coming = next(waiting)
        while covering and covering[0][1].ends <= edge:
            heappop(covering)
        if covering:
            top = covering[0][1]
            found.append(Shift(edge, following, top.person, top.source))
    return found
