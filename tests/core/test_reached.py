"""Accepted is not delivered: which pages count as reached, and what a reached page stops."""

import pytest

from receiver.core.events import Delivered
from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from receiver.core.reached import has_reached
from rules.channel_types import CHANNEL_FACTS, CHANNEL_TYPES
from rules.policy import MINUTE, Micros
from tests.core.guide import ALL, POLICY, with_channel, with_level
from tests.core.world import World

A, D = Status.ACCEPTED, Status.DELIVERED
REACHED = {
    # type: (accepted without receipts, accepted where a receipt may come, delivered), at levels 3 and 4
    "email": (False, False, False),
    "slack": (False, False, False),
    "webhook": (False, False, False),
    "pagerduty": (True, True, True),
    "sms": (True, False, True),
    "phone": (False, False, True),
}


@pytest.mark.parametrize("kind", CHANNEL_TYPES)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_what_reaches_somebody(kind, level):
    """At levels 3 and 4 only waking channels with their proof count; at levels 1 and 2 all that a provider accepted."""
    cases = ((A, False), (A, True), (D, True))
    facts = CHANNEL_FACTS[kind]
    said = tuple(has_reached(status, facts, level, receipts=receipts, can_wake=True) for status, receipts in cases)
    assert said == (REACHED.get(kind, (facts.wakes,) * 3) if level >= 3 else (True, True, True))


@pytest.mark.parametrize("status", [each for each in Status if each not in {A, D}])
def test_what_was_not_accepted_reaches_nobody(status):
    """A page that waits, is overtaken, given up or undeliverable has reached no one."""
    for level in (1, 4):
        assert not has_reached(status, CHANNEL_FACTS["pagerduty"], level, receipts=False, can_wake=False)


def test_where_nothing_wakes_accepted_is_enough():
    """With e-mail and Slack alone, an accepted emergency counts as reached."""
    world = World(configured={"email", "slack"})
    world.fire("a", level=4)
    assert world.incident.page.delivered
    assert world.incident.unreached_since is None


def test_slack_alone_at_night_stops_no_rescue():
    """Slack's ok and a mail server's 250 are no proof: the fallback is told, and the alarm keeps its age."""
    for level in (3, 4):
        world = World(down={"pagerduty", "sms", "phone"})
        world.fire("a", level=level)
        assert {each.channel for each in world.delivered} == {"email", "slack"}
        world.advance(seconds=59)
        assert world.entries(Fact.FALLBACK) == []
        world.advance(seconds=1)
        assert [entry.data["channel"] for entry in world.entries(Fact.FALLBACK)] == ["phone"]
        assert (world.incident.unreached_since is not None) is (level == 4)


def test_at_level_2_it_does():
    """A warning need not wake a person: accepted is enough."""
    world = World()
    world.fire("a", level=2)
    world.advance(minutes=30)
    assert world.incident.page.delivered
    assert world.entries(Fact.FALLBACK) == []


def awaiting(level: int = 4) -> World:
    """A world whose providers call back, where only SMS and phone go out."""
    world = World(with_channel("pagerduty", enabled=False), down=ALL - {"sms", "phone"})
    world.receipts = True
    world.fire("a", level=level)
    return world


def test_an_sms_that_is_only_accepted_goes_on_after_90_seconds():
    """Its receipt has 90 s to come; then the next fallback is told, and so on until something is proved."""
    world = awaiting()
    assert world._newest("sms").status is A
    assert world.incident.unreached_since is not None
    world.advance(seconds=89)
    assert world.entries(Fact.FALLBACK) == []
    world.advance(seconds=1)
    assert [entry.data["channel"] for entry in world.entries(Fact.FALLBACK)] == ["phone"]
    world.advance(seconds=89)
    world.receive_receipt("phone", "a person answered the call")
    assert world.window(Window.RESCUE) is None
    assert world.incident.unreached_since is None
    world.advance(minutes=2)
    assert len(world.entries(Fact.FALLBACK)) == 1


def test_at_level_3_it_goes_on_too():
    """Accepted is not delivered there either."""
    world = World(with_channel("pagerduty", enabled=False), down={"phone"})
    world.receipts = True
    world.fire("a", level=3)
    world.advance(seconds=60)
    world.advance(seconds=60)
    assert [entry.data["channel"] for entry in world.entries(Fact.FALLBACK)] == ["phone", "sms"]
    world.advance(seconds=90)
    assert world.entries(Fact.FALLBACK_EXHAUSTED)


