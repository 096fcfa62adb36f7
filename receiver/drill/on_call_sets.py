"""The distinct sets of people on call of a year of schedules, and what a drill can tell of each person in them.

When a person is paged does not depend on the `reach` of the others on call. So a drill tells of each of its people what
holds for them in every set with the same surroundings; `tellers` chooses the sets that must be drilled.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from receiver.drill.on_call_walk import OnCallYear
from receiver.on_call.references import people_of
from receiver.on_call.shift import Roster, Shift
from rules.policy import REFERENCE, Person, Policy

Spot = tuple[int, int]
"""Where a reference stands: channel, recipient."""

Role = tuple[tuple[Spot, ...], int]
"""The spots at which a person of a set is paged, and the number of their traits."""

Surroundings = tuple[tuple[frozenset[bool], ...], frozenset[Role]]
"""What others of the set can change for a person: which references have a person to tell, or to spare; and all of
those who share an address, or whose own ways may leave a fallback no person to tell."""

Part = int
"""The number of what a drill tells of: all people of one role in the same surroundings, or all other recipients."""


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """The people on call at one time, and all sets that are alike."""

    at: int
    is_whole: bool
    """Every schedule has a person on call."""
    parts: tuple[Part, ...]
    """Each person's part, last that of all other recipients: what decides when a person of the set is reached."""
    casts: list[tuple[str, ...]]
    """Names in the order of their parts; the first tuple is this set's own."""


def sets(year: OnCallYear) -> list[PeopleSet]:
    """The distinct sets of people of a year at their first occurrence; sets that no drill can tell apart are merged."""
    starts = (each.starts for roster in year.rosters for part in (roster.shifts, roster.gaps) for each in part)
    moments = sorted({year.starts, *starts})
    traits = _Traits(year.drilled)
    seen: set[tuple[frozenset[str], ...]] = set()
    found: dict[object, PeopleSet] = {}
    numbers: dict[tuple[Surroundings, Role | None], Part] = {}
    for at, *now in zip(moments, *(_over(roster.shifts, moments) for roster in year.rosters), strict=True):
        on_call = tuple(frozenset(shift.person for shift in each) for each in now)
        if on_call not in seen:
            seen.add(on_call)
            spots = _spots(year, now, at)
            roles = [(tuple(some), traits.numbers[name]) for name, some in spots.items()]
            around = traits.around(roles)
            parts = tuple(numbers.setdefault((around, each), len(numbers)) for each in (*roles, None))
            alike = found.setdefault((parts, all(on_call)), PeopleSet(at, all(on_call), parts, []))
            alike.casts.append(tuple(spots))
    return list(found.values())


def _over(shifts: Sequence[Shift], moments: Iterable[int]) -> Iterator[tuple[Shift, ...]]:
    """The shifts at each of these times; both are sorted."""
    begun, current = 0, tuple[Shift, ...]()
    for at in moments:
        first = begun
        while begun < len(shifts) and shifts[begun].starts <= at:
            begun += 1
        current = tuple(each for each in (*current, *shifts[first:begun]) if each.ends > at)
        yield current


def _spots(year: OnCallYear, now: Iterable[tuple[Shift, ...]], at: int) -> dict[str, list[Spot]]:
    """Each person on call, or named by a channel, with their spots."""
    rosters = [Roster(each.name, each.time_zone, some, ()) for each, some in zip(year.rosters, now, strict=True)]
    found: dict[str, list[Spot]] = {}
    for row, channel in enumerate(year.drilled.channels):
        for column, recipient in enumerate(channel.recipients):
            for person in people_of(recipient, year.drilled, rosters, at) if recipient[:1] == REFERENCE else ():
                found.setdefault(person.name, []).append((row, column))
    return found


class _Traits:
    """What a drill can tell of a person: how they want to be told, and where; of addresses, those of others too."""

    def __init__(self, policy: Policy) -> None:
        shared = _shared(policy)
        fallbacks = _fallbacks(policy)
        self._channels = policy.channels
        self._people: list[Person] = []
        """By the number of their traits."""
        self._tied: list[bool] = []
        self.numbers: dict[str, int] = {}
        """Person → number of their traits."""
        numbered: dict[object, int] = {}
        for person in policy.people:
            contacts = tuple((type_, address if address in shared else "") for type_, address in person.contacts)
            number = numbered.setdefault((person.repeat, contacts, person.reach), len(numbered))
            self.numbers[person.name] = number
            if number == len(self._people):
                self._people.append(person)
                own_ways = {type_ for step in person.reach for type_ in step.by}
                self._tied.append(bool(own_ways & fallbacks or any(address for _, address in contacts)))

    def around(self, roles: Iterable[Role]) -> Surroundings:
        """The surroundings of the people of a set."""
        filled: dict[Spot, set[bool]] = {
            (row, column): set()
            for row, channel in enumerate(self._channels)
            for column, recipient in enumerate(channel.recipients)
            if recipient[:1] == REFERENCE
        }
        for spots, number in roles:
            person = self._people[number]
            for spot in spots:
                if person.contact(self._channels[spot[0]].type):
                    filled[spot].add(person.repeat)
        return tuple(map(frozenset, filled.values())), frozenset(each for each in roles if self._tied[each[1]])


def _shared(policy: Policy) -> frozenset[str]:
    """The addresses that several people have, or that a channel names too: they are told once."""
    own = (dict.fromkeys(address for _, address in each.contacts) for each in policy.people)
    named = (each for channel in policy.channels for each in channel.recipients)
    count = Counter(address for some in (*own, named) for address in dict.fromkeys(some))
    return frozenset(address for address, times in count.items() if times > 1)


def _fallbacks(policy: Policy) -> frozenset[str]:
    """The types of the fallbacks that name a person or a schedule."""
    named = (each for each in policy.channels if {each.name, each.type} & set(policy.fallback))
    return frozenset(each.type for each in named if any(to[:1] == REFERENCE for to in each.recipients))


def tellers(found: Sequence[PeopleSet]) -> Mapping[Part, PeopleSet]:
    """Of each part that these sets have, the set whose drill tells of it. Those that tell most come first, so that few
    are drilled.
    """
    chosen: dict[Part, PeopleSet] = {}
    waiting = [(each, frozenset(each.parts)) for each in found]
    for wanted in range(max((len(parts) for _, parts in waiting), default=0), 0, -1):
        for each, parts in waiting:
            fresh = parts - chosen.keys()
            if len(fresh) >= wanted:
                chosen |= dict.fromkeys(fresh, each)
    return chosen
