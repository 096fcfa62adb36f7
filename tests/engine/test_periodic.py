"""Periodic tasks: one that has ended or stands still is reported, and one that fails runs again."""

import asyncio

import pytest

from receiver.errors import StoreUnavailable
from receiver.jobs.periodic import PeriodicTasks
from rules.policy import MINUTE, SECOND
from tests.patience import GIVES_UP

NAME = "heartbeat"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


async def test_a_loop_that_stands_still_is_said() -> None:
    """A look that never returns shows when it has missed its rounds, and not before."""
    clock, began = Clock(), asyncio.Event()

    async def hang() -> None:
        began.set()
        await asyncio.Event().wait()

    tasks = PeriodicTasks(clock, lambda _: None)
    tasks.start(NAME, hang, 10)
    await began.wait()
    clock.now = MINUTE + 30 * SECOND
    assert tasks.problems() == []
    clock.now += SECOND
    assert list(map(str, tasks.problems())) == ["background task 'heartbeat' has not run for 91 s"]
    await tasks.stop()


@pytest.mark.parametrize("error", [StoreUnavailable("no disk"), RuntimeError("a bug")])
async def test_a_loop_goes_on_whatever_happens(error: Exception) -> None:
    """A look that fails is made again; that the database is away is told."""
    clock, again, heard = Clock(), asyncio.Event(), []
    looks = 0

    async def fail() -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            again.set()
        raise error

    tasks = PeriodicTasks(clock, heard.append)
    tasks.start(NAME, fail, 0)
    await asyncio.wait_for(again.wait(), GIVES_UP)
    assert tasks.problems() == []
    assert set(heard) == ({"no disk"} if isinstance(error, StoreUnavailable) else set())
    await tasks.stop()


async def test_a_loop_that_ended_is_said() -> None:
    """What nothing should end has ended: a restart is asked for."""

    async def end() -> None:
        raise asyncio.CancelledError

    tasks = PeriodicTasks(Clock(), lambda _: None)
    tasks.start(NAME, end, 10)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert list(map(str, tasks.problems())) == ["background task 'heartbeat' has ended; restart this process"]
    await tasks.stop()
