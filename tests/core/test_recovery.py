"""Recovery: a resolve is a claim. Verification, confirmation, force, recurrence, closing."""

import pytest
from msgspec.structs import replace

from receiver.core.events import AlertsReceived
from receiver.core.model import Fact, Instant, Kind, Reason, Recovery, State, Status, Target, Window
from receiver.core.soundness import tell_file
from rules.policy import MINUTE, SECOND, Micros
from tests.core.alerts import KEY, START, alert
from tests.core.guide import with_level
from tests.core.world import World

INTERNAL = {
    Target("email", f"{name}@company.com") for name in ("incident-response", "management", "technical-team")
} | {Target("slack", "#incident-response")}


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("taken", [False, True], ids=["open", "acknowledged"])
def test_at_levels_1_to_3_it_resolves_by_itself(level, taken):
    """When the last alert has cleared it is verified for `resolve_after`, then resolves, acknowledged or not."""
    world = World()
    world.fire("a", "b", level=level)
    if taken:
        world.acknowledge()
    world.clear("a")
    assert world.incident.recovery is Recovery.NONE
    world.clear("b")
    state = State.ACKNOWLEDGED if taken else State.OPEN
    assert (world.incident.state, world.incident.recovery, world.window(Window.VERIFY)) == (
        state,
        Recovery.VERIFYING,
        5,
    )
    world.advance(minutes=5)
    assert (world.incident.state, world.incident.resolved_by) == (State.RESOLVED, "")
    assert set(world.incident.windows) == {Window.CLOSE}


def test_resolve_after_may_be_zero():
    """`resolve_after: 0` resolves with the next look at the clock."""
    world = World(with_level(3, resolve_after=Micros(0)))
    world.fire("a")
    world.clear("a")
    world.advance()
    assert world.incident.state is State.RESOLVED


def test_verification_does_not_stop_the_escalation():
    """While it is verified the incident stays as it is: an escalation that is due comes."""
    world = World()
    world.fire("a")
    world.advance(minutes=28)
    world.clear("a")
    world.advance(minutes=3)
    assert world.pages()[-1][:2] == (30, Reason.ESCALATED)


def test_the_all_clear_goes_to_everyone_paged_and_the_stakeholders_once():
    """Everybody who was paged, on any step or fallback, and the internal stakeholders get the all-clear exactly once."""
    world = World()
    world.fire("a")
    world.advance(minutes=65)
    world.clear("a")
    world.advance(minutes=5)
    paged = {Target(each.channel, each.recipient) for each in world.planned(Kind.PAGE)}
    heard = world.heard(Kind.RESOLVED)
    assert set(heard) == paged | INTERNAL
    assert len(heard) == len(set(heard))
    assert Target("sms", "+1234567890") in heard


def test_a_resolve_overtakes_everything_that_waits():
    """Pages, notices and updates that still wait are not sent after the all-clear; the all-clear is."""
    world = World()
    world.fire("a")
    world.down = {"slack"}
    world.update()
    world.advance(minutes=1)
    world.clear("a")
    world.resolve()
    world.deliver()
    of_slack = [(each.kind, each.status) for each in world.outbox.values() if each.channel == "slack"]
    assert [kind for kind, status in of_slack if status is Status.ACCEPTED] == [Kind.PAGE, Kind.RESOLVED]
    assert len(of_slack) > 2


def test_level_4_waits_for_a_person_and_goes_on_escalating():
    """Unacknowledged and recovered, level 4 says "confirm" and goes on paging until a person resolves it."""
    world = World()
    world.fire("a", level=4)
    world.clear("a")
    world.advance(minutes=25)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.CONFIRM)
    assert [at for at, _, _ in world.pages()] == [0, 5, 15, 20, 25]
    assert world.resolve() is None
    assert world.incident.state is State.RESOLVED


def test_level_4_acknowledged_reminds_the_owner():
    """Acknowledged and recovered, level 4 reminds its owner every response time; nothing expires."""
    world = World()
    world.fire("a", level=4)
    world.acknowledge()
    world.clear("a")
    world.advance(minutes=51)
    assert [world.since(entry.at) for entry in world.entries(Fact.REMINDED)] == [20, 35, 50]
    assert world.incident.state is State.ACKNOWLEDGED
    assert len(world.pages()) == 1


