"""Asks the Alertmanagers about alerts that are held as possible echoes, so that a true firing does not wait.

The service runs `Echoes.look` where TOCSIN_ALERTMANAGER_URL is set; most looks find nothing held, and ask nothing.
What an answer means is decided in `receiver.core.alerts`.
"""

import asyncio
from collections.abc import Sequence

from receiver.alertmanager import Alertmanager
from receiver.core.reconcile import ask_about
from receiver.desk import Desk
from receiver.store.reads import Reads

EVERY = 2.0
"""Seconds between two looks."""


class Echoes:
    """Looks, again and again."""

    def __init__(self, desk: Desk, reads: Reads, urls: Sequence[str]) -> None:
        """`urls`: one for each Alertmanager."""
        self._desk = desk
        self._reads = reads
        self._peers = [Alertmanager(url) for url in urls]
        self._listed: frozenset[str] = frozenset()
        """What of the held alerts the last look found listed."""

    async def look(self) -> None:
        """Once. Raises StoreUnavailable; the next look asks again."""
        held = await self._desk.read(self._reads.held_alerts)
        if not held:
            return
        answers = await asyncio.gather(*(peer.list() for peer in self._peers))
        listings = [None if isinstance(answer, str) else answer for answer in answers]
        events, self._listed = ask_about(held, listings, self._listed)
        if events:
            await self._desk.handle(events)
