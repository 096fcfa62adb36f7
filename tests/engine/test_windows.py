"""Windows: carried out when they are due, not before, across restarts, and none for another's fault."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from receiver.core.model import Fact, State
from receiver.engine.containment import POSTPONE
from receiver.store import SqlStore
from rules.policy import HOUR, MINUTE
from tests.core.world import START
from tests.engine.house import BREACHES, ESCALATES, House, messages

Open = Callable[[str], SqlStore]


@pytest.fixture
def house(store: SqlStore) -> House:
    """An engine over each kind of store."""
    return House(store)


def test_escalation_and_breach_come_at_their_times(house: House) -> None:
    """At E the incident escalates, at R it breaches, and not a microsecond earlier."""
    incident = house.fire()
    house.deliver_all()
    assert house.fire_due(ESCALATES - 1) == 0
    assert Fact.ESCALATED not in house.facts(incident.id)
    assert house.store.next_due() == START + ESCALATES
    assert house.fire_due(ESCALATES) == 1
    assert house.incident(incident.id).step == 1
    house.deliver_all(ESCALATES)
    assert house.fire_due(BREACHES - 1) == 0
    assert Fact.BREACHED not in house.facts(incident.id)
    assert house.fire_due(BREACHES) == 1
    assert house.incident(incident.id).breached_at == START + BREACHES
    assert house.fire_due(BREACHES) == 0


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_a_restart_loses_no_window_and_no_message(
    kind: str, tmp_path: object, postgresql: Callable[[], str], open_stores: Open
) -> None:
    """What was due while Tocsin was down happens at once, the highest step only, the skipped ones recorded."""
    url = f"sqlite:///{tmp_path}/tocsin.db" if kind == "file" else postgresql()
    store = open_stores(url)
    before = House(store)
    told = before.fire("told")
    before.deliver_all()
    untold = before.fire("untold", at=MINUTE)
    windows, due_at = before.incident(told.id).windows, store.next_due()
    store.close()
    after = House(open_stores(url))
    assert after.incident(told.id).windows == windows
    assert after.store.next_due() == due_at
    assert {each.incident_id for each in messages(after.claim(MINUTE))} == {untold.id}
    assert after.fire_due(3 * HOUR) == 2
    assert after.incident(told.id).breached_at == START + 3 * HOUR
    facts = after.facts(told.id)
    assert Fact.WINDOW_MISSED in facts
    assert facts.count(Fact.BREACHED) == 1
    assert Fact.ESCALATED not in facts


def test_an_incident_that_cannot_be_decided_on_is_left_alone_for_a_while(house: House) -> None:
    """Its windows are put off, again and again; those of the others are carried out."""
    spoilt, well = house.fire("spoilt"), house.fire("well")
    house.deliver_all()
    with house.store._database.write() as connection:
        spoil = f"""UPDATE incidents SET doc = replace(doc, '"level":3', '"level":9') WHERE id = '{spoilt.id}'"""
        connection.exec_driver_sql(spoil)
    assert house.fire_due(ESCALATES) == 1
    assert house.incident(well.id).step == 1
    assert [what for what, _ in house.poison] == [spoilt.id]
    house.deliver_all(ESCALATES)
    assert house.fire_due(ESCALATES + POSTPONE - 1) == 0
    assert len(house.poison) == 1
    house.fire_due(ESCALATES + POSTPONE)
    assert len(house.poison) == 2


def test_messages_of_an_incident_that_cannot_be_read_hold_up_nobody(house: House) -> None:
    """They are set aside with it; the others are claimed."""
    spoilt, well = house.fire("spoilt"), house.fire("well")
    with house.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET doc = '{}' WHERE id = '" + spoilt.id + "'")
    claimed = messages(house.claim())
    assert {each.incident_id for each in claimed} == {well.id}
    house.report(claimed)
    assert house.claim(POSTPONE - 1) == []
    assert house.poison == []


def test_replicas_carry_out_a_window_once(postgresql: Callable[[], str], open_stores: Open) -> None:
    """Two replicas that fire at the same time escalate each incident one step."""
    url = postgresql()
    houses = [House(open_stores(url)), House(open_stores(url))]
    for number in range(40):
        houses[0].fire(f"key-{number}")
    houses[0].deliver_all()
    while houses[0].deliver_all(MINUTE):
        pass
    with ThreadPoolExecutor(4) as threads:
        fired = list(threads.map(lambda turn: houses[turn % 2].fire_due(ESCALATES), range(12)))
    assert sum(fired) == 40
    found, _ = houses[0].reads.incidents(limit=99)
    assert {each.step for each in found} == {1}
    assert {each.state for each in found} == {State.OPEN}
