"""A PostgreSQL standby in place of the server that takes writes, and what becomes of it when it is promoted."""

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from receiver.demo.tools import free_port
from receiver.errors import StoreUnavailable
from receiver.store import SqlStore, open_store
from tests.patience import GIVES_UP
from tests.store.samples import incident, save


class Standby:
    """A standby of a server, on the same machine."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.primary, self.programs = server.get_uri(), server.bin_path
        with psycopg.connect(self.primary) as connection:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        self.owner = pwd.getpwuid(Path(data).stat().st_uid)
        folder.mkdir(mode=0o700)
        os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
        self.run("pg_basebackup", "--dbname", self.primary, "--pgdata", str(folder), "-R", "-X", "stream", "-c", "fast")

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs, as the user that the server runs under."""
        place = self.programs / program
        who: dict[str, Any] = {"user": self.owner.pw_uid, "group": self.owner.pw_gid} if os.getuid() == 0 else {}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.run([place, *arguments], check=True, timeout=GIVES_UP, **quiet, **who)

    def control(self, *arguments: str) -> None:
        """Start, promote, stop."""
        listen = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c hot_standby=on"
        self.run("pg_ctl", "--pgdata", str(self.folder), "-w", "-o", listen, *arguments)

    def until_it_has(self, name: str) -> None:
        """Wait until an incident has come over from the primary."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute("SELECT 1 FROM incidents WHERE id = %s", (f"id-{name}",)).fetchone() is None:
                time.sleep(0.02)

    @property
    def url(self) -> str:
        """Of the standby."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


@pytest.fixture
def standby(server: Any) -> Iterator[Standby]:
    """Of a server of the test's own, which has a database of ours with one incident."""
    store = open_store(server.get_uri())
    save(store, opened=[incident("before")])
    store.close()
    folder = Path(f"{server.pgdata}-standby")
    made = Standby(server, folder)
    made.control("start")
    yield made
    made.control("stop", "-m", "immediate")
    shutil.rmtree(folder, ignore_errors=True)


def test_a_standby_is_unavailable_until_it_is_promoted(
    standby: Standby, open_stores: Callable[[str], SqlStore]
) -> None:
    """It is said what it seems to be and what to do; once promoted it is served, with everything in it. Where both are
    named, whichever takes writes is found.
    """
    with pytest.raises(StoreUnavailable, match=r"read-only transaction; is it a standby\? Name the server"):
        open_store(standby.url)
    both = re.sub(r"//[^/]*/(\w+)\?", rf"//postgres@/\1?host=127.0.0.1:{standby.port}&", standby.primary)
    both = f"{both}:5432&target_session_attrs=read-write"
    assert open_stores(both).reads().incident("id-before") is not None
    standby.control("promote")
    store = open_stores(standby.url)
    store.probe()
    assert store.reads().incident("id-before") is not None


def test_a_failover_is_followed(standby: Standby, server: Any, open_stores: Callable[[str], SqlStore]) -> None:
    """While it is served: the primary dies, nothing is taken, the standby is promoted, and the same store goes on there
    with all that was committed.
    """
    both = re.sub(r"//[^/]*/(\w+)\?", rf"//postgres@/\1?host=127.0.0.1:{standby.port}&", standby.primary)
    store = open_stores(f"{both}:5432&target_session_attrs=read-write")
    save(store, opened=[incident("last")])
    standby.until_it_has("last")
    server.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            save(store, opened=[incident("refused")])
    standby.control("promote")
    store.probe()
    save(store, opened=[incident("after")])
    kept = {each: store.reads().incident(f"id-{each}") is not None for each in ("before", "last", "refused", "after")}
    assert kept == {"before": True, "last": True, "refused": False, "after": True}
