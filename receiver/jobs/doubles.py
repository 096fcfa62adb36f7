"""Ends firing alerts in incidents that do not hold them. The service runs it every minute; `receiver.core.doubles`
decides which end.
"""

import structlog

from receiver.core.doubles import over
from receiver.engine.queue import CommandQueue
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two runs."""

log = structlog.get_logger()


class Doubles:
    """Ends such alerts at each run."""

    def __init__(self, queue: CommandQueue, reads: Reads) -> None:
        self._queue = queue
        self._reads = reads

    async def look(self) -> None:
        """End those that are over. Raises StoreUnavailable."""
        found = over(await self._queue.read(self._reads.doubles), self._queue.clock())
        if found:
            log.info("alerts that two incidents had are ended in the one that does not hold them", alerts=len(found))
            await self._queue.handle(found)
