"""An incident's own chat channel: asked for once, told of all news, archived when the incident closes."""

from dataclasses import replace

import pytest

from receiver.core.events import Assign, Close, Delivered, OpenRoom
from receiver.core.model import Fact, Kind, Notification, Reason, State
from receiver.core.rooms import room_of
from receiver.messages.timeline import sentence
from rules.policy import MINUTE, Closing, Micros, Person, ResponseRole
from tests.core.guide import ALL, CHANNELS, POLICY
from tests.core.truth import WORDS, OneMessage, check, check_line
from tests.core.world import World

ADA = Person("ada", (("slack", "U0ADA"),))
BEN = Person("ben", (("slack", "U0BEN"),), aliases=("benjamin",))
CLEO = Person("cleo", (("email", "cleo@company.com"),))
TEAM = replace(
    POLICY,
    people=(ADA, BEN, CLEO),
    channels=tuple(
        replace(each, recipients=(*each.recipients, "@ada")) if each.name == "slack" else each for each in CHANNELS
    ),
    roles=(ResponseRole("commander"),),
)
LINK = "https://slack.com/app_redirect?channel=C0ROOM"
OPENED = Delivered("C0ROOM:1.1", {"name": "inc-1-slo-violation", "link": LINK})


def asked(policy=TEAM, **more) -> World:
    """A critical incident for which cleo, who has it, wants a channel; Slack has not answered yet."""
    world = World(policy, down={"slack"}, **more)
    world.fire("a", level=3)
    world.deliver("slack")
    world.acknowledge("cleo")
    world.deliver("slack")
    assert world.act(OpenRoom("cleo")) is None
    return world


def opened(policy=TEAM) -> World:
    """Slack has opened it."""
    world = asked(policy)
    world.send(["slack"], OPENED)
    return world


def rooms(world: World) -> list[Notification]:
    """What was asked of Slack."""
    return world.planned(Kind.ROOM)


def test_it_is_asked_of_the_provider_as_one_message() -> None:
    """The name is made of the number and the system or type; who is on call, has it or has a role is invited, by alias
    too; who has no address there is named.
    """
    world = World(TEAM, down={"slack"})
    world.fire("a", level=3)
    world.acknowledge("cleo")
    world.act(Assign("cleo", "commander", "benjamin"))
    world.act(OpenRoom("cleo"))
    (room,) = rooms(world)
    assert (room.channel, room.recipient) == ("slack", f"#{world.incident.response.room.name}")
    assert room.recipient == "#inc-1-slo-violation"
    assert room.data["invite"] == "U0ADA ada\nU0BEN ben"
    assert world.entries(Fact.ROOM_ASKED)[0].data == {
        "name": "inc-1-slo-violation",
        "people": "ada, ben",
        "without": "cleo",
    }


def test_its_first_message_says_what_it_is_for() -> None:
    """In words that the record bears out."""
    world = asked()
    message = WORDS.render(OneMessage([(rooms(world)[0], world.incident)], world.context()), world.now)
    said = "cleo asked for this channel. It is archived when the incident closes."
    assert message.lead == f"Incident channel: {said}"
    check(said, world.record())


def test_its_lines_are_true() -> None:
    """What was asked for, that it is open, and that it is archived: each as its commit left the incident."""
    world = asked()
    check_last(world, Fact.ROOM_ASKED)
    world.send(["slack"], Delivered("C0ROOM:1.1", {**OPENED.made, "unmet": "pin (missing_scope)"}))
    check_last(world, Fact.ROOM_OPENED)
    world.clear("a")
    world.resolve("cleo")
    world.deliver("slack")
    world.act(Close("ada", "done"))
    world.deliver("slack")
    check_last(world, Fact.ROOM_ARCHIVED)


def check_last(world: World, fact: Fact) -> None:
    """The last line of that kind."""
    record = world.record()
    (entry,) = world.entries(fact)
    check_line(
        sentence(entry), replace(record, entries=[each for each in record.entries if each.position <= entry.position])
    )


