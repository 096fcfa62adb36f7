"""Ends the incidents of senders whose alerts could not be read. The service runs it every minute.

When one is over is decided in `receiver.core.unreadable`; the webhook opens them.
"""

from functools import partial

from receiver.core.model import State
from receiver.core.unreadable import TYPE, over
from receiver.engine.queue import CommandQueue
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two looks."""

NOT_CLOSED = frozenset({State.OPEN, State.ACKNOWLEDGED, State.RESOLVED})
LIMIT = 500
"""Incidents that one look considers; each is of another source."""


class UnreadableSources:
    """Ends such incidents at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads) -> None:
        self._queue = queue
        self._reads = reads

    async def look(self) -> None:
        """Once. Raises StoreUnavailable."""
        incidents, _ = await self._queue.read(partial(self._reads.incidents, state=NOT_CLOSED, type=TYPE, limit=LIMIT))
        found = over(incidents, self._queue.clock())
        if found:
            await self._queue.handle(found)
