"""The scheduler: processes due escalation windows and starts due messages, in a loop.

It sleeps until the next due time; each commit wakes it. After a restart overdue windows and messages are due at once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from receiver.clock import steady_clock
from receiver.core.model import Instant
from receiver.core.urgency import CLAIMS, STEPS
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import StoreUnavailable
from receiver.jobs.dispatcher import Dispatcher
from receiver.store import SqlStore
from rules.policy import SECOND

LONGEST_NAP = 1.0
"""Longest sleep, in seconds: another replica may have planned something."""

SHORTEST_NAP = 0.02
"""Seconds between two iterations, so that under load one transaction serves many messages.

Emergencies do not wait for it: their messages are claimed when they are stored (`CommandQueue.on_emergency`).
"""

FIRED_AT_ONCE = 50
"""Incidents whose windows are processed before messages are started again: with a thousand escalating incidents, due
messages must still leave.
"""

LONGEST_REST = 8.0
"""Longest wait after iterations with an unexpected failure, in seconds; the first wait is 1 s."""

log = structlog.get_logger()


class Scheduler:
    """Iterates until the service stops, and once after that."""

    def __init__(
        self, queue: CommandQueue, engine: Engine, store: SqlStore, dispatcher: Dispatcher, state: ServiceState
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._store = store
        self._dispatcher = dispatcher
        self._state = state
        self._wake = asyncio.Event()
        self._completed_at = steady_clock()
        self._failures = 0
        """Consecutive iterations with an unexpected failure."""
        self.wake = self._wake.set
        """Wakes the loop: something may be due."""

    @property
    def silence(self) -> int:
        """Microseconds since the last iteration without a failure."""
        return steady_clock() - self._completed_at

    async def keep(self) -> None:
        """Iterate until the service stops."""
        while True:
            self._wake.clear()
            due_at = await self._iterate()
            if self._state.is_stopping:
                return
            if self._failures:
                await asyncio.sleep(min(2.0 ** (self._failures - 1), LONGEST_REST))
                continue
            nap = LONGEST_NAP if due_at is None else (due_at - self._queue.clock()) / SECOND
            await asyncio.sleep(SHORTEST_NAP)
            if nap > SHORTEST_NAP:
                await _either(self._wake, min(nap, LONGEST_NAP))

    async def _iterate(self) -> Instant | None:
        """Process due windows, start due messages; returns the next due time. Failures are logged."""
        try:
            await self._prove_writing()
            whole = await self._goes_well(self._fire) & await self._goes_well(self._dispatcher.send_due)
            due_at = await self._queue.run(self._store.next_due, urgency=CLAIMS)
        except StoreUnavailable:
            self._failures = 0
            return None
        except Exception:
            log.exception("scheduler iteration failed; continuing")
            whole, due_at = False, None
        self._failures = 0 if whole else self._failures + 1
        if whole:
            self._completed_at = steady_clock()
        return due_at

    async def _prove_writing(self) -> None:
        """Write a probe row if the last successful write is too long ago. Raises StoreUnavailable."""
        if self._state.writing.is_in_doubt:
            await self._probe()
            self._state.writing.prove()

    async def _probe(self) -> None:
        """Check the file lock, then write: while another Tocsin serves the file, this one must not send.

        Any failure counts as a failed write, and is raised.
        """
        try:
            self._store.keep_lock()
            await self._queue.run(self._store.probe, urgency=STEPS)
        except Exception as error:
            self._state.writing.fail(str(error) or type(error).__name__)
            raise

    async def _fire(self) -> None:
        await self._queue.run(self._engine.fire_due, self._queue.clock(), FIRED_AT_ONCE, urgency=STEPS)

    async def _goes_well(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Run a step; False if it failed. A failure of windows does not stop messages, nor the reverse."""
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("scheduler iteration failed; continuing", failures_in_a_row=self._failures + 1)
            return False
        return True


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most that many seconds.

    `asyncio.wait_for` is not used: on Python 3.11 it loses a cancellation that coincides with the event, and the
    service would not stop.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
