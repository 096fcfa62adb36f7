"""A real `tocsin serve` that can read and cannot write, whose file is taken away, or holds damage: it says so at once."""

import os
import resource
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from receiver.demo.tools import free_port
from tests.end_to_end.processes import post, post_until_accepted, serving
from tests.faults.database_file import Fault, deleted, full_disk, locked, replaced
from tests.faults.machine import Machine

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's")


@pytest.mark.parametrize("fault", [full_disk, locked, deleted, replaced])
async def test_what_cannot_be_written_is_said_and_passes(machine: Machine, fault: Fault) -> None:
    """Also without traffic: `store_up` 0 and not ready; webhooks 503. It passes: up, ready, taken, told."""
    await post_until_accepted(machine.base, 1)
    await machine.hears_of(1)
    with fault(machine):
        await machine.comes_to(machine.is_down, "the database takes no writes, and it is said")
        assert await post(machine.base, 2) == 503
        said = await machine.ready()
        assert "tocsin.db" in said or "the database did not answer" in said
    await post_until_accepted(machine.base, 2)
    await machine.hears_of(2)
    await machine.comes_to(machine.is_up, "it is up again")


async def test_a_writer_that_stands_still_is_replaced(machine: Machine) -> None:
    """Stopped, not dead: after ten seconds without an answer another takes its place, and what was refused is taken."""
    await post_until_accepted(machine.base, 1)
    await machine.hears_of(1)
    stopped = machine.writer()
    os.kill(stopped, signal.SIGSTOP)
    await machine.comes_to(machine.is_down, "it is said that the database takes no writes")
    await post_until_accepted(machine.base, 2)
    assert machine.writer() != stopped
    await machine.hears_of(2)
    await machine.comes_to(machine.is_up, "it is up again")


async def test_rows_that_are_damaged_while_it_runs_stop_nothing(machine: Machine) -> None:
    """Null due times and an unreadable incident: what comes is paged as before, and a person is told of the damage."""
    await post_until_accepted(machine.base, 1)
    await machine.hears_of(1)
    with closing(sqlite3.connect(machine.database)) as other:
        other.execute("UPDATE notifications SET due_at = NULL, status = 'waiting'")
        other.execute("UPDATE incidents SET doc = 'no json'")
        other.commit()
    await post_until_accepted(machine.base, 2)
    await machine.hears_of(2)
    await post_until_accepted(machine.base, 1)
    await machine.comes_to(lambda: _told(machine), "a person is told of the damage")
    assert await machine.figure("tocsin_damaged_rows") >= 1
    assert await machine.is_up()


async def _told(machine: Machine) -> bool:
    return "database_is_damaged" in await machine.get("/api/v1/incidents")


async def test_a_second_one_on_the_same_path_is_noticed(
    machine: Machine, environment: dict[str, str], policy: Path
) -> None:
    """All files deleted, the lock too, and another started: the first takes nothing more, the second all."""
    await post_until_accepted(machine.base, 1)
    for path in machine.database.parent.glob("tocsin.db*"):
        path.unlink()
    port = free_port()
    async with serving(policy, environment, port):
        assert await post(machine.base, 2) == 503
        await machine.comes_to(machine.is_down, "the first says that its file is another's")
        await post_until_accepted(f"http://127.0.0.1:{port}", 3)
        await machine.hears_of(3)
