"""Asks the Alertmanagers about alerts that are held as possible echoes, so that a true firing does not wait.

The service runs `Echoes.look` where TOCSIN_ALERTMANAGER_URL is set; most looks find nothing held, and ask nothing.
What an answer means is decided in `receiver.core.alerts`.
"""

import asyncio
from collections.abc import Sequence

from receiver.clients.alertmanager import Alertmanager
from receiver.core.reconcile import Listing, ask_about
from receiver.engine.queue import CommandQueue
from receiver.errors import CannotError
from receiver.store.reads import Reads

EVERY = 2.0
"""Seconds between two looks."""


class Echoes:
    """Asks about held alerts at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads, peers: Sequence[Alertmanager]) -> None:
        self._queue = queue
        self._reads = reads
        self._peers = peers
        self._listed: frozenset[str] = frozenset()
        """What of the held alerts the last look found listed."""

    async def look(self) -> None:
        """Once. Raises StoreUnavailable; the next look asks again."""
        held = await self._queue.read(self._reads.held_alerts)
        if not held:
            return
        listings = await asyncio.gather(*(_list(peer) for peer in self._peers))
        events, self._listed = ask_about(held, listings, self._listed)
        if events:
            await self._queue.handle(events)


async def _list(peer: Alertmanager) -> Listing | None:
    """What it lists; None: it did not answer, which `receiver.jobs.reconcile` says in the log."""
    try:
        return await peer.list()
    except CannotError:
        return None
