"""A sender whose alerts cannot be read: people hear of it once, and no more than that."""

import pytest

from receiver.core.model import Fact, Kind, State
from receiver.core.unreadable import over, told
from tests.core.world import World


@pytest.fixture
def world() -> World:
    """A body of the source `mimir` had an alert without labels."""
    world = World()
    world.decide(told("mimir", ["it has no labels"], world.now))
    return world


def test_people_hear_of_it(world):
    """It is an incident of level 3 that names the source and what was wrong, and quotes nothing."""
    assert (world.incident.state, world.incident.level) == (State.OPEN, 3)
    assert world.incident.title == "Alerts of source mimir cannot be read: they reach nobody"
    assert world.heard(Kind.PAGE)


def test_once_for_each_source(world):
    """Further bodies of that source change nothing; another source is another incident."""
    sent = len(world.outbox)
    for _ in range(3):
        world.advance(seconds=30)
        world.decide(told("mimir", ["it is no object"], world.now))
    assert (len(world.incidents), len(world.outbox), world.incident.version) == (1, sent, world.incident.version)
    assert Fact.ALERT_JOINED not in world.facts()
    world.decide(told("", ["it has no labels"], world.now))
    assert len(world.incidents) == 2
    assert world.incident.title == "Alerts of a sender without ?source= cannot be read: they reach nobody"


def test_it_ends_when_none_came_for_a_day(world):
    """A day after the last unreadable alert it is over by itself, and not before."""
    world.acknowledge("ada", hold=100 * 3_600_000_000)
    world.advance(60 * 12)
    world.decide(told("mimir", ["it has no labels"], world.now))
    world.advance(60 * 23)
    assert over([world.incident], world.now) == []
    world.advance(60 * 2)
    (event,) = over([world.incident], world.now)
    world.decide(event)
    world.advance(6)
    assert world.incident.state is State.RESOLVED


def test_who_mended_the_sender_ends_it(world):
    """Resolved by a person it stays resolved, and opens again with the next alert that cannot be read."""
    world.resolve("ada", "the template is mended", force=True)
    (event,) = over([world.incident], world.now)
    world.decide(event)
    world.advance(90)
    assert (world.incident.state, over([world.incident], world.now)) == (State.RESOLVED, [])
    world.decide(told("mimir", ["it has no labels"], world.now))
    assert (world.incident.state, world.incident.recurrences, len(world.incidents)) == (State.OPEN, 1, 1)
