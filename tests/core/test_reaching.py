"""A page must reach a person: rescue, fallbacks, giving up, retries, and the order of what waits."""

import dataclasses

import pytest
from msgspec.structs import replace

from receiver.core.backoff import SCHEDULES, retry_delay
from receiver.core.events import Delivered, Overtaken, Rejected, Reported
from receiver.core.model import Fact, Kind, Reason, State, Status, Window
from rules.policy import HOUR, MINUTE, SECOND, Channel, ChannelType, Micros
from tests.core.alerts import alert
from tests.core.guide import ALL, CHANNELS, POLICY, with_level
from tests.core.world import World

TEXTS = Channel("texts", "sms", recipients=("+1234567890",))

RESCUES = {
    "level 1 tries only Slack": (1, 60, ["slack"]),
    "level 2 has told both already": (2, 60, []),
    "level 3: phone, then SMS": (3, 60, ["phone", "sms"]),
    "level 4: phone": (4, 60, ["phone"]),
}


@pytest.mark.parametrize(("level", "seconds", "channels"), RESCUES.values(), ids=RESCUES)
def test_a_page_that_reaches_nobody_takes_the_fallbacks_in_order(level, seconds, channels):
    """Undelivered after min(60 s, E/5), the first untried fallback is told, and so on, until none is left: said."""
    world = World(down=ALL)
    world.fire("a", level=level)
    world.advance(seconds=seconds - 1)
    assert len(world.pages()) == 1
    world.advance(seconds=1 + 60 * len(channels))
    assert [(round(at * 60), reason, where) for at, reason, where in world.pages()[1:]] == [
        (60 + 60 * place, Reason.FALLBACK, channel) for place, channel in enumerate(channels)
    ]
    assert len(world.entries(Fact.FALLBACK_EXHAUSTED)) == 1
    assert world.window(Window.RESCUE) is None


def test_a_short_escalation_time_rescues_sooner():
    """With E of two minutes the fallback is told after 24 seconds."""
    world = World(with_level(4, escalation_time=Micros(2 * MINUTE)), down=ALL)
    world.fire("a", level=4)
    assert world.window(Window.RESCUE) == 0.4


def test_one_delivery_cancels_the_rescue():
    """As soon as one channel of the page reached its recipient, no fallback is told."""
    world = World(down=ALL)
    world.fire("a")
    world.advance(seconds=30)
    world.deliver("pagerduty")
    assert world.window(Window.RESCUE) is None
    world.advance(minutes=5)
    assert world.entries(Fact.FALLBACK) == []


def test_a_fallback_that_delivers_cancels_it_too():
    """The fallback's own delivery counts."""
    world = World(down=ALL - {"sms"})
    world.fire("a")
    world.advance(minutes=10)
    assert [where for _, _, where in world.pages()] == ["email slack pagerduty", "phone", "sms"]


def test_the_delivery_of_an_older_page_does_not_count():
    """What delivers of an earlier step does not cancel the rescue of the step under way."""
    world = World(down=ALL)
    world.fire("a", level=2)
    world.advance(minutes=120)
    late = world.outbox[f"{world.incident.id}-1"]
    assert late.superseded
    world.decide(Reported(late, Delivered()))
    assert not world.incident.page.delivered
    assert world.window(Window.RESCUE) == 121


def test_giving_up_tells_the_next_fallback_at_once():
    """A page that a channel refuses for good calls the next untold fallback at once, while the page is wanted."""
    world = World(down=ALL)
    world.fire("a")
    world.reject("slack")
    assert [where for _, _, where in world.pages()] == ["email slack pagerduty", "phone"]
    assert [entry.data["failed"] for entry in world.entries(Fact.FALLBACK)] == ["slack"]
    assert world.outbox[f"{world.incident.id}-2"].status is Status.GAVE_UP


UNWANTED = {
    "acknowledged": lambda world: world.acknowledge(),
    "resolved": lambda world: (world.clear("a"), world.resolve()),
    "escalated since": lambda world: world.advance(minutes=30),
}


@pytest.mark.parametrize("meanwhile", UNWANTED.values(), ids=UNWANTED)
def test_giving_up_late_calls_nobody(meanwhile):
    """A page given up after it was overtaken (its sender was at it all the while) calls no fallback."""
    world = World(down=ALL)
    world.fire("a")
    under_way = world.waiting("slack")[0]
    world.advance(minutes=29)
    meanwhile(world)
    before = len(world.entries(Fact.FALLBACK))
    world.decide(Reported(under_way, Rejected("no such channel")))
    assert len(world.entries(Fact.FALLBACK)) == before


