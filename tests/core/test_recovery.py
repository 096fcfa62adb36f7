"""Recovery: a resolve is a claim. Verification, confirmation, force, recurrence, closing."""

import pytest

from receiver.core.events import AlertsReceived
from receiver.core.model import Fact, Kind, Reason, Recovery, State, Status, Target, Window
from rules.policy import HOUR, MINUTE, Micros
from tests.core.guide import POLICY, with_level
from tests.core.world import BUDGET, KEY, SLO, World, alert

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
    world = World(down={"slack"})
    world.fire("a")
    world.update()
    world.advance(minutes=1)
    world.clear("a")
    world.resolve()
    world.deliver()
    of_slack = [(each.kind, each.status) for each in world.outbox.values() if each.channel == "slack"]
    assert [kind for kind, status in of_slack if status is Status.DELIVERED] == [Kind.RESOLVED]
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
    assert set(world.incident.windows) == {Window.CONFIRM_REMINDER}
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


def test_a_resolve_of_the_unknown_is_nothing():
    """The resolve of an alert that we never knew, or knew resolved already, changes nothing."""
    world = World()
    assert world.receive(alert("a", firing=False)).incident is None
    assert not world.incidents
    world.fire("a")
    world.clear("a")
    before = world.incident
    world.clear("a")
    assert world.incident is before


def test_absence_is_never_resolution():
    """An alert that a payload does not list is not concerned."""
    world = World()
    world.fire("a", "b")
    world.clear("a")
    assert world.incident.firing == (0, 0, 1, 0)
    assert world.incident.recovery is Recovery.NONE


def test_an_old_resolve_does_not_clear_a_newer_firing():
    """A resolve that belongs to an earlier firing of the alert comes too late to count."""
    world = World()
    world.fire("a")
    world.advance(minutes=1)
    world.fire("a")
    world.receive(alert("a", firing=False))
    assert world.incident.firing == (0, 0, 1, 0)


def test_the_same_start_after_its_resolve_fires_again():
    """A firing alert received after its resolve fires again, the same start included."""
    world = World()
    world.receive(alert("a"))
    world.receive(alert("a", firing=False))
    world.receive(alert("a"))
    assert world.incident.firing == (0, 0, 1, 0)
    assert Fact.FIRED_AGAIN in world.facts()


def test_one_payload_may_hold_both():
    """Resolved and firing alerts in one payload are each taken for themselves; both of one alert: the later start."""
    world = World()
    world.fire("a", "b")
    world.receive(
        alert("a", firing=False), alert("c"), alert("b", firing=False), alert("b", starts_at=world.now + MINUTE)
    )
    assert world.incident.firing == (0, 0, 2, 0)
    assert {name for name, each in world.stored_alerts[world.incident.id].items() if each.firing} == {"b", "c"}


def test_declared_incidents_resolve_only_by_a_person():
    """A declared incident pages like its type, has no alerts, and ends when a person says so."""
    world = World()
    world.declare("engine_failure", note="smoke")
    assert (world.incident.level, world.incident.declared, world.incident.title) == (4, True, "Aircraft engine failure")
    assert world.pages() == [(0, Reason.OPENED, "email slack pagerduty sms")]
    world.advance(minutes=100)
    assert world.incident.state is State.OPEN
    assert world.resolve() is None
    assert world.incident.state is State.RESOLVED


DECLARED = {
    "a type of its own": ("communication_failure", None, 3, "aviation_safety_incident_response/communication_failure"),
    "a detection rule's name": ("error_budget_exceeded", None, 3, BUDGET),
    "a name nobody knows": ("coffee", None, POLICY.default_severity, "coffee"),
    "with a level of its own": (
        "communication_failure",
        1,
        1,
        "aviation_safety_incident_response/communication_failure",
    ),
}


@pytest.mark.parametrize(("type_", "asked", "level", "rule"), DECLARED.values(), ids=DECLARED)
def test_declaring_takes_the_types_level(type_, asked, level, rule):
    """A declared incident has its type's level unless the person names one."""
    world = World()
    world.declare(type_, level=asked)
    assert (world.incident.level, dict(world.incident.rules)) == (level, {rule: level})


def test_the_same_declaration_twice_is_one():
    """A declaration that is sent again changes nothing."""
    world = World()
    world.declare()
    before = world.incident
    world.declare()
    assert world.incident is before


def test_updates_go_out_when_something_changed():
    """After a note the threads get an update when the interval since the last one has passed, and only then."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.advance(minutes=10)
    world.note()
    assert world.window(Window.UPDATE) == 60
    world.advance(minutes=55)
    assert {target.channel for target in world.heard(Kind.UPDATE)} == {"email", "slack"}
    assert (world.incident.changed, world.window(Window.UPDATE)) == (False, None)


def test_a_persons_update_puts_the_next_one_off():
    """What a person tells is the update; the next one comes an interval after it, if there is more."""
    world = World()
    world.fire("a")
    world.note()
    world.advance(minutes=50)
    world.update()
    assert world.window(Window.UPDATE) is None
    world.note()
    assert world.window(Window.UPDATE) == 110
    assert world.incident.rules == {SLO: 3}
