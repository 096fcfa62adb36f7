"""Episodes and echoes: what a clustered Alertmanager's slower peer, moved starts and moved groups do not do."""

import pytest
from msgspec.structs import replace

from receiver.core.cluster import Cluster
from receiver.core.events import AlertsReceived, EchoesListed
from receiver.core.model import OWN, Alert, Fact, Instant, Kind, Reason, Recovery, State, Window
from rules.policy import MINUTE, SECOND, Micros
from rules.reserved import MARK
from tests.core.alerts import KEY, START, alert
from tests.core.guide import with_level
from tests.core.world import World

OURS = {MARK: "1"}
"""The mark of compiled alerts."""

OTHER = "another key"
"""Of the group that the same alert comes in after a route was edited."""


def tell(world: World, *alerts: Alert, peer: str = "one", key: str = KEY, source: str = "", differ: bool = False):
    """A webhook of a peer."""
    return world.decide(AlertsReceived(key, source, alerts, told_by=peer, peers_differ=differ))


def ended(each: Alert, at: int) -> Alert:
    return replace(each, firing=False, ended_at=Instant(at))


def recovered(level: int = 4, source: str = "", **more: object) -> tuple[World, Alert]:
    """An acknowledged incident whose alert fired at 0 and cleared after a minute, told by peer one."""
    world = World()
    for name, value in more.items():
        setattr(world, name, value)
    fired = replace(alert("a", level), annotations=OURS)
    tell(world, fired, source=source)
    world.acknowledge()
    world.advance(minutes=1)
    tell(world, ended(fired, world.now), source=source)
    return world, fired


@pytest.mark.parametrize("level", [1, 3, 4])
def test_a_slower_peers_echo_wakes_nobody(level):
    """A second peer's firing body after the end, and its resolve, page no one and void nothing."""
    world, fired = recovered(level)
    pages = len(world.pages())
    world.advance(seconds=8)
    tell(world, fired, peer="two")
    assert (world.incident.state, world.incident.held, world.incident.is_firing) == (State.ACKNOWLEDGED, 1, False)
    world.advance(seconds=15)
    tell(world, ended(fired, world.now - 20 * SECOND), peer="two")
    assert (world.incident.held, Window.ECHO in world.incident.windows) == (0, False)
    assert (world.incident.state, world.incident.recovery) == (State.ACKNOWLEDGED, Recovery.VERIFYING)
    assert len(world.pages()) == pages
    assert [each for each in world.facts() if each in {Fact.ACK_VOIDED, Fact.FIRED_AGAIN, Fact.ECHO_BELIEVED}] == []


def test_ten_recoveries_behind_a_pair_wake_nobody_and_miss_nothing():
    """Ten times fired, cleared and echoed, half an hour apart: each true firing pages, and nothing else does."""
    world = World()
    for turn in range(10):
        begins = world.now
        fired = alert("a", 4, starts_at=begins)
        before = len(world.pages())
        tell(world, fired)
        assert len(world.pages()) == before + 1, turn
        world.acknowledge()
        world.advance(minutes=2)
        tell(world, ended(fired, world.now))
        world.advance(seconds=8)
        tell(world, fired, peer="two")
        world.advance(seconds=15)
        tell(world, ended(fired, world.now - 23 * SECOND), peer="two")
        world.advance(minutes=30)
        assert len(world.pages()) == before + 1, turn
    assert len(world.incidents) == 1


def test_what_is_held_is_believed_when_its_end_is_not_heard_again():
    """A true firing with an unchanged start (Prometheus was away) pages when it cannot be an echo any more."""
    world, fired = recovered()
    world.advance(seconds=5)
    tell(world, fired, peer="two")
    assert world.window(Window.ECHO) == 1 + 45 / 60
    world.advance(seconds=45)
    assert (world.incident.state, world.incident.is_firing) == (State.OPEN, True)
    assert world.pages()[-1][1] is Reason.NEW_DANGER
    assert Fact.ECHO_BELIEVED in world.facts()


WINDOWS = {
    "level 4": (Cluster(), 4, {}, OURS, 45),
    "immediate": (Cluster(), 3, {"immediate": "true"}, OURS, 45),
    "compiled": (Cluster(), 2, {}, OURS, 85),
    "a stranger's": (Cluster(), 3, {}, {}, 325),
    "a stranger's emergency": (Cluster(), 4, {}, {}, 60),
    "three peers": (Cluster(peers=3), 4, {}, OURS, 60),
    "three peers, level 3": (Cluster(peers=3), 3, {}, OURS, 100),
    "a shorter time-out": (Cluster(peer_timeout=5 * SECOND), 4, {}, OURS, 25),
    "set": (Cluster(window=30 * SECOND), 3, {}, {}, 30),
    "set too long for an emergency": (Cluster(window=600 * SECOND), 4, {}, {}, 60),
    "one peer": (Cluster(peers=1), 3, {}, {}, 0),
}


