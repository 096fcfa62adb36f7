"""External stakeholders: what is held for them, what voids it, and that only an approval sends."""

from dataclasses import replace

import pytest

from receiver.core.events import ApproveNotice, RejectNotice
from receiver.core.model import Fact, Kind, State, Status
from tests.core.guide import CHANNELS, POLICY, with_channel
from tests.core.world import World

GROUP = "external_notification"
BODY = {"subject": "INCIDENT ALERT", "body": "We are looking into it."}


def opened(level: int = 3, policy=POLICY) -> World:
    """An open incident of that level."""
    world = World(policy)
    world.fire("a", level=level)
    return world


def standings(world: World) -> list[tuple[str, str]]:
    """Moment and standing of every notice."""
    return [(each.moment.value, each.standing.value) for each in world.incident.response.notices]


def approve(world: World, notice: str = "n1"):
    """Approved by cleo."""
    return world.act(ApproveNotice("cleo", notice, **BODY))


HELD = {
    "acknowledged": (3, lambda world: world.acknowledge(), [("acknowledged", "held")]),
    "breached": (3, lambda world: world.advance(minutes=61), [("breached", "held")]),
    "open": (4, lambda world: world.advance(minutes=10), []),
    "level 2": (2, lambda world: world.acknowledge(), []),
    "level 2, assessed as 3": (
        2,
        lambda world: (world.acknowledge(), world.change(level=3, reason="worse"), world.acknowledge()),
        [("acknowledged", "held")],
    ),
}


@pytest.mark.parametrize(("level", "happens", "expected"), HELD.values(), ids=HELD)
def test_a_notice_is_held_from_level_3_on_breach_and_acknowledgement(level, happens, expected):
    """Then, and only then, a notice is held for each external group; nobody is told by it."""
    world = opened(level)
    happens(world)
    assert standings(world) == expected
    assert len(world.entries(Fact.NOTICE_HELD)) == len(expected)
    assert world.planned(Kind.EXTERNAL) == []


def test_an_approval_sends_exactly_the_approved_text():
    """To every recipient with an address; whoever has no number becomes a step: a call to make."""
    world = opened()
    world.acknowledge()
    assert approve(world) is None
    sent = world.planned(Kind.EXTERNAL)
    assert [(each.channel, each.recipient) for each in sent] == [
        ("email", "customers@company.com"),
        ("email", "regulators@company.com"),
    ]
    assert all((each.data["subject"], each.data["body"]) == ("INCIDENT ALERT", BODY["body"]) for each in sent)
    assert world.incident.response.checklists.calls == (
        "Call customers@company.com (external_notification): INCIDENT ALERT",
        "Call regulators@company.com (external_notification): INCIDENT ALERT",
    )
    [entry] = world.entries(Fact.NOTICE_SENT)
    assert (entry.by, standings(world)) == ("cleo", [("acknowledged", "sent")])


def test_numbers_are_called_and_dead_channels_are_said():
    """A recipient with a number is phoned; a channel that cannot carry it is recorded as undeliverable."""
    [internal, external] = POLICY.stakeholders
    numbered = replace(external, recipients=("+4930123456", "customers@company.com"))
    policy = with_channel("email", replace(POLICY, stakeholders=(internal, numbered)), enabled=False)
    world = opened(policy=policy)
    world.acknowledge()
    approve(world)
    told = {(each.channel, each.recipient): each.status for each in world.planned(Kind.EXTERNAL)}
    assert told == {("phone", "+4930123456"): Status.ACCEPTED, ("email", GROUP): Status.UNDELIVERABLE}
    assert len(world.incident.response.checklists.calls) == 1


def test_without_a_phone_channel_everybody_is_called_by_hand():
    """The guide's group names the type `phone`, and no channel of that type needs to exist."""
    world = opened(policy=replace(POLICY, channels=CHANNELS[:4]))
    world.acknowledge()
    approve(world)
    assert len(world.incident.response.checklists.calls) == 2


VOIDED = {
    "a reopening": lambda world: world.escalate(),
    "a resolution": lambda world: world.resolve(note="x", force=True),
    "new danger": lambda world: world.fire("b", level=4),
}


@pytest.mark.parametrize("happens", VOIDED.values(), ids=VOIDED)
def test_a_change_of_state_voids_it(happens):
    """What speaks of another state cannot be approved any more."""
    world = opened()
    world.acknowledge()
    happens(world)
    assert standings(world)[0] == ("acknowledged", "void")
    assert approve(world).reason == "the notice n1 is void already"
    assert world.planned(Kind.EXTERNAL) == []


def test_a_new_one_is_held_where_it_is_due():
    """Acknowledged again, a new notice waits in the place of the one that was voided."""
    world = opened()
    world.acknowledge()
    world.escalate()
    world.acknowledge()
    assert standings(world) == [("acknowledged", "void"), ("acknowledged", "held")]


@pytest.mark.parametrize("decision", [ApproveNotice("cleo", "n1", **BODY), RejectNotice("cleo", "n1", "not needed")])
def test_what_a_person_decided_is_not_asked_again(decision):
    """Sent or rejected, no second notice of the same moment follows, and the first cannot be decided again."""
    world = opened()
    world.acknowledge()
    world.act(decision)
    world.escalate()
    world.acknowledge()
    assert len(standings(world)) == 1
    assert approve(world).reason
    assert world.act(RejectNotice("cleo", "n1")).reason


def test_who_was_told_of_it_is_told_of_the_end():
    """On the resolution a notice is held for the groups that got one, and for no other."""
    told, untold = opened(), opened()
    for world in (told, untold):
        world.acknowledge()
    approve(told)
    for world in (told, untold):
        world.resolve(note="x", force=True)
    assert standings(told) == [("acknowledged", "sent"), ("resolved", "held")]
    assert standings(untold) == [("acknowledged", "void")]


def test_a_recurrence_is_told_anew():
    """Back again it is another story: its notices are held as at first."""
    world = opened()
    world.acknowledge()
    approve(world)
    world.clear("a")
    world.advance(minutes=10)
    world.fire("a")
    world.acknowledge()
    assert standings(world)[-1] == ("acknowledged", "held")


def test_an_approved_notice_is_not_dropped_by_the_resolution():
    """What a person approved and still waits goes out, although the incident is over."""
    world = World(down={"email"})
    world.fire("a")
    world.acknowledge()
    approve(world)
    world.resolve(note="x", force=True)
    world.down.clear()
    world.advance(minutes=1)
    assert {each.status for each in world.planned(Kind.EXTERNAL)} == {Status.ACCEPTED}


def test_an_unknown_notice_is_refused():
    """Approving what is not there says so."""
    world = opened()
    assert approve(world, "n7").reason == "the incident has no notice 'n7'"
    assert world.incident.state is State.OPEN
