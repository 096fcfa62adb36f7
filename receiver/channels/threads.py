"""Blocking calls on daemon threads that can be abandoned.

For the libraries that block (pdpyras and Apprise, through requests). Timeouts of requests apply to each byte, so a slow
server can hold a thread without limit; a ThreadPoolExecutor would then block the interpreter's exit, because it joins
its threads. Abandoned threads are counted.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


class ThreadsExhausted(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Too many abandoned calls have not ended."""


class DaemonThreads:
    """At most `width` calls run at once; at most `limit` threads exist, including abandoned ones."""

    def __init__(self, name: str, width: int = 8, limit: int = 64) -> None:
        self._name = name
        self._width = asyncio.Semaphore(width)
        self._limit = limit
        self._lock = threading.Lock()
        self._alive = 0

    async def run(self, call: Callable[[threading.Event], Result]) -> Result:
        """Runs `call` on its own thread. If cancelled (by a timeout), it abandons the thread.

        `call` gets an event that is set when its caller has given up. Raises what `call` raises, and ThreadsExhausted.
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
        except Exception as error:  # noqa: BLE001 - not swallowed: raised where the call was awaited
            _hand_over(future, partial(future.set_exception, error))
        else:
            _hand_over(future, partial(future.set_result, result))
        finally:
            with self._lock:
                self._alive -= 1


def _hand_over(future: asyncio.Future[Result], settle: Callable[[], None]) -> None:
    """Passes the result to the loop; the future may be cancelled, and the loop closed."""
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else settle())
