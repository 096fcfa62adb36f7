"""A real `tocsin serve` on a machine that fails it: full disk, locked file, no descriptors left, a second process.

While it lasts the answer is 503 (Alertmanager tries again); afterwards everything goes on, and nothing is lost.
"""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from receiver.demo.tools import free_port
from tests.end_to_end.conftest import until
from tests.end_to_end.processes import post, post_until_accepted, serving
from tests.faults.machine import Machine
from tests.patience import GIVES_UP

linux = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's")


@linux
async def test_a_full_disk_is_said_and_passes(machine: Machine) -> None:
    """No byte more can be written: 503 and not ready; there is room again: taken, told, ready."""
    await post_until_accepted(machine.base, 1)
    await machine.hears_of(1)
    size = max(path.stat().st_size for path in machine.database.parent.glob("tocsin.db*"))
    for process in (machine.process.pid, machine.writer()):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size + 4096, resource.RLIM_INFINITY))
    statuses = [await post(machine.base, serial) for serial in range(10, 20)]
    assert statuses[-1] == 503
    assert set(statuses) <= {200, 503}
    assert "tocsin.db" in await machine.ready()
    for process in (machine.process.pid, machine.writer()):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for serial in range(10, 20):
        await post_until_accepted(machine.base, serial)
    await machine.hears_of(*range(10, 20))
    assert "ready" in await machine.ready()


@linux
async def test_the_process_that_writes_may_be_killed(machine: Machine) -> None:
    """Another takes its place: what was taken is kept, what comes is taken and told, and it is ready."""
    await post_until_accepted(machine.base, 1)
    for serial in (2, 3):
        killed = machine.writer()
        os.kill(killed, signal.SIGKILL)
        await post_until_accepted(machine.base, serial)
        assert machine.writer() != killed
    await machine.hears_of(1, 2, 3)
    assert "ready" in await machine.ready()


@linux
async def test_the_process_that_writes_ends_with_its_service(machine: Machine) -> None:
    """A service that is killed leaves nothing behind that holds the database."""
    await post_until_accepted(machine.base, 1)
    writer = Path(f"/proc/{machine.writer()}")
    machine.process.kill()
    await until(lambda: not writer.exists(), what="the writer has ended")


async def test_a_locked_database_is_said_and_passes(machine: Machine) -> None:
    """Another program holds the file: 503 after five seconds; it lets go: taken and told."""
    await post_until_accepted(machine.base, 1)
    with closing(sqlite3.connect(machine.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert await post(machine.base, 2) == 503
        other.execute("ROLLBACK")
    await post_until_accepted(machine.base, 2)
    await machine.hears_of(1, 2)


@linux
async def test_no_file_descriptors_left_passes(machine: Machine) -> None:
    """Connections eat every descriptor: nothing is answered or sent; they go, and everything is."""
    await post_until_accepted(machine.base, 1)
    await machine.hears_of(1)
    used = machine.descriptors()
    hard = resource.prlimit(machine.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(machine.process.pid, resource.RLIMIT_NOFILE, (used + 8, hard))
    host, port = "127.0.0.1", int(machine.base.rpartition(":")[2])
    eaters = [await asyncio.open_connection(host, port) for _ in range(24)]
    unanswered = asyncio.create_task(post(machine.base, 2))
    await until(lambda: machine.descriptors() >= used + 7, what="descriptors are used up")
    for _, writer in eaters:
        writer.close()
    resource.prlimit(machine.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    await unanswered
    await post_until_accepted(machine.base, 2)
    await machine.hears_of(2)


async def test_a_second_process_on_the_file_is_refused(
    machine: Machine, environment: dict[str, str], policy: Path
) -> None:
    """It says what is wrong and what to do, and the first one goes on."""
    code, said = await _serve(environment, policy)
    assert code == 1
    assert "another Tocsin serves" in said
    assert "stop it first" in said
    await post_until_accepted(machine.base, 1)


async def test_a_damaged_file_is_said_and_restored(environment: dict[str, str], policy: Path, tmp_path: Path) -> None:
    """The start ends with a clear message that names the remedy; the remedy works."""
    port = free_port()
    async with serving(policy, environment, port):
        await post_until_accepted(f"http://127.0.0.1:{port}", 1)
        await _tocsin(environment, "backup", str(tmp_path / "copy.db"))
    for name in ("tocsin.db", "tocsin.db-wal"):
        (tmp_path / name).write_bytes(b"nothing that SQLite knows" * 1000)
    code, said = await _serve(environment, policy)
    assert code == 1
    assert "damaged" in said
    assert "tocsin restore BACKUP" in said
    assert "Traceback" not in said
    await _tocsin(environment, "restore", str(tmp_path / "copy.db"))
    async with serving(policy, environment, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/api/v1/incidents") as response:
            (incident,) = (await response.json())["incidents"]
        assert incident["labels"]["system"] == "unit-1"


async def test_a_stopped_process_goes_on_where_it_was(machine: Machine) -> None:
    """SIGSTOP for a while in the middle of everything, then SIGCONT: what is overdue happens, once."""
    await post_until_accepted(machine.base, 1, level=3)
    machine.process.send_signal(signal.SIGSTOP)
    unanswered = asyncio.create_task(post(machine.base, 2, level=3))
    await asyncio.sleep(1.5)
    machine.process.send_signal(signal.SIGCONT)
    assert await unanswered == 200
    await machine.hears_of(1, 2)
    assert len(machine.told.on("email", "unit-1")) == 1


async def _serve(environment: dict[str, str], policy: Path) -> tuple[int | None, str]:
    """Try to serve; the exit code and what was said."""
    command = [sys.executable, "-m", "receiver.cli", "serve", str(policy)]
    return await _run(environment, *command)


async def _tocsin(environment: dict[str, str], *arguments: str) -> None:
    code, said = await _run(environment, sys.executable, "-m", "receiver.cli", *arguments)
    assert code == 0, said


async def _run(environment: dict[str, str], *command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stderr=asyncio.subprocess.STDOUT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    return process.returncode, said.decode()
