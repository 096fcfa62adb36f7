"""What Alertmanager lists against what we hold: lost webhooks are taken in, and only certain absence counts."""

import dataclasses

import pytest
from msgspec.structs import replace

from receiver.core.classify import Received, classify
from receiver.core.events import AlertsReceived, EchoesListed, Silenced
from receiver.core.model import Fact, Instant, Reason, Recovery, State
from receiver.core.plan import PolicyVersion
from receiver.core.reconcile import (
    Findings,
    HeldAlert,
    Listed,
    Listing,
    Memory,
    Terms,
    are_strangers,
    ask_about,
    peers,
    reconcile,
)
from receiver.core.silences import Silence
from rules.matchers import parse
from rules.policy import HOUR, MINUTE, SECOND
from tests.core.alerts import START
from tests.core.guide import POLICY
from tests.core.world import World

NOW = Instant(START + 60 * MINUTE)
RULE = {"section": "incident_response", "rule": "slo_violation"}
LABELS = {"alertname": "High", **RULE, "severity_level": "3", "signal": "load", "system": "x"}
FOREIGN = {"alertname": "Strange", "severity": "critical"}
LONG_UP = START


def received(age: float = 5, name: str = "f1", **labels: str) -> Received:
    """An alert that fires since so many minutes."""
    return Received({**LABELS, **labels}, {}, name, Instant(NOW - round(age * MINUTE)))


def listed(alert: Received, receiver: str = "tocsin", *, active: bool = True) -> Listed:
    return Listed(alert, (receiver,), active)


def held(alert: Received, source: str = "") -> HeldAlert:
    """The same alert as we would hold it after a webhook."""
    classified = classify(World().current, source, {}, alert)
    return HeldAlert(classified.key, classified.alert, source)


def listing(*alerts: Listed, up_since: int = LONG_UP) -> Listing:
    return Listing(Instant(up_since), alerts)


def look(ours: list[HeldAlert], theirs: list[Listing | None], now: int = NOW, memory: Memory | None = None) -> Findings:
    return reconcile(World().current, ours, theirs, Instant(now), memory or Memory(), Terms())


def foreign() -> Received:
    return Received(FOREIGN, {}, "f9", Instant(NOW - 5 * MINUTE))


@pytest.mark.parametrize(
    ("alert", "taken_in", "unknown"),
    [
        pytest.param(listed(received()), 1, 0, id="active, ours, unknown for long"),
        pytest.param(listed(received(), "monitoring/pages/tocsin"), 1, 0, id="our receiver on Kubernetes"),
        pytest.param(listed(received(), "other-team"), 1, 0, id="compiled, where no receiver has our name"),
        pytest.param(listed(received(age=1)), 0, 0, id="its webhook may be on its way"),
        pytest.param(listed(received(), active=False), 0, 0, id="silenced or inhibited"),
        pytest.param(listed(received(alertname="TocsinHeartbeat")), 0, 0, id="the heartbeat"),
        pytest.param(listed(foreign()), 0, 1, id="foreign: only counted"),
        pytest.param(listed(foreign(), "other-team"), 0, 0, id="foreign, for others"),
        pytest.param(listed(received(rule="theirs")), 0, 1, id="foreign, with labels like ours"),
        pytest.param(listed(received(rule="theirs"), "other-team"), 0, 0, id="foreign, like ours, for others"),
    ],
)
def test_a_webhook_that_never_came_is_taken_in(alert: Listed, taken_in: int, unknown: int) -> None:
    """An active alert for us that we do not hold becomes the event its webhook would have been; others do not."""
    found = look([], [listing(alert)])
    assert (found.taken_in, found.vanished, found.foreign) == (taken_in, 0, unknown)
    if taken_in:
        (event,) = found.events
        mine = held(alert.received)
        assert (event.key, event.alerts) == (mine.key, (mine.alert,))


def test_what_the_policy_ignores_is_not_taken_in() -> None:
    """An alert that the policy ignores is neither taken in nor counted as one that cannot be."""
    policy = dataclasses.replace(POLICY, ignore=(parse('alertname="Strange"'),))
    theirs = [listing(listed(foreign()), listed(Received({**FOREIGN, "signal": "x"}, {}, "f8", foreign().starts_at)))]
    found = reconcile(PolicyVersion.of(policy, "digest"), [], theirs, NOW, Memory(), Terms())
    assert (found.events, found.foreign) == ((), 0)


def test_what_is_known_is_not_taken_in() -> None:
    """An alert that is held as firing, under any source, is no news; nor is one that two Alertmanagers list."""
    both = [listing(listed(received())), listing(listed(received()))]
    assert look([held(received(), source="berlin")], both).events == ()
    assert look([], both).taken_in == 1


