"""Expands every schedule over the coming year and yields the on-call lints of `tocsin check`.

It compares shifts and gaps without drills; `on_call_reach` drills.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import combinations, groupby, pairwise

from receiver.core.model import Instant
from receiver.messages.times import stamp
from receiver.on_call.expand import shifts
from receiver.on_call.references import names_schedule
from receiver.on_call.shift import Gap, Roster, Shift, merged
from receiver.on_call.wall_time import instant, local
from rules.durations import format_duration
from rules.lint_catalog import doubt
from rules.policy import CRITICAL, HOUR, MINUTE, REFERENCE, Channel, Layer, OnCallSchedule, Place, Policy
from rules.problems import Problem
from rules.time_zones import time_zone

DAY = 24 * HOUR
NIGHT_BEGINS, NIGHT_ENDS, DEEP_NIGHT = 22, 7, 3
"""Hours of the person's local day: a handoff from 22 to 7 is at night; a shift over hour 3 counts as a night."""

FOREVER = 1000 * DAY
"""Exceeds every response time."""

NAMED = 5
"""The number of times that a message lists; it counts the rest."""


@dataclass(frozen=True, slots=True)
class OnCallYear:
    """Every schedule over the coming days."""

    policy: Policy
    starts: int
    ends: int
    rosters: tuple[Roster, ...]
    unread: Mapping[str, str]
    """Schedule → the reason why its shifts are unknown."""
    drilled: Policy
    """The policy with an assumed person on call in the unknown schedules."""

    def held(self, at: int) -> tuple[Roster, ...]:
        """The people on call at an instant, as if they were from then on; also the assumed ones."""
        known = [replace(each, shifts=each.at(at), gaps=()) for each in self.rosters]
        unknown = (each for each in self.drilled.schedules if each.name in self.unread)
        assumed = (
            Roster(
                each.name,
                each.time_zone,
                tuple(Shift(at, at, layer.people[0], layer.name) for layer in each.layers),
                (),
            )
            for each in unknown
        )
        return tuple(_lasting(each, at) for each in (*known, *assumed))


def walk(policy: Policy, starts: int, days: int) -> OnCallYear:
    """Expand every schedule over `days` days from an instant (microseconds)."""
    ends = starts + days * DAY
    unread: dict[str, str] = {}
    rosters: list[Roster] = []
    for schedule, roster in zip(policy.schedules, shifts(policy, {}, (), starts, ends), strict=True):
        if is_unknown(schedule):
            unread[schedule.name] = f"{schedule.calendar_shown} is fetched by the service"
        elif roster.fault:
            unread[schedule.name] = roster.fault
        else:
            rosters.append(roster)
    drilled = tuple(_assumed(policy, each) if each.name in unread else each for each in policy.schedules)
    return OnCallYear(policy, starts, ends, tuple(rosters), unread, replace(policy, schedules=drilled))


def _lasting(roster: Roster, at: int) -> Roster:
    ends = at + FOREVER
    held = tuple(replace(each, starts=at, ends=ends) for each in roster.shifts)
    return replace(roster, shifts=held, gaps=() if held else (Gap(at, ends),))


def with_copies(policy: Policy, copies: Mapping[str, str]) -> Policy:
    """The policy with the given iCalendar texts for schedules whose calendars are at URLs."""
    given = tuple(replace(each, calendar_text=copies.get(each.name, each.calendar_text)) for each in policy.schedules)
    return replace(policy, schedules=given)


def is_unknown(schedule: OnCallSchedule) -> bool:
    """Whether its calendar is at a URL and no copy of it is available."""
    return schedule.is_fetched and not schedule.calendar_text


def _assumed(policy: Policy, schedule: OnCallSchedule) -> OnCallSchedule:
    """The schedule with one person always on call, for drills: the person with the most contacts."""
    people = sorted(policy.people, key=lambda each: -len(each.contacts))
    if not people:
        return schedule
    layer = Layer("layer 1", (people[0].name,), "2000-01-01T00:00", "1w", schedule.time_zone)
    return replace(schedule, calendar="", calendar_text="", layers=(layer,))


