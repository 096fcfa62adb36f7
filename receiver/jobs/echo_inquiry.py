"""Queries the Alertmanagers about alerts held as possible echoes, so that real ones do not wait.

The service runs `Echoes.look` where TOCSIN_ALERTMANAGER_URL is set; mostly nothing is held, and nothing is queried.
`receiver.core.alerts` decides what an answer means.
"""

import asyncio
from collections.abc import Sequence

from receiver.clients.alertmanager import Alertmanager
from receiver.core.reconcile import Listing, ask_about
from receiver.engine.queue import CommandQueue
from receiver.errors import CannotError
from receiver.store.reads import Reads

EVERY = 2.0
"""Seconds between two runs."""


class Echoes:
    """Queries about held alerts at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads, peers: Sequence[Alertmanager]) -> None:
        self._queue = queue
        self._reads = reads
        self._peers = peers
        self._listed: frozenset[str] = frozenset()
        """The held alerts that were listed at the last run."""

    async def look(self) -> None:
        """Query once. Raises StoreUnavailable; the next run queries again."""
        held = await self._queue.read(self._reads.held_alerts)
        if not held:
            return
        listings = await asyncio.gather(*(_list(peer) for peer in self._peers))
        events, self._listed = ask_about(held, listings, self._listed)
        if events:
            await self._queue.handle(events)


async def _list(peer: Alertmanager) -> Listing | None:
    """A peer's listing; None: no answer (`receiver.jobs.reconcile` logs that)."""
    try:
        return await peer.list()
    except CannotError:
        return None