def test_another_sources_alert_hides_no_lost_webhook() -> None:
    """Two clusters have the same alert: that one is held says nothing of the other's, whose webhook never came."""
    staging, prod = held(received(age=9), source="staging"), held(received(age=7, name="f2", unit="2"), source="prod")
    theirs = listing(listed(received(age=5)), listed(received(age=7, name="f2", unit="2")))
    found = look([staging, prod], [theirs])
    (event,) = found.events
    mine = held(received(age=5), source="prod")
    assert (event.key, event.source, event.alerts) == (mine.key, "prod", (mine.alert,))
    assert look([staging, mine, prod], [theirs]).events == ()
    (later,) = look([staging], [theirs], memory=found.memory).events
    assert (later.source, len(later.alerts)) == ("prod", 2)
    (unknown,) = look([staging], [listing(listed(received(age=5)))]).events
    assert unknown.source == ""


def test_a_start_that_moved_is_no_lost_webhook() -> None:
    """An alert held under the source of these Alertmanagers is known, also when they list another start."""
    other = received(age=7, name="f2", unit="2")
    ours = [held(received(age=5), source="prod"), held(other, source="prod")]
    assert look(ours, [listing(listed(received(age=6)), listed(other))]).events == ()


def test_an_alert_routed_elsewhere_stays_there() -> None:
    """Where our receiver is known by its name, a compiled alert that goes to others is left to them."""
    found = look([held(received())], [listing(listed(received()), listed(received(name="f2"), "other-team"))])
    assert found.events == ()


def test_signals_of_one_system_make_one_event() -> None:
    """Two lost alerts of one incident key come in together."""
    (event,) = look([], [listing(listed(received()), listed(received(name="f2", unit="2")))]).events
    assert len(event.alerts) == 2


EMPTY = listing()
LISTED = listing(listed(received()))
SUPPRESSED = listing(listed(received(), active=False))
YOUNG = listing(up_since=NOW - 9 * MINUTE)


@pytest.mark.parametrize(
    ("looks", "vanished"),
    [
        pytest.param([(0, [EMPTY])], 0, id="one look proves nothing"),
        pytest.param([(0, [EMPTY]), (4, [EMPTY])], 0, id="two looks, too near"),
        pytest.param([(0, [EMPTY]), (5, [EMPTY])], 1, id="two looks, far enough apart"),
        pytest.param([(0, [EMPTY]), (3, [EMPTY]), (5, [EMPTY])], 1, id="looks between do not begin anew"),
        pytest.param([(0, [EMPTY]), (5, [LISTED])], 0, id="listed again"),
        pytest.param([(0, [EMPTY]), (3, [LISTED]), (5, [EMPTY])], 0, id="listed in between: it begins anew"),
        pytest.param([(0, [SUPPRESSED]), (5, [SUPPRESSED])], 0, id="silenced is not gone"),
        pytest.param([(0, [EMPTY]), (5, [None])], 0, id="unreachable"),
        pytest.param([(0, [EMPTY]), (5, [EMPTY, None])], 0, id="one of two unreachable"),
        pytest.param([(0, [EMPTY, EMPTY]), (5, [EMPTY, EMPTY])], 1, id="two, and neither lists it"),
        pytest.param([(0, [EMPTY, LISTED]), (5, [EMPTY, LISTED])], 0, id="one of two lists it"),
        pytest.param([(0, [EMPTY]), (3, [None]), (5, [EMPTY])], 0, id="unreachable in between: it begins anew"),
        pytest.param([(-6, [YOUNG]), (0, [YOUNG])], 0, id="just restarted"),
        pytest.param([(-6, [YOUNG]), (0, [YOUNG]), (2, [YOUNG])], 0, id="looks at a restarted one do not count"),
    ],
)
def test_only_certain_absence_counts(looks: list[tuple[int, list[Listing | None]]], vanished: int) -> None:
    """Gone is what no Alertmanager lists for five minutes, all of them answering and none just restarted."""
    mine = held(received())
    memory = Memory()
    for minute, theirs in looks:
        found = look([mine], theirs, NOW + minute * MINUTE, memory)
        memory = found.memory
    assert found.vanished == vanished
    if vanished:
        (event,) = found.events
        (alert,) = event.alerts
        assert (event.key, alert.firing, alert.starts_at) == (mine.key, False, mine.alert.starts_at)


