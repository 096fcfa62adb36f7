"""Finds incidents whose alerts are no longer repeated by webhooks. The service runs it where no Alertmanager is set.

`receiver.core.staleness` decides which incidents are stale.
"""

from functools import partial

import structlog

from receiver.core.model import Instant, State
from receiver.core.staleness import unheard
from receiver.engine.queue import CommandQueue
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two runs."""

LIVE = frozenset({State.OPEN, State.ACKNOWLEDGED})
PAGE = 500
"""Incidents per read."""

log = structlog.get_logger()


class Staleness:
    """Finds stale incidents at each run. Repeats are expected only since its start: no webhook could arrive before."""

    def __init__(self, queue: CommandQueue, reads: Reads, repeat: int) -> None:
        """`repeat`: Alertmanager's repeat_interval, in microseconds."""
        self._queue = queue
        self._reads = reads
        self._repeat = repeat
        self._began: Instant = queue.clock()

    async def look(self) -> None:
        """Mark stale incidents. Raises StoreUnavailable."""
        cursor = None
        while True:
            ask = partial(self._reads.incidents, state=LIVE, limit=PAGE, cursor=cursor)
            incidents, cursor = await self._queue.read(ask)
            found = unheard(incidents, self._began, self._queue.clock(), self._repeat)
            if found:
                log.warning(
                    "no webhook repeats these alerts any more; their incidents are marked as stale",
                    incidents=len(found),
                )
                await self._queue.handle(found)
            if cursor is None:
                return
