"""Whether the database takes writes: only a write proves it, and one that fails counts at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import PROBE_EVERY, WRITTEN_WITHIN, Writing
from receiver.errors import RowUnreadable, StoreDamaged, StoreUnavailable
from receiver.jobs.scheduler import Scheduler
from receiver.store import SqlStore
from rules.policy import SECOND
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.patience import GIVES_UP


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_a_write_that_fails_counts_at_once() -> None:
    """It counts until the next successful write; reads prove nothing."""
    writing = Writing(Clock())
    assert writing.problem == ""
    assert not writing.is_in_doubt
    writing.fail("the disk is full")
    assert writing.problem == "the disk is full"
    assert writing.is_in_doubt
    writing.prove()
    assert (writing.problem, writing.is_in_doubt) == ("", False)


def test_no_write_for_long_is_a_problem_of_its_own() -> None:
    """First a probe is due; without a write for 30 s (`WRITTEN_WITHIN`) writing is a problem."""
    clock = Clock()
    writing = Writing(clock)
    clock.now = PROBE_EVERY
    assert writing.is_in_doubt
    assert writing.problem == ""
    clock.now = WRITTEN_WITHIN + SECOND
    assert writing.problem == "nothing was written to the database for 31 s"


class SchedulerWorld:
    """A scheduler whose calls to the engine and the store end as the test wants."""

    def __init__(self, store: SqlStore, **ends: Exception) -> None:
        self.calls: list[str] = []
        self.ends = ends
        engine = Engine(store, POLICY, ALL, START)
        self.queue = CommandQueue(engine, lambda: Instant(START), self._call)
        self.scheduler = Scheduler(self.queue, engine, store, self, self.queue.state)  # type: ignore[arg-type] # it sends, which is all that is asked of it
        self.sent = asyncio.Event()

    async def _call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self.calls.append(work.__name__)
        if work.__name__ in self.ends:
            raise self.ends[work.__name__]
        return work(*arguments)

    async def send_due(self) -> int:
        """Something is sent."""
        self.sent.set()
        return 0

    async def beats(self, times: int) -> None:
        """Let it beat so often."""
        pulsing = asyncio.create_task(self.scheduler.keep())
        async with asyncio.timeout(GIVES_UP):
            for _ in range(times):
                await self.sent.wait()
                self.sent.clear()
                self.scheduler.wake()
        pulsing.cancel()
        await asyncio.gather(pulsing, return_exceptions=True)


@pytest.fixture
def store(open_stores: Callable[[str], SqlStore]) -> SqlStore:
    """In memory."""
    return open_stores("sqlite://")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), StoreDamaged(), RowUnreadable()])
async def test_windows_that_fail_keep_no_message_back(store: SqlStore, error: Exception) -> None:
    """Sending goes on, in beats that rest between them however often it is woken; and it is not taken for a beat."""
    world = SchedulerWorld(store, fire_due=error)
    began = asyncio.get_running_loop().time()
    await world.beats(2)
    assert asyncio.get_running_loop().time() - began >= 1
    assert world.calls.count("fire_due") == 2
    silence = world.scheduler.silence
    assert silence >= SECOND


async def test_whoever_writes_says_so(store: SqlStore) -> None:
    """A call that cannot write, or meets damage, is a problem; a row that cannot be read is not one of the database."""
    world = SchedulerWorld(store, next_due=StoreUnavailable("locked"), forget=StoreDamaged(), hear=RowUnreadable())
    queue = world.queue
    with pytest.raises(RowUnreadable):
        await queue.run(store.hear, [])
    assert (queue.state.writing.problem, queue.state.is_damage_suspected) == ("", False)
    with pytest.raises(StoreUnavailable):
        await queue.run(store.next_due)
    assert (queue.state.writing.problem, queue.state.is_damage_suspected) == ("locked", False)
    with pytest.raises(StoreDamaged):
        await queue.run(store.forget, Instant(START), 1)
    assert queue.state.is_damage_suspected


@pytest.mark.parametrize("error", [RuntimeError("OperationalError"), RowUnreadable(), MemoryError()])
async def test_a_probe_that_fails_in_whatever_way_counts(store: SqlStore, error: Exception) -> None:
    """Only a write proves that writing works: a probe's unknown errors count too."""
    clock, world = Clock(), SchedulerWorld(store, probe=error)
    world.queue.state.writing = Writing(clock)
    clock.now = PROBE_EVERY
    pulsing = asyncio.create_task(world.scheduler.keep())
    async with asyncio.timeout(GIVES_UP):
        while world.queue.state.writing.problem != (str(error) or "MemoryError"):
            await asyncio.sleep(0)
    pulsing.cancel()
    await asyncio.gather(pulsing, return_exceptions=True)
    assert "probe" in world.calls


async def test_a_beat_writes_where_it_is_in_doubt(store: SqlStore) -> None:
    """What failed is over when something that means nothing could be written."""
    world = SchedulerWorld(store)
    world.queue.state.writing.fail("locked")
    await world.beats(1)
    assert world.calls[0] == "probe"
    assert world.queue.state.writing.problem == ""
    await world.beats(1)
    assert world.calls.count("probe") == 1
