"""A database file: what survives, and what is said when it cannot be used."""

import resource
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from receiver.errors import CannotError, SettingsError, StoreDamaged, StoreUnavailable
from receiver.store import SqlStore, open_store
from receiver.store.database import READ_CACHE, WRITE_CACHE, Database
from tests.store.samples import NOW, alert, changes, due, entry, incident, message, save, stored

Open = Callable[[str], SqlStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "tocsin.db"


def test_a_reopened_file_has_everything(path: Path, open_stores: Open) -> None:
    """Incidents with their windows, alerts, messages, timelines, policies, numbers and the installation's name stay."""
    first = open_stores(f"sqlite:///{path}")
    (kept,) = save(
        first,
        opened=[due("a", NOW + 5)],
        alerts=[("id-a", alert())],
        planned=[message(1, due_at=NOW + 9)],
        entries=[entry()],
    )
    with first.transaction() as transaction:
        transaction.save_policy("d", b"{}", NOW)
    first.close()
    again = open_stores(f"sqlite:///{path}")
    assert again.installation == first.installation
    assert again.reads().incident("id-a") == kept
    assert again.reads().alerts("id-a") == [alert()]
    assert again.reads().timeline("id-a") == [entry()]
    assert stored(again, 1) == message(1, due_at=NOW + 9)
    assert again.next_due() == NOW + 5
    with again.transaction() as transaction:
        assert transaction.policy("d") == b"{}"
        assert transaction.next_numbers(1) == 2


def test_installations_have_different_names(tmp_path: Path, open_stores: Open) -> None:
    """Two databases do not share idempotency keys."""
    names = {open_stores(f"sqlite:///{tmp_path / name}").installation for name in ("a", "b")}
    assert len(names) == 2
    assert all(len(name) == 8 for name in names)


def test_a_commit_is_on_disk(path: Path, open_stores: Open) -> None:
    """The journal is a WAL, and each commit is synced before it is answered."""
    store = open_stores(f"sqlite:///{path}")
    with store.transaction() as transaction:
        rows = transaction._session.rows
        assert rows("PRAGMA journal_mode")[0][0] == "wal"
        assert rows("PRAGMA synchronous")[0][0] == 2
        assert rows("PRAGMA busy_timeout")[0][0] == 5000


def test_only_its_owner_may_read_the_file(path: Path, open_stores: Open) -> None:
    """Labels, names and notes are readable by the file's owner only."""
    save(open_stores(f"sqlite:///{path}"), opened=[incident()])
    for file in path.parent.glob("tocsin.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_readers_do_not_wait_for_a_writer(path: Path, open_stores: Open) -> None:
    """Pages show what is committed while a transaction is under way."""
    store = open_stores(f"sqlite:///{path}")
    (first,) = save(store, opened=[incident("a")])
    with store.transaction() as transaction:
        transaction.postpone("id-a", NOW)
        assert transaction.next_numbers(1) == 2
        assert store.reads().incidents()[0] == [first]


def test_readers_cannot_write(path: Path, open_stores: Open) -> None:
    """What only reads has no way to change anything."""
    store = open_stores(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailable, match="readonly"), store._database.read() as connection:
        connection.exec_driver_sql("DELETE FROM meta")


def test_memory_readers_never_see_what_is_not_committed(open_stores: Open) -> None:
    """In memory there is one connection: a reader waits for the transaction that is under way."""
    store = open_stores("sqlite://")
    seen: list[int] = []
    asked = threading.Event()

    def look() -> None:
        asked.set()
        seen.append(len(store.reads().incidents()[0]))

    reader = threading.Thread(target=look)
    with pytest.raises(RuntimeError), store.transaction() as transaction:  # noqa: PT012 - the block is the transaction
        transaction.save(changes(opened=[incident("a", number=1)]))
        reader.start()
        asked.wait()
        reader.join(0.2)  # it has nothing to wait for but us
        assert reader.is_alive()
        raise RuntimeError
    reader.join()
    assert seen == [0]


def test_a_file_that_is_no_database_is_damaged(path: Path) -> None:
    """Something else in its place: said at the start, with the way out."""
    path.write_bytes(b"this is no database" * 500)
    with pytest.raises(StoreDamaged, match=r"tocsin restore"):
        open_store(f"sqlite:///{path}")


def test_a_damaged_page_is_found_when_it_is_read(path: Path, open_stores: Open) -> None:
    """A file whose pages were overwritten answers with StoreDamaged, not with wrong data."""
    store = open_stores(f"sqlite:///{path}")
    save(store, opened=[incident(f"{number:04}") for number in range(500)])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(StoreDamaged, match=r"tocsin\.db"):
        open_store(f"sqlite:///{path}").reads().incidents(limit=1000)


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """The path that cannot be opened is named."""
    with pytest.raises(StoreUnavailable, match=r"nowhere/tocsin\.db"):
        open_store(f"sqlite:///{tmp_path}/nowhere/tocsin.db")


def test_a_read_only_database_is_unavailable(path: Path, open_stores: Open) -> None:
    """A database that cannot be written is said at the start: nothing could be promised."""
    open_stores(f"sqlite:///{path}").close()
    with path.open("r+b") as file:  # SQLite's own mark of a format it may only read: it works for root too
        file.seek(18)
        file.write(b"\x03")
    with pytest.raises(StoreUnavailable, match="readonly"):
        open_store(f"sqlite:///{path}")


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stores_nothing_and_heals(path: Path, open_stores: Open) -> None:
    """While there is no room nothing is stored and it is said; with room again it goes on."""
    store = open_stores(f"sqlite:///{path}")
    (first,) = save(store, opened=[incident("a")])
    big = [incident(f"b{number}", facts={"text": "x" * 10_000}) for number in range(300)]
    with no_room(512 * 1024), pytest.raises(StoreUnavailable, match=r"tocsin\.db"):
        save(store, opened=big)
    assert store.reads().incidents()[0] == [first]
    save(store, opened=big)
    assert len(store.reads().incidents(limit=1000)[0]) == 301


def test_a_locked_database_is_unavailable(path: Path, open_stores: Open) -> None:
    """A writer that another program keeps waiting gives up after its patience, and says why."""
    store = open_stores(f"sqlite:///{path}")
    with store.transaction() as transaction:
        transaction._session.rows("PRAGMA busy_timeout = 50")  # the patience itself needs no proof
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"), store.transaction():
            pass
        other.rollback()
    with store.transaction() as transaction:
        assert transaction.next_numbers(1) == 1


def test_a_backup_is_a_whole_database(tmp_path: Path, path: Path, open_stores: Open) -> None:
    """A copy made while the store is open, a second time over the first, opens by itself and has everything."""
    store = open_stores(f"sqlite:///{path}")
    copy = tmp_path / "backup.db"
    save(store, opened=[incident("a")])
    store.backup(copy)
    (second,) = save(store, opened=[incident("b")])
    store.backup(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.glob("backup*")] == ["backup.db"]
    restored = open_stores(f"sqlite:///{copy}")
    assert restored.reads().incident("id-b") == second
    assert restored.installation == store.installation


def test_memory_can_be_backed_up(tmp_path: Path, open_stores: Open) -> None:
    """What is only in memory can be kept in a file."""
    store = open_stores("sqlite://")
    (first,) = save(store, opened=[incident("a")])
    store.backup(tmp_path / "kept.db")
    assert open_stores(f"sqlite:///{tmp_path / 'kept.db'}").reads().incident("id-a") == first


def test_a_backup_that_cannot_be_written_is_said(tmp_path: Path, path: Path, open_stores: Open) -> None:
    """Nowhere to write, onto the database itself, a full disk: the file is named, nothing of it stays, the database is
    untouched.
    """
    store = open_stores(f"sqlite:///{path}")
    with pytest.raises(CannotError, match=r"FILE: the backup .*nowhere"):
        store.backup(tmp_path / "nowhere" / "copy.db")
    with pytest.raises(CannotError, match=r"FILE: .* itself"):
        store.backup(path)
    before = set(tmp_path.iterdir())
    with no_room(64 << 10), pytest.raises(CannotError, match=r"FILE: the backup .*copy\.db cannot be written"):
        store.backup(tmp_path / "copy.db")
    assert set(tmp_path.iterdir()) == before
    assert replace(save(store, opened=[incident("a")])[0], number=0) == incident("a")


def test_postgresql_is_backed_up_by_its_own_tool(
    postgresql: Callable[[], str], tmp_path: Path, open_stores: Open
) -> None:
    """The answer names pg_dump."""
    with pytest.raises(StoreUnavailable, match="pg_dump"):
        open_stores(postgresql()).backup(tmp_path / "copy.db")


@pytest.mark.parametrize(
    "url", ["", "tocsin.db", "mysql://x/y", "sqlite+aiosqlite://", "postgresql+asyncpg://h/x", "://", "http://x"]
)
def test_other_databases_are_refused(url: str) -> None:
    """What is no URL of a database we know is a wrong setting, and the right ones are named."""
    with pytest.raises(SettingsError, match="sqlite:///PATH"):
        open_store(url)


def test_a_server_that_cannot_be_reached_is_unavailable_and_its_password_unsaid(tmp_path: Path) -> None:
    """The address is named; the password is not."""
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as caught:
        open_store("postgresql://tocsin:hunter2@127.0.0.1:1/tocsin")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StoreUnavailable):
        open_store(f"postgres://tocsin@/tocsin?host={tmp_path}")


def test_little_of_a_file_stays_in_memory(tmp_path: Path) -> None:
    """However much was written and read: a connection keeps so much of the file and no more, a reader less."""
    database = Database(f"sqlite:///{tmp_path / 'tocsin.db'}")
    kept = []
    for way in (database.write, database.read):
        with way() as connection:
            [kibibytes] = connection.exec_driver_sql("PRAGMA cache_size").one()
            kept.append(-kibibytes)
    database.close()
    assert kept == [WRITE_CACHE, READ_CACHE]
