"""How soon a person is reached with every channel up and with each one down: found by drills, not computed.

`tocsin check` shows the worst case of each level, and reports single points of failure as lints.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from receiver.drill.simulator import START, ChannelFaults, Sent, World
from receiver.on_call.shift import Roster
from rules.durations import as_spelled
from rules.lint_catalog import doubt
from rules.policy import MINUTE, IncidentType, Person, Place, Policy, Rule
from rules.problems import Problem

KEY = "drill"


@dataclass(frozen=True, slots=True)
class Reach:
    """One way of notification: the rules and types of a level that name the same channels."""

    level: int
    channels: tuple[str, ...]
    members: tuple[Rule | IncidentType, ...]
    """Empty: alerts of other origin, which get the level's channels."""
    all_up: int | None
    """Microseconds until the first page is delivered; None: not within the response time."""
    without: Mapping[str, int | None]
    """Channel → the same while that channel is down."""
    without_person: Mapping[str, int | None] = field(default_factory=dict)
    """Person → the same while no message gets through to that person."""


@dataclass(frozen=True, slots=True)
class PageWay:
    """A level, the channels that it names first, and who names them."""

    level: int
    channels: tuple[str, ...]
    members: tuple[Rule | IncidentType, ...]


def ways(policy: Policy) -> tuple[PageWay, ...]:
    """All ways of notification of the policy, the most severe level first."""
    found: dict[tuple[int, tuple[str, ...]], list[Rule | IncidentType]] = {}
    told: list[Rule | IncidentType] = [*policy.rules, *policy.incident_types]
    for level in reversed(policy.levels):
        default = policy.level_channels(level.level)
        found.setdefault((level.level, default), [])
        for each in told:
            if each.level == level.level:
                found.setdefault((level.level, each.channels or default), []).append(each)
    return tuple(PageWay(*key, tuple(members)) for key, members in found.items())


@dataclass(frozen=True, slots=True)
class PageAttempt:
    """A page that reaches a person if it gets through."""

    after: int
    """Microseconds since the alert."""
    channel: str
    type: str
    recipient: str
    person: str
    """The person whose contact the recipient is; empty: none, or several."""


Attempts = Callable[[int], Iterable[PageAttempt]]
"""All attempts until so many microseconds after the alert."""

FirstAttempt = Callable[[int, frozenset[str]], PageAttempt | None]
"""The first attempt until so many microseconds after the alert that is on no lost channel, type or recipient."""


class SilentDrill:
    """A drill of one way in which no page reaches a person. It goes on as far as its attempts are asked for.

    Until a page reaches a person, a drill with any fault goes as this one. So the first attempt that a fault spares is
    the one by which a person is reached with that fault: one drill answers for all faults.
    """

    def __init__(self, policy: Policy, way: PageWay, rosters: Sequence[Roster] = (), at: Instant = START) -> None:
        """`rosters`: who is on call, at all times of the drill."""
        self._world = World(policy, ChannelFaults(nobody_reached=True), now=at)
        self._world.engine.held_rosters = rosters
        self._began_at = at
        self._read = 0
        self._found: list[PageAttempt] = []
        rule = next((each.key for each in way.members), "Stranger")
        alert = Alert(KEY, at, firing=True, level=way.level, rule=rule, type=rule, labels={}, annotations={})
        self._world.handle(AlertsReceived(KEY, "", (alert,)))

    def attempts(self, until: int) -> Iterator[PageAttempt]:
        """The attempts until `until` microseconds after the alert, in order."""
        if self._world.now < self._began_at + until:
            self._world.advance(Instant(self._began_at + until))
        sent = self._world.sent[self._read :]
        self._read += len(sent)
        self._found += [self._attempt(each) for each in sent if each.would_reach]
        return takewhile(lambda each: each.after <= until, self._found)

    def _attempt(self, sent: Sent) -> PageAttempt:
        notification = sent.notification
        channel = self._world.policy_version.channels.get(notification.channel)
        type_ = channel.type if channel else ""
        after = sent.at - self._began_at
        return PageAttempt(after, notification.channel, type_, notification.recipient, notification.person)


def reaches(policy: Policy) -> tuple[Reach, ...]:
    """How soon each way of notification reaches a person, in a policy without people on call."""
    return tuple(reach_by(policy, way, (first_of(SilentDrill(policy, way).attempts),)) for way in ways(policy))


