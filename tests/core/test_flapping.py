"""Flapping: told once, then how often and since when; never a way past new danger."""

from dataclasses import replace

import pytest

from receiver.core.model import Fact, Kind, Reason, Recovery, State, Window
from rules.policy import MINUTE, SECOND, Flapping, Micros
from tests.core.guide import POLICY, with_level
from tests.core.world import World


def cycle(world: World, times: int, level: int = 4, apart: float = 1) -> None:
    """It clears and fires again, so often."""
    for _ in range(times):
        world.advance(minutes=apart / 2)
        world.clear("a")
        world.advance(minutes=apart / 2)
        world.fire("a", level=level)


@pytest.mark.parametrize("level", [3, 4])
def test_ten_cycles_are_a_few_messages(level):
    """Ten cycles of an acknowledged alert are told once; the acknowledgement holds from the third on."""
    world = World()
    world.fire("a", level=level)
    world.acknowledge()
    cycle(world, 3, level)
    world.acknowledge()
    before, sent = len(world.pages()), len(world.outbox)
    cycle(world, 7, level)
    assert world.incident.state is State.ACKNOWLEDGED
    assert len(world.pages()) == before
    assert len(world.outbox) == sent
    assert len(world.planned(Kind.NOTICE, Reason.FLAPPING)) == len(world.heard(Kind.NOTICE)) - _other_notices(world)
    (began,) = world.entries(Fact.FLAPPING)
    assert world.entries(Fact.FLAPPED)[-1].data["times"] == "10"
    assert world.since(int(began.data["since"])) == 0


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("seconds", [0, 10])
def test_what_resolves_between_its_cycles_flaps_too(level, seconds):
    """Where `resolve_after` is shorter than a cycle, the fourth firing is the last that pages."""
    world = World(with_level(level, resolve_after=Micros(seconds * SECOND)))
    world.fire("a", level=level)
    cycle(world, 3, level, apart=2)
    assert [reason for _, reason, _ in world.pages()] == [Reason.OPENED, *[Reason.RECURRED] * 3]
    pages, sent = len(world.pages()), len(world.outbox)
    cycle(world, 7, level, apart=2)
    assert (len(world.pages()), len(world.outbox), world.incident.state) == (pages, sent, State.OPEN)
    world.clear("a")
    world.advance(minutes=11)
    assert world.incident.state is State.RESOLVED


def _other_notices(world: World) -> int:
    return len([each for each in world.planned(Kind.NOTICE) if each.reason is not Reason.FLAPPING])


def test_before_it_flaps_each_firing_is_danger():
    """The first cycles of an emergency void the acknowledgement, as ever."""
    world = World()
    world.fire("a", level=4)
    for _ in range(2):
        world.acknowledge()
        cycle(world, 1)
        assert world.incident.state is State.OPEN


def test_an_unacknowledged_incident_escalates_on():
    """Flapping puts off no escalation and no breach."""
    world = World()
    world.fire("a", level=4)
    cycle(world, 16)
    assert [at for at, reason, _ in world.pages() if reason in {Reason.ESCALATED, Reason.BREACHED}] == [5, 15]


def test_the_acknowledgement_expires_through_the_cycles():
    """It is not renewed by flapping: after the response time without human activity it is open again."""
    world = World()
    world.fire("a", level=4)
    cycle(world, 3)
    world.acknowledge()
    cycle(world, 16)
    assert Fact.ACK_EXPIRED in world.facts()


def test_steady_fire_ends_it_and_is_new_danger_at_level_4():
    """Firing without a break for `within`, an emergency pages again; below that its threads are told."""
    world = World()
    world.fire("a", level=4)
    cycle(world, 4)
    world.acknowledge()
    world.advance(minutes=10)
    assert (world.incident.flapping_since, world.incident.state) == (None, State.OPEN)
    assert world.pages()[-1][1] is Reason.NEW_DANGER
    world = World()
    world.fire("a")
    world.acknowledge()
    cycle(world, 4, level=3)
    world.advance(minutes=10)
    assert world.incident.state is State.ACKNOWLEDGED
    assert world.planned(Kind.NOTICE, Reason.STEADY)


def test_what_flaps_is_not_resolved_between_two_cycles():
    """The recovery is verified for as long as flapping is counted over."""
    world = World()
    world.fire("a")
    cycle(world, 4, level=3)
    world.clear("a")
    world.advance(minutes=9)
    assert world.incident.recovery is Recovery.VERIFYING
    world.advance(minutes=1)
    assert (world.incident.state, world.incident.flaps) == (State.RESOLVED, 0)


def test_a_clear_alert_does_not_fire_steadily_because_another_does():
    """Only what flapped can be steady: another alert of the incident that fires all the time is no new danger."""
    world = World()
    world.fire("a", "b", level=4)
    cycle(world, 4)
    world.clear("a")
    world.acknowledge()
    world.advance(minutes=11)
    assert (world.incident.flapping_since, world.incident.state) == (None, State.ACKNOWLEDGED)


def test_anything_new_is_danger_as_ever():
    """Another unit's alert at level 4 voids the acknowledgement of what flaps."""
    world = World()
    world.fire("a", level=4)
    cycle(world, 4)
    world.acknowledge()
    world.fire("b", level=4)
    assert world.incident.state is State.OPEN


def test_the_policy_says_what_flaps():
    """`flapping: {cycles, within}`."""
    world = World(replace(POLICY, flapping=Flapping(1, Micros(5 * MINUTE))))
    world.fire("a")
    cycle(world, 1, level=3)
    assert Fact.FLAPPING in world.facts()
    world = World()
    world.fire("a")
    cycle(world, 6, level=3, apart=8)
    assert Fact.FLAPPING not in world.facts()


SLOW = {"by default": (Flapping(), 12), "within an hour": (Flapping(3, Micros(60 * MINUTE)), 2)}


@pytest.mark.parametrize(("terms", "pages"), SLOW.values(), ids=SLOW)
def test_what_comes_back_slowly_pages_as_configured(terms, pages):
    """Slower than `within` divided by `cycles`, each firing is danger; a longer `within` makes it flapping."""
    world = World(replace(POLICY, flapping=terms))
    world.fire("a", level=4)
    before = len(world.pages())
    for _ in range(12):
        world.acknowledge()
        cycle(world, 1, apart=4)
    assert len([each for each in world.pages()[before:] if each[1] is Reason.NEW_DANGER]) == pages


def test_each_page_is_closed_once():
    """An acknowledgement closes the pages since the last one, a resolve those since the last resolve."""
    world = World()
    world.fire("a", level=4)
    world.acknowledge()
    world.fire("b", level=4)
    world.acknowledge()
    world.acknowledge("ben")
    world.clear("a", "b")
    world.resolve()
    told = [
        (each.kind, each.data["pages"])
        for each in world.outbox.values()
        if each.channel == "pagerduty" and "pages" in each.data
    ]
    assert told == [
        (Kind.ACKNOWLEDGED, "1-1"),
        (Kind.ACKNOWLEDGED, "2-2"),
        (Kind.ACKNOWLEDGED, "3-2"),
        (Kind.RESOLVED, "1-2"),
    ]
    assert Window.ECHO not in world.incident.windows
