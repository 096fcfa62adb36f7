"""Actions that come too late."""

import pytest

from receiver.core.model import State
from tests.core.world import World

STALE = {
    "acknowledge what is open": (State.OPEN, lambda world: world.acknowledge(expects=State.OPEN), None),
    "acknowledge what was acknowledged meanwhile": (
        State.ACKNOWLEDGED,
        lambda world: world.acknowledge(expects=State.OPEN),
        "the incident is acknowledged by now, not open",
    ),
    "resolve what was voided meanwhile": (
        State.OPEN,
        lambda world: world.resolve(force=True, note="x", expects=State.ACKNOWLEDGED),
        "the incident is open by now, not acknowledged",
    ),
    "escalate what was acknowledged meanwhile": (
        State.ACKNOWLEDGED,
        lambda world: world.escalate(expects=State.OPEN),
        "the incident is acknowledged by now, not open",
    ),
    "acknowledge what is resolved": (
        State.RESOLVED,
        lambda world: world.acknowledge(),
        "the incident is resolved already",
    ),
    "resolve what is resolved": (State.RESOLVED, lambda world: world.resolve(), "the incident is resolved already"),
    "escalate what is resolved": (State.RESOLVED, lambda world: world.escalate(), "the incident is resolved already"),
    "lower what is resolved": (
        State.RESOLVED,
        lambda world: world.change(level=1, reason="x"),
        "the level of an incident that is resolved cannot change",
    ),
    "acknowledge what is closed": (State.CLOSED, lambda world: world.acknowledge(), "the incident is closed already"),
    "update what is closed": (State.CLOSED, lambda world: world.update(), "the incident is closed"),
    "replan what is closed": (State.CLOSED, lambda world: world.replan(), "the incident is closed"),
    "note what is closed": (State.CLOSED, lambda world: world.note(), None),
}


@pytest.mark.parametrize(("state", "action", "reason"), STALE.values(), ids=STALE)
def test_a_stale_action_is_answered_with_what_is_true_now(state, action, reason):
    """Every action names the state it acts on; one that comes too late changes nothing and says so."""
    world = World()
    world.fire("a")
    if state is not State.OPEN:
        world.acknowledge("ben")
    if state in {State.RESOLVED, State.CLOSED}:
        world.clear("a")
        world.resolve("ben")
        world.advance(minutes=24 * 60 if state is State.CLOSED else 0)
    before = world.incident
    assert before.state is state
    refusal = action(world)
    assert (refusal and refusal.reason) == reason
    assert refusal is None or (refusal.state is state and world.incident is before)
