"""A level raised by a person or by an alert has its channels at once, its windows and its stakeholders."""

from dataclasses import replace

import pytest

from receiver.core.model import Kind, Reason, State, Window
from rules.policy import Stakeholders
from tests.core.guide import POLICY, STAKEHOLDERS, WHOLE
from tests.core.world import World

BOARD = Stakeholders("board", "The board", ("board@company.com",), ("email",), external=False, from_level=4)
WITH_BOARD = replace(WHOLE, stakeholders=(*STAKEHOLDERS, BOARD))

RAISED = {
    "by hand": lambda world: world.change(level=4, reason="two more systems"),
    "by impact": lambda world: world.change(revenue_impact="0.6"),
}


def taken() -> World:
    """An acknowledged incident of level 3."""
    world = World(WITH_BOARD)
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=2)
    return world


def untaken() -> World:
    """An unacknowledged incident of level 3."""
    world = World(WITH_BOARD)
    world.fire("a")
    world.advance(minutes=2)
    return world


@pytest.mark.parametrize("before", [taken, untaken])
@pytest.mark.parametrize("happens", RAISED.values(), ids=RAISED)
def test_it_pages_that_levels_channels_at_once(happens, before):
    """What `check` prints for level 4 at once is paged at once, SMS too, for an acknowledged and an open incident."""
    world = before()
    assert happens(world) is None
    assert world.pages()[-1] == (2, Reason.NEW_DANGER, "email slack pagerduty sms")
    assert world.incident.state is State.OPEN


@pytest.mark.parametrize("before", [taken, untaken])
@pytest.mark.parametrize("happens", RAISED.values(), ids=RAISED)
def test_it_has_that_levels_windows(happens, before):
    """From then on."""
    world = before()
    happens(world)
    assert (world.window(Window.ESCALATE), world.window(Window.BREACH)) == (2 + 5, 2 + 15)


@pytest.mark.parametrize("happens", RAISED.values(), ids=RAISED)
def test_its_internal_stakeholders_hear_of_it_at_once(happens):
    """Those of the new level, those too who heard of the incident when it was milder."""
    world = taken()
    assert "board@company.com" not in {each.recipient for each in world.incident.told}
    happens(world)
    told = {each.recipient for each in world.planned(Kind.NOTICE, Reason.NEW_DANGER)}
    assert told == {"board@company.com", "management@company.com", "technical-team@company.com"}
    assert "board@company.com" in {each.recipient for each in world.incident.told}


def test_a_worse_alert_raises_likewise():
    """A rise by an alert tells the stakeholders too."""
    world = taken()
    world.fire("b", level=4)
    assert {"board@company.com"} <= {each.recipient for each in world.planned(Kind.NOTICE, Reason.NEW_DANGER)}


def test_an_open_incident_that_is_raised_is_paged_anew():
    """The level's channels are paged at once, and no running deadline is put off."""
    world = World()
    world.fire("a")
    world.advance(minutes=58)
    world.change(level=4, reason="worse")
    assert world.pages()[-1][1:] == (Reason.NEW_DANGER, "email slack pagerduty sms")
    assert world.window(Window.BREACH) == 60


def test_a_type_declared_at_a_higher_level_is_that_level():
    """Declared as an emergency, a critical rule's channels alone do not do."""
    world = World()
    world.declare("slo_violation", level=4)
    assert world.pages()[-1][2] == "email slack pagerduty sms"


def test_a_rules_own_channels_hold_at_its_own_level():
    """A rule with fewer channels than its level pages only those, as long as the level is not raised."""
    world = World(replace(POLICY, rules=tuple(replace(each, channels=("slack",)) for each in POLICY.rules)))
    world.fire("a", level=4)
    assert world.pages()[-1][2] == "slack"


def test_whoever_was_told_of_a_higher_level_hears_the_end():
    """A lowered level cancels no all-clear."""
    world = taken()
    world.change(level=4, reason="worse")
    world.change(level=2, reason="only one unit")
    world.clear("a")
    world.resolve()
    cleared = {each.recipient for each in world.planned(Kind.RESOLVED)}
    assert {"board@company.com", "management@company.com", "+1234567890"} <= cleared