def test_acknowledging_after_the_recovery_is_reminded_too():
    """Acknowledged only after the recovery was concluded, it is reminded of the confirmation, and does not expire."""
    world = World()
    world.fire("a", level=4)
    world.clear("a")
    world.advance(minutes=6)
    world.acknowledge()
    assert Window.CONFIRM_REMINDER in world.incident.windows
    assert {Window.ACK_EXPIRY, Window.ACK_REMINDER}.isdisjoint(world.incident.windows)
    assert world.window(Window.CONFIRM_REMINDER) == 21


UNPROVEN = {
    "a twin cleared last": (True, False),
    "the heartbeat is missing": (False, True),
}


@pytest.mark.parametrize(("twin", "blind"), UNPROVEN.values(), ids=UNPROVEN)
def test_a_recovery_that_nothing_proves_needs_a_person(twin, blind):
    """What proves nothing gives no all-clear: it says "unverified", goes on escalating, and a person resolves."""
    world = World()
    world.fire("a", twin=twin)
    world.blind = blind
    world.clear("a")
    world.advance(minutes=30)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.UNVERIFIED)
    assert world.heard(Kind.RESOLVED) == []
    assert world.pages()[-1][:2] == (30, Reason.ESCALATED)
    assert world.resolve() is None


def test_a_truncated_group_proves_nothing():
    """Where Alertmanager left alerts out, the last clearing that we know of is no proof: a person resolves."""
    world = World()
    world.fire("a")
    world.decide(AlertsReceived(KEY, "", (alert("a", firing=False),), truncated=True))
    world.advance(minutes=5)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.UNVERIFIED)


def test_only_the_last_to_clear_counts():
    """A twin that cleared before the rule's own alert does no harm; at the same instant it does."""
    world = World()
    world.fire("twin", twin=True)
    world.fire("a")
    world.clear("twin")
    world.advance(minutes=1)
    world.clear("a")
    assert not world.incident.twin_cleared_last
    world = World()
    world.fire("a")
    world.fire("twin", twin=True)
    world.clear("a", "twin")
    assert world.incident.twin_cleared_last


@pytest.mark.parametrize("level", [3, 4])
def test_firing_again_during_verification_ends_it(level):
    """An alert during the verification ends it; the escalation goes on as if nothing had been."""
    world = World()
    world.fire("a", level=level)
    world.advance(minutes=1)
    world.clear("a")
    world.advance(minutes=1)
    world.fire("a", level=level)
    assert (world.incident.recovery, world.window(Window.VERIFY)) == (Recovery.NONE, None)
    assert Fact.FIRED_AGAIN in world.facts()
    world.advance(minutes=10)
    assert world.incident.state is State.OPEN


def test_firing_again_after_an_unproven_recovery_reminds_and_expires_again():
    """Acknowledged, unproven, firing again: the acknowledgement expires as ever, with its reminder before."""
    world = World()
    world.fire("a", twin=True)
    world.acknowledge()
    world.clear("a")
    world.advance(minutes=10)
    world.fire("a", twin=True)
    assert world.incident.state is State.ACKNOWLEDGED
    assert (world.window(Window.ACK_REMINDER), world.window(Window.ACK_EXPIRY)) == (50, 70)
    assert world.window(Window.CONFIRM_REMINDER) is None


def test_an_expiry_during_verification_leaves_the_verification():
    """An acknowledgement that expires while a recovery is verified reopens; the recovery is concluded all the same."""
    world = World(with_level(3, resolve_after=Micros(30 * MINUTE)))
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=50)
    world.clear("a")
    world.advance(minutes=20)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.VERIFYING)
    world.advance(minutes=10)
    assert world.incident.state is State.RESOLVED


