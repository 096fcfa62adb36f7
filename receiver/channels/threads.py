"""Blocking calls on threads that nobody has to wait for.

For the one library here that blocks (pdpyras, by way of requests). Its time-outs count from byte to byte, so a
server that trickles holds a thread as long as it likes; a ThreadPoolExecutor would then hold up the interpreter's
exit too, because it joins its threads. These are daemons: given up, they are left behind, and counted.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


class ThreadsExhausted(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Too many calls that were given up have still not ended."""


class DaemonThreads:
    """At most `width` calls are waited for at once; at most `limit` threads exist, those left behind included."""

    def __init__(self, name: str, width: int = 8, limit: int = 64) -> None:
        self._name = name
        self._width = asyncio.Semaphore(width)
        self._limit = limit
        self._lock = threading.Lock()
        self._alive = 0

    async def run(self, call: Callable[[threading.Event], Result]) -> Result:
        """Run `call` on a thread of its own. Cancelled (by a time-out), it leaves the thread behind.

        `call` gets an event that is set when nobody waits for it any more. Raises what it raises, and
        ThreadsExhausted.
        """
        async with self._width:
            given_up = threading.Event()
            future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            self._start(call, given_up, future)
            try:
                return await future
            finally:
                given_up.set()

    def _start(
        self, call: Callable[[threading.Event], Result], given_up: threading.Event, future: asyncio.Future[Result]
    ) -> None:
        with self._lock:
            if self._alive >= self._limit:
                raise ThreadsExhausted
            self._alive += 1
        threading.Thread(target=self._work, args=(call, given_up, future), name=self._name, daemon=True).start()

    def _work(
        self, call: Callable[[threading.Event], Result], given_up: threading.Event, future: asyncio.Future[Result]
    ) -> None:
        try:
            result = call(given_up)
        except Exception as error:  # noqa: BLE001 - it is not swallowed: it is raised where the call was awaited
            _hand_over(future, partial(future.set_exception, error))
        else:
            _hand_over(future, partial(future.set_result, result))
        finally:
            with self._lock:
                self._alive -= 1


def _hand_over(future: asyncio.Future[Result], settle: Callable[[], None]) -> None:
    """Back to the loop, where the future may have been given up; the loop itself may be gone."""
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else settle())
