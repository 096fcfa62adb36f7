"""The pulse: carries out due windows and starts due messages, again and again.

It sleeps until the next is due and is woken by whatever is committed. After a restart everything overdue is simply due.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from receiver.clock import steady_clock
from receiver.core.model import Instant
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import StoreUnavailable
from receiver.jobs.dispatcher import Dispatcher
from receiver.store import SqlStore
from rules.policy import SECOND

LONGEST_NAP = 1.0
"""Seconds it sleeps at most: another replica may have planned something."""

SHORTEST_NAP = 0.02
"""Seconds between two beats, so that under load one transaction serves many messages.

An emergency does not wait for it: its messages are claimed as soon as they are stored (`CommandQueue.on_emergency`).
"""

FIRED_AT_ONCE = 50
"""Incidents whose windows are carried out before messages are started again: a thousand that escalate must not keep
those that are due from leaving.
"""

LONGEST_REST = 8.0
"""Seconds it rests at most after a beat in which something failed unexpectedly; the first time it is one."""

log = structlog.get_logger()


class Scheduler:
    """Beats until the service stops, and once more."""

    def __init__(self, queue: CommandQueue, store: SqlStore, dispatcher: Dispatcher, state: ServiceState) -> None:
        self._queue = queue
        self._store = store
        self._dispatcher = dispatcher
        self._state = state
        self._wake = asyncio.Event()
        self._beaten = steady_clock()
        self._failures = 0
        """Beats in a row in which something failed unexpectedly."""
        self.wake = self._wake.set
        """Something may be due now."""

    @property
    def silence(self) -> int:
        """Microseconds since the last beat in which nothing failed: windows were carried out and messages started."""
        return steady_clock() - self._beaten

    async def keep(self) -> None:
        """Beat, until the service is stopping."""
        while True:
            self._wake.clear()
            due_at = await self._beat()
            if self._state.is_stopping:
                return
            if self._failures:
                await asyncio.sleep(min(2.0 ** (self._failures - 1), LONGEST_REST))
                continue
            nap = LONGEST_NAP if due_at is None else (due_at - self._queue.clock()) / SECOND
            await asyncio.sleep(SHORTEST_NAP)
            if nap > SHORTEST_NAP:
                await _either(self._wake, min(nap, LONGEST_NAP))

    async def _beat(self) -> Instant | None:
        """Fire what is due, start what is due; returns when the next is due. Survives whatever happens."""
        try:
            await self._prove_writing()
            whole = await self._goes_well(self._fire) & await self._goes_well(self._dispatcher.send_due)
            due_at = await self._queue.run(self._store.next_due)
        except StoreUnavailable:
            self._failures = 0
            return None
        except Exception:
            log.exception("the pulse failed; it goes on")
            whole, due_at = False, None
        self._failures = 0 if whole else self._failures + 1
        if whole:
            self._beaten = steady_clock()
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
            await self._queue.run(self._store.probe)
        except Exception as error:
            self._state.writing.fail(str(error) or type(error).__name__)
            raise

    async def _fire(self) -> None:
        await self._queue.run(self._queue.engine.fire_due, self._queue.clock(), FIRED_AT_ONCE)

    async def _goes_well(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Whether it did: windows that cannot be carried out do not keep messages back, nor the other way round."""
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("the pulse failed; it goes on", beats_in_a_row=self._failures + 1)
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