def test_a_give_up_with_no_fallback_left_is_said():
    """When a channel gives up and every fallback has been told, that is said loudly."""
    world = World(configured={"slack"}, down=ALL)
    world.fire("a")
    world.reject("slack")
    assert world.facts()[-1] is Fact.FALLBACK_EXHAUSTED


def test_fallbacks_may_be_names_or_types():
    """`fallback` names channels, or types standing for all channels of that type; dead ones are passed over."""
    policy = dataclasses.replace(
        POLICY, channels=(*CHANNELS[:3], CHANNELS[4], TEXTS), fallback=("webhook", "sms", "phone")
    )
    world = World(policy, configured=ALL | {"texts"}, down=ALL | {"texts"})
    world.fire("a")
    world.advance(minutes=2)
    assert [where for _, _, where in world.pages()[1:]] == ["texts", "phone"]


MAIN, STANDBY, THIRD = (dataclasses.replace(TEXTS, name=f"texts-{number}") for number in (1, 2, 3))
UNUSABLE = {
    "disabled": {"enabled": False},
    "without recipients": {"recipients": ()},
    "not configured": {},
}


@pytest.mark.parametrize("changes", UNUSABLE.values(), ids=UNUSABLE)
def test_a_type_stands_for_all_its_usable_channels(changes):
    """Behind a channel that cannot be used, the next of its type is the fallback, and after it the one behind that."""
    first = dataclasses.replace(MAIN, **changes)
    policy = dataclasses.replace(POLICY, channels=(*CHANNELS[:3], first, STANDBY, THIRD), fallback=("sms",))
    configured = {"email", "slack", "pagerduty", "texts-2", "texts-3"} | ({"texts-1"} if changes else set())
    world = World(policy, configured=configured, down=configured)
    world.fire("a")
    world.advance(minutes=3)
    assert [where for _, _, where in world.pages()[1:]] == ["texts-2", "texts-3"]
    assert world.facts().count(Fact.FALLBACK_EXHAUSTED) == 1


def test_every_failed_fallback_leads_to_the_next():
    """Fallbacks that refuse, one after the other, are gone through in order to the last."""
    policy = dataclasses.replace(POLICY, channels=(*CHANNELS[:3], MAIN, STANDBY, THIRD), fallback=("texts-2", "sms"))
    names = {channel.name for channel in policy.channels}
    world = World(policy, configured=names, down=names)
    world.fire("a")
    for name in ("slack", "texts-2", "texts-1", "texts-3"):
        world.reject(name)
    assert [where for _, _, where in world.pages()[1:]] == ["texts-2", "texts-1", "texts-3"]
    assert world.facts()[-1] is Fact.FALLBACK_EXHAUSTED


def test_stakeholders_are_told_on_a_usable_channel_of_the_type():
    """A group that names a type is told on the first channel of it that can be used, internal or external."""
    off = dataclasses.replace(CHANNELS[0], name="old-mail", enabled=False)
    inside, outside = (dataclasses.replace(each, channels=("email",)) for each in POLICY.stakeholders)
    mail = dataclasses.replace(CHANNELS[0], name="mail")
    policy = dataclasses.replace(POLICY, channels=(off, mail, *CHANNELS[1:]), stakeholders=(inside, outside))
    context = World(policy, configured={"mail"}).context()
    assert {each.channel for each in context.internal_stakeholders()} == {"mail"}
    told, by_hand, unusable = context.reach(outside)
    assert ({each.channel for each in told}, by_hand, unusable) == ({"mail"}, (), ())


def test_a_newer_page_overtakes_an_older_one_on_the_same_channel():
    """Of two steps that wait on one channel only the newer is sent; on a channel that it does not use nothing changes."""
    world = World(down=ALL)
    world.fire("a")
    world.advance(minutes=30)
    slack = [(each.reason, each.superseded) for each in world.outbox.values() if each.channel == "slack"]
    assert slack == [(Reason.OPENED, True), (Reason.ESCALATED, False)]
    assert [each.superseded for each in world.outbox.values() if each.channel == "phone"] == [False]
    world.deliver()
    assert [each.reason for each in world.delivered if each.channel == "slack"] == [Reason.ESCALATED]
    assert [entry.data["channel"] for entry in world.entries(Fact.SUPERSEDED)].count("slack") == 1


def test_messages_to_one_recipient_keep_their_order():
    """What waits for one recipient is sent in the order it was decided: an all-clear never before its page."""
    world = World()
    world.fire("a")
    world.down = set(ALL)
    world.acknowledge()
    world.clear("a")
    world.resolve()
    world.fire("a")
    world.deliver()
    kinds = [each.kind for each in world.delivered if each.channel == "pagerduty"]
    assert kinds == [Kind.PAGE, Kind.RESOLVED, Kind.PAGE]