@pytest.mark.parametrize(("cluster", "level", "labels", "annotations", "seconds"), WINDOWS.values(), ids=WINDOWS)
def test_how_long_an_echo_may_come(cluster, level, labels, annotations, seconds):
    """Group interval + (peers - 1) x peer timeout + 10 s, never more than 60 s at level 4; one peer has no echo."""
    assert cluster.echo_window(replace(alert("a", level), labels=labels, annotations=annotations)) == seconds * SECOND


AT_ONCE = {
    "after the window": ({}, {}, 46),
    "from the same peer, where URLs differ": ({}, {"peer": "one", "differ": True}, 5),
    "behind a single peer": ({"cluster": Cluster(peers=1)}, {"peer": "two"}, 5),
    "after an end that was heard while blind": ({"blind": True}, {"peer": "two"}, 5),
    "of our own": ({"source": OWN}, {"source": OWN, "peer": ""}, 5),
}


@pytest.mark.parametrize(("before", "how", "seconds"), AT_ONCE.values(), ids=AT_ONCE)
def test_what_cannot_be_an_echo_is_believed_at_once(before, how, seconds):
    """Nothing that is known to be no echo waits."""
    world, fired = recovered(**before)
    world.advance(seconds=seconds)
    tell(world, fired, **how)
    assert (world.incident.is_firing, world.incident.held) == (True, 0)


def test_a_source_that_is_called_as_ours_has_echoes():
    """Only alerts without a webhook are Tocsin's own: a source that is named `tocsin` is one like any other."""
    world, fired = recovered(source=OWN)
    world.advance(seconds=8)
    tell(world, fired, peer="two", source=OWN)
    assert (world.incident.held, world.incident.state) == (1, State.ACKNOWLEDGED)


def test_from_the_same_peer_it_is_held_where_all_have_one_url():
    """Where peers share an external URL, the same URL proves nothing."""
    world, fired = recovered()
    tell(world, fired, peer="one")
    assert world.incident.held == 1


def test_a_later_start_is_no_echo():
    """A firing that began after the end pages at once, and the resolve of the episode before it ends nothing."""
    world, fired = recovered()
    world.advance(seconds=10)
    again = replace(fired, starts_at=Instant(world.now))
    tell(world, again, peer="two")
    assert world.pages()[-1][1] is Reason.NEW_DANGER
    world.advance(seconds=5)
    tell(world, ended(fired, START + MINUTE), peer="two")
    tell(world, again, peer="one")
    assert (world.incident.is_firing, world.incident.held, len(world.pages())) == (True, 0, 2)


def test_an_old_firing_does_not_move_the_start_of_a_new_one():
    """A slower peer's old firing and old resolve, after a new episode began, neither move its start nor end it."""
    world, fired = recovered()
    world.advance(seconds=10)
    tell(world, replace(fired, starts_at=Instant(world.now)), peer="one")
    begins = world.now
    world.advance(seconds=5)
    tell(world, fired, peer="two")
    tell(world, ended(fired, START + MINUTE), peer="two")
    (kept,) = world.stored_alerts[world.incident.id].values()
    assert (kept.firing, kept.starts_at) == (True, begins)


def test_alertmanager_lists_what_is_held():
    """Listed by any of them it fires; listed by none of them it was an echo; of what is not said nothing changes."""
    world, fired = recovered()
    tell(world, fired, peer="two")
    assert world.decide(EchoesListed(KEY)).incident is None
    world.decide(EchoesListed(KEY, listed=frozenset({"a"})))
    assert (world.incident.state, world.incident.is_firing, world.incident.held) == (State.OPEN, True, 0)
    world, fired = recovered()
    tell(world, fired, peer="two")
    world.decide(EchoesListed(KEY, unlisted=frozenset({"a"})))
    assert (world.incident.state, world.incident.is_firing, world.incident.held) == (State.ACKNOWLEDGED, False, 0)


