"""How soon a person is reached, whoever is on call: one drill per distinct set of people, at the shifts' boundaries.

Two sets are alike where the same channels reach as many people in the same way: they are drilled once.
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
    """Whoever is on call at once, the first time that it is so, and those who are on call alike at other times."""

    at: int
    is_whole: bool
    """Every schedule has somebody."""
    casts: list[tuple[str, ...]]
    """Names by their part in the drill, its own first."""


@dataclass(frozen=True, slots=True)
class WorstHour:
    """A level's worst hour of the year."""

    level: int
    after: int | None
    """Microseconds until a person is reached, with everything up; None: not within the response time."""
    at: int
    """When it first is so."""
    missing: str
    """The person whose absence is worst; empty: nobody's."""
    without: int | None
    """How soon a person is reached without that one."""


def sets(year: OnCallYear) -> list[PeopleSet]:
    """The distinct sets of people of a year, each when it first is so; those that are alike as one."""
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
    """What of a set a drill depends on: who stands where, by number, and how each is reached; and their names."""
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
    """Every way to be told, as it is in its worst hour, and each level's worst hour.

    Hours in which a schedule has nobody count from level 3 on: below, a gap is told as one.
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
    """Whether any channel tells a person or a schedule by name."""
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
    """What is true without one person is true without whoever has their part in a set that is alike."""
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
    """People without whom nobody is reached."""
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
    """When a level's worst hour first is."""
    return stamp(Instant(hour.at), time_zone(policy.time_zone))
