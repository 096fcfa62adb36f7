"""How soon a person is reached with every channel up and with each one down: found by drills, not computed.

`tocsin check` shows the worst case of each level, and reports single points of failure as lints.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from receiver.drill.script import first_reached
from receiver.drill.simulator import START, ChannelFaults, World
from rules.durations import as_spelled
from rules.lint_catalog import doubt
from rules.policy import IncidentType, Person, Place, Policy, Rule
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


def reaches(policy: Policy, at: Instant = START, people: Iterable[Person] = ()) -> tuple[Reach, ...]:
    """All ways of notification of the policy, the most severe level first.

    `at`: the drill's start, which determines who is on call. `people`: each is made unreachable in turn.
    """
    ways: dict[tuple[int, tuple[str, ...]], list[Rule | IncidentType]] = {}
    told: list[Rule | IncidentType] = [*policy.rules, *policy.incident_types]
    for level in reversed(policy.levels):
        default = policy.level_channels(level.level)
        ways.setdefault((level.level, default), [])
        for each in told:
            if each.level == level.level:
                ways.setdefault((level.level, each.channels or default), []).append(each)
    up = [channel.name for channel in policy.channels if channel.enabled]
    losses = {each.name: frozenset(address for _, address in each.contacts) for each in people}

    def way(level: int, channels: tuple[str, ...], members: list[Rule | IncidentType]) -> Reach:
        first = _first(policy, at, level, members, ChannelFaults())

        def without(lost: frozenset[str], faults: ChannelFaults) -> int | None:
            """Only the loss of the channel or recipient that was reached first changes the result; else no drill is
            needed.
            """
            return _first(policy, at, level, members, faults).after if lost & first.by else first.after

        return Reach(
            level,
            channels,
            tuple(members),
            all_up=first.after,
            without={name: without(frozenset([name]), ChannelFaults(frozenset([name]))) for name in up},
            without_person={name: without(some, ChannelFaults(missing=some)) for name, some in losses.items()},
        )

    return tuple(way(*key, members) for key, members in ways.items())


@dataclass(frozen=True, slots=True)
class _FirstReached:
    """The first page of a drill that reached a person."""

    after: int | None
    """Microseconds; None: no page reached a person within the response time."""
    by: frozenset[str] = frozenset()
    """The channel's name, its type, and the recipient."""


def _first(
    policy: Policy, at: Instant, level: int, members: Iterable[Rule | IncidentType], faults: ChannelFaults
) -> _FirstReached:
    world = World(policy, faults, now=at)
    rule = next((each.key for each in members), "Stranger")
    alert = Alert(KEY, world.now, firing=True, level=level, rule=rule, type=rule, labels={}, annotations={})
    began_at = world.now
    world.handle(AlertsReceived(KEY, "", (alert,)))
    world.advance(
        Instant(began_at + policy.level(level).response_time),
        enough=lambda: first_reached(world.sent, began_at) is not None,
    )
    sent = next((each for each in world.sent if each.reached), None)
    if sent is None:
        return _FirstReached(None)
    channel = policy.channel(sent.notification.channel)
    type_ = channel.type if channel else ""
    by = frozenset((sent.notification.channel, type_, sent.notification.recipient))
    return _FirstReached(sent.at - began_at, by)


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
            message = f"if `{name}` is down, only the first escalation reaches somebody for {_names(members)}"
            yield doubt("slow-without-channel", _place(policy, name), message)


def _nobody(policy: Policy, each: Rule | IncidentType) -> Problem:
    within = as_spelled(policy.level(each.level).response_time, policy.spellings)
    message = f'"{each.name}" reaches nobody within its response time ({within}), although every channel works'
    return doubt("nobody-told", each.place or Place("", 0), message)


def _names(members: Iterable[Rule | IncidentType]) -> str:
    return ", ".join(f'"{each.name}"' for each in members)


def _place(policy: Policy, name: str) -> Place:
    channel = policy.channel(name)
    return (channel.place if channel else None) or Place("", 0)
