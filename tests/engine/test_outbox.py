"""Claims, leases, reports: each message leaves once if it can, in order, and nothing is lost or silently dropped."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from msgspec.structs import replace

from receiver.core.events import Acknowledge, Delivered, Rejected, Retry
from receiver.core.model import Fact, Instant, Kind, Reason, Status
from receiver.core.rate_limit import BUNDLE_WAIT, STORM_LIMIT, rate_limit_key
from receiver.engine.commands import Delivery, ForIncident
from receiver.engine.engine import LEASE, NAMED_ALERTS
from receiver.store import SqlStore, open_store
from rules.policy import MINUTE, SECOND
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import EngineWorld, firing, messages, on

Open = Callable[[str], SqlStore]


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store."""
    return EngineWorld(store)


def acknowledge(world: EngineWorld, incident_id: str, at: int = SECOND) -> None:
    """ada acknowledges it."""
    world.handle(ForIncident(incident_id, Acknowledge("ada")), at=at)


def status(world: EngineWorld, incident_id: str, message_id: str) -> Status:
    """Where a message stands."""
    return {each.id: each.status for each in world.reads.notifications(incident_id)}[message_id]


@pytest.mark.parametrize(
    ("level", "kind", "reason"),
    [(4, Kind.PAGE, Reason.NEW_DANGER), (3, Kind.NOTICE, Reason.ALERT_JOINED)],
    ids=["a page", "a notice"],
)
def test_a_message_reads_the_alert_that_it_tells_of(world: EngineWorld, level: int, kind: Kind, reason: Reason) -> None:
    """Also where more fire than words name, and the new one is none of the first."""
    units = firing("key", *(f"db{number}" for number in range(12)), level=level)
    named = [replace(each, annotations={"summary": f"{each.fingerprint} is full"}) for each in units.alerts]
    (opened,) = world.handle(replace(units, alerts=tuple(named[:11])))
    world.deliver_all()
    assert opened.incident is not None
    incident_id = opened.incident.id
    acknowledge(world, incident_id)
    world.deliver_all(at=SECOND)
    world.handle(replace(units, alerts=(replace(named[11], starts_at=START + 2 * SECOND),)), at=2 * SECOND)
    pages = [
        (page.data["summary"], each.alerts[incident_id][0].fingerprint, len(each.alerts[incident_id]))
        for each in world.claim(at=2 * SECOND)
        for page, _ in each.items
        if (page.kind, page.reason) == (kind, reason)
    ]
    assert set(pages) == {("db11 is full", "db11", NAMED_ALERTS)}


def test_a_claim_is_a_lease(world: EngineWorld) -> None:
    """What one worker claimed no other gets, until the lease ends; its holder may ask whether it still holds."""
    world.fire()
    mine = messages(world.claim(worker="a"))
    assert mine
    assert world.claim(worker="b") == []
    assert world.claim(LEASE - 1, worker="b") == []
    holds = world.engine.holds
    assert holds(mine, Instant(START + LEASE - 1))
    assert not holds(mine, Instant(START + LEASE))
    assert not holds([replace(each, leased_by="b") for each in mine], Instant(START))
    assert not holds([*mine, replace(mine[0], id="nobody")], Instant(START))


def test_whoever_slept_is_not_taken_for_himself(world: EngineWorld) -> None:
    """A worker that slept through its lease and claimed the same message again reports once, for the later claim."""
    world.fire()
    slept = messages(world.claim())
    again = messages(world.claim(LEASE))
    assert not world.engine.holds(slept, Instant(START + LEASE + 1))
    assert world.report(slept, Rejected("late"), at=LEASE + 1) == 0
    assert world.engine.holds(again, Instant(START + LEASE + 1))
    assert world.report(again, at=LEASE + 1) == len(again)


def test_a_lease_that_ran_out_is_claimed_again_with_the_same_id(world: EngineWorld) -> None:
    """After a crash the same message is sent again under the same idempotency key; the late report counts nothing."""
    incident = world.fire()
    lost = messages(world.claim(worker="crashed"))
    again = messages(world.claim(LEASE, worker="other"))
    assert [each.id for each in again] == [each.id for each in lost]
    before = world.dump()
    assert world.report(lost, at=LEASE + 1) == 0
    assert world.dump() == before
    assert world.report(again, at=LEASE + 1) == len(again)
    assert {each.status for each in world.reads.notifications(incident.id)} == {Status.ACCEPTED}


