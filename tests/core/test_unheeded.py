"""Level 0: an alert goes to the history without a message, and is kept for when it matters later."""

import dataclasses

import pytest

from receiver.core.events import AlertsReceived
from receiver.core.model import Fact, Kind, Reason, State, Window
from rules.policy import HOUR, MINUTE, Reports
from tests.core.alerts import KEY, alert
from tests.core.guide import POLICY
from tests.core.world import World

NOISE = "InfoInhibitor"


@pytest.fixture
def world() -> World:
    """One alert of level 0 fires."""
    world = World()
    world.fire("a", level=0, rule=NOISE)
    return world


def facts(world: World) -> list[Fact]:
    return [entry.fact for entry in world.timeline]


def test_it_is_kept_and_nobody_is_told(world):
    """It stands in the history with its alert, and in a day nothing is sent, escalated or breached."""
    assert (world.incident.state, world.incident.recorded_only, world.incident.level) == (State.RESOLVED, True, 1)
    assert world.stored_alerts[world.incident.id]["a"].firing
    world.advance(23 * 60)
    assert not world.outbox
    assert facts(world) == [Fact.RECORDED]


def test_repeats_and_its_end_find_it(world):
    """Repeats open no second incident, however long it fires; its resolve is noted; then it closes without a word."""
    for _ in range(6):
        world.advance(12 * 60)
        world.receive(alert("a", 0, NOISE))
    assert len(world.incidents) == 1
    world.clear("a")
    assert not world.stored_alerts[world.incident.id]["a"].firing
    world.advance(25 * 60)
    assert (world.incident.state, world.outbox) == (State.CLOSED, {})
    assert facts(world) == [Fact.RECORDED, Fact.ALERT_RECORDED, Fact.CLOSED]


def test_what_was_closed_is_recorded_anew(world):
    """An alert that is not repeated closes; when it fires again, it is in the history again."""
    world.advance(25 * 60)
    world.receive(alert("a", 0, NOISE))
    assert [each.state for each in world.incidents.values()] == [State.CLOSED, State.RESOLVED]
    assert not world.outbox


@pytest.mark.parametrize("name", ["a", "b"], ids=["the same alert", "another alert"])
def test_a_level_opens_it(world, name):
    """When an alert of the incident has a level, it pages as a new incident does."""
    world.advance(30)
    world.fire(name, level=3)
    incident = world.incident
    assert (incident.state, incident.recorded_only, incident.level, sum(incident.firing)) == (State.OPEN, False, 3, 1)
    assert {each.reason for each in world.outbox.values() if each.kind is Kind.PAGE} == {Reason.OPENED}
    assert incident.response_due_at == world.now + 60 * MINUTE
    assert Window.CLOSE not in incident.windows
    assert Fact.OPENED in facts(world)


def test_it_joins_in_silence():
    """In an incident that people have in hand it is kept: no message, no danger, no effect on the recovery."""
    world = World()
    world.fire("b", level=4)
    world.acknowledge("ada")
    sent = len(world.outbox)
    world.fire("a", level=0, rule=NOISE)
    assert (world.incident.state, len(world.outbox), sum(world.incident.firing)) == (State.ACKNOWLEDGED, sent, 1)
    assert NOISE not in world.incident.rules
    world.clear("b")
    due_at = world.incident.windows[Window.VERIFY]
    world.advance(1)
    world.clear("a")
    assert world.incident.windows[Window.VERIFY] == due_at


def test_it_brings_nothing_back():
    """A resolved incident is not reopened by it."""
    world = World()
    world.fire("b", level=3)
    world.clear("b")
    world.advance(6)
    assert world.incident.state is State.RESOLVED
    world.fire("a", level=0, rule=NOISE)
    assert (world.incident.state, world.incident.recurrences) == (State.RESOLVED, 0)


def test_a_group_is_as_bad_as_its_worst():
    """Told together with an alert that has a level, it is one of the incident's alerts."""
    world = World()
    world.receive(alert("a", 0, NOISE), alert("b", 3))
    assert (world.incident.state, world.incident.level, sum(world.incident.firing)) == (State.OPEN, 3, 1)
    assert set(world.stored_alerts[world.incident.id]) == {"a", "b"}


def test_it_never_becomes_less_than_it_was():
    """An alert that fires at a level stays at it until it clears, also when later repeats have a lower one."""
    world = World()
    world.fire("a", level=3)
    world.receive(alert("a", 0, NOISE))
    assert (world.incident.level, world.incident.is_firing) == (3, True)


def test_no_report_of_what_nobody_did():
    """When it closes, no report is mailed, as there is of an incident that people had."""
    reported = dataclasses.replace(POLICY, reports=Reports(recipients=("boss@company.com",)))
    for level, reports in ((0, 0), (1, 1)):
        world = World(reported)
        world.fire("a", level=level)
        world.clear("a")
        world.advance(25 * 60)
        assert world.incident.state is State.CLOSED
        assert len(world.planned(Kind.REPORT)) == reports


def test_it_is_heard_of_now_and_then(world):
    """Repeats are written down seldom: they cost next to nothing."""
    version = world.incident.version
    world.decide(AlertsReceived(KEY, "", (alert("a", 0, NOISE),)))
    assert world.incident.version == version
    world.advance(11)
    world.decide(AlertsReceived(KEY, "", (alert("a", 0, NOISE),)))
    assert (world.incident.version, world.incident.heard_at) == (version + 1, world.now)
    assert world.incident.windows[Window.CLOSE] == world.now + 24 * HOUR
