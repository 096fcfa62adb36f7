"""Whose file it is, and putting a backup in its place: by commands and by what they call."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from receiver.core.model import Status
from receiver.errors import CannotError, DatabaseInUse, SchemaTooNew, SettingsError, StoreDamaged, StoreUnavailable
from receiver.store import SqlStore, back_up, open_store, restore
from tests.patience import GIVES_UP
from tests.store.samples import MINUTE, NOW, heads, incident, message, save, stored
from tests.store.test_files import no_room


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a database file that is not there yet."""
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


def tocsin(*arguments: str, database: str = "") -> subprocess.CompletedProcess[str]:
    """The command, as a shell runs it."""
    environment = {**os.environ, "TOCSIN_DATABASE": database}
    command = [sys.executable, "-m", "receiver.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GIVES_UP)


def titles(url: str) -> list[str]:
    store = open_store(url)
    found, _ = store.reads().incidents()
    store.close()
    return [each.title for each in found]


def keep(url: str, title: str) -> None:
    """One incident of that title in the database."""
    store = open_store(url)
    save(store, opened=[incident(title, title=title)])
    store.close()


def test_one_process_serves_a_file(url: str) -> None:
    """A second one is refused with what to do; when the first ends the file is free."""
    first = open_store(url, to_serve=True)
    with pytest.raises(DatabaseInUse, match=r"another Tocsin serves .*stop it first"):
        open_store(url, to_serve=True)
    open_store(url).close()  # a reader is not kept out
    first.close()
    open_store(url, to_serve=True).close()


def test_a_link_is_no_other_file(url: str, tmp_path: Path) -> None:
    """A second one that comes by a symbolic link is refused as well, and links that change meanwhile change no lock."""
    first = open_store(url, to_serve=True)
    path, link = tmp_path / "tocsin.db", tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(DatabaseInUse):
        open_store(f"sqlite:///{link}", to_serve=True)
    path.rename(tmp_path / "moved.db")
    path.symlink_to("moved.db")
    copies = os.dup(first.lock)  # the writer's
    first.keep_lock()
    path.unlink()
    (tmp_path / "moved.db").rename(path)
    first.keep_lock()
    first.probe()
    os.close(copies)
    first.close()


def test_a_second_name_is_refused(url: str, tmp_path: Path) -> None:
    """By a hard link a file could be served twice, each time with a journal of its own: it is not served until the
    other name is gone. A symbolic link is no such name.
    """
    keep(url, "kept")
    path, other, link = tmp_path / "tocsin.db", tmp_path / "other.db", tmp_path / "link.db"
    link.symlink_to(path)
    first = open_store(f"sqlite:///{link}", to_serve=True)
    os.link(path, other)
    first.probe()  # the process that serves it goes on
    with pytest.raises(DatabaseInUse, match=r"other\.db has 2 names .*find FOLDER -samefile"):
        open_store(f"sqlite:///{other}", to_serve=True)
    first.close()
    with pytest.raises(DatabaseInUse, match=r"tocsin\.db has 2 names"):
        open_store(url, to_serve=True)
    other.unlink()
    open_store(url, to_serve=True).close()
    assert titles(url) == ["kept"]


def test_a_restore_without_room_changes_nothing(url: str, tmp_path: Path) -> None:
    """On a full disk a restore says so in words, the database stays as it was, and nothing is left over."""
    keep(url, "kept")
    back_up(url, tmp_path / "backup")
    before = set(tmp_path.iterdir())
    with no_room(64 << 10), pytest.raises(CannotError, match=r"tocsin\.db\.restoring cannot be written"):
        restore(url, tmp_path / "backup")
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "tocsin.db.lock"}
    assert titles(url) == ["kept"]


def test_the_file_is_free_however_its_process_ends(url: str) -> None:
    """A killed process leaves no lock behind."""
    code = "import sys, os; from receiver.store import open_store; s = open_store(sys.argv[1], to_serve=True); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, url], timeout=GIVES_UP).returncode == -9
    open_store(url, to_serve=True).close()


def test_what_a_dead_process_had_under_way_is_due_at_once(url: str) -> None:
    """The lease of a process that has ended is released; final messages stay final."""
    store = open_store(url, to_serve=True)
    save(store, opened=[incident()], planned=[message(1), message(2, channel="email")])
    save(store, settled=[replace(stored(store, 1), leased_by="w@1", due_at=NOW + MINUTE)])
    done = replace(stored(store, 2), status=Status.ACCEPTED, due_at=None, done_at=NOW)
    save(store, settled=[done])
    assert heads(store) == []
    store.close()
    again = open_store(url, to_serve=True)
    assert heads(again) == [1]
    assert stored(again, 1).attempts == 1  # it may have gone out: the next sender looks first
    assert stored(again, 2) == done
    again.close()


