"""Ends incidents about senders of unreadable alerts. The service runs it every minute.

`receiver.core.unreadable` decides when one ends; the webhook opens them.
"""

from functools import partial

from receiver.core.model import State
from receiver.core.unreadable import TYPE, over
from receiver.engine.queue import CommandQueue
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two runs."""

NOT_CLOSED = frozenset({State.OPEN, State.ACKNOWLEDGED, State.RESOLVED})
LIMIT = 500
"""Incidents considered per run; each is about another source."""


class UnreadableSources:
    """Ends such incidents at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads) -> None:
        self._queue = queue
        self._reads = reads

    async def look(self) -> None:
        """End those that are over. Raises StoreUnavailable."""
        incidents, _ = await self._queue.read(partial(self._reads.incidents, state=NOT_CLOSED, type=TYPE, limit=LIMIT))
        found = over(incidents, self._queue.clock())
        if found:
            await self._queue.handle(found)
