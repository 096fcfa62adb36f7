"""What turns out not to have arrived, and answers to messages that are no longer true."""

import pytest
from msgspec.structs import replace

from receiver.core.events import Acknowledge, Arrived, Bounced
from receiver.core.model import Fact, Kind, Notification, Reason, State, Status, Window
from receiver.messages.timeline import sentence
from receiver.reports.incident_record import UNTOLD
from tests.core.guide import ALL
from tests.core.world import World


def sms(world: World) -> Notification:
    """The page by SMS."""
    return next(each for each in world.planned(Kind.PAGE) if each.channel == "sms")


def test_a_bounce_tells_the_fallback():
    """A page that the provider took and then could not deliver counts as given up: the fallback is told at once."""
    world = World()
    world.fire("a", level=4)
    assert world.entries(Fact.FALLBACK) == []
    world.decide(Bounced(sms(world), "carrier says no"))
    assert [entry.data["channel"] for entry in world.entries(Fact.FALLBACK)] == ["phone"]
    assert world.entries(Fact.GAVE_UP)[-1].data["reason"] == "carrier says no"
    assert sms(world).status is Status.GAVE_UP


def test_the_fallback_of_a_bounce_is_watched_too():
    """If the page to the fallback fails too, the rescue goes on."""
    world = World(down={"phone"})
    world.fire("a", level=4)
    world.decide(Bounced(sms(world), "carrier says no"))
    assert world.window(Window.RESCUE) is not None


def test_a_bounce_counts_once():
    """The same bad news told twice changes nothing more."""
    world = World()
    world.fire("a", level=4)
    world.decide(Bounced(sms(world), "no"))
    before = world.incident
    world.decide(Bounced(sms(world), "no"))
    assert world.incident == before


def test_a_bounce_after_the_acknowledgement_pages_nobody():
    """The incident has an owner: the failure is recorded, and no fallback is paged."""
    world = World()
    world.fire("a", level=4)
    world.acknowledge()
    world.decide(Bounced(sms(world), "no"))
    assert world.entries(Fact.FALLBACK) == []
    assert world.entries(Fact.GAVE_UP) != []


def test_news_of_a_page_whose_answer_was_lost_ends_the_tries():
    """A page that waits for another try and that the provider reports as accepted is delivered: no rescue is due."""
    world = World(down=ALL)
    world.fire("a", level=4)
    world.fail("sms")
    world.decide(Arrived(sms(world), "SM1"))
    assert (sms(world).status, sms(world).reference, sms(world).attempts) == (Status.ACCEPTED, "SM1", 1)
    assert world.window(Window.RESCUE) is None
    assert world.entries(Fact.ACCEPTED)[-1].data["channel"] == "sms"


def test_a_receipt_after_the_page_was_given_up_is_told_beside_that():
    """The timeline that leaves out deliveries has both lines: given up, and that it was delivered."""
    world = World()
    world.fire("a", level=4)
    world.decide(Bounced(sms(world), "expired"))
    world.decide(Arrived(sms(world), "SM1", "delivered at last"))
    told = [each for each in world.timeline if each.fact not in UNTOLD]
    assert told[-1].fact is Fact.DELIVERED_LATE
    said = "page to +12…890, which was given up, was delivered by sms: delivered at last"
    assert sentence(told[-1], str) == said


@pytest.mark.parametrize("state", [{"leased_by": "w@1"}, {"status": Status.GAVE_UP, "due_at": None}])
def test_news_that_is_none_changes_nothing(state):
    """A try under way tells by itself; what is final stays so."""
    world = World(down=ALL)
    world.fire("a", level=4)
    before = len(world.timeline)
    world.decide(Arrived(replace(sms(world), **state), "SM1"))
    assert len(world.timeline) == before
    assert sms(world).status is Status.WAITING


def test_an_answer_to_an_escalated_page_counts():
    """An escalation is the same page: an answer to the first page answers it too."""
    world = World()
    world.fire("a", level=4)
    world.advance(minutes=6)
    assert world.incident.page.serial > 1
    assert world.act(Acknowledge("ada", answers=1)) is None


def test_an_answer_to_an_old_page_covers_no_new_danger():
    """A link or a key that answers a page from before the danger grew acknowledges nothing."""
    world = World()
    world.fire("a", level=3)
    world.fire("b", level=4)
    refusal = world.act(Acknowledge("ada", answers=1))
    assert refusal is not None
    assert "since that message" in refusal.reason
    assert world.incident.state is State.OPEN
    assert world.act(Acknowledge("ada", answers=world.incident.page.serial)) is None


def test_an_answer_from_before_an_expiry_is_old():
    """When the acknowledgement expired and paging began anew, the old link is used up."""
    world = World()
    world.fire("a", level=4)
    world.act(Acknowledge("ada", answers=1))
    world.advance(minutes=16)
    assert [reason for _, reason, _ in world.pages()][-1] is not Reason.OPENED
    assert world.act(Acknowledge("ada", answers=1)) is not None
