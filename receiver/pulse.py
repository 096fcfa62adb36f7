"""The pulse: carries out due windows and starts due messages, again and again.

It sleeps until the next is due and is woken by whatever is committed. After a restart everything overdue is simply due.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from receiver.clock import steady_clock
from receiver.core.model import Instant
from receiver.desk import Desk
from receiver.dispatcher import Dispatcher
from receiver.errors import StoreUnavailable
from receiver.store import SqlStore
from rules.policy import SECOND

LONGEST_NAP = 1.0
"""Seconds it sleeps at most: another replica may have planned something."""

SHORTEST_NAP = 0.02
"""Seconds between two beats, so that under load one transaction serves many messages.

An emergency does not wait for it: its messages are claimed as soon as they are stored (`Desk.on_emergency`).
"""

FIRED_AT_ONCE = 50
"""Incidents whose windows are carried out before messages are started again: a thousand that escalate must not keep
those that are due from leaving.
"""

log = structlog.get_logger()


class Pulse:
    """Beats until the desk closes, and once more."""

    def __init__(self, desk: Desk, store: SqlStore, dispatcher: Dispatcher, say_store: Callable[[str], None]) -> None:
        """`say_store` hears after each beat why the database is unavailable; empty: it is not."""
        self._desk = desk
        self._store = store
        self._dispatcher = dispatcher
        self._say_store = say_store
        self._wake = asyncio.Event()
        self._beaten = steady_clock()
        self.wake = self._wake.set
        """Something may be due now."""

    @property
    def silence(self) -> int:
        """Microseconds since the last beat that was completed."""
        return steady_clock() - self._beaten

    async def keep(self) -> None:
        """Beat, until the desk is closing."""
        while True:
            self._wake.clear()
            due_at = await self._beat()
            if self._desk.closing:
                return
            nap = LONGEST_NAP if due_at is None else (due_at - self._desk.clock()) / SECOND
            await asyncio.sleep(SHORTEST_NAP)
            if nap > SHORTEST_NAP:
                await _either(self._wake, min(nap, LONGEST_NAP))

    async def _beat(self) -> Instant | None:
        """Fire what is due, start what is due; returns when the next is due. Survives whatever happens."""
        desk = self._desk
        try:
            if desk.failing:  # reading alone would not show whether writing goes again
                await desk.run(self._store.probe)
                desk.failing = ""
            await desk.run(desk.engine.fire_due, desk.clock(), FIRED_AT_ONCE)
            await self._dispatcher.send_due()
            due_at = await desk.run(self._store.next_due)
        except StoreUnavailable as error:
            self._say_store(str(error))
            return None
        except Exception:
            log.exception("the pulse failed; it goes on")
            return None
        self._say_store("")
        self._beaten = steady_clock()
        return due_at


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that.

    Not by `asyncio.wait_for`: on Python 3.11 it swallows a cancellation that meets the event, and the service
    would never stop.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