def test_a_report_counts_once(world: EngineWorld) -> None:
    """The same report again changes nothing, and one about an unknown message neither."""
    world.fire()
    claimed = messages(world.claim())
    assert world.report(claimed) == len(claimed)
    before = world.dump()
    assert world.report(claimed) == 0
    assert world.report([]) == 0
    assert world.dump() == before


def test_later_messages_follow_in_order_and_in_the_thread(world: EngineWorld) -> None:
    """The acknowledgement's message waits until the page has gone out, and then answers in its thread."""
    incident = world.fire()
    pages = messages(world.claim())
    acknowledge(world, incident.id)
    paged = {(page.channel, page.recipient) for page in pages}
    assert not paged & {(each.channel, each.recipient) for each in messages(world.claim(SECOND))}
    world.report(pages, at=2 * SECOND)
    following = {delivery.items[0][0].channel: delivery for delivery in world.claim(2 * SECOND)}
    assert following["slack"].items[0][0].kind is Kind.ACKNOWLEDGED
    assert following["slack"].thread == f"ref-{on('slack', pages).id}"
    assert following["slack"].items[0][1].acknowledged_by == "ada"


def test_what_is_overtaken_before_it_is_sent_is_never_sent(world: EngineWorld) -> None:
    """Waiting pages end as superseded after an acknowledgement, in the timeline too, and are never claimed."""
    incident = world.fire()
    acknowledge(world, incident.id)
    sent = world.deliver_all(SECOND)
    assert {each.kind for each in sent} == {Kind.ACKNOWLEDGED, Kind.APPROVAL}
    pages = [each for each in world.reads.notifications(incident.id) if each.kind is Kind.PAGE]
    assert pages
    assert {each.status for each in pages} == {Status.SUPERSEDED}
    assert world.facts(incident.id).count(Fact.SUPERSEDED) == len(pages)


def test_overtaken_under_way_and_delivered_counts_as_delivered(world: EngineWorld) -> None:
    """The page was on its way when it was overtaken, and arrived: that is what is recorded."""
    incident = world.fire()
    page = on("slack", messages(world.claim()))
    acknowledge(world, incident.id)
    assert not world.engine.holds([page], Instant(START + SECOND)), "a sender that has not begun stops here"
    world.report([page], Delivered("C1/1"), at=2 * SECOND)
    assert status(world, incident.id, page.id) is Status.ACCEPTED


def test_overtaken_under_way_and_failed_is_not_tried_again(world: EngineWorld) -> None:
    """A page that failed after it was overtaken ends as superseded."""
    incident = world.fire()
    page = on("slack", messages(world.claim()))
    acknowledge(world, incident.id)
    world.report([page], Retry("busy"), at=2 * SECOND)
    assert status(world, incident.id, page.id) is Status.SUPERSEDED


def test_overtaken_under_way_and_never_reported_ends(world: EngineWorld) -> None:
    """Its sender crashed: when the lease is over the message is finished, not sent again."""
    incident = world.fire()
    pages = messages(world.claim())
    acknowledge(world, incident.id)
    sent = world.deliver_all(LEASE)
    assert not {each.id for each in pages} & {each.id for each in sent}
    assert {status(world, incident.id, page.id) for page in pages} == {Status.SUPERSEDED}


def test_a_failed_message_is_tried_again_later(world: EngineWorld) -> None:
    """It is due again after its delay, with its attempts counted; meanwhile nothing overtakes it."""
    incident = world.fire()
    page = on("slack", messages(world.claim()))
    world.report([page], Retry("busy", 90 * SECOND))
    world.fire("key", "b", at=SECOND)
    assert "slack" not in {each.channel for each in messages(world.claim(89 * SECOND))}
    again = on("slack", messages(world.claim(120 * SECOND)))
    assert (again.id, again.attempts, again.detail) == (page.id, 1, "busy")
    assert Fact.SEND_FAILED in world.facts(incident.id)


def test_a_try_whose_end_nobody_knows_is_counted(world: EngineWorld) -> None:
    """Its sender died under the lease: the next one knows that it may have gone out, and looks before it sends."""
    world.fire()
    assert {each.attempts for each in messages(world.claim())} == {0}
    assert {each.attempts for each in messages(world.claim(LEASE))} == {1}
    assert {each.attempts for each in messages(world.claim(2 * LEASE))} == {2}


