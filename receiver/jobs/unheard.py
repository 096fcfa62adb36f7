"""What no webhook reports: alerts that two incidents have, senders that became readable, alerts no longer repeated.

The service runs each every minute, `mark_stale` only where no Alertmanager is set. `receiver.core.doubles`,
`receiver.core.unreadable` and `receiver.core.staleness` decide.
"""

from functools import partial

import structlog

from receiver.core import doubles, staleness, unreadable
from receiver.core.model import Instant, State
from receiver.engine.queue import CommandQueue
from receiver.store.reads import Reads

EVERY = 60.0
"""Seconds between two runs."""

LIVE = frozenset({State.OPEN, State.ACKNOWLEDGED})
PAGE = 500
"""Incidents per read; of unreadable alerts, per run: each is about another sender."""

log = structlog.get_logger()


async def end_doubles(queue: CommandQueue, reads: Reads) -> None:
    """End firing alerts in incidents that do not hold them. Raises StoreUnavailable."""
    found = doubles.over(await queue.read(reads.doubles), queue.clock())
    if found:
        log.info("alerts that two incidents had are ended in the one that does not hold them", alerts=len(found))
        await queue.handle(found)


async def end_unreadable(queue: CommandQueue, reads: Reads) -> None:
    """End incidents about senders of unreadable alerts, which the webhook opens. Raises StoreUnavailable."""
    ask = partial(reads.incidents, state={*LIVE, State.RESOLVED}, type=unreadable.TYPE, limit=PAGE)
    incidents, _ = await queue.read(ask)
    found = unreadable.over(incidents, queue.clock())
    if found:
        await queue.handle(found)


async def mark_stale(queue: CommandQueue, reads: Reads, repeat: int, began: Instant) -> None:
    """Mark incidents whose alerts are no longer repeated by webhooks. Raises StoreUnavailable.

    `repeat`: Alertmanager's repeat_interval, in microseconds. `began`: when the service started; repeats are expected
    only from then on, because no webhook could arrive before.
    """
    cursor = None
    while True:
        incidents, cursor = await queue.read(partial(reads.incidents, state=LIVE, limit=PAGE, cursor=cursor))
        found = staleness.unheard(incidents, began, queue.clock(), repeat)
        if found:
            log.warning(
                "no webhook repeats these alerts any more; their incidents are marked as stale", incidents=len(found)
            )
            await queue.handle(found)
        if cursor is None:
            return
