"""Deletes incidents that were closed longer ago than the policy's `retention`; never open ones or those under hold.

The service runs it every few minutes. Each transaction deletes a few, so that other writes do not wait. The audit log,
which is a chain, and the policy versions are kept.
"""

import asyncio

import structlog

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.store import SqlStore
from rules.policy import HOUR

EVERY = 300.0
"""Seconds between two runs."""

AT_A_TIME = 20
"""Incidents per transaction."""

PAUSE = 0.05
"""Seconds between two transactions, for other writes that wait."""

UPLOADED_WITHIN = HOUR
"""Microseconds after which an upload without an incident is deleted, because it was interrupted."""

log = structlog.get_logger()


async def delete_expired(queue: CommandQueue, engine: Engine, store: SqlStore) -> None:
    """Delete interrupted uploads, and incidents that have exceeded `retention` of the policy in use, if it has one.

    Raises StoreUnavailable.
    """
    await queue.run(store.drop_stale_evidence, Instant(queue.clock() - UPLOADED_WITHIN))
    kept = engine.current.policy.retention
    if kept is None:
        return
    before = Instant(queue.clock() - kept)
    total = 0
    while forgotten := await queue.run(store.forget, before, AT_A_TIME):
        total += forgotten
        await asyncio.sleep(PAUSE)
    if total:
        log.info("closed incidents forgotten", incidents=total)
