"""What other senders tell otherwise: an end for want of data, and no start."""

from msgspec.structs import replace

from receiver.core.model import Fact, Instant, Reason, Recovery, State
from receiver.messages.timeline import sentence
from rules.policy import MINUTE
from tests.core.alerts import alert
from tests.core.world import World


def absent(world: World, name: str) -> None:
    """The sender says that the alert is over because nothing is measured any more."""
    known = world.stored_alerts[world.incident.id][name]
    world.receive(replace(known, firing=False, ended_at=world.now, absent=True))


def test_an_end_for_want_of_data_is_no_all_clear():
    """Where a sender ended an alert because its series is gone, a person must say that it is over."""
    world = World()
    world.fire("a", level=2)
    absent(world, "a")
    assert world.incident.recovery is Recovery.UNREPORTED
    world.advance(6)
    assert world.incident.recovery is Recovery.UNVERIFIED
    assert Reason.RECOVERED not in {each.reason for each in world.outbox.values()}
    (entry,) = world.entries(Fact.RECOVERY_UNVERIFIED)
    assert sentence(entry) == (
        "the recovery cannot be verified: of 1 of its alerts nothing is measured any more; a person must resolve it"
    )
    world.resolve("ada")
    assert (world.incident.state, world.incident.absent) == (State.RESOLVED, ())


def test_one_end_for_want_of_data_among_others():
    """That another alert cleared after it does not prove anything about the one that is gone."""
    world = World()
    world.fire("a", "b", level=2)
    absent(world, "a")
    world.advance(1)
    world.clear("b")
    world.advance(6)
    assert world.incident.recovery is Recovery.UNVERIFIED


def test_what_is_measured_again_can_recover():
    """An alert that was gone, fired again and cleared as usual gives the all-clear."""
    world = World()
    world.fire("a", level=2)
    absent(world, "a")
    world.advance(1)
    world.fire("a", level=2)
    world.advance(1)
    world.clear("a")
    world.advance(6)
    assert world.incident.state is State.RESOLVED


def test_a_sender_that_tells_no_start():
    """Repeats of a firing alert without a start are no new firing; after its end, they are one."""
    world = World()
    first = replace(alert("a", 4), start_unknown=True)
    world.receive(first)
    world.acknowledge("ada")
    for _ in range(3):
        world.advance(4)
        world.note()
        world.receive(replace(first, starts_at=world.now))
    assert world.incident.state is State.ACKNOWLEDGED
    world.receive(replace(first, starts_at=world.now, firing=False, ended_at=world.now))
    assert world.incident.recovery is Recovery.VERIFYING
    world.advance(1)
    world.receive(replace(first, starts_at=world.now))
    assert (world.incident.state, world.incident.is_firing) == (State.OPEN, True)


def test_an_end_by_a_clock_behind_ours():
    """Where the start is when we received it, an end that the sender's clock puts before it ends the alert too."""
    world = World()
    world.advance(5)
    world.receive(replace(alert("a"), starts_at=world.now, start_unknown=True))
    world.receive(replace(alert("a"), start_unknown=True, firing=False, ended_at=Instant(world.now - 4 * MINUTE)))
    assert (world.incident.is_firing, world.incident.recovery) == (False, Recovery.VERIFYING)


def test_an_end_by_a_clock_ahead_of_ours():
    """A recovery waits for a heartbeat since the end was heard, not since a time that is yet to come."""
    world = World()
    world.beaten = {"": world.now}
    world.receive(alert("a"))
    world.advance(1)
    world.receive(replace(alert("a"), firing=False, ended_at=Instant(world.now + 9 * MINUTE)))
    world.beaten = {"": Instant(world.now + 1)}
    world.advance(1)
    assert world.incident.recovery is Recovery.VERIFYING