def test_a_message_not_sent_because_its_lease_was_over_waits_on():
    """A sender that finds its lease over sends nothing; unless it was superseded the message goes back into the queue."""
    world = World(down=ALL)
    world.fire("a")
    page = replace(world.waiting("slack")[0], leased_by="worker", due_at=world.now + MINUTE)
    world.decide(Reported(page, Overtaken()))
    again = world.outbox[page.id]
    assert (again.status, again.leased_by, again.due_at, again.attempts) == (Status.WAITING, "", world.now, 0)
    world.decide(Reported(replace(again, superseded=True), Overtaken()))
    assert world.outbox[page.id].status is Status.SUPERSEDED


@pytest.mark.parametrize("kind", SCHEDULES)
def test_retries_follow_the_channels_schedule(kind: ChannelType):
    """Each failed try waits for the channel's next delay, the last one repeated, plus at most a fifth; never less."""
    delays = SCHEDULES[kind].delays
    for attempt in range(1, len(delays) + 3):
        delay = delays[min(attempt, len(delays)) - 1]
        assert delay <= retry_delay(SCHEDULES[kind], "some-id", attempt, None) < delay * 1.2
        assert retry_delay(SCHEDULES[kind], "some-id", attempt, None) == retry_delay(
            SCHEDULES[kind], "some-id", attempt, None
        )
    assert len({retry_delay(SCHEDULES[kind], f"id-{each}", 1, None) for each in range(50)}) > 40


def test_retry_after_is_never_undercut():
    """What the provider asks for is waited for, at least."""
    assert retry_delay(SCHEDULES["slack"], "x", 1, 90 * SECOND) >= 90 * SECOND
    assert retry_delay(SCHEDULES["slack"], "x", 6, SECOND) >= 60 * SECOND


def test_a_failed_try_is_made_again_while_the_rescue_goes_on():
    """A failure is recorded once, tried again on schedule, and the fallback is told meanwhile."""
    world = World(down=ALL)
    world.fire("a")
    world.fail("slack", after=30 * SECOND)
    retried = world.waiting("slack")[0]
    assert (retried.attempts, retried.detail) == (1, "busy")
    assert 30 * SECOND <= retried.due_at - world.now <= 36 * SECOND
    world.advance(seconds=60)
    world.fail("slack")
    assert len(world.entries(Fact.SEND_FAILED)) == 1
    assert [where for _, _, where in world.pages()][1:] == ["phone"]
    world.advance(seconds=10)
    world.deliver("slack")
    assert not world.incident.page.delivered
    world.deliver("pagerduty")
    assert world.incident.page.delivered


GIVE_UPS = {"slack": HOUR, "sms": 15 * MINUTE, "phone": 15 * MINUTE, "email": 24 * HOUR, "pagerduty": 24 * HOUR}


@pytest.mark.parametrize(("channel", "after"), GIVE_UPS.items())
def test_tries_end_when_the_schedule_says(channel, after):
    """A channel that goes on failing is given up within its time, not after it."""
    policy = dataclasses.replace(
        POLICY, rules=tuple(dataclasses.replace(rule, channels=(channel,)) for rule in POLICY.rules)
    )
    world = World(with_level(3, policy, response_time=Micros(99 * HOUR), escalation_time=Micros(98 * HOUR)), down=ALL)
    world.fire("a")
    first = world.waiting(channel)[0].id
    while (page := world.outbox[first]).status is Status.WAITING:
        world.advance(seconds=max(0, (page.due_at - world.now) / SECOND))
        world.fail(channel)
    assert page.status is Status.GAVE_UP
    assert after * 0.7 < page.done_at - page.created_at <= after
    assert Fact.GAVE_UP in world.facts()


def test_what_becomes_of_a_message_of_a_closed_incident_is_recorded():
    """A report that comes after the incident closed is recorded, and sends no page."""
    world = World(down=ALL)
    world.fire("a")
    page = world.waiting("slack")[0]
    world.clear("a")
    world.resolve()
    world.advance(minutes=25 * 60)
    assert world.incident.state is State.CLOSED
    pages = len(world.pages())
    world.decide(Reported(page, Rejected("no such channel")))
    assert world.facts()[-1] is Fact.GAVE_UP
    assert len(world.pages()) == pages


def test_stakeholders_on_dead_channels_are_left_out():
    """Internal stakeholders are told on the channels that are alive."""
    world = World(configured={"slack", "sms"})
    world.receive(alert("a"))
    world.acknowledge()
    assert {target.channel for target in world.heard(Kind.ACKNOWLEDGED)} == {"slack"}
