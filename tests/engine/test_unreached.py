"""The age of an emergency that has reached nobody: whatever became of its pages, it grows until one is delivered."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.core.events import Acknowledge, Declare, Rejected, Retry
from receiver.core.model import Instant, State
from receiver.engine.commands import ForIncident
from receiver.store import SqlStore, open_store
from rules.policy import MINUTE, SECOND
from tests.core.world import START
from tests.engine.house import House, messages


@pytest.fixture
def house(store: SqlStore) -> House:
    """An engine over each kind of store."""
    return House(store)


def since(house: House) -> Instant | None:
    """What the age counts from."""
    oldest: Instant | None = house.reads.figures(START).oldest_emergency
    assert oldest == house.reads.oldest_emergency()
    return oldest


def fail_all(house: House, outcome: Any, at: int) -> None:
    """Every page that may be sent fails so."""
    while claimed := house.claim(at):
        house.report(messages(claimed), outcome, at=at)


def test_waiting_counts_and_a_delivery_ends_it(house: House) -> None:
    """From the first page on; one message that reaches somebody is enough."""
    assert since(house) is None
    house.fire(level=4, at=SECOND)
    assert since(house) == START + SECOND
    first, *_ = messages(house.claim(2 * SECOND))
    house.report([first], at=2 * SECOND)
    assert since(house) is None


def test_every_channel_rejects(house: House) -> None:
    """Given up is not delivered: with nothing left to wait for the age still grows."""
    incident = house.fire(level=4)
    for minute in range(30):
        fail_all(house, Rejected("no such number"), minute * MINUTE)
        house.fire_due(minute * MINUTE)
    assert house.incident(incident.id).step >= 2
    assert since(house) == START


def test_escalations_faster_than_two_minutes(house: House) -> None:
    """Each step overtakes the pages before it, which says nothing of the age."""
    incident = house.fire(level=4)
    for minute in (0, 5, 10, 15, 20):
        house.fire_due(minute * MINUTE)
        fail_all(house, Retry("busy"), minute * MINUTE)
    assert house.incident(incident.id).page.serial > 2
    assert since(house) == START


def test_no_channel_can_send(house: House) -> None:
    """Pages that are undeliverable from the start reach nobody either."""
    house.engine.adopt(house.engine.current.policy, [])
    house.fire(level=4)
    assert house.claim() == []
    assert since(house) == START


def test_a_page_that_was_overtaken_and_arrived_counts(house: House) -> None:
    """It was under way when the next step overtook it: somebody was reached."""
    house.fire(level=4)
    pages = messages(house.claim())
    house.fire_due(5 * MINUTE)
    assert since(house) == START
    house.report(pages[:1], at=5 * MINUTE)
    assert since(house) is None


def test_a_bounce_takes_it_back(house: House) -> None:
    """A delivery that proves to be none leaves the alarm unreached, from its beginning."""
    house.fire(level=4)
    first, *_ = messages(house.claim())
    house.report([first], at=SECOND)
    house.engine.bounce(first.id, "handset is off", Instant(START + MINUTE))
    assert since(house) == START


def test_whoever_takes_it_ends_it(house: House) -> None:
    """Somebody acknowledged: whoever it was that told them."""
    incident = house.fire(level=4)
    house.handle(ForIncident(incident.id, Acknowledge("ada")), at=MINUTE)
    assert since(house) is None


def test_new_danger_counts_anew(house: House) -> None:
    """The acknowledgement is void, and the new alarm has reached nobody."""
    incident = house.fire(level=4)
    house.deliver_all()
    house.handle(ForIncident(incident.id, Acknowledge("ada")), at=MINUTE)
    house.fire("key", "another", level=4, at=2 * MINUTE)
    assert house.incident(incident.id).state is State.OPEN
    assert since(house) == START + 2 * MINUTE


def test_exercises_and_lower_levels_do_not_count(house: House) -> None:
    """A drill that pages nobody calls nobody out; level 3 has its escalation."""
    house.fire(level=3)
    house.handle(Declare("drill", "engine_failure", "ada", level=4, exercise=True))
    assert since(house) is None


def test_emergencies_of_an_older_tocsin_are_counted(tmp_path: Path) -> None:
    """What was open when a new version started is counted as if it had been there from the beginning."""
    path = tmp_path / "tocsin.db"
    store = open_store(f"sqlite:///{path}")
    house = House(store)
    _, told = (house.fire(key, level=4, at=place * SECOND) for place, key in enumerate(("lost", "told")))
    house.report([each for each in messages(house.claim(SECOND)) if each.incident_id == told.id], at=SECOND)
    store.close()
    with closing(sqlite3.connect(path)) as older:
        for id_, doc in older.execute("SELECT id, doc FROM incidents").fetchall():
            known = {name: value for name, value in json.loads(doc).items() if name not in {"alarmed_at", "reached"}}
            older.execute("UPDATE incidents SET doc = ? WHERE id = ?", (json.dumps(known), id_))
        older.executescript("DROP TABLE alarms; DROP TABLE set_aside")
        (before,) = older.execute("SELECT version_num FROM alembic_version").fetchone()
        assert before >= "0009"
        older.execute("UPDATE alembic_version SET version_num = '0008'")
        older.commit()
    house = House(open_store(f"sqlite:///{path}"))
    assert since(house) == START
    house.report(messages(house.claim(MINUTE)), at=MINUTE)
    assert since(house) is None
    house.store.close()
