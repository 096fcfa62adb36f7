"""Several replicas on one PostgreSQL: nothing twice, nothing lost, no deadlock."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import psycopg
import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, State
from receiver.errors import StoreConflict, StoreUnavailable
from receiver.store import SqlStore
from receiver.store.session import Session
from tests.store.samples import NOW, alert, changes, incident, message, save

Open = Callable[[str], SqlStore]


@pytest.fixture
def two(postgresql: Callable[[], str], open_stores: Open) -> tuple[SqlStore, SqlStore]:
    """Two replicas of one database."""
    url = postgresql()
    return open_stores(url), open_stores(url)


def test_one_key_is_opened_by_one_replica(two: tuple[SqlStore, SqlStore]) -> None:
    """Both saw no incident of that key; the second to write hears of the conflict and has stored nothing."""
    a, b = two
    with pytest.raises(StoreConflict), a.transaction() as transaction:  # noqa: PT012 - the block is the transaction
        assert transaction.lock(["key-x"], []) == []
        save(b, opened=[incident("x", id="theirs")])
        transaction.next_numbers(1)
        transaction.save(changes(opened=[incident("x", id="ours", number=9)], planned=[message(1, "ours")]))
    assert a.reads().incident("ours") is None
    assert a.reads().notifications("ours") == []
    assert a.reads().incident("theirs") is not None


def test_a_key_twice_in_one_file_is_a_conflict_too(open_stores: Open) -> None:
    """SQLite says the same of a key that is taken."""
    store = open_stores("sqlite://")
    save(store, opened=[incident("x")])
    with pytest.raises(StoreConflict):
        save(store, opened=[incident("x", id="another")])


def test_locked_incidents_are_skipped_by_who_does_not_want_to_wait(two: tuple[SqlStore, SqlStore]) -> None:
    """What another replica works on is left to it."""
    a, b = two
    save(a, opened=[incident("a"), incident("b")])
    with a.transaction() as first, b.transaction() as second:
        assert [each.id for each in first.lock([], ["id-a"], skip_locked=True)] == ["id-a"]
        assert [each.id for each in second.lock([], ["id-a", "id-b"], skip_locked=True)] == ["id-b"]


def test_who_waits_for_a_lock_sees_what_was_written(two: tuple[SqlStore, SqlStore]) -> None:
    """A transaction that waited decides on the incident as the other one left it; a closed one has lost its key."""
    a, b = two
    (x, y) = save(a, opened=[incident("x"), incident("y")])
    asked = threading.Event()

    def wait() -> list[tuple[str, int]]:
        with b.transaction() as transaction:
            asked.set()
            return [(each.id, each.version) for each in transaction.lock(["key-x", "key-y"], [])]

    with ThreadPoolExecutor(1) as thread:
        with a.transaction() as transaction:
            transaction.lock(["key-x", "key-y"], [])
            waiting = thread.submit(wait)
            asked.wait()
            _wait_for_waiter(a)
            closed = replace(y, state=State.CLOSED, version=5)
            transaction.save(changes(changed=[replace(x, version=5), closed]))
        assert waiting.result() == [("id-x", 5)]


def _wait_for_waiter(store: SqlStore) -> None:
    """Waits until PostgreSQL reports a session that waits for a lock."""
    while True:
        with store._database.read() as connection:
            if Session(connection).rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"
            ):
                return


def test_claimers_never_take_the_same_message(two: tuple[SqlStore, SqlStore]) -> None:
    """Replicas that claim at the same time share the outbox out between them."""
    names = [f"{number:03}" for number in range(120)]
    save(two[0], opened=[incident(name) for name in names], planned=[message(1, f"id-{name}") for name in names])

    def claim(store: SqlStore) -> list[str]:
        taken: list[str] = []
        while True:
            with store.transaction() as transaction:
                ids = transaction.sendable_incidents(Instant(NOW), 7)
                locked = transaction.lock([], ids, skip_locked=True)
                heads = transaction.heads([each.id for each in locked], Instant(NOW))
                leased = [replace(each, leased_by="w", due_at=Instant(NOW + 1)) for each in heads]
                transaction.save(changes(settled=leased))
            taken += [each.id for each in leased]
            if not ids:
                return taken

    with ThreadPoolExecutor(4) as threads:
        claimed = list(chain.from_iterable(threads.map(claim, [*two, *two])))
    assert sorted(claimed) == [f"id-{name}-1" for name in names]


def test_replicas_that_touch_the_same_incidents_do_not_block_each_other_for_good(
    two: tuple[SqlStore, SqlStore],
) -> None:
    """Batches that name the same incidents in any order all get through: locks are taken in key order."""
    names = [f"{number:02}" for number in range(12)]
    save(two[0], opened=[incident(name) for name in names])

    def work(turn: int) -> None:
        keys = [f"key-{name}" for name in (names if turn % 2 else reversed(names))]
        with two[turn % 2].transaction() as transaction:
            found = transaction.lock(keys, [])
            more = [("id-00", alert(f"f{turn}"))]
            transaction.save(changes(changed=[replace(each, version=each.version + 1) for each in found], alerts=more))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(40)))
    assert {each.version for each in two[0].reads().incidents()[0]} == {40}
    assert len(two[0].reads().alerts("id-00")) == 40


def test_numbers_are_given_once_across_replicas(two: tuple[SqlStore, SqlStore]) -> None:
    """Blocks taken at the same time do not overlap."""

    def take(turn: int) -> list[int]:
        with two[turn % 2].transaction() as transaction:
            first = transaction.next_numbers(3)
            return [first, first + 1, first + 2]

    with ThreadPoolExecutor(6) as threads:
        taken = sorted(chain.from_iterable(threads.map(take, range(30))))
    assert taken == list(range(1, 91))


def test_timeouts_hold_in_every_transaction(two: tuple[SqlStore, SqlStore]) -> None:
    """No statement and no lock takes longer than five seconds, and the isolation is READ COMMITTED."""
    for way in (two[0]._database.write, two[0]._database.read):
        with way() as connection:
            shown = [
                connection.exec_driver_sql(f"SHOW {name}").scalar()
                for name in ("statement_timeout", "lock_timeout", "transaction_isolation")
            ]
        assert shown == ["5s", "5s", "read committed"]


@pytest.mark.parametrize(
    "statement", ["SET LOCAL statement_timeout = 20; SELECT pg_sleep(9)", "SET TRANSACTION READ ONLY; DELETE FROM meta"]
)
def test_what_the_server_refuses_for_the_moment_is_unavailable(two: tuple[SqlStore, SqlStore], statement: str) -> None:
    """Too slow, or only a standby: nothing was stored, and Alertmanager is to try again."""
    with pytest.raises(StoreUnavailable, match="postgresql"), two[0]._database.write() as connection:  # noqa: PT012
        for part in statement.split("; "):
            connection.exec_driver_sql(part)


def test_a_server_that_became_read_only_is_unavailable(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """As providers make it when its disk is nearly full: what cannot be written is unavailable, and no bug of ours."""
    url = postgresql()
    open_stores(url)
    with pytest.raises(StoreUnavailable, match="read-only"):
        open_stores(f"{url}%20-cdefault_transaction_read_only%3Don").probe()


def test_a_lock_that_is_not_given_is_unavailable(two: tuple[SqlStore, SqlStore]) -> None:
    """Who waits too long for an incident gives up, and has stored nothing."""
    a, b = two
    save(a, opened=[incident("a")])
    with a.transaction() as first:
        first.lock([], ["id-a"])
        with pytest.raises(StoreUnavailable, match="lock timeout"), b._database.write() as connection:  # noqa: PT012
            connection.exec_driver_sql("SET LOCAL lock_timeout = 20")
            Session(connection).rows("SELECT id FROM incidents FOR UPDATE")


def test_a_lost_connection_is_replaced(two: tuple[SqlStore, SqlStore], postgresql: Callable[[], str]) -> None:
    """When the server has dropped a connection in the midst, that transaction fails; the next one works."""
    store, other = two
    save(store, opened=[incident("a")])

    def lose() -> None:
        with store.transaction() as transaction:
            (mine,) = transaction._session.rows("SELECT pg_backend_pid() AS pid")
            with other.transaction() as killer:
                killer._session.rows("SELECT pg_terminate_backend(:pid)", pid=mine.pid)
            transaction.next_numbers(1)

    with pytest.raises(StoreUnavailable):
        lose()
    with store.transaction() as transaction:
        assert transaction.next_numbers(1) == 2


def test_a_rights_problem_is_said_at_the_start(postgresql: Callable[[], str], open_stores: Open) -> None:
    """A user who may not create tables is told so, without a traceback."""
    url = postgresql()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    with pytest.raises(StoreUnavailable, match=r"permission denied|no schema"):
        open_stores(url.replace("postgres:@", "guest:@"))


def test_the_clocks_difference_is_measured(two: tuple[SqlStore, SqlStore], open_stores: Open) -> None:
    """PostgreSQL's clock counts; a file has no other than ours."""
    store = two[0]
    with store._database.read() as connection:
        (row,) = Session(connection).rows(
            "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now"
        )
    hour = 3_600_000_000
    assert 0 <= store.clock_offset(row.now) < hour
    assert 0 <= store.clock_offset(row.now - hour) - hour < hour
    assert open_stores("sqlite://").clock_offset(Instant(5)) == 0