def test_the_wait_for_a_receipt_is_shorter_where_escalation_is():
    """Three tenths of the escalation time: fallbacks come before the next step."""
    world = World(
        with_level(4, with_channel("pagerduty", enabled=False), escalation_time=Micros(MINUTE)),
        down=ALL - {"sms"},
    )
    world.receipts = True
    world.fire("a", level=4)
    world.advance(seconds=18)
    assert [entry.data["channel"] for entry in world.entries(Fact.FALLBACK)] == ["phone"]


def test_a_receipt_in_time_ends_the_rescue():
    """Delivered is what the receipt says: entered with its words, and it is the reach that was missing."""
    world = awaiting()
    world.advance(seconds=80)
    world.receive_receipt("sms")
    page = world._newest("sms")
    assert (page.status, page.reached_at) == (D, world.now)
    assert world.entries(Fact.DELIVERED)[-1].data["receipt"] == "its receipt says delivered"
    world.advance(minutes=3)
    assert world.entries(Fact.FALLBACK) == []
    assert world.incident.unreached_since is None


def test_a_call_to_an_answering_machine_tells_the_next():
    """A call that no person answered is bad news: no need to wait."""
    world = awaiting()
    world.advance(seconds=90)
    world.bounce("phone", "no person answered (machine_start)")
    assert world._newest("phone").status is Status.GAVE_UP
    assert world.entries(Fact.FALLBACK_EXHAUSTED)[-1].data["failed"] == "phone"


def test_a_key_pressed_after_a_machine_was_heard_counts():
    """Machines are sometimes heard where a person is: who presses a key is one."""
    world = awaiting()
    world.advance(seconds=90)
    world.bounce("phone", "no person answered (machine_start)")
    world.receive_receipt("phone", "a person pressed a key")
    assert world._newest("phone").status is D
    assert world.incident.page.delivered
    assert world.incident.reached == 1


def test_bad_news_after_a_receipt_is_not_believed():
    """What a receipt proved stays proved, and so does the alarm's count."""
    world = awaiting()
    world.receive_receipt("sms")
    world.bounce("sms")
    assert world._newest("sms").status is D
    assert world.incident.reached == 1


def test_a_bounce_of_what_never_counted_leaves_the_count():
    """An SMS that was only accepted counted nothing, so its bounce takes nothing back from PagerDuty's acceptance."""
    world = World()
    world.receipts = True
    world.fire("a", level=4)
    assert world.incident.reached == 1
    world.bounce("sms")
    assert world.incident.reached == 1
    assert world.incident.page.delivered


def test_a_receipt_that_comes_before_our_own_report_waits_for_it():
    """While its sender holds the message, the receipt changes nothing yet; it is told again."""
    world = World(down=ALL)
    world.receipts = True
    world.fire("a", level=4)
    world.fail("sms")
    assert world._newest("sms").status is Status.WAITING
    world.receive_receipt("sms")
    assert world._newest("sms").status is D, "it was not under way: the answer to the try was lost"


def test_an_old_receipt_of_an_alarm_before_counts_nothing():
    """It was about a page from before paging began anew."""
    world = awaiting()
    old = world._newest("sms")
    world.acknowledge()
    world.fire("b", level=4)
    assert world.incident.state is State.OPEN
    world.down = set(ALL)
    world.fire("c", level=4)
    assert world.incident.unreached_since is not None
    assert old.page < world.incident.alarm


def test_news_is_never_a_page_that_reached_somebody():
    """An accepted message about an acknowledgement does not count as a page that reached its recipient."""
    world = World()
    world.fire("a", level=4)
    world.acknowledge()
    others = [each for each in world.outbox.values() if each.kind is not Kind.PAGE]
    assert others
    assert all(each.reached_at is None for each in others)


def test_the_fallbacks_reason_is_said():
    """The recipient of a fallback hears that the page was not delivered before."""
    world = World(down={"pagerduty", "sms"})
    world.fire("a", level=3)
    world.advance(minutes=1)
    assert world.planned(Kind.PAGE, Reason.FALLBACK)


def test_without_a_way_to_call_back_an_sms_counts_as_accepted():
    """No receipt can come, so the provider's word is all there is; a call still needs a person."""
    world = World(with_channel("pagerduty", enabled=False), down={"sms"})
    world.fire("a", level=3)
    world.advance(seconds=60)
    assert not world.incident.page.delivered, "the call was accepted, and nobody knows who answered"
    world.advance(seconds=60)
    world.send(["sms"], Delivered("SM1"))
    assert world.incident.page.delivered
    assert POLICY.fallback
