"""Updates on the clock: everybody who was told hears how it stands, whether or not anything changed, until the end."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from receiver.core.events import Unheard
from receiver.core.model import Fact, Kind, Reason, State, Target, Window
from rules.policy import HOUR, MINUTE, Micros
from tests.core.guide import POLICY, with_channel, with_level
from tests.core.truth import UntrueError, check
from tests.core.truth.promises import is_news
from tests.core.world import World

TOLD = {
    Target("email", "incident-response@company.com"),
    Target("email", "management@company.com"),
    Target("email", "technical-team@company.com"),
    Target("slack", "#incident-response"),
}
"""At level 3: those paged where updates can be read, and the internal stakeholders of the acknowledgement."""


def acknowledged(level: int = 3, policy=POLICY) -> World:
    """An acknowledged incident."""
    world = World(policy)
    world.fire("a", level=level)
    world.acknowledge()
    return world


def keep(world: World, minutes: float) -> None:
    """Time passes, and the owner goes on having it."""
    for _ in range(int(minutes // 10)):
        world.advance(minutes=10)
        world.acknowledge(hold=10 * HOUR)


def updates(world: World) -> list[tuple[float, bool]]:
    """When an update was entered, and whether it says that nothing changed."""
    return [(world.since(each.at), "unchanged_since" in each.data) for each in world.entries(Fact.UPDATED)]


def test_everybody_who_was_told_hears_though_nothing_changed():
    """The promise of the acknowledgement is kept: every hour at level 3, "no change" since the acknowledgement."""
    world = acknowledged()
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=185)
    assert updates(world) == [(60, True), (120, True), (180, True)]
    first = [each for each in world.planned(Kind.UPDATE) if world.since(each.created_at) == 60]
    assert {Target(each.channel, each.recipient) for each in first} == TOLD
    assert len(first) == len(TOLD), "once each"
    assert {world.since(int(each.data["unchanged_since"])) for each in first} == {0}


def test_what_changed_is_no_no_change():
    """A step, a note, a further alert since everybody was told: the next update says nothing of "no change"."""
    world = acknowledged()
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=70)
    world.fire("b")
    world.advance(minutes=115)
    assert updates(world) == [(60, True), (120, False), (180, True)]
    assert world.planned(Kind.UPDATE)[-1].data["unchanged_since"] == str(world.entries(Fact.ALERT_JOINED)[0].at)


def test_a_written_update_goes_to_everybody_and_resets_the_clock():
    """By hand it goes to those whom the button names, not to the threads alone; the next comes an interval later."""
    world = acknowledged()
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=40)
    assert world.window(Window.UPDATE) == 60
    world.update(text="the pump is replaced")
    assert {Target(each.channel, each.recipient) for each in world.planned(Kind.UPDATE)} == TOLD
    assert (world.window(Window.UPDATE), world.window(Window.UPDATE_REMINDER)) == (100, 85)
    world.advance(minutes=65)
    assert updates(world) == [(40, False), (100, True)]


def test_the_owner_is_reminded_before_one_is_due():
    """A quarter of the interval before it, and never for longer than 15 minutes."""
    world = acknowledged()
    world.advance(minutes=50)
    [reminder] = {each.created_at: each for each in world.planned(Kind.REMINDER, Reason.UPDATE_DUE)}.values()
    assert world.since(reminder.created_at) == 45
    assert (reminder.data["whom"], world.since(int(reminder.data["due_at"]))) == ("ada", 60)


def test_nobody_is_reminded_of_what_is_due_at_once():
    """After a downtime the update itself goes, once."""
    world = acknowledged()
    world.acknowledge(hold=10 * HOUR)
    world.sleep(150)
    assert world.planned(Kind.REMINDER, Reason.UPDATE_DUE) == []
    assert updates(world) == [(150, True)]
    assert world.window(Window.UPDATE) == 210


def test_it_ends_with_the_incident():
    """Resolved, nothing is promised any more."""
    world = acknowledged()
    world.resolve(note="x", force=False)
    world.clear("a")
    world.advance(minutes=6)
    assert world.incident.state is State.RESOLVED
    assert {Window.UPDATE, Window.UPDATE_REMINDER}.isdisjoint(world.incident.windows)
    world.advance(minutes=600)
    assert updates(world) == []


def test_nobody_was_promised_anything_before_the_first_answer():
    """While it is open and escalates, its pages say how it stands; with the breach others hear of it."""
    world = World()
    world.fire("a")
    assert Window.UPDATE not in world.incident.windows
    world.advance(minutes=61)
    assert world.window(Window.UPDATE) == 120


def test_an_expired_acknowledgement_does_not_end_the_promise():
    """People who were told get further updates, which say that the incident has no owner."""
    world = acknowledged()
    world.advance(minutes=65)
    assert world.incident.state is State.OPEN
    assert updates(world) == [(60, False)]


def test_a_risen_level_brings_the_next_one_forward():
    """Its interval is shorter, and the acknowledgement says so; a lowered one puts no promised update off."""
    world = acknowledged()
    world.change(level=4, reason="worse")
    world.advance(minutes=5)
    world.acknowledge(hold=10 * HOUR)
    assert world.window(Window.UPDATE) == 15
    world.change(level=3, reason="better")
    assert world.window(Window.UPDATE) == 15


def test_a_worse_alert_brings_the_next_one_forward_before_anybody_answers():
    """The acknowledgement is void, the promise is not: it is kept at the pace of the new level."""
    world = acknowledged()
    world.advance(minutes=5)
    world.fire("b", level=4)
    assert world.incident.acknowledged_at is None
    assert world.window(Window.UPDATE) == 5 + 15


def test_the_policys_interval_is_the_clock():
    """`update_interval` goes before the response time."""
    world = acknowledged(policy=with_level(3, update_interval=Micros(20 * MINUTE)))
    assert (world.window(Window.UPDATE), world.window(Window.UPDATE_REMINDER)) == (20, 15)


@pytest.mark.parametrize(
    ("channel", "wanted", "hears"),
    [
        ("sms", None, True),
        ("sms", False, False),
        ("phone", None, False),
        ("phone", True, True),
        ("pagerduty", None, False),
        ("slack", False, False),
    ],
)
def test_each_by_the_medium_they_were_told_as_they_want_it(channel, wanted, hears):
    """No call is made for an update, unless the policy wants it; each channel may do without."""
    policy = with_channel(channel, updates=wanted)
    world = acknowledged(4, with_level(4, policy, escalates_to=("phone",)))
    world.give_back()
    world.advance(minutes=6)
    world.acknowledge(hold=10 * HOUR)
    assert channel in {target.channel for target in world.incident.paged}
    world.advance(minutes=16)
    assert (channel in {each.channel for each in world.planned(Kind.UPDATE)}) is hears


def test_an_update_that_cannot_leave_is_overtaken_by_the_next():
    """After an outage no recipient gets a pile of old ones."""
    world = World(down={"email"})
    world.fire("a")
    world.acknowledge(hold=1000 * HOUR)
    world.advance(minutes=60)
    first = [each for each in world.waiting("email") if each.kind is Kind.UPDATE]
    assert {world.since(each.give_up_at) for each in first} == {120}
    world.update(text="by hand")
    kept = [each for each in world.waiting("email") if each.data.get("text")]
    assert min(world.since(each.give_up_at) for each in kept) > 600, "what a person wrote is not dropped"


def test_an_incident_of_an_older_version_gets_its_clock():
    """Acknowledged before the upgrade, its promise is kept from the next decision on."""
    world = acknowledged()
    older = {window: at for window, at in world.incident.windows.items() if "update" not in window}
    world.incidents[world.incident.id] = changed(world.incident, windows=older, changed_at=None)
    world.advance(minutes=41)
    assert world.window(Window.UPDATE) == 60


def test_stakeholders_by_sms_hear_by_sms():
    """A group is updated where it was told."""
    [internal, external] = POLICY.stakeholders
    by_sms = replace(internal, recipients=("+4930555555",), channels=("sms",))
    world = acknowledged(policy=replace(POLICY, stakeholders=(by_sms, external)))
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=61)
    assert Target("sms", "+4930555555") in {Target(e.channel, e.recipient) for e in world.planned(Kind.UPDATE)}


HAPPENINGS = {
    "a further alert": lambda world: world.fire("b"),
    "a recovery": lambda world: world.clear("a"),
    "a note": lambda world: world.note(),
    "a handover": lambda world: world.hand_over(),
    "an assessment": lambda world: world.change(root_cause="disk"),
    "a call for help": lambda world: world.escalate(),
    "a silence": lambda world: world.silence(600),
    "unheard": lambda world: world.decide(Unheard(world.incident.key, world.now)),
    "flapping": lambda world: [
        (world.clear("a"), world.advance(1), world.fire("a"), world.advance(1)) for _ in range(4)
    ],
    "another owner": lambda world: world.acknowledge("ben", hold=10 * HOUR),
}


@pytest.mark.parametrize("happens", HAPPENINGS.values(), ids=HAPPENINGS)
def test_an_update_denies_no_change(happens):
    """After any change the next update does not say that nothing changed."""
    world = acknowledged(policy=with_level(3, resolve_after=Micros(2 * HOUR)))
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=10)
    happens(world)
    world.advance(minutes=125)
    timeline = world.entries()
    planned = world.planned(Kind.UPDATE)
    assert planned
    for each in planned:
        known = [entry for entry in timeline if entry.at <= each.created_at]
        since = each.data.get("unchanged_since")
        assert since is None or not [entry for entry in known if entry.at > int(since) and is_news(entry)]


def test_a_denied_change_is_noticed():
    """The oracle knows a lie."""
    world = acknowledged()
    world.acknowledge(hold=10 * HOUR)
    world.advance(minutes=61)
    world.note()
    with pytest.raises(UntrueError, match="no change since"):
        check("Status update: no change since 08:53 UTC.", world.record())
