"""Threads for blocking calls: results and errors come back, and what never ends is bounded."""

import asyncio
import threading

import pytest

from receiver.channels.threads import DaemonThreads, ThreadsExhausted


async def test_results_and_errors_come_back():
    """What the call returns or raises is what the caller gets."""
    threads = DaemonThreads("test")
    assert await threads.run(lambda given_up: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda given_up: 1 // 0)


async def test_calls_run_on_daemon_threads():
    """No call can hold up the interpreter's exit."""
    assert await DaemonThreads("test").run(lambda given_up: threading.current_thread().daemon)


async def test_call_given_up_is_told():
    """A call that is no longer awaited can see that."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def call(given_up):
        given_up.wait()
        loop.call_soon_threadsafe(told.set)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(DaemonThreads("test").run(call), 0.01)
    await told.wait()


async def test_threads_left_behind_are_bounded():
    """Calls that never end use up the limit, which is said; when they do end, there is room again."""
    threads, release = DaemonThreads("test", width=2, limit=3), threading.Event()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threads.run(lambda given_up: release.wait()), 0.01)
    with pytest.raises(ThreadsExhausted):
        await threads.run(lambda given_up: None)
    release.set()
    while threads._alive:
        await asyncio.sleep(0)
    assert await threads.run(lambda given_up: "room") == "room"


async def test_width_bounds_what_runs_at_once():
    """No more calls than the width are waited for at once; the others wait for their turn."""
    threads, running, most = DaemonThreads("test", width=2), [], []
    lock = threading.Lock()

    def call(given_up):
        with lock:
            running.append(1)
            most.append(len(running))
        given_up.wait(0.005)
        with lock:
            running.pop()

    await asyncio.gather(*(threads.run(call) for _ in range(10)))
    assert max(most) <= 2
    assert len(most) == 10