@pytest.mark.parametrize(
    ("mine", "was_listed", "vanished"),
    [
        pytest.param(held(received()), False, 1, id="compiled"),
        pytest.param(held(received(), source="berlin"), False, 0, id="another source's"),
        pytest.param(held(foreign()), False, 0, id="foreign, never listed: somebody else's webhook"),
        pytest.param(held(foreign()), True, 1, id="foreign, listed once"),
    ],
)
def test_only_an_alertmanagers_own_alerts_can_vanish(mine: HeldAlert, was_listed: bool, vanished: int) -> None:
    """What others than the Alertmanagers asked have sent is not theirs to list, and is never cleared."""
    memory = Memory()
    if was_listed:
        memory = look([mine], [listing(listed(foreign()))], NOW - MINUTE).memory
    memory = look([mine], [EMPTY], NOW, memory).memory
    assert look([mine], [EMPTY], NOW + 5 * MINUTE, memory).vanished == vanished


def test_another_clusters_alert_with_the_same_labels_is_judged_by_its_own() -> None:
    """Two clusters may have an alert of one fingerprint: what one lists, silences or lists no more is not the other's.

    The begin tells them apart.
    """
    staging = HeldAlert("staging", replace(held(foreign()).alert, starts_at=NOW - 7 * MINUTE), "staging")
    quiet = Listed(foreign(), ("tocsin",), active=False, silenced_by=("s1",))
    silenced = Listing(START, (quiet,), {"s1": Silence("s1", Instant(NOW + HOUR), "ops")})
    found = look([held(foreign()), staging], [silenced], NOW)
    assert staging.key not in {each.key for each in found.silenced}
    assert found.theirs == {held(foreign()).key}
    assert ask_about([staging], [silenced], frozenset({"f1"}))[0] == []
    memory = look([staging], [EMPTY], NOW + MINUTE, found.memory).memory
    assert look([staging], [EMPTY], NOW + 10 * MINUTE, memory).vanished == 0


def test_an_alert_of_a_source_is_judged_where_it_is_listed() -> None:
    """The Alertmanagers that are asked may send under a source: the event is that source's."""
    mine = HeldAlert("prod", held(foreign()).alert, "prod")
    memory = look([mine], [listing(listed(foreign()))], NOW).memory
    memory = look([mine], [EMPTY], NOW + MINUTE, memory).memory
    (event,) = look([mine], [EMPTY], NOW + 10 * MINUTE, memory).events
    assert (event.key, event.source) == ("prod", "prod")


def test_a_vanished_alert_is_verified_like_any_that_clears() -> None:
    """The synthetic resolve is a claim like any other: told in the timeline, verified, then resolved."""
    world = World()
    mine = held(replace(received(), starts_at=world.now))
    world.receive(mine.alert, key=mine.key)
    at = world.now + 20 * MINUTE
    memory = look([mine], [EMPTY], at).memory
    world.advance(25)
    for event in look([mine], [EMPTY], world.now, memory).events:
        world.decide(event)
    assert world.incident.recovery is Recovery.VERIFYING
    assert [entry.data["rule"] for entry in world.entries(Fact.RECONCILED)] == ["incident_response/slo_violation"]
    world.advance(10)
    assert world.incident.state is State.RESOLVED


def test_a_webhook_taken_in_opens_an_incident_that_the_late_webhook_does_not_change() -> None:
    """Taken in, it pages as ever and says how it was found; the webhook, should it come after all, is a repeat."""
    world = World()
    (event,) = look([], [listing(listed(received()))]).events
    world.decide(event)
    assert world.facts()[:2] == [Fact.OPENED, Fact.RECONCILED]
    assert world.pages()
    before = world.incident
    mine = held(received())
    world.decide(AlertsReceived(mine.key, "", (mine.alert,)))
    assert world.incident == before


def test_the_patience_is_that_of_the_record() -> None:
    """Two minutes before a webhook counts as lost, five for the grace, ten for a restart (microseconds)."""
    terms = Terms()
    assert (terms.unheard, terms.gone, terms.settled) == (120 * SECOND, 300 * SECOND, 600 * SECOND)


def inhibited(alert: Received) -> Listed:
    return Listed(alert, ("tocsin",), active=False, inhibited=True)


def test_what_is_inhibited_pauses_only_while_each_look_confirms_it():
    """Levels 1 to 3 send no page while Alertmanager confirms it; after two minutes without, they are paged as at 0."""
    world = World()
    classified = classify(world.current, "", {}, received())
    world.decide(AlertsReceived(classified.key, "", (classified.alert,)))
    for _ in range(40):
        ours = [HeldAlert(classified.key, classified.alert)]
        (told,) = look(ours, [listing(inhibited(received()))], now=world.now).silenced
        world.decide(told)
        world.advance(minutes=1)
    assert len(world.pages()) == 1
    assert len(world.entries(Fact.INHIBITED)) == 1
    world.advance(minutes=1)
    assert world.pages()[-1][:2] == (41, Reason.SILENCE_ENDED)