def test_a_bundle_that_failed_is_tried_again_whole(world: EngineWorld) -> None:
    """A storm that its provider did not take does not come as single messages later."""
    for number in range(STORM_LIMIT.count + 7):
        world.fire(f"key-{number}")
    world.deliver_all()
    (bundle,) = [each for each in world.claim(BUNDLE_WAIT) if each.items[0][0].channel == "slack"]
    world.report(messages([bundle]), Retry("busy"), at=BUNDLE_WAIT)
    (again,) = [each for each in world.claim(2 * BUNDLE_WAIT) if each.items[0][0].channel == "slack"]
    assert {each.id for each in messages([again])} == {each.id for each in messages([bundle])}


def test_a_rejected_page_goes_to_the_fallback(world: EngineWorld) -> None:
    """What cannot be delivered is given up at once, said, and the next channel told."""
    incident = world.fire()
    page = on("slack", messages(world.claim()))
    world.report([page], Rejected("channel_not_found"))
    assert status(world, incident.id, page.id) is Status.GAVE_UP
    fallback = [each for each in messages(world.claim()) if each.kind is Kind.PAGE]
    assert fallback
    assert {Fact.GAVE_UP, Fact.FALLBACK} <= set(world.facts(incident.id))


def test_a_storm_is_bundled_and_names_every_incident(world: EngineWorld) -> None:
    """Twenty first pages leave alone; the rest leave together half a minute later, each reported for itself."""
    extra = 7
    for number in range(STORM_LIMIT.count + extra):
        world.fire(f"key-{number}")
    sent = [each for each in world.deliver_all() if each.channel == "slack"]
    assert len(sent) == STORM_LIMIT.count
    assert [each for each in messages(world.claim(BUNDLE_WAIT - 1)) if each.channel == "slack"] == []
    (bundle,) = [each for each in world.claim(BUNDLE_WAIT) if each.items[0][0].channel == "slack"]
    assert len(bundle.items) == extra
    assert len({incident.id for _, incident in bundle.items}) == extra
    assert world.report(messages([bundle]), Delivered("C1/bundle"), at=BUNDLE_WAIT) == extra
    waiting = world.reads.figures(START).waiting
    assert "slack" not in waiting


EMERGENCIES = int(os.environ.get("TOCSIN_EMERGENCIES", "250"))
"""How many; the promise is TOCSIN_EMERGENCIES=1000, which takes a while."""


def test_emergencies_escalate_in_a_few_messages() -> None:
    """Each wave (opened, escalated, breached, repeated) is a few dozen SMS to one phone, tells of all, and within 30 s."""
    world = EngineWorld(open_store("sqlite://"))
    world.handle(*(firing(f"key-{each}", level=4) for each in range(EMERGENCIES)))
    for wave in (0, 5 * MINUTE, 15 * MINUTE, 20 * MINUTE):
        while world.fire_due(wave):
            pass
        sent = [*settle_all(world, wave), *settle_all(world, wave + BUNDLE_WAIT)]
        texts = [each for each in sent if each.items[0][0].channel == "sms"]
        told = Counter(incident.id for each in texts for _, incident in each.items)
        assert (len(told), set(told.values())) == (EMERGENCIES, {1}), wave
        assert len(texts) <= STORM_LIMIT.count + 3, wave
        assert all(len({notification.level for notification, _ in each.items}) == 1 for each in sent)


def settle_all(world: EngineWorld, at: int, refusing: str = "") -> list[Delivery]:
    """Everything that may leave then is delivered, but refused on one channel; the messages."""
    sent: list[Delivery] = []
    while claimed := world.claim(at):
        for each in claimed:
            refused = each.items[0][0].channel == refusing
            world.report(messages([each]), Rejected("channel_not_found") if refused else None, at=at)
        sent += claimed
    return sent


def test_fallbacks_of_a_storm_are_bundled_too() -> None:
    """A channel that refuses a hundred pages leads to twenty fallback messages and a bundle, not to a hundred."""
    world, count = EngineWorld(open_store("sqlite://")), 100
    world.handle(*(firing(f"key-{each}") for each in range(count)))
    sent = [each for wait in range(3) for each in settle_all(world, wait * BUNDLE_WAIT, refusing="slack")]
    calls = [each for each in sent if each.items[0][0].reason is Reason.FALLBACK]
    assert len({incident.id for each in calls for _, incident in each.items}) == count
    assert len(calls) <= 2 * STORM_LIMIT.count


