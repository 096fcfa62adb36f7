"""Damage is told once, as an incident of Tocsin's own, and the file is checked when there is reason to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.jobs.soundness import Soundness
from receiver.store import SqlStore
from receiver.store.integrity import indexes_of
from rules.policy import CRITICAL
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import firing
from tests.store.samples import stale_index


@pytest.fixture
def store(open_stores: Callable[[str], SqlStore], tmp_path: Path) -> SqlStore:
    """In a file."""
    return open_stores(f"sqlite:///{tmp_path / 'tocsin.db'}")


@pytest.fixture
def queue(store: SqlStore) -> CommandQueue:
    """On it."""
    return CommandQueue(Engine(store, POLICY, ALL, START), lambda: Instant(START))


def spoil(store: SqlStore, statement: str) -> None:
    """Change rows behind everybody's back."""
    with store._database.write() as connection:
        connection.exec_driver_sql(statement)


async def test_damaged_rows_are_told_once(store: SqlStore, queue: CommandQueue) -> None:
    """However many, in one incident of level 3 that pages; a second look has nothing to tell, new damage has."""
    await queue.handle([firing(f"key-{number}", level=4) for number in range(30)])
    spoil(store, "UPDATE incidents SET doc = 'no json' WHERE number <= 25")
    sound = Soundness(queue, store, queue.state)
    await sound.look()
    (told,) = [each for each in store.reads().incidents()[0] if each.type == "database_is_damaged"]
    assert (told.level, sum(told.firing)) == (CRITICAL, 1)
    assert store.reads().notifications(told.id)
    (alert,) = store.reads().alerts(told.id)
    assert "25" in alert.annotations["summary"]
    assert "15 more" in alert.annotations["description"]
    await sound.look()
    assert store.reads().incident(told.id) == told
    spoil(store, "UPDATE incidents SET doc = 'no json' WHERE number = 27")
    await Soundness(queue, store, queue.state).look()
    after = store.reads().incident(told.id)
    assert after is not None
    assert sum(after.firing) == 2


async def test_strange_ids_are_not_told(store: SqlStore, queue: CommandQueue) -> None:
    """What a damaged row has for an id goes into no message."""
    await queue.handle([firing("key", level=4)])
    spoil(store, "UPDATE notifications SET data = 'x', id = '<script>' WHERE sequence = 1")
    await queue.run(Engine(store, POLICY, ALL, START).claim, Instant(START), "w")
    await Soundness(queue, store, queue.state).look()
    (told,) = [each for each in store.reads().incidents()[0] if each.type == "database_is_damaged"]
    (alert,) = store.reads().alerts(told.id)
    assert "script" not in alert.annotations["description"]


async def test_an_index_is_made_anew_while_it_is_in_use(store: SqlStore, queue: CommandQueue, tmp_path: Path) -> None:
    """Damage that shows has the file checked; what the check finds is mended and told. A whole file is not spoken of."""
    sound = Soundness(queue, store, queue.state)
    await sound.check()
    await queue.handle([firing("key", level=4)])
    assert [each.type for each in store.reads().incidents()[0]] != ["database_is_damaged"]
    stale_index(tmp_path / "tocsin.db")
    assert store.look_at_file(10)
    queue.state.is_damage_suspected = True
    await sound.check()
    assert store.look_at_file(10) == []
    (told,) = [each for each in store.reads().incidents()[0] if each.type == "database_is_damaged"]
    (alert,) = store.reads().alerts(told.id)
    assert "made anew" in alert.annotations["description"]


def test_only_what_is_about_indexes_alone_is_mended_while_in_use() -> None:
    """Where tables are damaged too, nothing is rewritten under way."""
    about = "row 3 missing from index notifications_due"
    assert indexes_of([about, "wrong # of entries in index incidents_by_type"]) == [
        "incidents_by_type",
        "notifications_due",
    ]
    assert indexes_of([about, "Page 7: btreeInitPage() returns error code 11"]) == []
    assert indexes_of([]) == []
