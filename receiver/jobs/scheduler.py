"""The scheduler: carries out due windows and starts due messages, in a loop.

It sleeps until the next is due and is woken by each commit. After a restart, what is overdue is due at once.
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
"""Seconds it sleeps at most: another replica may have planned something."""

SHORTEST_NAP = 0.02
"""Seconds between two iterations, so that under load one transaction serves many messages.

An emergency does not wait for it: its messages are claimed as soon as they are stored (`CommandQueue.on_emergency`).
"""

FIRED_AT_ONCE = 50
"""Incidents whose windows are carried out before messages are started again: a thousand that escalate must not keep
those that are due from leaving.
"""

LONGEST_REST = 8.0
"""Seconds it waits at most after an iteration in which something failed unexpectedly; the first time it is one."""

log = structlog.get_logger()


class Scheduler:
    """Iterates until the service stops, and once more."""

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
        """Iterations in a row in which something failed unexpectedly."""
        self.wake = self._wake.set
        """Something may be due now."""

    @property
    def silence(self) -> int:
        """Microseconds since the last iteration in which nothing failed: windows were carried out, messages started."""
        return steady_clock() - self._completed_at

    async def keep(self) -> None:
        """Iterate until the service is stopping."""
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
        """Carry out due windows, start due messages; returns when the next is due. Whatever fails is logged."""
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
        """Reading alone would not show whether writing goes. Raises StoreUnavailable."""
        if self._state.writing.is_in_doubt:
            await self._probe()
            self._state.writing.prove()

    async def _probe(self) -> None:
        """Write, if the file is still ours alone: where another Tocsin serves it too, we send nothing, it does.

        Whatever else fails proves no writing either. Raises it.
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
        """Whether it did: windows that cannot be carried out do not keep messages back, nor the other way round."""
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("scheduler iteration failed; continuing", failures_in_a_row=self._failures + 1)
            return False
        return True


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that.

    Not by `asyncio.wait_for`: on Python 3.11 it swallows a cancellation that meets the event, and the service
    would never stop.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
