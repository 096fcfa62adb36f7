"""How soon a person is reached over a year of schedules: one drill per distinct set of people on call.

Sets are alike if the same channels reach as many people in the same ways; alike sets share one drill.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from receiver.core.model import Instant
from receiver.drill.on_call_walk import OnCallYear
from receiver.drill.reach import Reach, badness, reaches
from receiver.messages.times import stamp
from receiver.on_call.references import people_of
from rules.lint_catalog import doubt
from rules.policy import CRITICAL, REFERENCE, Place, Policy
from rules.problems import Problem
from rules.time_zones import time_zone


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """The people on call at one time, and all sets that are alike."""

    at: int
    is_whole: bool
    """Every schedule has a person on call."""
    casts: list[tuple[str, ...]]
    """Names in the order of their part in the drill; the first tuple is this set's own."""


@dataclass(frozen=True, slots=True)
class WorstHour:
    """The worst hour of a level in the year."""

    level: int
    after: int | None
    """Microseconds until a person is reached, with all channels up; None: not within the response time."""
    at: int
    """The first instant at which this holds."""
    missing: str
    """The person whose absence delays most; empty: there is none."""
    without: int | None
    """The same as `after` without the person `missing`."""


def sets(year: OnCallYear) -> list[PeopleSet]:
    """The distinct sets of people of a year at their first occurrence; alike sets are merged."""
    starts = (each.starts for roster in year.rosters for part in (roster.shifts, roster.gaps) for each in part)
    seen: set[tuple[tuple[str, ...], ...]] = set()
    found: dict[tuple[object, ...], PeopleSet] = {}
    for at in sorted({year.starts, *starts}):
        on_call = tuple(tuple(sorted(shift.person for shift in roster.at(at))) for roster in year.rosters)
        if on_call not in seen:
            seen.add(on_call)
            likeness, cast = _likeness(year, at)
            alike = found.setdefault((likeness, all(on_call)), PeopleSet(at, all(on_call), []))
            alike.casts.append(cast)
    return list(found.values())


def _likeness(year: OnCallYear, at: int) -> tuple[object, tuple[str, ...]]:
    """The properties of a set that determine a drill (who is where, by number; how each is reached), and the names."""
    policy, numbers = year.drilled, dict[str, int]()

    def part(recipient: str) -> object:
        if not recipient.startswith(REFERENCE):
            return recipient
        people = people_of(recipient, policy, year.rosters, at)
        return tuple(numbers.setdefault(each.name, len(numbers)) for each in people)

    parts = tuple(tuple(map(part, channel.recipients)) for channel in policy.channels)
    known = (policy.person(name) for name in numbers)
    traits = tuple((tuple(dict(each.contacts)), each.reach, each.repeat) for each in known if each)
    return (parts, traits), tuple(numbers)


def reaches_over(year: OnCallYear) -> tuple[tuple[Reach, ...], tuple[WorstHour, ...]]:
    """Each way of notification in its worst hour, and the worst hour of each level.

    Hours in which a schedule has nobody on call count from level 3 on only; for lower levels the gap lint covers them.
    """
    if not uses_on_call(year.policy):
        return reaches(year.policy), ()
    found = [(each, tuple(_for_all(way, each.casts) for way in _drilled(year, each))) for each in sets(year)]
    usual = [ways for each, ways in found if each.is_whole] or [ways for _, ways in found]
    worst = [_worst(way, usual if way.level < CRITICAL else [ways for _, ways in found]) for way in found[0][1]]
    return tuple(worst), tuple(_hours(found))


def _drilled(year: OnCallYear, one: PeopleSet) -> tuple[Reach, ...]:
    people = (year.drilled.person(name) for name in one.casts[0])
    return reaches(year.drilled, Instant(one.at), [each for each in people if each is not None])


def uses_on_call(policy: Policy) -> bool:
    """Whether any channel has a person or a schedule as recipient."""
    return any(each.startswith(REFERENCE) for channel in policy.channels for each in channel.recipients)


def _worst(way: Reach, over: Iterable[tuple[Reach, ...]]) -> Reach:
    same = [each for ways in over for each in ways if (each.level, each.channels) == (way.level, way.channels)]
    return replace(
        way,
        all_up=max((each.all_up for each in same), key=badness),
        without=_each_worst(each.without for each in same),
        without_person=_each_worst(each.without_person for each in same),
    )


def _for_all(way: Reach, casts: list[tuple[str, ...]]) -> Reach:
    """A result without one person also holds without the person in the same part of an alike set."""
    own = casts[0]
    several = ({cast[own.index(name)]: after for name, after in way.without_person.items()} for cast in casts)
    return replace(way, without_person=_each_worst(several))


def _each_worst(several: Iterable[Mapping[str, int | None]]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for each in several:
        for name, after in each.items():
            found[name] = max(found.get(name, after), after, key=badness)
    return found


def _hours(found: list[tuple[PeopleSet, tuple[Reach, ...]]]) -> Iterator[WorstHour]:
    levels = dict.fromkeys(way.level for way in found[0][1])
    for level in levels:
        after, _, at = max(
            ((way.all_up, -each.at, each.at) for each, ways in found for way in ways if way.level == level),
            key=lambda each: (badness(each[0]), each[1]),
        )
        missing = [
            (without, name)
            for _, ways in found
            for way in ways
            if way.level == level
            for name, without in way.without_person.items()
        ]
        without, name = max(missing, key=lambda each: badness(each[0]), default=(after, ""))
        yield WorstHour(level, after, at, name, without)


def person_lints(policy: Policy, ways: Iterable[Reach]) -> Iterator[Problem]:
    """People without whom no page reaches a person."""
    lost: dict[str, list[str]] = {}
    for way in ways:
        for name, after in way.without_person.items():
            if after is None and way.all_up is not None:
                lost.setdefault(name, []).extend(f'"{each.name}"' for each in way.members)
    for name, members in lost.items():
        person = policy.person(name)
        if members:
            message = f"while nothing gets through to {name}, nobody is reached within the response time of "
            place = (person.place if person else None) or Place("", 0)
            yield doubt("single-person", place, message + ", ".join(dict.fromkeys(members)))


def hour_words(hour: WorstHour, policy: Policy) -> str:
    """The first occurrence of a level's worst hour, as text."""
    return stamp(Instant(hour.at), time_zone(policy.time_zone))