def test_what_is_inhibited_no_more_is_paged_at_once():
    """The next look that finds it active resumes the paging."""
    world = World()
    classified = classify(world.current, "", {}, received())
    world.decide(AlertsReceived(classified.key, "", (classified.alert,)))
    ours = [HeldAlert(classified.key, classified.alert)]
    first = look(ours, [listing(inhibited(received()))], now=world.now)
    world.decide(*first.silenced)
    second = look(ours, [listing(listed(received()))], now=world.now, memory=first.memory)
    world.decide(*second.silenced)
    assert world.pages()[-1][1] is Reason.SILENCE_ENDED


def test_an_inhibited_emergency_pages_on():
    """Level 4 never pauses; that it is inhibited is said once."""
    world = World()
    world.fire("a", level=4)
    for _ in range(3):
        world.decide(Silenced(world.incident.key, 1, Instant(world.now + 2 * MINUTE), "x", inhibited=True))
        world.advance(minutes=1)
    assert len(world.entries(Fact.INHIBITED)) == 1
    world.advance(minutes=2)
    assert world.pages()[-1][1] is Reason.ESCALATED


def test_what_is_held_as_an_echo_is_asked_about():
    """Listed by one, active or suppressed, twice: it fires. Listed by none of all that answered: it was an echo."""
    ours = [held(received())]
    key = ours[0].key
    for one in (listed(received()), inhibited(received())):
        first = ask_about(ours, [listing(), listing(one)], frozenset())
        assert first == ([], frozenset({"f1"}))
        second = ask_about(ours, [listing(), listing(one)], first[1])
        assert second == ([EchoesListed(key, listed=frozenset({"f1"}))], frozenset({"f1"}))
    assert ask_about(ours, [listing(), listing()], frozenset())[0] == [EchoesListed(key, unlisted=frozenset({"f1"}))]
    assert ask_about(ours, [listing(), None], frozenset()) == ([], frozenset())
    assert ask_about([replace(ours[0], source="other")], [listing()], frozenset())[0] == []


def cluster(*names: str) -> Listing:
    return replace(listing(), members=frozenset(names))


def test_how_many_peers_there_are():
    """All must answer to know it; a pair of which one was given is a pair; two that never met are strangers."""
    assert (peers([cluster()]), peers([cluster("a")]), peers([cluster("a", "b")])) == (1, 1, 2)
    assert (peers([cluster("a", "b"), None]), peers([cluster(), cluster()])) == (None, 2)
    assert not are_strangers([cluster("a", "b"), cluster("a", "b")])
    assert are_strangers([cluster("a"), cluster("b")])
    assert not are_strangers([cluster("a"), None])


def two_clusters(eu: Received, us: Received) -> list[Listing | None]:
    """One Alertmanager each, and what it lists."""
    return [replace(listing(listed(eu)), members=frozenset("a")), replace(listing(listed(us)), members=frozenset("b"))]


def test_two_clusters_with_sources_of_their_own_are_no_strangers() -> None:
    """Each has webhooks that name its source: nothing is wrong. One source for both, or nothing heard yet, is said."""
    eu, us = received(age=9), received(age=7)
    theirs = two_clusters(eu, us)
    assert not are_strangers(theirs, [held(eu, "eu"), held(us, "us")])
    assert are_strangers(theirs, [held(eu, "eu"), held(us, "eu")])
    assert are_strangers(theirs, [held(eu), held(received(name="f2"), "us")])


def test_each_clusters_lost_webhook_is_taken_in_under_its_source() -> None:
    """Two clusters list the same alert: each is known, or lost, under its own source."""
    eu, us = (received(age=9, name="f2", unit="2"), received(age=7, name="f3", unit="3"))
    known = [held(eu, "eu"), held(us, "us")]
    begun = received(age=5), received(age=4)
    theirs = [listing(listed(eu), listed(begun[0])), listing(listed(us), listed(begun[1]))]
    found = look(known, theirs)
    assert {(each.source, each.alerts[0].starts_at) for each in found.events} == {
        ("eu", begun[0].starts_at),
        ("us", begun[1].starts_at),
    }
    (event,) = look([*known, held(begun[0], "eu")], theirs, memory=found.memory).events
    assert (event.source, found.taken_in) == ("us", 2)
