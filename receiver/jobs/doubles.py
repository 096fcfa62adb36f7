"""Ends alerts in incidents that do not hold them. The service runs it every minute; what ends is decided in
`receiver.core.doubles`.
"""

import structlog

from receiver.core.doubles import over
from receiver.engine.queue import Desk
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two looks."""

log = structlog.get_logger()


class Doubles:
    """Looks, again and again."""

    def __init__(self, desk: Desk, reads: Reads) -> None:
        self._desk = desk
        self._reads = reads

    async def look(self) -> None:
        """Once. Raises StoreUnavailable."""
        found = over(await self._desk.read(self._reads.doubles), self._desk.clock())
        if found:
            log.info("alerts end in incidents that do not hold them", alerts=len(found))
            await self._desk.handle(found)
