"""Resolved, and then: forced and still firing, firing again, closed, another one."""

import pytest

from receiver.core.model import Kind, Reason, Recovery, State, Window
from rules.policy import HOUR, MINUTE, Micros
from tests.core.guide import with_level
from tests.core.world import World

FORCE = {
    "neither": (False, "", "2 of its alerts still fire; resolve with force and a reason, if it must be"),
    "a reason, not forced": (
        False,
        "why not",
        "2 of its alerts still fire; resolve with force and a reason, if it must be",
    ),
    "forced, no reason": (True, "", "resolving while alerts fire needs a reason"),
    "forced, with a reason": (True, "a broken probe", None),
}


@pytest.mark.parametrize(("force", "note", "reason"), FORCE.values(), ids=FORCE)
def test_resolving_while_alerts_fire_needs_force_and_a_reason(force, note, reason):
    """Resolving while alerts fire is refused unless it is forced and a reason is given."""
    world = World()
    world.fire("a", "b")
    refusal = world.resolve(note=note, force=force)
    assert (refusal and refusal.reason) == reason
    assert world.incident.state is (State.RESOLVED if reason is None else State.OPEN)


FORCED = {
    "level 1, whose response time is as long as the monitoring": (1, 24 * 60),
    "level 3": (3, 60),
    "level 4": (4, 15),
}


@pytest.mark.parametrize(("level", "minutes"), FORCED.values(), ids=FORCED)
def test_forced_and_still_firing_reopens(level, minutes):
    """Resolved by force and still firing after the response time, it reopens and pages; it does not close before."""
    world = World()
    world.fire("a", level=level)
    world.resolve(note="a broken probe", force=True)
    world.advance(minutes=minutes - 1)
    assert world.incident.state is State.RESOLVED
    world.advance(minutes=1)
    assert world.incident.state is State.OPEN
    assert world.pages()[-1][:2] == (minutes, Reason.STILL_FIRING)
    assert world.window(Window.CLOSE) is None


def test_what_is_to_be_looked_at_again_does_not_close_before():
    """Where the response time is longer than the monitoring, a forced resolve is still looked at again first."""
    world = World(with_level(3, response_time=Micros(48 * HOUR)))
    world.fire("a")
    world.resolve(note="a broken probe", force=True)
    world.advance(minutes=48 * 60)
    assert world.incident.state is State.OPEN


def test_a_recurrence_of_a_forced_resolve_is_not_looked_at_again():
    """A new alert reopens what was resolved by force at once; the look that was due later is dropped."""
    world = World()
    world.fire("a")
    world.resolve(note="a broken probe", force=True)
    world.fire("b")
    assert (world.incident.state, world.window(Window.FORCED)) == (State.OPEN, None)


def test_forced_and_cleared_stays_resolved():
    """Resolved by force, it stays so if its alerts clear before the response time; then it closes."""
    world = World()
    world.fire("a")
    world.resolve(note="a broken probe", force=True)
    world.advance(minutes=10)
    world.clear("a")
    world.advance(minutes=24 * 60 - 10)
    assert world.incident.state is State.CLOSED
    assert world.incident.recovery is Recovery.NONE


def test_a_recurrence_needs_confirmations_of_its_own():
    """The two persons who confirmed the first recovery have not confirmed the second."""
    world = World(with_level(4, confirmations=2))
    world.fire("a", level=4)
    world.clear("a")
    world.resolve("ada")
    world.resolve("ben")
    world.fire("a", level=4)
    world.clear("a")
    world.resolve("ada")
    assert world.incident.state is State.OPEN


def resolved(level: int = 3) -> World:
    """An incident resolved by a person at minute 10."""
    world = World()
    world.fire("a", level=level)
    world.advance(minutes=10)
    world.clear("a")
    world.resolve()
    return world


def test_a_recurrence_reopens_the_same_incident():
    """Firing again while it is monitored reopens the incident, counts, and pages as at the opening."""
    world = resolved()
    world.advance(minutes=23 * 60)
    world.fire("a")
    incident = world.incident
    assert len(world.incidents) == 1
    assert (incident.state, incident.recurrences, incident.step) == (State.OPEN, 1, 0)
    assert world.pages()[-1][1:] == (Reason.RECURRED, "email slack pagerduty")
    assert incident.pages_closed == 1
    assert (incident.resolved_at, incident.resolved_by, world.window(Window.CLOSE)) == (None, "", None)


def test_a_recurrence_runs_under_the_current_policy():
    """A recurrence takes the policy that is in use by then."""
    world = resolved()
    world.use(with_level(3, escalation_time=Micros(7 * MINUTE)))
    world.fire("a")
    assert world.incident.policy == world.current.digest
    assert world.window(Window.ESCALATE) == 17


def test_the_all_clear_of_a_recurrence_is_for_those_paged_by_it():
    """Who was paged only the first time gets no second all-clear."""
    world = World()
    world.fire("a")
    world.advance(minutes=35)
    world.clear("a")
    world.resolve()
    world.fire("a")
    world.clear("a")
    world.resolve()
    assert [target.channel for target in world.heard(Kind.RESOLVED)].count("sms") == 1


def test_after_the_monitoring_it_is_closed_and_another_opens():
    """After the monitoring it closes; what fires then opens a new incident with a new id and number."""
    world = resolved()
    world.advance(minutes=24 * 60)
    first = world.incident
    assert (first.state, first.windows, world.since(first.closed_at)) == (State.CLOSED, {}, 24 * 60 + 10)
    world.fire("a")
    assert [each.number for each in world.incidents.values()] == [1, 2]
    assert world.incident.id != first.id
    assert world.incident.recurrences == 0