def test_nothing_recovers_resolves_or_closes_while_an_alert_is_held():
    """The verification waits for it, and a person who resolves meanwhile must say why."""
    world = World(with_level(3, resolve_after=Micros(10 * SECOND)))
    fired = alert("a")
    tell(world, fired)
    world.advance(minutes=1)
    tell(world, ended(fired, world.now))
    tell(world, fired, peer="two")
    refusal = world.resolve()
    assert refusal is not None
    assert "may fire again" in refusal.reason
    world.advance(minutes=5)
    assert world.incident.state is State.OPEN
    tell(world, ended(fired, START + MINUTE), peer="two")
    world.advance(seconds=1)
    assert world.incident.state is State.RESOLVED


def test_the_known_end_told_again_ends_no_proved_firing():
    """Prometheus was away: listed by Alertmanager the firing is proved, and the other peer's old end is an old word."""
    world, fired = recovered()
    tell(world, fired, peer="two")
    world.decide(EchoesListed(KEY, listed=frozenset({"a"})))
    tell(world, ended(fired, START + MINUTE), peer="two")
    assert world.incident.is_firing
    tell(world, ended(fired, START + 3 * MINUTE), peer="one")
    assert not world.incident.is_firing


def doubtful(**more: object) -> tuple[World, Alert]:
    """A firing with the start of before, believed because its end was not told again, and acknowledged."""
    world, fired = recovered(**more)
    tell(world, fired, peer="two")
    world.advance(seconds=45)
    assert (world.incident.state, world.incident.is_firing) == (State.OPEN, True)
    world.acknowledge()
    return world, fired


def test_what_one_prometheus_clears_and_the_other_fires_voids_one_acknowledgement():
    """Two replicas disagree for a quarter of an hour: the same end and the firing again, every minute, from one peer."""
    world, fired = doubtful()
    for _ in range(15):
        tell(world, ended(fired, START + MINUTE))
        assert (world.incident.is_firing, world.incident.held) == (True, 1)
        world.advance(seconds=20)
        tell(world, fired)
        assert (world.incident.held, Window.ECHO in world.incident.windows) == (0, False)
        world.advance(seconds=45)
    assert len(world.entries(Fact.ACK_VOIDED)) == 1
    tell(world, ended(fired, world.now))
    assert not world.incident.is_firing


@pytest.mark.parametrize("peer", ["one", "two"])
def test_the_known_end_of_a_doubtful_firing_counts_unless_it_fires_on(peer):
    """Tocsin was down when the end of an echo was told: told late, it ends the alert when nothing says that it fires."""
    world, fired = doubtful()
    tell(world, ended(fired, START + MINUTE), peer=peer)
    world.advance(seconds=30)
    tell(world, ended(fired, START + MINUTE), peer=peer)
    assert world.incident.is_firing
    world.advance(seconds=15)
    assert (world.incident.is_firing, world.incident.held) == (False, 0)
    assert world.incident.recovery is Recovery.VERIFYING
    world.advance(seconds=30)
    tell(world, fired)
    assert (world.incident.state, world.pages()[-1][1]) == (State.OPEN, Reason.NEW_DANGER), "it fires again, truly"


LISTINGS = {"listed": ({"listed": frozenset({"a"})}, True), "unlisted": ({"unlisted": frozenset({"a"})}, False)}


@pytest.mark.parametrize(("listing", "fires"), LISTINGS.values(), ids=LISTINGS)
def test_alertmanager_knows_whether_a_held_end_is_old(listing, fires):
    """Asked, an Alertmanager settles a held end at once; what it lists no known end ends from then on."""
    world, fired = doubtful()
    tell(world, ended(fired, START + MINUTE), peer="two")
    world.decide(EchoesListed(KEY, **listing))
    assert (world.incident.is_firing, world.incident.held) == (fires, 0)
    tell(world, ended(fired, START + MINUTE), peer="two")
    assert (world.incident.is_firing, world.incident.held) == (fires, 0)


def test_a_single_alertmanager_tells_no_old_end_that_counts():
    """It echoes nothing: after an unchanged firing, its known end, told again by another of its groups, is an old word."""
    world, fired = recovered(cluster=Cluster(peers=1))
    tell(world, fired)
    tell(world, ended(fired, START + MINUTE))
    assert (world.incident.is_firing, world.incident.held) == (True, 0)


def test_an_echo_after_the_resolve_reopens_only_what_fires():
    """Held while the incident is resolved, it is a recurrence when it is believed; nothing closes before that."""
    world, fired = recovered()
    world.resolve()
    tell(world, fired, peer="two")
    assert world.incident.state is State.RESOLVED
    world.advance(minutes=1)
    assert (world.incident.state, world.incident.recurrences) == (State.OPEN, 1)


MOVES = {"later": 90, "earlier": -90}