def lints(year: OnCallYear) -> Iterator[Problem]:
    """All doubts about the year."""
    for name, why in year.unread.items():
        message = f"{name}: who is on call is not known here: {why}"
        yield doubt("calendar-not-read", _place(year.policy, name), message)
    for roster in year.rosters:
        schedule = year.policy.schedule(roster.name)
        assert schedule is not None, "rosters are of the policy's schedules"
        yield from _gaps(year, roster, schedule)
        yield from _calendars(year, roster, schedule)
        yield from _nights(year, roster, schedule)
        yield from _handoffs(year, roster)
    yield from _twice(year)
    yield from _contacts(year)
    yield from _fallback(year.policy)


def _gaps(year: OnCallYear, roster: Roster, schedule: OnCallSchedule) -> Iterator[Problem]:
    """The time after a calendar's last event is its end, not a gap; without events, the whole year is a gap."""
    ended = schedule.calendar and roster.shifts and roster.gaps and roster.gaps[-1].ends == year.ends
    found = roster.gaps[:-1] if ended else roster.gaps
    if found:
        lasting = format_duration(sum(each.ends - each.starts for each in found) // MINUTE * MINUTE)
        message = f"{roster.name}: nobody is on call {_first(found, roster.time_zone)}; in all {lasting}"
        yield doubt("on-call-gap", _place(year.policy, roster.name), message)


def _calendars(year: OnCallYear, roster: Roster, schedule: OnCallSchedule) -> Iterator[Problem]:
    if not schedule.calendar:
        return
    place = _place(year.policy, roster.name)
    if roster.shifts and roster.gaps and roster.gaps[-1].ends == year.ends:
        ended = _when(roster.gaps[-1].starts, roster.time_zone)
        yield doubt("calendar-ends", place, f"{roster.name}: the calendar ends {ended}: nobody is on call from then on")
    overlaps = [
        Gap(later.starts, min(earlier.ends, later.ends))
        for earlier, later in pairwise(roster.shifts)
        if later.starts < earlier.ends
    ]
    if overlaps:
        message = f"{roster.name}: several people are on call {_first(overlaps, roster.time_zone)}"
        yield doubt("calendar-overlap", place, f"{message}: all of them are told")
    if roster.unknown:
        names = ", ".join(f'"{each}"' for each in roster.unknown)
        said = f"{roster.name}: the calendar names nobody of `people` with {names}: write that among their `aliases`"
        yield doubt("calendar-name", place, said)
    if roster.free:
        said = f"{roster.name}: events that name {', '.join(roster.free)} are marked as free, and put nobody on call"
        yield doubt("calendar-free", place, said)
    if roster.backwards:
        names = ", ".join(f'"{each}"' for each in roster.backwards)
        said = f"{roster.name}: events of the calendar end before they begin, and put nobody on call: {names}"
        yield doubt("calendar-backwards", place, said)


def _nights(year: OnCallYear, roster: Roster, schedule: OnCallSchedule) -> Iterator[Problem]:
    """More nights in a row than the schedule allows. A person has a night when on call at its hour `DEEP_NIGHT`."""
    for person in year.policy.people:
        nights = sorted(
            {day for each in roster.shifts if each.person == person.name for day in _deep(each, person.time_zone)}
        )
        runs = [[day for _, day in run] for _, run in groupby(enumerate(nights), lambda each: each[1] - each[0])]
        longest = max(runs, key=len, default=[])
        if len(longest) > schedule.nights:
            first = date.fromordinal(longest[0])
            message = f"{roster.name}: {person.name} is on call {len(longest)} nights in a row from {first}"
            yield doubt("nights-in-a-row", _place(year.policy, roster.name), f"{message}, more than {schedule.nights}")


def _deep(shift: Shift, zone: str) -> Iterator[int]:
    """The days (ordinals, in the person's zone) whose hour `DEEP_NIGHT` is in the shift."""
    first, last = (local(at, zone).date() for at in (shift.starts, shift.ends))
    for day in range(first.toordinal(), last.toordinal() + 1):
        deepest = instant(datetime.combine(date.fromordinal(day), time(DEEP_NIGHT)), zone)
        if shift.starts <= deepest < shift.ends:
            yield day


def _handoffs(year: OnCallYear, roster: Roster) -> Iterator[Problem]:
    """Shifts that begin at night in the zone of their person, by a handoff or after a gap; one person's next shift
    without a break is no handoff.
    """
    found: dict[str, list[Shift]] = {}
    zones = {each.name: each.time_zone for each in year.policy.people}
    ended = {(each.person, each.ends) for each in roster.shifts}
    for each in roster.shifts:
        if each.starts == year.starts or (each.person, each.starts) in ended:
            continue
        hour = local(each.starts, zones[each.person]).hour
        if hour >= NIGHT_BEGINS or hour < NIGHT_ENDS:
            found.setdefault(each.person, []).append(each)
    for person, some in found.items():
        times = _more(_when(some[0].starts, zones[person]), len(some))
        message = f"{roster.name}: {person} takes over at night in their zone ({zones[person]}): {times}"
        yield doubt("handoff-at-night", _place(year.policy, roster.name), message)


def _twice(year: OnCallYear) -> Iterator[Problem]:
    """A person on call in two schedules at once is their own backup."""
    for one, other in combinations(year.rosters, 2):
        both = sorted(
            Shift(gap.starts, gap.ends, person.name, "")
            for person in year.policy.people
            for gap in _common(*([each for each in side.shifts if each.person == person.name] for side in (one, other)))
        )
        if both:
            names = ", ".join(dict.fromkeys(each.person for each in both))
            times = merged(replace(each, person="") for each in both)
            said = _first([Gap(each.starts, each.ends) for each in times], one.time_zone)
            message = f"{names}: on call in {one.name} and {other.name} at once {said}"
            yield doubt("on-call-twice", _place(year.policy, other.name), message)


def _common(some: list[Shift], others: list[Shift]) -> Iterator[Gap]:
    """The overlaps of two sorted lists of one person's shifts."""
    start = 0
    for mine in some:
        while start < len(others) and others[start].ends <= mine.starts:
            start += 1
        for theirs in others[start:]:
            if theirs.starts >= mine.ends:
                break
            yield Gap(max(mine.starts, theirs.starts), min(mine.ends, theirs.ends))


def _contacts(year: OnCallYear) -> Iterator[Problem]:
    """People on call for a channel without a contact of its type."""
    rosters = {each.name: each for each in year.rosters}
    for channel in year.policy.channels:
        for recipient in channel.recipients:
            roster = rosters.get(recipient.removeprefix(REFERENCE)) if recipient.startswith(REFERENCE) else None
            for shift in _first_shifts(roster):
                person = year.policy.person(shift.person)
                if person is not None and person.contact(channel.type) is None:
                    when = _when(shift.starts, year.policy.time_zone)
                    message = f"{person.name} has no contact for {channel.type}: `{channel.name}` cannot reach them"
                    yield doubt("contact-missing", channel.place or Place("", 0), f"{message}, first on {when}")


def _first_shifts(roster: Roster | None) -> list[Shift]:
    """The first shift of each person."""
    first: dict[str, Shift] = {}
    for each in roster.shifts if roster else ():
        first.setdefault(each.person, each)
    return list(first.values())


def _fallback(policy: Policy) -> Iterator[Problem]:
    """From level 3 on, at least one fallback must not depend on a schedule or calendar."""
    usable = [each for each in policy.channels if each.enabled and {each.name, each.type} & set(policy.fallback)]
    if any(_depends(policy, each) for each in policy.channels) and all(_depends(policy, each) for each in usable):
        place = next(each.place for each in policy.channels if _depends(policy, each)) or Place("", 0)
        message = f"from level {CRITICAL} on every fallback hangs on a schedule: where that has nobody, nobody is left"
        yield doubt("fallback-by-schedule", place, message)


def _depends(policy: Policy, channel: Channel) -> bool:
    """Whether the channel reaches no person while its schedules have gaps."""
    return bool(channel.recipients) and all(names_schedule(policy, each) for each in channel.recipients)


def _first(parts: Sequence[Gap], zone: str) -> str:
    """The first `NAMED` times, and the number of the others."""
    told = "; ".join(f"from {_when(each.starts, zone)} to {_when(each.ends, zone)}" for each in parts[:NAMED])
    return _more(told, len(parts) - NAMED + 1) if len(parts) > NAMED else told


def _more(first: str, count: int) -> str:
    return first if count == 1 else f"{first}, and {count - 1:,} more times"


def _when(at: int, zone: str) -> str:
    return f"{local(at, zone):%a} {stamp(Instant(at), time_zone(zone))}"


def _place(policy: Policy, name: str) -> Place:
    schedule = policy.schedule(name)
    return (schedule.place if schedule else None) or Place("", 0)