def test_a_lease_is_kept_where_several_share_the_database(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """A replica that starts takes nothing out of another's hands."""
    shared = postgresql()
    store = open_stores(shared)
    save(store, opened=[incident()], planned=[message(1, leased_by="w@1", due_at=NOW + MINUTE)])
    second = open_store(shared, to_serve=True)
    assert stored(second, 1).leased_by == "w@1"
    second.close()


def test_backup_while_served_and_restore(url: str, tmp_path: Path) -> None:
    """The commands: a copy while it is served; back in place later, and what was there is kept."""
    keep(url, "kept")
    serving = open_store(url, to_serve=True)
    copy = tmp_path / "copy.db"
    done = tocsin("backup", str(copy), database=url)
    assert (done.returncode, done.stderr) == (0, "")
    refused = tocsin("restore", str(copy), database=url)
    assert refused.returncode == 1
    assert "another Tocsin serves" in refused.stderr
    serving.close()
    keep(url, "later")
    done = tocsin("restore", str(copy), "--database", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tocsin.db.replaced-1" in done.stdout.replace("\n", "")
    assert titles(url) == ["kept"]
    assert titles(f"{url}.replaced-1") == ["later", "kept"]
    restore(url, copy)
    assert titles(f"{url}.replaced-2") == ["kept"]


def test_restore_mends_a_damaged_database(url: str, tmp_path: Path) -> None:
    """A file that is none is said, names the remedy, and the remedy works."""
    keep(url, "kept")
    copy = tmp_path / "copy.db"
    back_up(url, copy)
    (tmp_path / "tocsin.db").write_bytes(b"this is not a database" * 500)
    with pytest.raises(StoreDamaged, match="tocsin restore BACKUP"):
        open_store(url)
    assert restore(url, copy) == tmp_path / "tocsin.db.replaced-1"
    assert titles(url) == ["kept"]


def test_restore_where_nothing_was(url: str, tmp_path: Path) -> None:
    """On a new machine there is nothing to set aside."""
    keep(url, "kept")
    back_up(url, tmp_path / "copy.db")
    fresh = f"sqlite:///{tmp_path / 'new.db'}"
    assert restore(fresh, tmp_path / "copy.db") is None
    assert titles(fresh) == ["kept"]


def test_what_is_no_backup_is_refused_and_nothing_changes(url: str, tmp_path: Path) -> None:
    """A damaged one, another program's, a newer Tocsin's, none at all: each is said, and the database stays."""
    keep(url, "kept")
    damaged, strange, newer = tmp_path / "damaged", tmp_path / "strange", tmp_path / "newer"
    back_up(url, damaged)
    damaged.write_bytes(damaged.read_bytes()[:8192] + b"\xff" * 40_000)
    with closing(sqlite3.connect(strange)) as other:
        other.execute("CREATE TABLE cats (name TEXT)")
    back_up(url, newer)
    with closing(sqlite3.connect(newer)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.execute("UPDATE meta SET value = '9999' WHERE name = 'schema_readable_from'")
        other.commit()
    for backup, error in ((damaged, StoreDamaged), (strange, StoreDamaged), (newer, SchemaTooNew)):
        with pytest.raises(error):
            restore(url, backup)
    with pytest.raises(CannotError, match="FILE: there is no backup"):
        restore(url, tmp_path / "nothing")
    with pytest.raises(CannotError, match=r"FILE: .* is the database itself"):
        restore(url, tmp_path / "tocsin.db")
    with pytest.raises(StoreUnavailable, match="there is no database"):
        back_up(f"sqlite:///{tmp_path / 'nothing.db'}", tmp_path / "copy.db")
    assert titles(url) == ["kept"]
    assert not list(tmp_path.glob("*.re*"))


@pytest.mark.parametrize(
    ("database", "why"), [("sqlite://", "in memory"), ("postgresql://u:secret@h/n", "pg_dump"), ("mysql://x", "sqlite")]
)
def test_what_cannot_be_backed_up_is_said(database: str, why: str, tmp_path: Path) -> None:
    """Memory, PostgreSQL and what is none: the way to do it instead, and no password."""
    with pytest.raises(SettingsError, match=why) as said:
        back_up(database, tmp_path / "copy.db")
    assert "secret" not in str(said.value)
