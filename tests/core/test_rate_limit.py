"""Storms: which pages leave alone, which wait for their bundle, and what never waits."""

import dataclasses

import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Notification, Reason
from receiver.core.rate_limit import (
    Bucket,
    RateLimitKey,
    allot,
    bundle,
    counted_when_due,
    counted_when_planned,
    rate_limit_key,
)
from rules.policy import MINUTE, SECOND, Channel, Micros, RateLimit
from tests.core.alerts import START
from tests.core.guide import CHANNELS, POLICY, with_channel
from tests.core.world import World

HOOK = Channel("hook", "webhook", recipients=("https://example.test/hook",))
WITH_HOOK = dataclasses.replace(POLICY, channels=(*CHANNELS, HOOK))


def message(
    number: int = 1, channel: str = "slack", level: int = 3, kind: Kind = Kind.PAGE, reason: Reason = Reason.OPENED
) -> Notification:
    """A message that is due, of an incident of its own."""
    return Notification(
        id=f"{channel}-{level}-{number}",
        incident_id=f"incident-{number}",
        sequence=1,
        kind=kind,
        reason=reason,
        channel=channel,
        recipient="somebody",
        level=level,
        created_at=START,
        due_at=START,
        give_up_at=Instant(START + MINUTE),
    )


class Outlet:
    """One dispatcher's way through a storm: buckets kept between the looks, and the clock."""

    def __init__(self, policy=POLICY) -> None:
        self.context = World(policy).context()
        self.buckets: dict[RateLimitKey, Bucket] = {}
        self.now = START
        self.waiting: list[Notification] = []

    def offer(self, *due: Notification) -> list[tuple[str, ...]]:
        """What leaves, as the ids in each message."""
        fresh = [each for each in due if each.bundle_at is None]
        counted = [*counted_when_planned(fresh, self.context), *counted_when_due(fresh, self.context)]
        allotment = allot(counted, self.buckets, self.now, self.context)
        self.buckets = dict(allotment.buckets)
        self.waiting.extend(allotment.wait)
        held = {each.id for each in allotment.wait}
        return [tuple(each.id for each in message) for message in bundle(each for each in due if each.id not in held)]

    def after(self, seconds: float) -> list[tuple[str, ...]]:
        """What leaves of those that wait, so many seconds later."""
        self.now = Instant(self.now + round(seconds * SECOND))
        due = [each for each in self.waiting if each.due_at is not None and each.due_at <= self.now]
        self.waiting = [each for each in self.waiting if each not in due]
        return self.offer(*due)


def storm(count: int, **more: object) -> list[Notification]:
    """So many first pages of so many incidents."""
    return [message(number, **more) for number in range(count)]


def test_twenty_first_pages_leave_at_once():
    """The first twenty first pages to one recipient leave alone; the twenty-first waits."""
    outlet = Outlet()
    assert outlet.offer(*storm(20)) == [(each.id,) for each in storm(20)]
    assert outlet.offer(message(21)) == []


def test_the_rest_leaves_as_one_message_within_30_seconds():
    """Those beyond twenty wait 30 seconds at most, and leave as one message that names every incident."""
    outlet = Outlet()
    outlet.offer(*storm(20))
    outlet.offer(*[message(number) for number in (21, 22)])
    outlet.now = Instant(outlet.now + 2 * SECOND)
    outlet.offer(message(23))
    assert {each.bundle_at for each in outlet.waiting} == {START + 30 * SECOND}
    assert outlet.after(27.9) == []
    assert outlet.after(0.1) == [("slack-3-21", "slack-3-22", "slack-3-23")]


def test_a_bundle_gathers_anew_when_the_last_has_left():
    """When a bundle has left, the next one waits 30 seconds of its own."""
    outlet = Outlet()
    outlet.offer(*storm(21))
    outlet.after(30)
    sent = outlet.offer(*[message(number) for number in range(50, 70)])
    assert len(sent) == 10
    assert {each.bundle_at for each in outlet.waiting} == {START + 60 * SECOND}


def test_credit_comes_back_with_time():
    """Twenty a minute: three seconds later there is room for one more."""
    outlet = Outlet()
    outlet.offer(*storm(20))
    outlet.now = Instant(outlet.now + 3 * SECOND)
    assert outlet.offer(message(21), message(22)) == [("slack-3-21",)]


def test_levels_are_never_bundled_together():
    """A storm at level 3 neither delays a page of level 4 nor shares a message with one."""
    outlet = Outlet()
    outlet.offer(*storm(25))
    assert outlet.offer(*storm(20, level=4)) == [(each.id,) for each in storm(20, level=4)]
    outlet.offer(message(99, level=4))
    assert sorted(len(each) for each in outlet.after(30)) == [1, 5]


FREE = {
    "a report": (POLICY, {"kind": Kind.REPORT, "reason": Reason.CLOSED}),
    "an approved text": (POLICY, {"kind": Kind.EXTERNAL, "reason": Reason.APPROVED}),
    "PagerDuty": (POLICY, {"channel": "pagerduty"}),
    "PagerDuty, with a rate limit": (
        with_channel("pagerduty", rate_limit=RateLimit(1, Micros(MINUTE))),
        {"channel": "pagerduty"},
    ),
    "a webhook": (WITH_HOOK, {"channel": "hook"}),
}