@pytest.mark.parametrize("seconds", MOVES.values(), ids=MOVES)
def test_a_start_told_anew_is_no_danger_and_its_resolve_counts(seconds):
    """Alertmanager merges replicas: the start moves, the acknowledgement holds, and the resolve ends the episode."""
    world = World()
    tell(world, alert("a", 4, starts_at=START))
    world.acknowledge()
    world.advance(minutes=5)
    moved = alert("a", 4, starts_at=START + seconds * SECOND)
    tell(world, moved)
    assert (world.incident.state, len(world.pages())) == (State.ACKNOWLEDGED, 1)
    assert Fact.START_MOVED in world.facts()
    world.advance(minutes=5)
    tell(world, ended(replace(moved, starts_at=Instant(START - 200 * SECOND)), world.now))
    assert not world.incident.is_firing


def test_a_group_that_moves_opens_no_second_incident():
    """The same alert under other group labels stays with the incident that holds it, and its resolve ends it there."""
    world = World()
    fired = alert("a", 4)
    tell(world, fired)
    tell(world, fired, alert("b", 4), key=OTHER)
    assert [set(world.stored_alerts[each]) for each in world.incidents] == [{"a"}, {"b"}]
    world.advance(minutes=1)
    tell(world, ended(fired, world.now), ended(alert("b", 4), world.now), key="a third")
    assert [each.is_firing for each in world.incidents.values()] == [False, False]


def test_one_alert_of_two_sources_is_two():
    """Two clusters that name themselves do not answer for each other."""
    world = World()
    tell(world, alert("a"), key="one", source="one")
    tell(world, alert("a"), key="two", source="two")
    tell(world, ended(alert("a"), START + MINUTE), key="two", source="two")
    assert [each.is_firing for each in world.incidents.values()] == [True, False]


def test_after_the_close_an_alert_belongs_nowhere():
    """What fires after its incident closed opens one by its identity."""
    world, fired = recovered()
    world.resolve()
    world.advance(minutes=25 * 60)
    assert world.incident.state is State.CLOSED
    tell(world, replace(fired, starts_at=Instant(world.now)), key=OTHER)
    assert [each.key for each in world.incidents.values()] == [KEY, OTHER]


def flash(level: int, at: int = START) -> Alert:
    return replace(alert("flash", level, firing=False, starts_at=at), ended_at=Instant(at + 10 * SECOND))


def test_a_flash_leaves_a_trace():
    """What fired and cleared between two notifications stands in the timeline and the threads of its incident."""
    world = World()
    tell(world, alert("a"))
    world.advance(minutes=1)
    tell(world, alert("a"), flash(3))
    assert Fact.FLASHED in world.facts()
    assert {each.channel for each in world.planned(Kind.NOTICE, Reason.FLASHED)} == {"email", "slack"}
    tell(world, alert("a"), flash(3))
    assert len(world.entries(Fact.FLASHED)) == 1


def test_a_flash_of_an_emergency_is_danger_and_must_be_confirmed():
    """A flash above the incident's level raises it and pages; when all is clear a person confirms."""
    world = World()
    tell(world, alert("a"))
    world.acknowledge()
    tell(world, alert("a"), flash(4))
    assert (world.incident.level, world.incident.state) == (4, State.OPEN)
    tell(world, ended(alert("a"), START + MINUTE))
    world.advance(minutes=6)
    assert world.incident.recovery is Recovery.CONFIRM


@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_flash_is_not_hidden_by_what_fires_beside_it(level):
    """An emergency that flashed, told together with a new alert that fires, pages as an emergency."""
    world = World()
    tell(world, alert("a", level), flash(4))
    assert (world.incident.level, len(world.pages())) == (4, 1)
    assert Fact.FLASHED in world.facts()
    world.clear("a")
    world.advance(20)
    assert world.incident.recovery is Recovery.CONFIRM


def test_a_smaller_flash_changes_no_level():
    """What flashed below what fires opens the incident at the level of what fires."""
    world = World()
    tell(world, alert("a", 3), flash(2))
    assert (world.incident.level, sum(world.incident.firing)) == (3, 1)


def test_a_flash_without_an_incident():
    """An emergency opens one, recovered and to be confirmed; below that nothing is opened; an old one is no flash."""
    world = World()
    tell(world, flash(3))
    tell(world, replace(flash(4), ended_at=Instant(START + 60 * MINUTE)))
    assert world.incidents == {}
    tell(world, flash(4))
    world.advance(minutes=6)
    assert (world.incident.recovery, world.pages()[0][:2]) == (Recovery.CONFIRM, (0, Reason.OPENED))
