"""A request answered with 200 is stored whole; a failed one is not stored at all; one bad event harms no other."""

from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace

from receiver.core.events import Acknowledge, AlertsReceived, Declare, Note, Resolve
from receiver.core.model import Fact, Instant, State, Status
from receiver.engine.commands import ForIncident
from receiver.engine.containment import ATTEMPTS
from receiver.errors import StoreConflict, StoreUnavailable
from receiver.store import SqlStore
from rules.policy import HOUR, MINUTE
from tests.core.guide import POLICY, with_level
from tests.core.world import START, alert
from tests.engine.world import EngineWorld, Meddler, firing, messages

Open = Callable[[str], SqlStore]
SURROGATE = "\ud800"
"""No text: nothing can write it down."""


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store."""
    return EngineWorld(store)


def test_a_webhook_is_stored_whole(world: EngineWorld) -> None:
    """Incident, alerts, messages and timeline are there when the answer is given, and agree with it."""
    incident = world.fire("key", "a", "b")
    assert (incident.number, incident.state, incident.firing) == (1, State.OPEN, (0, 0, 2, 0))
    assert world.incident(incident.id) == incident
    assert {each.fingerprint for each in world.reads.alerts(incident.id)} == {"a", "b"}
    planned = world.reads.notifications(incident.id)
    assert len(planned) == incident.sequence > 0
    assert {each.status for each in planned} == {Status.WAITING}
    timeline = world.reads.timeline(incident.id)
    assert [entry.position for entry in timeline] == list(range(1, incident.entries + 1))
    assert timeline[0].fact is Fact.OPENED


def test_a_batch_is_one_transaction(store: SqlStore) -> None:
    """Many webhooks are committed together, numbered in the order they came."""
    meddler = Meddler(store, lambda: None)
    world = EngineWorld(meddler)
    before = meddler.transactions
    results = world.handle(*(firing(f"key-{99 - number}") for number in range(50)))
    assert meddler.transactions == before + 1
    assert [result.incident.number for result in results if result.incident] == list(range(1, 51))
    assert len(world.reads.incidents(limit=99)[0]) == 50


def test_events_of_a_batch_build_on_each_other(world: EngineWorld) -> None:
    """Two webhooks of one key and an acknowledgement in one batch: one incident, as each left it to the next."""
    first = world.fire("key", "a")
    acknowledge = ForIncident(first.id, Acknowledge("ada"))
    results = world.handle(firing("key", "b"), acknowledge, firing("new", "x"), firing("new", "y"))
    assert [result.error for result in results] == [""] * 4
    known = world.incident(first.id)
    assert (known.state, known.firing, known.acknowledged_by) == (State.ACKNOWLEDGED, (0, 0, 2, 0), "ada")
    new = world.incident(results[2].incident.id)
    assert new.firing == (0, 0, 2, 0)
    assert results[2].incident.id == results[3].incident.id


def test_repeats_write_nothing(world: EngineWorld) -> None:
    """The same webhook again, alone or twice in a batch, changes not one row."""
    incident = world.fire("key", "a", "b")
    world.handle(firing("key", "a"), firing("key", "a"))
    before = world.dump()
    world.handle(firing("key", "b", "a"), firing("key", "a"), at=MINUTE)
    assert world.dump() == before
    assert world.incident(incident.id).version == incident.version


def test_a_resolve_of_what_was_never_known_concerns_nobody(world: EngineWorld) -> None:
    """It is answered, and nothing is stored."""
    gone = replace(firing("key"), alerts=(alert("a", firing=False),))
    (result,) = world.handle(gone)
    assert (result.incident, result.error) == (None, "")
    assert world.reads.incidents() == ([], None)


@pytest.mark.parametrize(
    "bad", [firing("bad", summary=SURROGATE), Declare("bad", "fire", "ada", level=9, new_type=True)]
)
def test_what_cannot_be_stored_leaves_nothing(world: EngineWorld, bad: object) -> None:
    """A decision that fails, or a row that cannot be written, leaves no part of the event behind."""
    (result,) = world.handle(bad)
    assert result.error
    assert result.incident is None
    assert [what for what, _ in world.poison] == [bad]
    assert world.reads.incidents() == ([], None)
    assert world.reads.figures(START).waiting == {}
    assert world.fire().number == 1


@pytest.mark.parametrize(
    "bad", [firing("bad", summary=SURROGATE), Declare("bad", "fire", "ada", level=9, new_type=True)]
)
def test_a_poisoned_event_harms_no_other(world: EngineWorld, bad: object) -> None:
    """The one that fails is answered with an error; those around it in the batch are stored."""
    results = world.handle(firing("x"), bad, firing("y"))
    assert [bool(result.error) for result in results] == [False, True, False]
    assert sorted(each.key for each in world.reads.incidents()[0]) == ["x", "y"]
    assert len(world.poison) == 1


def test_an_incident_that_cannot_be_read_harms_no_other(world: EngineWorld) -> None:
    """A spoilt row is set aside: what fires under its key opens another incident; its neighbours go on."""
    spoilt = world.fire("spoilt")
    world.fire("well")
    with world.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET doc = '{}' WHERE id = '" + spoilt.id + "'")
    results = world.handle(firing("spoilt", "z"), firing("well", "z"), firing("new"), at=MINUTE)
    assert [bool(result.error) for result in results] == [False, False, False]
    assert len({spoilt.id, *(result.incident.id for result in results if result.incident)}) == 4


def test_actions_are_carried_out_or_refused(world: EngineWorld) -> None:
    """An action answers with the incident as it is then, or with why not and the state that is true."""
    incident = world.fire()
    act = lambda action: world.handle(ForIncident(incident.id, action), at=MINUTE)[0]  # noqa: E731
    assert act(Acknowledge("ada")).incident.acknowledged_by == "ada"
    refused = act(Resolve("ada"))
    assert refused.refusal is not None
    assert refused.refusal.state is State.ACKNOWLEDGED
    assert refused.incident.state is State.ACKNOWLEDGED
    assert act(Note("ada", "looking")).incident.entries == world.incident(incident.id).entries
    (unknown,) = world.handle(ForIncident("nobody", Note("ada", "?")))
    assert unknown.refusal is not None


def test_a_closed_incident_makes_room_for_the_next(world: EngineWorld) -> None:
    """After the time of watching the incident closes, and the same alert opens a new one."""
    first = world.fire()
    world.handle(ForIncident(first.id, Resolve("ada", "mended", force=True)))
    cleared = replace(firing(), alerts=(alert("a", firing=False),))
    world.handle(cleared, at=MINUTE)
    world.fire_due(MINUTE + 25 * HOUR)
    assert world.incident(first.id).state is State.CLOSED
    second = world.fire(at=26 * HOUR)
    assert (second.number, second.id == first.id) == (2, False)
    assert world.incident(first.id).state is State.CLOSED


def test_two_replicas_that_open_one_key_make_one_incident(postgresql: Callable[[], str], open_stores: Open) -> None:
    """The second replica to commit runs again and joins: both alerts stand in one incident, paged once."""
    url = postgresql()
    other = EngineWorld(open_stores(url))
    turn = count()

    def meddle() -> None:
        if next(turn) == 0:
            other.fire("key", "theirs")

    world = EngineWorld(Meddler(open_stores(url), meddle))
    (result, aside) = world.handle(firing("key", "ours"), firing("aside", "x"))
    assert not result.error
    assert not world.poison
    (_, first) = world.reads.incidents()[0]
    assert first.firing == (0, 0, 2, 0)
    assert {each.fingerprint for each in world.reads.alerts(first.id)} == {"ours", "theirs"}
    assert result.incident == world.incident(first.id)
    assert aside.incident.number == 2


def test_conflicts_without_end_are_given_back(store: SqlStore) -> None:
    """After some tries nothing is stored and it is said, so that Alertmanager tries again."""

    def meddle() -> None:
        raise StoreConflict

    meddler = Meddler(store, meddle)
    world = EngineWorld(meddler)
    before = meddler.transactions
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        world.handle(firing("x"), firing("y"))
    assert meddler.transactions == before + ATTEMPTS
    assert not world.poison


def test_an_unavailable_store_is_said_for_the_whole_batch(store: SqlStore) -> None:
    """No event is blamed for it, and none is stored."""

    def meddle() -> None:
        raise StoreUnavailable

    world = EngineWorld(Meddler(store, meddle))
    with pytest.raises(StoreUnavailable):
        world.handle(firing("x"), firing("y"))
    assert not world.poison
    assert world.reads.incidents() == ([], None)


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_an_incident_goes_on_by_the_policy_it_began_with(
    kind: str, tmp_path: object, postgresql: Callable[[], str], open_stores: Open
) -> None:
    """A restart with another policy changes nothing for it; the version is read back from the store."""
    url = f"sqlite:///{tmp_path}/tocsin.db" if kind == "file" else postgresql()
    first = EngineWorld(open_stores(url))
    old = first.fire("old")
    first.deliver_all()
    slower = with_level(3, response_time=5 * HOUR, escalation_time=4 * HOUR)
    second = EngineWorld(open_stores(url), slower)
    second.deliver_all()
    new = second.fire("new")
    second.deliver_all()
    assert old.policy != new.policy
    assert second.engine.current.policy == slower != POLICY
    second.fire_due(31 * MINUTE)
    assert (second.incident(old.id).step, second.incident(new.id).step) == (1, 0)
    assert messages(second.claim(31 * MINUTE))


def test_an_alert_whose_group_moved_stays_where_it_is_held(store: SqlStore) -> None:
    """Under another key the same alert is told to the incident that holds it; an answer names all incidents."""
    world = EngineWorld(store)
    (first,) = world.handle(AlertsReceived("one", "", (alert("a"),)))
    (second,) = world.handle(AlertsReceived("two", "", (alert("a"), alert("b"))))
    assert [each.key for each in second.incidents] == ["one", "two"]
    (third,) = world.handle(AlertsReceived("three", "", (alert("a", firing=False), alert("b", firing=False))))
    assert [each.is_firing for each in third.incidents] == [False, False]
    assert first.incident is not None
    assert len(world.reads.incidents()[0]) == 2


def test_one_batch_puts_an_alert_into_one_incident(store: SqlStore) -> None:
    """Two webhooks that wait together tell of one alert under two keys."""
    world = EngineWorld(store)
    world.handle(AlertsReceived("one", "", (alert("a"),)), AlertsReceived("two", "", (alert("a"),)))
    assert [each.key for each in world.reads.incidents()[0]] == ["one"]


def test_alerts_that_share_a_fingerprint_are_found_where_they_are_held(store: SqlStore) -> None:
    """Known by its labels, the second is told to its own incident under any key; in one batch, and in the next."""
    world = EngineWorld(store)
    other = replace(alert("a"), labels={"alertname": "Other"})
    world.handle(AlertsReceived("one", "", (alert("a"),)), AlertsReceived("two", "", (other,)))
    assert len(world.reads.incidents()[0]) == 2
    over = replace(other, firing=False, ended_at=Instant(START + MINUTE))
    (told,) = world.handle(AlertsReceived("three", "", (over, alert("a"))))
    assert {each.key: each.is_firing for each in told.incidents} == {"one": True, "two": False}


def test_replicas_that_open_two_incidents_for_one_alert_agree_on_one(
    postgresql: Callable[[], str], open_stores: Open
) -> None:
    """The second replica to commit runs again, and finds the alert held."""
    url = postgresql()
    one, two = open_stores(url), open_stores(url)
    other = EngineWorld(two)
    meddled: list[object] = []

    def meddle() -> None:
        if not meddled:
            meddled.append(other.handle(AlertsReceived("two", "", (alert("a"),))))

    world = EngineWorld(Meddler(one, meddle))
    world.handle(AlertsReceived("one", "", (alert("a"),)))
    assert [each.key for each in one.reads().incidents()[0]] == ["two"]


def test_a_held_echo_is_believed_by_its_window(store: SqlStore) -> None:
    """What is held survives in the store, and the window that is due finds it."""
    world = EngineWorld(store)
    world.handle(AlertsReceived("one", "", (alert("a"),)))
    world.handle(AlertsReceived("one", "", (alert("a", firing=False),)))
    (held,) = world.handle(AlertsReceived("one", "", (alert("a"),)))
    assert held.incident is not None
    assert held.incident.held == 1
    assert [each.alert.fingerprint for each in world.reads.held_alerts()] == ["a"]
    world.fire_due(at=10 * MINUTE)
    assert world.incident(held.incident.id).is_firing
    assert world.reads.held_alerts() == []