def test_a_level_raised_during_verification_must_be_confirmed():
    """Raised to level 4 while it is verified, it waits for a person after all."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.clear("a")
    world.change(level=4, reason="worse than it looked")
    world.advance(minutes=5)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.CONFIRM)


def test_two_confirmations_are_two_persons():
    """With `confirmations: 2` a second person must say so; the same one twice is one."""
    world = World(with_level(4, confirmations=2))
    world.fire("a", level=4)
    world.acknowledge()
    world.clear("a")
    world.advance(minutes=5)
    world.resolve("ada")
    world.resolve("ada")
    assert (world.incident.state, world.incident.confirmed_by) == (State.ACKNOWLEDGED, ("ada",))
    assert [entry.data["have"] for entry in world.entries(Fact.CONFIRMED)] == ["1", "1"]
    world.resolve("ben")
    assert (world.incident.state, world.incident.resolved_by) == (State.RESOLVED, "ben")


def test_firing_again_takes_the_confirmations_back():
    """A confirmation given before it fired again does not count."""
    world = World(with_level(4, confirmations=2))
    world.fire("a", level=4)
    world.clear("a")
    world.resolve("ada")
    world.fire("a", level=4)
    assert world.incident.confirmed_by == ()


def test_recovered_is_said_only_after_a_beat_evaluated_after_the_end():
    """Where the source has a heartbeat, a cleared alert is no longer reported; with a beat from after its end it is a
    recovery, told once, and resolves when `resolve_after` has passed since it cleared."""
    world = World()
    world.beaten = {"": Instant(START + 10 * SECOND)}
    world.advance(minutes=1)
    world.fire("a")
    world.clear("a")
    assert world.incident.recovery is Recovery.UNREPORTED
    assert Fact.RECOVERED not in world.facts()
    assert not world.planned(Kind.NOTICE, Reason.RECOVERED)
    world.advance(minutes=1)
    assert world.incident.recovery is Recovery.UNREPORTED
    world.beaten = {"": world.now}
    world.advance(minutes=1)
    assert (world.incident.recovery, world.window(Window.VERIFY)) == (Recovery.VERIFYING, 6)
    assert Fact.RECOVERED in world.facts()
    told = len(world.planned(Kind.NOTICE, Reason.RECOVERED))
    assert told > 0
    world.advance(minutes=5)
    assert world.incident.state is State.RESOLVED
    assert len(world.planned(Kind.NOTICE, Reason.RECOVERED)) == told


def test_a_beat_from_before_the_end_does_not_resolve():
    """However long it takes, nothing resolves by itself on a beat from before the end; the escalation goes on."""
    world = World()
    world.beaten = {"": START}
    world.fire("a")
    world.advance(minutes=1)
    world.clear("a")
    world.advance(minutes=29)
    assert (world.incident.state, world.incident.recovery) == (State.OPEN, Recovery.UNREPORTED)
    world.advance(minutes=1)
    assert world.pages()[-1][:2] == (30, Reason.ESCALATED)


def test_a_dead_prometheus_recovers_nothing():
    """An end by a dead Prometheus is unverified, and no message reads "recovered"."""
    world = World()
    world.beaten = {"": START}
    world.fire("a", level=4)
    world.acknowledge()
    world.advance(minutes=4)
    world.blind = True
    world.beaten = {}
    world.clear("a")
    world.advance(minutes=5)
    assert (world.incident.state, world.incident.recovery) == (State.ACKNOWLEDGED, Recovery.UNVERIFIED)
    assert Fact.RECOVERED not in world.facts()
    assert not world.planned(Kind.NOTICE, Reason.RECOVERED)


def test_another_sources_blindness_does_not_matter():
    """A recovery is verified by the heartbeat of its own source."""
    world = World()
    world.beaten = {"other": START}
    world.fire("a")
    world.clear("a")
    world.advance(minutes=5)
    assert world.incident.state is State.RESOLVED


def test_firing_again_before_a_beat_ends_the_checking():
    """An alert that fires while it is checked whether Prometheus lives takes the end back."""
    world = World()
    world.beaten = {"": START}
    world.fire("a")
    world.advance(minutes=1)
    world.clear("a")
    world.fire("a")
    assert (world.incident.recovery, world.window(Window.VERIFY)) == (Recovery.NONE, None)


@pytest.mark.parametrize("source", ["", "tocsin"])
def test_a_blind_source_proves_no_recovery_whatever_it_is_called(source):
    """A webhook's `?source=tocsin` does not prove a recovery: while Tocsin is blind, a recovery is unverified."""
    world = World()
    world.decide(AlertsReceived(KEY, source, (alert("a"),)))
    world.blind = True
    ended = replace(alert("a"), firing=False, ended_at=world.now)
    world.decide(AlertsReceived(KEY, source, (ended,)))
    world.advance(minutes=10)
    assert world.incident.recovery is Recovery.UNVERIFIED


def test_what_tocsin_itself_says_needs_no_heartbeat():
    """An alarm of our own ends as we say, although every source is blind."""
    world = World()
    world.blind = True
    (alarm,) = tell_file("damaged", world.now).alerts
    world.decide(AlertsReceived(KEY, "tocsin", (alarm,)))
    world.decide(AlertsReceived(KEY, "tocsin", (replace(alarm, firing=False, ended_at=world.now),)))
    assert world.incident.recovery is Recovery.VERIFYING