def test_bad_news_of_a_bundle_concerns_all_that_it_named(world: EngineWorld) -> None:
    """A provider that loses a bundle after all has lost every page in it: each is given up, and its fallback told."""
    for number in range(STORM_LIMIT.count + 3):
        world.fire(f"key-{number}")
    world.deliver_all()
    (bundle,) = [each for each in world.claim(BUNDLE_WAIT) if each.items[0][0].channel == "slack"]
    assert world.engine.bounce(bundle.name, "lost", Instant(START + BUNDLE_WAIT)), "its sender has not reported yet"
    world.report(messages([bundle]), at=BUNDLE_WAIT)
    assert not world.engine.bounce(bundle.name, "lost", Instant(START + BUNDLE_WAIT))
    for page, incident in bundle.items:
        assert status(world, incident.id, page.id) is Status.GAVE_UP
        assert "fallback" in world.facts(incident.id)


def test_a_busy_channel_holds_up_no_other(world: EngineWorld) -> None:
    """Messages for a channel that has enough under way wait; the others are claimed."""
    world.fire()
    channels = {each.channel for each in messages(world.claim(busy=frozenset({"slack"})))}
    assert channels
    assert "slack" not in channels
    assert {each.channel for each in messages(world.claim())} == {"slack"}


def test_replicas_never_claim_the_same_message(postgresql: Callable[[], str], open_stores: Open) -> None:
    """Two replicas, two threads each: every message is claimed once."""
    url = postgresql()
    worlds = [EngineWorld(open_stores(url)), EngineWorld(open_stores(url))]
    for number in range(60):
        worlds[0].fire(f"key-{number}", at=number * MINUTE // 10)
    at = 10 * MINUTE

    def work(turn: int) -> list[str]:
        world, taken = worlds[turn % 2], []
        while claimed := messages(world.claim(at, worker=f"w{turn}")):
            taken += [each.id for each in claimed]
            world.report(claimed, at=at)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = list(chain.from_iterable(threads.map(work, range(4))))
    assert len(taken) == len(set(taken)) > 60


def test_news_of_a_storm_leaves_in_bundles(world: EngineWorld) -> None:
    """Sixty incidents are acknowledged at once: twenty messages to each recipient, and the rest in one."""
    world.engine.adopt(
        dataclasses.replace(POLICY, stakeholders=POLICY.stakeholders[:1]), ALL
    )  # no notices to the outside
    ids = [world.fire(f"key-{number}", level=4).id for number in range(60)]
    for at in (0, BUNDLE_WAIT):
        world.deliver_all(at)
    world.handle(*(ForIncident(each, Acknowledge("ada")) for each in ids), at=MINUTE)
    alone = world.claim(MINUTE)
    while more := world.claim(MINUTE):
        alone += more
    world.report(messages(alone), at=MINUTE)
    keys = Counter(rate_limit_key(each.items[0][0]) for each in alone if each.items[0][0].channel == "email")
    assert set(keys.values()) == {STORM_LIMIT.count}
    rest = [each for each in world.claim(MINUTE + BUNDLE_WAIT) if each.items[0][0].channel == "email"]
    assert Counter(rate_limit_key(each.items[0][0]) for each in rest) == dict.fromkeys(keys, 1)
    assert {len(each.items) for each in rest} == {60 - STORM_LIMIT.count}


def test_news_that_waits_for_its_bundle_holds_no_page_up(world: EngineWorld) -> None:
    """An incident gets worse while its acknowledgement's news is being bundled: the page leaves at once, the news later."""
    ids = [world.fire(f"key-{number}", str(number)).id for number in range(STORM_LIMIT.count + 1)]
    for at in (0, BUNDLE_WAIT):
        world.deliver_all(at)
    world.handle(*(ForIncident(each, Acknowledge("ada")) for each in ids), at=MINUTE)
    world.deliver_all(MINUTE)
    waiting = [each for each in world.reads.notifications(ids[-1]) if each.status is Status.WAITING]
    assert {each.channel for each in waiting} >= {"email", "slack"}
    world.fire(f"key-{STORM_LIMIT.count}", "worse", level=4, at=MINUTE + SECOND)
    sent = world.deliver_all(MINUTE + SECOND)
    assert {each.channel for each in sent if each.kind is Kind.PAGE} >= {"email", "slack"}
    later = world.deliver_all(MINUTE + BUNDLE_WAIT)
    assert {each.id for each in waiting} <= {each.id for each in later}
