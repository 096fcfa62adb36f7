"""The expansion held against a second, slow one: every minute, from what the zone's clocks show, day by day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from receiver.on_call.expand import shifts
from receiver.on_call.shift import Override
from rules.load import load_text
from rules.policy import DutyHours, Layer, OnCallSchedule
from rules.rota import DAYS
from tests.on_call.teams import HEAD
from tests.on_call.zones import MINUTE, changes, clocks

BASE = load_text(HEAD.replace("@primary", "@dana")).policy
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = ("dana", "ben", "chris")
ZONES = (
    "Europe/Berlin",
    "America/Chicago",
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # a quarter of an hour, no changes
    "America/Santiago",  # changes at midnight
    "Africa/Casablanca",  # four changes a year
    "Europe/Dublin",  # summer time is the usual one
    "Pacific/Apia",
    "America/Nuuk",
    "Africa/Cairo",
    "UTC",
)


def day_ordinals(layer, first, last):
    """Day → how many days the layer has had from its start's until then, counted one by one."""
    had = {DAYS.index(day) for hours in layer.only for day in hours.days}
    count, day, found = 0, first, {}
    while day <= last:
        count += day.weekday() in had
        found[day] = count
        day += timedelta(days=1)
    return found


def month_later(start, months):
    """The same day so many months later, or the month's last."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    for day in range(start.day, 0, -1):
        try:
            return start.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    raise AssertionError


class Slow:
    """One layer, asked of one wall time after the other."""

    def __init__(self, layer):
        self.layer = layer
        self.start = datetime.fromisoformat(layer.starts)
        unit = layer.every.lstrip("0123456789")
        self.number, self.unit = int(layer.every.removesuffix(unit)), unit
        self.days = day_ordinals(layer, self.start.date(), date(2031, 1, 1)) if layer.only else {}

    def person(self, shown):
        if shown < self.start:
            return None
        turn = self.turn(shown)
        return None if turn is None else self.layer.people[turn % len(self.layer.people)]

    def turn(self, shown):
        """The number of the turn, or None outside the hours."""
        belongs_to = shown
        if self.layer.only:
            days = [day for hours in self.layer.only if (day := self.day_of(hours, shown)) is not None]
            if not days:
                return None
            day = max(days)
            if day != shown.date():  # the tail of a night is its evening's
                belongs_to = datetime.combine(day, datetime.max.time())
        return self.count(max(belongs_to, self.start))

    def day_of(self, hours, shown):
        """The day to whose hours this wall time belongs, or None."""
        time, day = f"{shown:%H:%M}", shown.date()
        if hours.begins < hours.ends:
            return day if DAYS[day.weekday()] in hours.days and hours.begins <= time < hours.ends else None
        if DAYS[day.weekday()] in hours.days and time >= hours.begins:
            return day
        yesterday = day - timedelta(days=1)
        return yesterday if DAYS[yesterday.weekday()] in hours.days and time < hours.ends else None

    def count(self, shown):
        if self.unit == "month":
            turn = 0
            while month_later(self.start, (turn + 1) * self.number) <= shown:
                turn += 1
            return turn
        if self.unit == "w":
            return (shown - self.start) // timedelta(weeks=self.number)
        if self.unit == "d" and self.layer.only:
            day = shown.date() if shown.time() >= self.start.time() else shown.date() - timedelta(days=1)
            return max(0, self.days.get(day, 0) - 1) // self.number
        return (shown - self.start) // timedelta(
            **{{"d": "days", "h": "hours", "m": "minutes"}[self.unit]: self.number}
        )


def slowly(schedule, overrides, starts, ends):
    """Minute by minute: who is on call, or None. `starts`, `ends`: datetimes in UTC."""
    layers = [(Slow(layer), list(clocks(layer.time_zone, starts, ends))) for layer in schedule.layers]
    for number in range((ends - starts) // MINUTE):
        person = None
        for slow, shown in layers:
            _, _, latest = shown[number]
            person = slow.person(latest) or person
        at = micros(starts + number * MINUTE)
        for each in overrides:
            if each.starts <= at < each.ends:
                person = each.person if each.person in NAMES else None
        yield at, person


def micros(at):
    return (at - EPOCH) // timedelta(microseconds=1)


def check(schedule, overrides, starts, ends, truth=None):
    """Hold one against the other, and the shape of the answer against what it promises."""
    (roster,) = shifts(replace(BASE, schedules=(schedule,)), {}, overrides, micros(starts), micros(ends))
    found = iter(sorted((*roster.shifts, *roster.gaps), key=lambda each: each.starts))
    part, edge = next(found), micros(starts)
    assert part.starts == edge
    for at, person in slowly(truth or schedule, overrides, starts, ends):
        if at >= part.ends:
            edge, part = part.ends, next(found)
            assert part.starts == edge  # neither gap nor overlap between the parts
        assert getattr(part, "person", None) == person, (at, part, person)
    assert part.ends == micros(ends)
    assert next(found, None) is None


at_changes = some.sampled_from(["00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "03:00", "23:30"])
"""Where zones change their clocks."""
times = at_changes | some.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
hours = some.builds(
    DutyHours,
    some.lists(some.sampled_from(DAYS), min_size=1, max_size=5, unique=True).map(tuple),
    times,
    times,
).filter(lambda each: each.begins != each.ends)


def quarters(each):
    """The quarters of an hour of the week that are in some hours."""
    begins, ends = (int(time[:2]) * 4 + int(time[3:]) // 15 for time in (each.begins, each.ends))
    lasts = (ends - begins) % 96
    return {(DAYS.index(day) * 96 + begins + number) % 672 for day in each.days for number in range(lasts)}


def are_apart(several):
    """Whether no two of them meet: then it is clear whose a moment is."""
    return all(quarters(one).isdisjoint(quarters(other)) for one, other in combinations(several, 2))


@some.composite
def layers(draw, zones=ZONES):
    """A layer that starts within the ten days before or after the window's beginning, or years before."""
    only = tuple(draw(some.lists(hours, max_size=2).filter(are_apart)))
    units = ["1d", "1d", "1d", "2d", "3d", "1w", "2w", "1month", "2month"] + (
        [] if only else ["12h", "8h", "30m", "45m", "90m"]
    )
    starts = draw(some.sampled_from([-800, *range(-40, 4)]))
    return (
        only,
        draw(some.sampled_from(units)),
        draw(times),
        starts,
        draw(some.sampled_from(zones)),
        draw(some.integers(1, 3)),
    )


