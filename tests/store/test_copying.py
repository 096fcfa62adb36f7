"""`tocsin copy`: everything arrives, in either direction, and what was cut off goes on."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from receiver.core.audit_log import Audit
from receiver.core.model import State
from receiver.errors import CannotError, DatabaseInUse
from receiver.store import SqlStore, audit_chain, open_store, schema
from receiver.store.copying import copy
from receiver.store.files import take_ownership
from tests.store.samples import NOW, alert, due, entry, incident, message, save

Open = Callable[[str], SqlStore]


def fill(store: SqlStore) -> None:
    """A little of much: texts that the two kinds of database order differently among it."""
    names = ["a", "B", "ä", "Z", "_", "é", "10", "9"]
    save(store, opened=[due(name, NOW + 1) for name in names])
    save(store, opened=[incident("closed", state=State.CLOSED, closed_at=NOW)])
    save(store, alerts=[(f"id-{name}", alert(name)) for name in names])
    save(store, entries=[entry(n, "id-a") for n in range(1, 1100)], planned=[message(n, "id-a") for n in range(40)])
    with store.transaction() as transaction:
        transaction.append_audits([audit(n) for n in range(30)])


def audit(number: int) -> Audit:
    return Audit(
        at=NOW, who="dana", via="api", address="", action="note", incident=f"#1 {number}", outcome="done", data={}
    )


def content(store: SqlStore) -> dict[str, list[str]]:
    """Every row of every table."""
    with store._database.read() as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in schema.metadata.sorted_tables
        }


def fresh(kind: str, folder: Path, postgresql: Callable[[], str]) -> str:
    return f"sqlite:///{folder}/{kind}.db" if kind.startswith("file") else postgresql()


@pytest.mark.parametrize(("source", "target"), [("file", "postgresql"), ("postgresql", "file"), ("file", "file2")])
def test_everything_arrives(source: str, target: str, tmp_path: Path, postgresql: Callable[[], str]) -> None:
    """Every row of every table is the same, the audit chain holds with the same head, open windows are told; the target is
    served as if nothing had been."""
    start, end = fresh(source, tmp_path, postgresql), fresh(target, tmp_path, postgresql)
    store = open_store(start)
    fill(store)
    wanted, head, installation = content(store), audit_chain.head(store._database), store.installation
    store.close()
    done = copy(start, end, lambda _: None)
    moved = open_store(end, to_serve=True)
    assert content(moved) == wanted
    assert (audit_chain.head(moved._database), moved.installation) == (head, installation)
    assert (done.audit_head, done.open_windows) == (head, 8)
    assert done.rows["entries"] == 1099
    (back,) = save(moved, opened=[incident("after")])
    assert moved.reads().incident("id-after") == back
    moved.close()


class CutOffError(Exception):
    """The copy is interrupted."""


def test_what_was_cut_off_goes_on(tmp_path: Path, postgresql: Callable[[], str]) -> None:
    """Cut off after any table, the target is not served; run again, the copy goes on where it ended and is whole."""
    start, end = f"sqlite:///{tmp_path}/a.db", postgresql()
    store = open_store(start)
    fill(store)
    wanted = content(store)
    store.close()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("entries"):
            raise CutOffError

    with pytest.raises(CutOffError):
        copy(start, end, say)
    with pytest.raises(CannotError, match="not finished"):
        open_store(end)
    (tmp_path / "b").mkdir()
    other = open_store(f"sqlite:///{tmp_path}/b/other.db")
    other.close()
    with pytest.raises(CannotError, match="an unfinished copy of another database"):
        copy(f"sqlite:///{tmp_path}/b/other.db", end, lambda _: None)
    copy(start, end, lambda _: None)
    moved = open_store(end)
    assert content(moved) == wanted
    moved.close()


def test_nothing_is_overwritten(tmp_path: Path, open_stores: Open) -> None:
    """A target that holds anything is left as it is; so is one whose Tocsin only ever started."""
    start = f"sqlite:///{tmp_path}/a.db"
    open_stores(start)
    there = open_stores(f"sqlite:///{tmp_path}/b.db")
    save(there, opened=[incident("theirs")])
    before = content(there)
    with pytest.raises(CannotError, match="the target is not empty"):
        copy(start, f"sqlite:///{tmp_path}/b.db", lambda _: None)
    assert content(there) == before


def test_what_is_served_is_not_copied(tmp_path: Path, postgresql: Callable[[], str], open_stores: Open) -> None:
    """A file that a Tocsin serves, and a server that one is connected to, are refused."""
    file = tmp_path / "a.db"
    open_stores(f"sqlite:///{file}")
    lock = take_ownership(file)
    assert lock is not None
    with pytest.raises(DatabaseInUse):
        copy(f"sqlite:///{file}", f"sqlite:///{tmp_path}/b.db", lambda _: None)
    server = postgresql()
    store = open_stores(server)
    with store._database.read(), pytest.raises(CannotError, match="a Tocsin is connected"):
        copy(server, f"sqlite:///{tmp_path}/b.db", lambda _: None)


def test_a_source_that_changes_is_noticed(tmp_path: Path) -> None:
    """A write to the source during the copy makes the tables differ: that is said, and the target is not served."""
    start, end = tmp_path / "a.db", f"sqlite:///{tmp_path}/b.db"
    store = open_store(f"sqlite:///{start}")
    fill(store)
    store.close()

    def say(line: str) -> None:
        if line.startswith(("policies", "set_aside")):
            with sqlite3.connect(start) as connection:
                connection.execute("UPDATE entries SET at = at + 1 WHERE position = 7")

    with pytest.raises(CannotError, match="the table entries differs"):
        copy(f"sqlite:///{start}", end, say)
    with pytest.raises(CannotError, match="not finished"):
        open_store(end)