@pytest.mark.parametrize(("policy", "which"), FREE.values(), ids=FREE)
def test_these_never_wait(policy, which):
    """PagerDuty and webhooks never wait, in no storm; nor does what has a text of its own, without a rate limit."""
    outlet = Outlet(policy)
    assert len(outlet.offer(*storm(60, **which))) == 60
    assert outlet.waiting == []


def test_the_policys_rate_limit_counts():
    """A channel's `rate_limit` takes the place of the twenty a minute."""
    outlet = Outlet(with_channel("slack", rate_limit=RateLimit(2, Micros(10 * SECOND))))
    assert len(outlet.offer(*storm(5))) == 2
    outlet.now = Instant(outlet.now + 5 * SECOND)
    assert len(outlet.offer(message(9))) == 1


def test_limited_letters_wait_for_credit_alone():
    """Where the policy limits a channel, reports beyond it wait until there is credit, and are not bundled."""
    outlet = Outlet(with_channel("slack", rate_limit=RateLimit(2, Micros(10 * SECOND))))
    reports = storm(3, kind=Kind.REPORT, reason=Reason.CLOSED)
    assert len(outlet.offer(*reports)) == 2
    assert [(each.due_at - START, each.bundle_at) for each in outlet.waiting] == [(5 * SECOND, None)]
    assert outlet.after(5) == [(reports[2].id,)]


NEWS = (Kind.ACKNOWLEDGED, Kind.RESOLVED, Kind.NOTICE, Kind.REMINDER, Kind.UPDATE, Kind.BREACH)


@pytest.mark.parametrize("kind", NEWS)
def test_news_bundles_as_pages_do(kind):
    """What follows a storm is a storm: of sixty acknowledgements, recoveries or updates twenty leave alone, the rest as one."""
    outlet = Outlet()
    assert len(outlet.offer(*storm(60, level=4, kind=kind, reason=Reason.ACTION))) == 20
    (bundle_,) = outlet.after(30)
    assert len(bundle_) == 40


def test_news_takes_no_pages_room():
    """A storm of news neither delays a page nor shares a message with one, though both are of one level."""
    outlet = Outlet()
    outlet.offer(*storm(25, kind=Kind.ACKNOWLEDGED, reason=Reason.ACTION))
    pages = storm(25)
    assert outlet.offer(*pages) == [(each.id,) for each in pages[:20]]
    assert sorted(len(each) for each in outlet.after(30)) == [5, 5]


def test_news_bundles_by_level():
    """News of an emergency shares a message with no other level's."""
    outlet = Outlet()
    for level in (3, 4):
        outlet.offer(*storm(22, level=level, kind=Kind.RESOLVED, reason=Reason.ACTION))
    assert [len(each) for each in outlet.after(30)] == [2, 2]


PAGED_FOR = (
    Reason.OPENED,
    Reason.ESCALATED,
    Reason.BREACHED,
    Reason.REPEATED,
    Reason.FALLBACK,
    Reason.NEW_DANGER,
    Reason.ACK_EXPIRED,
    Reason.RECURRED,
)


@pytest.mark.parametrize("reason", PAGED_FOR)
def test_whyever_people_are_paged_it_counts(reason):
    """A second wave is a storm like the first: beyond twenty a minute, escalations, repeats and fallbacks bundle too."""
    outlet = Outlet()
    assert len(outlet.offer(*storm(60, level=4, reason=reason))) == 20
    (bundle_,) = outlet.after(30)
    assert len(bundle_) == 40


def test_waves_share_what_a_recipient_can_take():
    """First pages and escalations of a level count together, and those that wait leave in one message."""
    outlet = Outlet()
    assert len(outlet.offer(*storm(15))) == 15
    later = [message(100 + number, reason=Reason.ESCALATED) for number in range(15)]
    assert len(outlet.offer(*later)) == 5
    assert [len(each) for each in outlet.after(30)] == [10]


def test_recipients_and_news_are_counted_for_themselves():
    """A page to another recipient leaves at once in any storm; news has a key of its own."""
    outlet = Outlet()
    outlet.offer(*storm(25))
    assert rate_limit_key(message(1)) == RateLimitKey("slack", "somebody", 3)
    assert rate_limit_key(message(1, kind=Kind.NOTICE, reason=Reason.ALERT_JOINED)) == RateLimitKey(
        "slack", "somebody", 3, is_news=True
    )
    assert outlet.offer(replace(message(30), recipient="somebody else"))


def test_a_clock_that_goes_back_gives_and_takes_nothing():
    """A bucket stamped in the future (another replica's clock) neither fills nor empties by it."""
    lane_ = RateLimitKey("slack", "somebody", 3)
    outlet = Outlet()
    outlet.buckets = {lane_: Bucket(3 * SECOND, Instant(START + MINUTE))}
    assert len(outlet.offer(message(1), message(2))) == 1
