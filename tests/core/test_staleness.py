"""Alerts that are not repeated are marked, never resolved; repeats are noted now and then, at almost no cost."""

from receiver.core.events import AlertsReceived, Unheard
from receiver.core.model import Fact, Instant, State
from receiver.core.staleness import unheard
from rules.policy import HOUR, MINUTE, Micros
from tests.core.alerts import KEY, START, alert
from tests.core.guide import with_level
from tests.core.world import World


def opened() -> World:
    world = World(with_level(3, update_interval=Micros(48 * HOUR)))
    world.fire("a")
    world.acknowledge(hold=24 * HOUR)
    return world


def look(world: World, listening_since: int = START) -> list[Unheard]:
    return unheard(world.incidents.values(), Instant(listening_since), world.now, HOUR)


def repeat(world: World) -> None:
    world.receive(alert("a", starts_at=START))


def test_three_repeats_that_stay_away_mark_the_incident() -> None:
    """It is marked and said since when; its state, its windows and its level stay as they are."""
    world = opened()
    world.advance(3 * 60 + 9)
    assert look(world) == []
    world.advance(2)
    (event,) = look(world)
    before = world.incident
    world.decide(event)
    assert world.incident.stale_since == world.now
    assert (world.incident.state, world.incident.windows) == (before.state, before.windows)
    assert world.entries(Fact.STALE)[0].data == {"since": str(START)}
    assert look(world) == [], "said once"


def test_repeats_keep_it_fresh_and_write_little() -> None:
    """A repeat is written down once in ten minutes, and no line of the timeline tells of it."""
    world = opened()
    lines, version = world.incident.entries, world.incident.version
    for _ in range(8 * 60):
        world.advance(1)
        repeat(world)
    assert look(world) == []
    assert world.incident.version - version == 8 * 6
    assert world.incident.entries == lines


def test_a_repeat_after_all_takes_the_mark_away() -> None:
    """Heard again, the timeline says so."""
    world = opened()
    world.advance(4 * 60)
    world.decide(look(world)[0])
    repeat(world)
    assert world.incident.stale_since is None
    assert world.facts()[-1] is Fact.HEARD_AGAIN


def test_nobody_is_blamed_for_silence_while_nobody_listened() -> None:
    """After a restart the time counts from the start."""
    world = opened()
    world.advance(10 * 60)
    assert look(world, listening_since=world.now - HOUR) == []
    assert look(world, listening_since=world.now - 4 * HOUR)


def test_a_mark_is_decided_on_what_is_true_then() -> None:
    """Heard of between the look and the decision: not marked. Recovered: nothing is awaited."""
    world = opened()
    world.advance(4 * 60)
    (event,) = look(world)
    repeat(world)
    world.decide(event)
    assert world.incident.stale_since is None
    world.clear("a")
    world.advance(20)
    assert world.incident.state is State.RESOLVED
    world.advance(10 * MINUTE / MINUTE)
    assert look(world) == []


def test_a_source_that_is_called_as_ours_is_watched() -> None:
    """A webhook's `?source=tocsin` makes no alert of our own of its alerts: repeats that stay away are marked."""
    world = World()
    world.decide(AlertsReceived(KEY, "tocsin", (alert("a"),)))
    world.acknowledge(hold=24 * HOUR)
    world.advance(4 * 60)
    assert len(look(world)) == 1