def test_there_is_one_channel_of_an_incident() -> None:
    """A second request is refused while the first is carried out, and once it is open."""
    world = asked()
    assert "is being opened" in str(world.act(OpenRoom("ada")))
    world.send(["slack"], OPENED)
    assert "it has the channel #inc-1-slo-violation" in str(world.act(OpenRoom("ada")))
    assert len(rooms(world)) == 1


def test_its_link_is_in_the_timeline() -> None:
    """What the provider made, and what it left undone."""
    world = asked()
    world.send(["slack"], Delivered("C0ROOM:1.1", {**OPENED.made, "unmet": "invitation of ada (user_not_found)"}))
    (entry,) = world.entries(Fact.ROOM_OPENED)
    assert (entry.data["link"], entry.data["unmet"]) == (LINK, "invitation of ada (user_not_found)")
    assert world.incident.response.room.link == LINK


@pytest.mark.parametrize("kind", [Kind.ACKNOWLEDGED, Kind.UPDATE, Kind.RESOLVED])
def test_news_goes_there_too(kind: Kind) -> None:
    """As to the thread of the policy's own channel; pages go to the policy's channel only."""
    world = opened()
    world.acknowledge("ada")
    world.update("ada")
    world.clear("a")
    world.resolve("ada")
    there = [each.kind for each in world.outbox.values() if each.recipient == rooms(world)[0].recipient]
    assert kind in there
    assert Kind.PAGE not in there


def test_it_is_archived_when_the_incident_closes() -> None:
    """Once; and no news goes there any more."""
    world = opened()
    world.clear("a")
    world.resolve("cleo")
    world.deliver("slack")
    world.act(Close("ada", "done"))
    world.deliver("slack")
    assert [each.reason for each in rooms(world)] == [Reason.ACTION, Reason.CLOSED]
    assert len(world.entries(Fact.ROOM_ARCHIVED)) == 1
    assert room_of(world.incident) == ()


def test_one_that_opens_after_the_end_is_archived_at_once() -> None:
    """The incident may close while Slack does not answer."""
    world = asked()
    world.clear("a")
    world.resolve("cleo")
    world.act(Close("ada", "done"))
    assert world.incident.state is State.CLOSED
    world.send(["slack"], OPENED)
    assert [each.reason for each in rooms(world)] == [Reason.ACTION, Reason.CLOSED]
    assert len(world.entries(Fact.ROOM_ARCHIVED)) == 1


def test_an_acknowledgement_does_not_overtake_it() -> None:
    """What becomes of the incident leaves the request as it is."""
    world = asked()
    world.clear("a")
    world.resolve("cleo")
    assert not rooms(world)[0].superseded


def test_one_that_could_not_be_opened_may_be_asked_for_again() -> None:
    """The timeline says why."""
    world = asked()
    world.reject("slack", "the Slack app lacks the scope channels:manage")
    assert world.incident.response.room is None
    assert "channels:manage" in world.entries(Fact.GAVE_UP)[-1].data["reason"]
    assert world.act(OpenRoom("cleo")) is None


@pytest.mark.parametrize(
    ("policy", "configured"),
    [(replace(TEAM, channels=CHANNELS[2:]), ALL), (TEAM, ALL - {"slack"})],
    ids=["no channel", "not configured"],
)
def test_it_takes_a_provider(policy, configured) -> None:
    """Without a usable Slack channel it is refused, and nothing is asked for."""
    world = World(policy, configured)
    world.fire("a", level=3)
    assert "no Slack channel" in str(world.act(OpenRoom("ada")))
    assert rooms(world) == []


def test_a_closed_incident_gets_none() -> None:
    """It is over."""
    world = World(replace(TEAM, closing=Closing(remind_every=Micros(MINUTE))))
    world.fire("a", level=3)
    world.clear("a")
    world.resolve()
    world.act(Close("ada", "done"))
    assert "closed" in str(world.act(OpenRoom("ada")))
