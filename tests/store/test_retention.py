"""What is closed and old is forgotten whole; nothing else ever is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.core.model import FileChange, Incident, Instant, State
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.jobs.retention import delete_expired
from receiver.store import SqlStore
from rules.load import load
from rules.policy import HOUR, Micros
from tests.core.guide import ALL, POLICY
from tests.end_to_end.processes import POLICY as RULES
from tests.store.samples import NOW, alert, changes, entry, incident, message, save

DAY = 24 * HOUR


def closed(name: str, days_ago: int) -> Incident:
    """An incident that closed so many days ago."""
    return incident(name, state=State.CLOSED, closed_at=NOW - days_ago * DAY)


def rows(store: SqlStore) -> dict[str, set[str]]:
    """Table → the incidents that have rows in it."""
    tables = {"incidents": "id", "alerts": "incident_id", "notifications": "incident_id", "entries": "incident_id"}
    with store._database.read() as connection:
        return {
            table: {row[0] for row in connection.exec_driver_sql(f"SELECT {column} FROM {table}")}
            for table, column in tables.items()
        }


def test_only_what_closed_before_is_forgotten_with_all_that_is_its_own(store: SqlStore) -> None:
    """Alerts, messages and timeline go with their incident; younger, resolved and open ones stay."""
    opened = [
        closed("old", 500),
        closed("older", 900),
        closed("young", 10),
        incident("resolved", state=State.RESOLVED, resolved_at=NOW - 500 * DAY),
        incident("open", opened_at=NOW - 900 * DAY),
    ]
    for each in opened:
        save(
            store,
            opened=[each],
            alerts=[(each.id, alert(each.id, firing=False))],
            planned=[message(1, each.id)],
            entries=[entry(1, each.id)],
        )
    assert store.forget(Instant(NOW - 400 * DAY), 1) == 1
    assert store.forget(Instant(NOW - 400 * DAY), 10) == 1
    assert store.forget(Instant(NOW - 400 * DAY), 10) == 0
    assert set(map(frozenset, rows(store).values())) == {frozenset({"id-young", "id-resolved", "id-open"})}


def test_what_is_under_legal_hold_is_not_forgotten(store: SqlStore) -> None:
    """Nor its alerts, messages, timeline and evidence; very many of them keep no other from being forgotten; released,
    it goes with all that is its own.
    """
    held = [closed(f"held-{number}", 900) for number in range(501)]
    save(store, opened=held, on_hold={each.id: True for each in held}, entries=[entry(1, "id-held-0")])
    save(store, opened=[closed("old", 500)])
    for each in (held[0].id, "id-old"):
        store.add_evidence(f"upload-{each}", 0, b"content", Instant(NOW))
        save(store, changed=[store.reads().incident(each)], files=[(each, FileChange("a" * 64, f"upload-{each}"))])
    assert store.forget(Instant(NOW - 400 * DAY), 10) == 1
    assert store.forget(Instant(NOW - 400 * DAY), 10) == 0
    assert len(rows(store)["incidents"]) == 501
    assert rows(store)["entries"] == {"id-held-0"}
    assert store.reads().evidence_chunk("upload-id-old", 0) is None
    assert store.reads().evidence_chunk("upload-id-held-0", 0) == b"content"
    save(store, changed=[held[0]], on_hold={held[0].id: False})
    assert store.forget(Instant(NOW - 400 * DAY), 10) == 1
    assert rows(store)["entries"] == set()
    assert store.reads().evidence_chunk("upload-id-held-0", 0) is None


def test_a_hold_that_comes_while_its_incident_is_looked_at_counts(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """One replica places a hold, the other forgets: whichever commits first, nothing of what is held is deleted."""
    url = postgresql()
    one, two = open_stores(url), open_stores(url)
    (old,) = save(one, opened=[closed("old", 500)])
    with one.transaction() as transaction:
        assert transaction.lock([], [old.id])
        transaction.save(changes(changed=[old], on_hold={old.id: True}))
        assert two.forget(Instant(NOW - 400 * DAY), 10) == 0
    assert two.forget(Instant(NOW - 400 * DAY), 10) == 0
    assert one.reads().incident(old.id) is not None


def test_what_is_being_worked_on_is_left_for_later(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """A replica that writes a note to a closed incident keeps it; the next look finds it again."""
    url = postgresql()
    one, two = open_stores(url), open_stores(url)
    (old,) = save(one, opened=[closed("old", 500)])
    with one.transaction() as transaction:
        assert transaction.lock([], [old.id])
        assert two.forget(Instant(NOW - 400 * DAY), 10) == 0
    assert two.forget(Instant(NOW - 400 * DAY), 10) == 1


@pytest.mark.parametrize(("retention", "left"), [(None, 45), (Micros(400 * DAY), 5)])
async def test_the_policy_says_how_long(store: SqlStore, retention: Micros | None, left: int) -> None:
    """`retention: 400d` forgets the older ones in small steps; without it nothing is ever forgotten."""
    save(store, opened=[closed(f"old-{number}", 500) for number in range(40)])
    save(store, opened=[closed(f"new-{number}", 300) for number in range(5)])
    engine = Engine(store, replace(POLICY, retention=retention), ALL, Instant(NOW))
    queue = CommandQueue(engine, lambda: Instant(NOW))
    try:
        await delete_expired(queue, engine, store)
    finally:
        queue.close()
    assert len(store.reads().incidents(limit=100)[0]) == left


def test_retention_is_written_in_the_policy(tmp_path: Path) -> None:
    """As a duration; left out, everything is kept."""
    path = tmp_path / "policy.yaml"
    path.write_text(f"{RULES}\nretention: 400d\n")
    assert load([path]).retention == 400 * DAY
    path.write_text(RULES)
    assert load([path]).retention is None