def first_of(attempts: Attempts) -> FirstAttempt:
    """The first of these attempts, remembered."""

    @cache
    def first(until: int, lost: frozenset[str]) -> PageAttempt | None:
        spared = (each for each in attempts(until) if not lost.intersection((each.channel, each.type, each.recipient)))
        return next(spared, None)

    return first


def reach_by(policy: Policy, way: PageWay, attempts: Sequence[FirstAttempt], people: Iterable[Person] = ()) -> Reach:
    """How soon these attempts reach a person, with each channel down and each of these people missing in turn."""
    within = policy.level(way.level).response_time
    usual = _first(attempts, within)
    hit = frozenset((usual.channel, usual.type, usual.recipient)) if usual else frozenset()

    def without(lost: frozenset[str]) -> int | None:
        first = _first(attempts, within, lost) if lost & hit else usual
        return first.after if first else None

    return Reach(
        way.level,
        way.channels,
        way.members,
        all_up=usual.after if usual else None,
        without={each.name: without(frozenset([each.name])) for each in policy.channels if each.enabled},
        without_person={each.name: without(frozenset(address for _, address in each.contacts)) for each in people},
    )


def _first(attempts: Sequence[FirstAttempt], within: int, lost: frozenset[str] = frozenset()) -> PageAttempt | None:
    """The first of all attempts, with `lost`. Later times are looked at only if needed."""
    until = 0
    while True:
        found = [one for each in attempts if (one := each(until, lost)) is not None]
        if found or until == within:
            return min(found, key=lambda each: each.after, default=None)
        until = min(max(2 * until, MINUTE), within)


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst case of a level."""

    level: int
    all_up: int | None
    one_down: int | None
    down: str
    """The channel whose loss delays most; empty: the level has no channel."""


def worst_without(found: Iterable[Reach], level: int, channel: str) -> int | None:
    """How soon a person is reached by the level's worst way of notification while that channel is down."""
    downs = (reach.without[channel] for reach in found if reach.level == level and channel in reach.without)
    return max(downs, key=badness, default=None)


def worst_cases(found: Iterable[Reach]) -> Iterator[Worst]:
    """The worst case of each level, in the order of `found`."""
    by_level: dict[int, list[Reach]] = {}
    for reach in found:
        by_level.setdefault(reach.level, []).append(reach)
    for level, some in by_level.items():
        downs = [(micros, name) for reach in some for name, micros in reach.without.items()]
        micros, name = max(downs, key=lambda each: badness(each[0]), default=(None, ""))
        yield Worst(level, max((reach.all_up for reach in some), key=badness), micros, name)


def badness(micros: int | None) -> float:
    """A sort key: later is worse, never is the worst."""
    return float("inf") if micros is None else micros


def lints(policy: Policy, found: Iterable[Reach]) -> Iterator[Problem]:
    """The lints from the drills: rules that reach no person, and channels that are indispensable."""
    lost: dict[str, list[Rule | IncidentType]] = {}
    late: dict[str, list[Rule | IncidentType]] = {}
    for reach in found:
        if reach.all_up is None:
            yield from (_nobody(policy, each) for each in reach.members)
            continue
        for name, micros in reach.without.items():
            if micros is None:
                lost.setdefault(name, []).extend(reach.members)
            elif micros >= policy.level(reach.level).escalation_time:
                late.setdefault(name, []).extend(reach.members)
    for name, members in lost.items():
        if members:
            message = f"if `{name}` is down, nobody is reached within the response time of {_names(members)}"
            yield doubt("single-channel", _place(policy, name), message)
    for name, members in late.items():
        if members:
            message = f"if `{name}` is down, only the first escalation reaches a person for {_names(members)}"
            yield doubt("slow-without-channel", _place(policy, name), message)


def _nobody(policy: Policy, each: Rule | IncidentType) -> Problem:
    within = as_spelled(policy.level(each.level).response_time, policy.spellings)
    message = f'"{each.name}" reaches nobody within its response time ({within}), although every channel works'
    return doubt("nobody-told", each.place, message)


def _names(members: Iterable[Rule | IncidentType]) -> str:
    return ", ".join(f'"{each.name}"' for each in members)


def _place(policy: Policy, name: str) -> Place:
    channel = policy.channel(name)
    return (channel.place if channel else None) or Place("", 0)