def built(number, drawn, begins):
    only, every, time, days, zone, people = drawn
    day = begins.date() + timedelta(days=days)
    return Layer(f"layer {number}", NAMES[:people], f"{day}T{time}", every, zone, only)


@settings(max_examples=25, deadline=None)
@given(
    some.lists(layers(), min_size=1, max_size=2),
    some.integers(2024, 2030),
    some.integers(0, 3),
    some.lists(
        some.tuples(some.integers(0, 4000), some.integers(1, 3000), some.sampled_from((*NAMES, "gone"))), max_size=2
    ),
)
def test_the_expansion_is_what_the_clocks_show(drawn, year, change, taken):
    """Over every zone's changes of clocks: the same person at every minute, no gap and no overlap that is not meant."""
    zone = drawn[0][4]
    around = changes(zone, year) or [datetime(year, 3, 1, tzinfo=UTC)]
    middle = around[change % len(around)].replace(minute=0)
    starts, ends = middle - timedelta(days=1), middle + timedelta(days=1, hours=6)
    schedule = OnCallSchedule("primary", zone, tuple(built(n, each, starts) for n, each in enumerate(drawn, 1)))
    overrides = [
        Override("primary", who, micros(starts + after * MINUTE), micros(starts + (after + lasts) * MINUTE), "lee")
        for after, lasts, who in taken
    ]
    check(schedule, overrides, starts, ends)


@pytest.mark.parametrize("zone", ZONES)
def test_over_a_weekend_in_every_zone(zone):
    """Restricted hours, nights that reach into the next day, and the rest of the week, for five days."""
    office = DutyHours(DAYS[:5], "09:00", "17:00")
    night = DutyHours(("fri", "sat", "sun"), "22:00", "06:30")
    schedule = OnCallSchedule(
        "primary",
        zone,
        (
            Layer("layer 1", NAMES, "2026-09-01T08:00", "1w", zone),
            Layer("layer 2", NAMES, "2026-10-01T09:00", "1d", zone, (office,)),
            Layer("layer 3", NAMES[:2], "2026-09-20T00:00", "1d", zone, (night,)),
        ),
    )
    check(schedule, (), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC))


def test_the_oracle_finds_a_planted_fault():
    """A handoff that is off by an hour does not pass."""
    starts, ends = datetime(2026, 3, 28, 10, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    right, wrong = (
        OnCallSchedule("primary", "Europe/Berlin", (Layer("layer 1", NAMES, f"2026-03-28T{time}", "1d", zone),))
        for time, zone in (("09:00", "Europe/Berlin"), ("08:00", "UTC"))
    )
    check(right, (), starts, ends)
    with pytest.raises(AssertionError):
        check(wrong, (), starts, ends, truth=right)
