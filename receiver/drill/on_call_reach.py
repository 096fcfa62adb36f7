"""How soon a person is reached over a year of schedules, for each distinct set of people on call."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from receiver.core.model import Instant
from receiver.drill.on_call_sets import Part, PeopleSet, sets, tellers
from receiver.drill.on_call_walk import OnCallYear
from receiver.drill.reach import (
    Attempts,
    FirstAttempt,
    PageWay,
    Reach,
    SilentDrill,
    badness,
    first_of,
    reach_by,
    reaches,
    ways,
)
from receiver.messages.times import stamp
from rules.lint_catalog import doubt
from rules.policy import CRITICAL, REFERENCE, Person, Place, Policy
from rules.problems import Problem
from rules.time_zones import time_zone


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


class _Drills:
    """The drills of one way of notification over a year: only those that tell something new."""

    def __init__(self, year: OnCallYear, way: PageWay, told_by: Mapping[Part, PeopleSet]) -> None:
        self._year, self._way = year, way
        self._told_by = told_by
        self._people = {each.name: each for each in year.drilled.people}
        self._drills: dict[int, SilentDrill] = {}
        self._firsts: dict[tuple[Part, str], FirstAttempt] = {}

    def reach(self, one: PeopleSet) -> Reach:
        """How soon the way reaches a person of this set."""
        people = [self._people[name] for name in one.casts[0]]
        firsts = [self._first(*each) for each in zip(one.parts, (*people, None), strict=True)]
        return reach_by(self._year.drilled, self._way, firsts, people)

    def _first(self, part: Part, person: Person | None) -> FirstAttempt:
        """The first attempt to that person, or to recipients that are none of the set's people."""
        key = part, person.name if person else ""
        if key not in self._firsts:
            teller = self._told_by[part]
            attempts, names = self._drill(teller).attempts, teller.casts[0]
            stands_for = names[teller.parts.index(part)] if person else ""
            self._firsts[key] = _first_to(attempts, stands_for, person) if person else _first_of(attempts, names)
        return self._firsts[key]

    def _drill(self, one: PeopleSet) -> SilentDrill:
        if one.at not in self._drills:
            held = self._year.held(one.at)
            self._drills[one.at] = SilentDrill(self._year.drilled, self._way, held, Instant(one.at))
        return self._drills[one.at]


def _first_to(attempts: Attempts, name: str, person: Person) -> FirstAttempt:
    """The first of the attempts to the person `name`, as one to `person`, who has the same role."""
    return first_of(
        lambda until: (
            replace(each, recipient=person.contact(each.type) or "", person=person.name)
            for each in attempts(until)
            if each.person == name
        )
    )


def _first_of(attempts: Attempts, besides: Container[str]) -> FirstAttempt:
    return first_of(lambda until: (each for each in attempts(until) if each.person not in besides))


def reaches_over(year: OnCallYear) -> tuple[tuple[Reach, ...], tuple[WorstHour, ...]]:
    """Each way of notification in its worst hour, and the worst hour of each level.

    Hours in which a schedule has nobody on call count from level 3 on only; for lower levels the gap lint covers them.
    """
    if not uses_on_call(year.policy):
        return reaches(year.policy), ()
    distinct = sets(year)
    told_by = tellers(distinct)
    drills = [_Drills(year, way, told_by) for way in ways(year.drilled)]
    found = [(each, tuple(_for_all(way.reach(each), each.casts) for way in drills)) for each in distinct]
    usual = [some for each, some in found if each.is_whole] or [some for _, some in found]
    worst = [_worst(way, usual if way.level < CRITICAL else [some for _, some in found]) for way in found[0][1]]
    return tuple(worst), tuple(_hours(found))


def uses_on_call(policy: Policy) -> bool:
    """Whether any channel has a person or a schedule as recipient."""
    return any(each.startswith(REFERENCE) for channel in policy.channels for each in channel.recipients)


def _worst(way: Reach, over: Iterable[tuple[Reach, ...]]) -> Reach:
    same = [each for some in over for each in some if (each.level, each.channels) == (way.level, way.channels)]
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
            ((way.all_up, -each.at, each.at) for each, some in found for way in some if way.level == level),
            key=lambda each: (badness(each[0]), each[1]),
        )
        missing = [
            (without, name)
            for _, some in found
            for way in some
            if way.level == level
            for name, without in way.without_person.items()
        ]
        without, name = max(missing, key=lambda each: badness(each[0]), default=(after, ""))
        yield WorstHour(level, after, at, name, without)


def person_lints(policy: Policy, found: Iterable[Reach]) -> Iterator[Problem]:
    """People without whom no page reaches a person."""
    lost: dict[str, list[str]] = {}
    for way in found:
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
