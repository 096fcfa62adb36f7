"""How soon a person is reached over a year of schedules, for each distinct set of people on call.

When a person is paged does not depend on the `reach` of the others on call. So a drill tells of each of its people what
holds for them in every set with the same surroundings; only sets with a person of whom that is not known are drilled.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from receiver.core.model import Instant
from receiver.drill.on_call_walk import OnCallYear
from receiver.drill.reach import Attempts, PageAttempt, PageWay, Reach, SilentDrill, badness, reach_by, reaches, ways
from receiver.messages.times import stamp
from receiver.on_call.references import people_of
from rules.lint_catalog import doubt
from rules.policy import CRITICAL, REFERENCE, Person, Place, Policy
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
    parts: tuple[tuple[object, ...], ...]
    """Of each channel's recipients: the address, or the numbers of the people that the reference stands for."""


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
    """The distinct sets of people of a year at their first occurrence; sets that no drill can tell apart are merged."""
    starts = (each.starts for roster in year.rosters for part in (roster.shifts, roster.gaps) for each in part)
    seen: set[tuple[tuple[str, ...], ...]] = set()
    found: dict[tuple[object, ...], PeopleSet] = {}
    shared = _shared(year.drilled)
    for at in sorted({year.starts, *starts}):
        on_call = tuple(tuple(sorted(shift.person for shift in roster.at(at))) for roster in year.rosters)
        if on_call not in seen:
            seen.add(on_call)
            parts, cast = _parts(year, at)
            traits = tuple(_traits(each, shared) for each in _people(year, cast))
            alike = found.setdefault((parts, traits, all(on_call)), PeopleSet(at, all(on_call), [], parts))
            alike.casts.append(cast)
    return list(found.values())


def _parts(year: OnCallYear, at: int) -> tuple[tuple[tuple[object, ...], ...], tuple[str, ...]]:
    """Who is where, by number, and their names in the order of their numbers."""
    policy, numbers = year.drilled, dict[str, int]()

    def part(recipient: str) -> object:
        if not recipient.startswith(REFERENCE):
            return recipient
        people = people_of(recipient, policy, year.rosters, at)
        return tuple(numbers.setdefault(each.name, len(numbers)) for each in people)

    return tuple(tuple(map(part, channel.recipients)) for channel in policy.channels), tuple(numbers)


def _people(year: OnCallYear, names: Iterable[str]) -> list[Person]:
    found = map(year.drilled.person, names)
    return [each for each in found if each is not None]


def _traits(person: Person, shared: frozenset[str]) -> tuple[object, ...]:
    """What a drill can tell of a person: how they want to be told, and where; of addresses, those of others too."""
    contacts = tuple((type_, address if address in shared else "") for type_, address in person.contacts)
    return person.repeat, contacts, person.reach


def _shared(policy: Policy) -> frozenset[str]:
    """The addresses that several people have, or that a channel names too: they are told once."""
    own = (dict.fromkeys(address for _, address in each.contacts) for each in policy.people)
    named = (each for channel in policy.channels for each in channel.recipients)
    count = Counter(address for some in (*own, named) for address in dict.fromkeys(some))
    return frozenset(address for address, times in count.items() if times > 1)


class _Drills:
    """The drills of one way of notification over a year: only those that tell something new."""

    def __init__(self, year: OnCallYear, way: PageWay) -> None:
        self._year, self._way = year, way
        self._shared = _shared(year.drilled)
        named = (each for each in year.drilled.channels if {each.name, each.type} & set(year.drilled.fallback))
        self._fallbacks = frozenset(each.type for each in named if any(to[:1] == REFERENCE for to in each.recipients))
        self._known: dict[tuple[object, ...], Attempts] = {}
        """Surroundings, place and traits → the attempts to such a person; surroundings → those to other recipients."""

    def reach(self, one: PeopleSet) -> Reach:
        """How soon the way reaches a person of this set."""
        people = _people(self._year, one.casts[0])
        around = (self._surroundings(one, people),)
        keys = [(*around, _place(one, n), _traits(each, self._shared)) for n, each in enumerate(people)]
        if not self._known.keys() >= {around, *keys}:
            drill = SilentDrill(self._year.drilled, self._way, self._year.held(one.at), Instant(one.at))
            names = [each.name for each in people]
            self._known.setdefault(around, _of_others(drill.attempts, names))
            for key, name in zip(keys, names, strict=True):
                self._known.setdefault(key, _of(drill.attempts, name))
        own = (_as_of(self._known[key], each) for key, each in zip(keys, people, strict=True))
        return reach_by(self._year.drilled, self._way, [self._known[around], *own], people)

    def _surroundings(self, one: PeopleSet, people: Sequence[Person]) -> object:
        """What others of the set can change for a person: which references have a person to tell, or to spare; and
        all of those who share an address, or whose own ways may leave a fallback no person to tell.
        """
        filled = tuple(
            frozenset(people[n].repeat for n in part if people[n].contact(channel.type))
            if isinstance(part, tuple)
            else part
            for channel, parts in zip(self._year.drilled.channels, one.parts, strict=True)
            for part in parts
        )
        tied = frozenset(
            (_place(one, n), _traits(each, self._shared)) for n, each in enumerate(people) if self._is_tied(each)
        )
        return filled, tied

    def _is_tied(self, person: Person) -> bool:
        own_ways = {type_ for step in person.reach for type_ in step.by}
        return bool(own_ways & self._fallbacks or self._shared.intersection(each for _, each in person.contacts))


def _place(one: PeopleSet, number: int) -> tuple[tuple[int, int], ...]:
    """The places at which a person of the set stands: channel, recipient."""
    return tuple(
        (row, column)
        for row, parts in enumerate(one.parts)
        for column, part in enumerate(parts)
        if isinstance(part, tuple) and number in part
    )


def _of(attempts: Attempts, name: str) -> Attempts:
    return lambda until: (each for each in attempts(until) if each.person == name)


def _of_others(attempts: Attempts, names: Container[str]) -> Attempts:
    return lambda until: (each for each in attempts(until) if each.person not in names)


def _as_of(attempts: Attempts, person: Person) -> Attempts:
    """The attempts to another person with the same part and `reach`, as they are to this one."""
    return lambda until: (
        PageAttempt(each.after, each.channel, each.type, person.contact(each.type) or "", person.name)
        for each in attempts(until)
    )


def reaches_over(year: OnCallYear) -> tuple[tuple[Reach, ...], tuple[WorstHour, ...]]:
    """Each way of notification in its worst hour, and the worst hour of each level.

    Hours in which a schedule has nobody on call count from level 3 on only; for lower levels the gap lint covers them.
    """
    if not uses_on_call(year.policy):
        return reaches(year.policy), ()
    drills = [_Drills(year, way) for way in ways(year.drilled)]
    found = [(each, tuple(_for_all(way.reach(each), each.casts) for way in drills)) for each in sets(year)]
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
