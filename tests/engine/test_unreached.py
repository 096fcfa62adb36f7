"""The age of an unreached emergency: it grows until a page is delivered, for any failure of its pages."""

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
from tests.engine.world import EngineWorld, messages, on


@pytest.fixture
def world(store: SqlStore) -> EngineWorld:
    """An engine over each kind of store."""
    return EngineWorld(store)


def since(world: EngineWorld) -> Instant | None:
    """What the age counts from."""
    oldest: Instant | None = world.reads.figures(START).oldest_emergency
    assert oldest == world.reads.oldest_emergency()
    return oldest


def fail_all(world: EngineWorld, outcome: Any, at: int) -> None:
    """Every page that may be sent fails so."""
    while claimed := world.claim(at):
        world.report(messages(claimed), outcome, at=at)


def test_waiting_counts_and_a_delivery_ends_it(world: EngineWorld) -> None:
    """From the first page on; one delivered message is enough."""
    assert since(world) is None
    world.fire(level=4, at=SECOND)
    assert since(world) == START + SECOND
    pages = messages(world.claim(2 * SECOND))
    world.report([on("slack", pages)], at=2 * SECOND)
    assert since(world) == START + SECOND, "Slack wakes nobody"
    world.report([on("sms", pages)], at=2 * SECOND)
    assert since(world) is None


def test_every_channel_rejects(world: EngineWorld) -> None:
    """Given up is not delivered: with nothing left to wait for the age still grows."""
    incident = world.fire(level=4)
    for minute in range(30):
        fail_all(world, Rejected("no such number"), minute * MINUTE)
        world.fire_due(minute * MINUTE)
    assert world.incident(incident.id).step >= 2
    assert since(world) == START


def test_escalations_faster_than_two_minutes(world: EngineWorld) -> None:
    """Each step overtakes the pages before it, which says nothing of the age."""
    incident = world.fire(level=4)
    for minute in (0, 5, 10, 15, 20):
        world.fire_due(minute * MINUTE)
        fail_all(world, Retry("busy"), minute * MINUTE)
    assert world.incident(incident.id).page.serial > 2
    assert since(world) == START


def test_no_channel_can_send(world: EngineWorld) -> None:
    """Pages that are undeliverable from the start count as unreached."""
    world.engine.adopt(world.engine.current.policy, [])
    world.fire(level=4)
    assert world.claim() == []
    assert since(world) == START


def test_a_page_that_was_overtaken_and_arrived_counts(world: EngineWorld) -> None:
    """It was under way when the next step overtook it: its delivery counts."""
    world.fire(level=4)
    pages = messages(world.claim())
    world.fire_due(5 * MINUTE)
    assert since(world) == START
    world.report([on("pagerduty", pages)], at=5 * MINUTE)
    assert since(world) is None


def test_a_bounce_takes_it_back(world: EngineWorld) -> None:
    """A delivery that proves to be none leaves the alarm unreached, from its beginning."""
    world.fire(level=4)
    page = on("sms", messages(world.claim()))
    world.report([page], at=SECOND)
    assert since(world) is None
    world.engine.bounce(page.id, "handset is off", Instant(START + MINUTE))
    assert since(world) == START


def test_whoever_takes_it_ends_it(world: EngineWorld) -> None:
    """An acknowledgement ends it, also without a delivered page."""
    incident = world.fire(level=4)
    world.handle(ForIncident(incident.id, Acknowledge("ada")), at=MINUTE)
    assert since(world) is None


def test_new_danger_counts_anew(world: EngineWorld) -> None:
    """The acknowledgement is void, and the new alarm is unreached."""
    incident = world.fire(level=4)
    world.deliver_all()
    world.handle(ForIncident(incident.id, Acknowledge("ada")), at=MINUTE)
    world.fire("key", "another", level=4, at=2 * MINUTE)
    assert world.incident(incident.id).state is State.OPEN
    assert since(world) == START + 2 * MINUTE


def test_exercises_and_lower_levels_do_not_count(world: EngineWorld) -> None:
    """An unreached drill is no emergency; level 3 has its escalation."""
    world.fire(level=3)
    world.handle(Declare("drill", "engine_failure", "ada", level=4, exercise=True))
    assert since(world) is None


NEWER = [
    "alarms",
    "set_aside",
    "overrides",
    "learned",
    "calendars",
    "policy_changes",
    "shift_log",
    "handoffs",
    "legal_holds",
    "evidence_uploads",
    "evidence_files",
    "evidence_chunks",
    "devices",
    "closed_words_index",
    "closed_words",
    "closed_people",
    "open_systems",
]
"""Tables that version 8 of the schema did not have."""


def test_emergencies_of_an_older_tocsin_are_counted(tmp_path: Path) -> None:
    """What was open when a new version started is counted as if it had been there from the beginning."""
    path = tmp_path / "tocsin.db"
    store = open_store(f"sqlite:///{path}")
    world = EngineWorld(store)
    _, told = (world.fire(key, level=4, at=place * SECOND) for place, key in enumerate(("lost", "told")))
    world.report([each for each in messages(world.claim(SECOND)) if each.incident_id == told.id], at=SECOND)
    store.close()
    with closing(sqlite3.connect(path)) as older:
        for id_, doc in older.execute("SELECT id, doc FROM incidents").fetchall():
            known = {name: value for name, value in json.loads(doc).items() if name not in {"alarmed_at", "reached"}}
            older.execute("UPDATE incidents SET doc = ? WHERE id = ?", (json.dumps(known), id_))
        older.execute("UPDATE notifications SET status = 'delivered' WHERE status = 'accepted'")
        for column in ("reached_at", "person", "via", "shift"):
            older.execute(f"ALTER TABLE notifications DROP COLUMN {column}")
        for table in NEWER:
            older.execute(f"DROP TABLE {table}")
        (before,) = older.execute("SELECT version_num FROM alembic_version").fetchone()
        assert before >= "0009"
        older.execute("UPDATE alembic_version SET version_num = '0008'")
        older.commit()
    world = EngineWorld(open_store(f"sqlite:///{path}"))
    assert since(world) == START
    world.report(messages(world.claim(MINUTE)), at=MINUTE)
    assert since(world) is None
    world.store.close()
