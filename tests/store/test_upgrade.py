"""Which schema an older Tocsin may go on with, and what a start may change: by what each migration says of itself."""

import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from typer.testing import CliRunner

from receiver.cli import app
from receiver.errors import SchemaTooNew, UpgradeNotAllowed
from receiver.settings import Settings
from receiver.store import SqlStore, audit_chain, open_store, upgrade
from receiver.store.database import Database
from receiver.store.upgrade import READABLE_FROM, history
from tests.store.samples import incident, save

Open = Callable[[str], SqlStore]
FIRST = "0013"
"""The first migration that has to say for itself who can read what it leaves."""

NEWER = (
    "CREATE TABLE of_a_newer_release (id TEXT PRIMARY KEY, doc TEXT NOT NULL)",
    "ALTER TABLE incidents ADD COLUMN newer TEXT",
    "ALTER TABLE notifications ADD COLUMN newer TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX newer_by_title ON incidents (title)",
    "UPDATE alembic_version SET version_num = '9999'",
)
"""What an additive migration of a release to come does."""


@pytest.fixture(params=["file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, postgresql: Callable[[], str]) -> str:
    """An empty database of each kind."""
    return f"sqlite:///{tmp_path}/tocsin.db" if request.param == "file" else postgresql()


def make_newer(store: SqlStore, readable_from: str) -> None:
    """What the upgrade of a release to come leaves behind."""
    with store._database.write() as connection:
        for statement in NEWER:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"UPDATE meta SET value = '9999 {readable_from}' WHERE name = '{READABLE_FROM}'")


def test_a_newer_schema_that_can_be_read_is_served(url: str, open_stores: Open) -> None:
    """An upgrade under load, and the Tocsin before beside it and started anew on the new schema: both go on storing, nothing
    is lost, and the schema stays the newer one."""
    ours = history()[-1].revision
    running = open_stores(url)
    stop = threading.Event()
    kept: list[str] = []

    def load() -> None:
        while (
            not stop.wait(0.02) or len(kept) < 20
        ):  # SQLite has no queue: who never pauses keeps every other writer out
            name = f"n{len(kept)}"
            save(running, opened=[incident(name, number=1000 + len(kept))])
            kept.append(f"id-{name}")

    thread = threading.Thread(target=load)
    thread.start()
    make_newer(running, readable_from=ours)
    again = open_stores(url)  # a rollback starts the older one
    (rolled_back,) = save(again, opened=[incident("back", number=7)])
    stop.set()
    thread.join()
    assert again.reads().incident("id-back") == rolled_back
    assert all(again.reads().incident(each) for each in kept)
    audit_chain.verify(again._database)
    state = again._database.schema()
    assert (state.found, state.readable_from, state.can_be_read) == ("9999", ours, True)


def test_a_newer_schema_that_cannot_be_read_is_refused(url: str, open_stores: Open) -> None:
    """Where the newer release says so, and where it says nothing."""
    store = open_stores(url)
    make_newer(store, readable_from="9998")
    with pytest.raises(SchemaTooNew):
        open_store(url)
    with store._database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM meta WHERE name = '{READABLE_FROM}'")
    with pytest.raises(SchemaTooNew):
        open_store(url)


def test_each_migration_says_who_can_read_what_it_leaves() -> None:
    """`readable_from` is an older revision, for what only adds; else its own: then there is no way back but the backup."""
    revisions = [each.revision for each in history()]
    assert revisions == sorted(revisions)
    for each in history():
        assert each.readable_from in revisions
        assert each.readable_from <= each.revision
    text = {
        path.name[:4]: path.read_text()
        for path in (Path(upgrade.__file__).parent / "migrations/versions").glob("0*.py")
    }
    silent = [name for name in sorted(text) if name >= FIRST and "readable_from = " not in text[name]]
    assert not silent, f"say `readable_from` (the revision before where only something is added): {silent}"


def test_migrations_that_add_change_nothing_else(open_stores: Open) -> None:
    """Those that say that they are additive neither drop nor change nor fill what was there, nor ask older ones for a value."""
    folder = Path(upgrade.__file__).parent / "migrations/versions"
    additive = {each.revision for each in history() if each.is_additive}
    for path in folder.glob("0*.py"):
        if path.name[:4] in additive:
            text = path.read_text()
            for word in ("drop_", "alter_column", "rename_", "DROP ", "ALTER ", '"audit", sa.Column'):
                assert word not in text, (path.name, word)
            added = [line for line in text.splitlines() if "add_column" in line and "nullable=False" in line]
            assert all("server_default" in line for line in added), path.name


def as_left_by(url: str, revision: str) -> None:
    """The database of a Tocsin whose newest migration was that one."""
    with closing(Database(url)) as database, database.write() as connection:
        config = upgrade._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tocsin(*arguments: str) -> tuple[int, str]:
    """Exit code, and what the command says."""
    result = CliRunner().invoke(app, ["database", *arguments])
    return (1 if result.exception else result.exit_code), result.output + str(result.exception or "")


def test_a_migration_that_breaks_is_refused_until_asked_for(url: str) -> None:
    """A start does not change a schema so that there is no way back; `tocsin database` says what would happen, and does it."""
    as_left_by(url, "0011")
    with pytest.raises(UpgradeNotAllowed, match=r"0012 \(.*tocsin database upgrade --breaking"):
        open_store(url, to_serve=True, breaking=False)
    code, said = tocsin("status", "--database", url, "--json")
    assert code == 1
    assert json.loads(said.splitlines()[0])["breaking"] == ["0012"]
    code, said = tocsin("plan", "--database", url)
    assert (code, "0018  The shift log" in said, said.count("NO WAY BACK")) == (0, True, 1)
    code, said = tocsin("upgrade", "--database", url)
    assert (code, "cannot go on with it" in said) == (1, True)
    code, said = tocsin("upgrade", "--database", url, "--breaking")
    assert (code, "ran 0012" in said) == (0, True)
    assert tocsin("status", "--database", url)[0] == 0
    assert "up to date" in tocsin("plan", "--database", url)[1]
    open_store(url, to_serve=True, breaking=False).close()


def test_a_new_database_needs_no_question(url: str) -> None:
    """An empty database has no older version to return to, so it needs no consent."""
    open_store(url, to_serve=True, breaking=False).close()
    assert Settings.read({}).upgrade == "additive"


def test_looking_makes_no_database(tmp_path: Path) -> None:
    """`tocsin database status` of a file that is not there says so, and leaves none behind."""
    code, _ = tocsin("status", "--database", f"sqlite:///{tmp_path}/none.db")
    assert (code, list(tmp_path.iterdir())) == (1, [])
