"""Windows: carried out when they are due, not before, across restarts, and none for another's fault."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from receiver.core.model import Fact, State
from receiver.engine.containment import POSTPONE
from receiver.store import SqlStore
from rules.policy import HOUR, MINUTE
from tests.core.world import START
from tests.engine.world import BREACHES, ESCALATES, EngineWorld, messages

Open = Callable[[str], SqlStore]


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store."""
    return EngineWorld(store)


def test_escalation_and_breach_come_at_their_times(world: EngineWorld) -> None:
    """At E the incident escalates, at R it breaches, and not a microsecond earlier."""
    incident = world.fire()
    world.deliver_all()
    assert world.fire_due(ESCALATES - 1) == 0
    assert Fact.ESCALATED not in world.facts(incident.id)
    assert world.store.next_due() == START + ESCALATES
    assert world.fire_due(ESCALATES) == 1
    assert world.incident(incident.id).step == 1
    world.deliver_all(ESCALATES)
    assert world.fire_due(BREACHES - 1) == 0
    assert Fact.BREACHED not in world.facts(incident.id)
    assert world.fire_due(BREACHES) == 1
    assert world.incident(incident.id).breached_at == START + BREACHES
    assert world.fire_due(BREACHES) == 0


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_a_restart_loses_no_window_and_no_message(
    kind: str, tmp_path: object, postgresql: Callable[[], str], open_stores: Open
) -> None:
    """What was due while Tocsin was down happens at once, the highest step only, the skipped ones recorded."""
    url = f"sqlite:///{tmp_path}/tocsin.db" if kind == "file" else postgresql()
    store = open_stores(url)
    before = EngineWorld(store)
    told = before.fire("told")
    before.deliver_all()
    untold = before.fire("untold", at=MINUTE)
    windows, due_at = before.incident(told.id).windows, store.next_due()
    store.close()
    after = EngineWorld(open_stores(url))
    assert after.incident(told.id).windows == windows
    assert after.store.next_due() == due_at
    assert {each.incident_id for each in messages(after.claim(MINUTE))} == {untold.id}
    assert after.fire_due(3 * HOUR) == 2
    assert after.incident(told.id).breached_at == START + 3 * HOUR
    facts = after.facts(told.id)
    assert Fact.WINDOW_MISSED in facts
    assert facts.count(Fact.BREACHED) == 1
    assert Fact.ESCALATED not in facts


def test_an_incident_that_cannot_be_decided_on_is_left_alone_for_a_while(world: EngineWorld) -> None:
    """Its windows are put off, again and again; those of the others are carried out."""
    spoilt, well = world.fire("spoilt"), world.fire("well")
    world.deliver_all()
    with world.store._database.write() as connection:
        spoil = f"""UPDATE incidents SET doc = replace(doc, '"level":3', '"level":9') WHERE id = '{spoilt.id}'"""
        connection.exec_driver_sql(spoil)
    assert world.fire_due(ESCALATES) == 1
    assert world.incident(well.id).step == 1
    assert [what for what, _ in world.poison] == [spoilt.id]
    world.deliver_all(ESCALATES)
    assert world.fire_due(ESCALATES + POSTPONE - 1) == 0
    assert len(world.poison) == 1
    world.fire_due(ESCALATES + POSTPONE)
    assert len(world.poison) == 2


def test_messages_of_an_incident_that_cannot_be_read_hold_up_nobody(world: EngineWorld) -> None:
    """They are set aside with it; the others are claimed."""
    spoilt, well = world.fire("spoilt"), world.fire("well")
    with world.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET doc = '{}' WHERE id = '" + spoilt.id + "'")
    claimed = messages(world.claim())
    assert {each.incident_id for each in claimed} == {well.id}
    world.report(claimed)
    assert world.claim(POSTPONE - 1) == []
    assert world.poison == []


def test_replicas_carry_out_a_window_once(postgresql: Callable[[], str], open_stores: Open) -> None:
    """Two replicas that fire at the same time escalate each incident one step."""
    url = postgresql()
    worlds = [EngineWorld(open_stores(url)), EngineWorld(open_stores(url))]
    for number in range(40):
        worlds[0].fire(f"key-{number}")
    worlds[0].deliver_all()
    while worlds[0].deliver_all(MINUTE):
        pass
    with ThreadPoolExecutor(4) as threads:
        fired = list(threads.map(lambda turn: worlds[turn % 2].fire_due(ESCALATES), range(12)))
    assert sum(fired) == 40
    found, _ = worlds[0].reads.incidents(limit=99)
    assert {each.step for each in found} == {1}
    assert {each.state for each in found} == {State.OPEN}
