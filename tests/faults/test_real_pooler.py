"""Behind PgBouncer's transaction pooling: nothing of ours lives longer than a transaction there.

Where PgBouncer is not installed this skips; CI installs it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from receiver.demo.tools import free_port
from receiver.store import SqlStore
from tests.conftest import start_postgresql
from tests.end_to_end.conftest import need
from tests.engine.world import EngineWorld, firing, messages

SETTINGS = """
[databases]
postgres = host={host} user=postgres dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""
EACH = 40
"""Incidents that each replica opens."""


@pytest.fixture
def pooler() -> Iterator[str]:
    """A PostgreSQL behind a PgBouncer, three connections for everybody; the URL of the latter."""
    need("pgbouncer")
    here = Path(tempfile.mkdtemp(prefix="tocsin-pooler-"))
    server = start_postgresql(here)
    host = psycopg.conninfo.conninfo_to_dict(server.get_uri())["host"]
    settings, port = here / "pgbouncer.ini", free_port()
    settings.write_text(SETTINGS.format(host=host, port=port))
    user = ["-u", Path(str(host)).owner()] if os.geteuid() == 0 else []  # it refuses to be root
    process = subprocess.Popen(["pgbouncer", "-q", *user, str(settings)])
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        _await(url)
        yield url
    finally:
        process.terminate()
        process.wait()
        server.cleanup()
        shutil.rmtree(here, ignore_errors=True)


def _await(url: str) -> None:
    for _ in range(200):
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.05)
    pytest.fail("PgBouncer never answered")


def _open(world: EngineWorld, name: str) -> int:
    """A replica's work: incidents of its own and shared ones, and every message that it can get."""
    world.handle(*(firing(f"{name}-{number}") for number in range(EACH)))
    world.handle(*(firing(f"shared-{number}", name) for number in range(EACH)))
    sent = 0
    while claimed := world.claim(worker=name):
        sent += world.report(messages(claimed))
    return sent


def test_replicas_work_behind_transaction_pooling(pooler: str, open_stores: Callable[[str], SqlStore]) -> None:
    """Three start at once, open the same incidents and send: one migrates, every key is opened once, nothing twice."""
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(open_stores, [pooler] * 3))
        worlds = [EngineWorld(store) for store in stores]
        sent = sum(pool.map(_open, worlds, ("a", "b", "c")))
    found, _ = worlds[0].reads.incidents(limit=1000)
    assert len(found) == len({each.key for each in found}) == 4 * EACH
    waiting = worlds[0].reads.figures(0).waiting
    planned = [each for incident in found for each in worlds[0].reads.notifications(incident.id)]
    assert sent == len(planned) - sum(each.count for each in waiting.values())
    assert sent == sum(each.attempts for each in planned)


def test_settings_hold_in_the_transaction_and_not_beyond(pooler: str, open_stores: Callable[[str], SqlStore]) -> None:
    """Our time-outs are the transaction's: the connection's next user does not inherit them."""
    store = open_stores(pooler)
    with store.transaction() as transaction:
        (row,) = transaction._session.rows("SELECT current_setting('statement_timeout') AS value")
        assert row.value == "5s"
    with psycopg.connect(pooler, autocommit=True, prepare_threshold=None) as stranger:
        assert stranger.execute("SHOW statement_timeout").fetchone() == ("0",)
