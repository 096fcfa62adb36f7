"""Forgets incidents that closed longer ago than the policy's `retention` says. Open ones are never touched, nor are
those under legal hold.

The service looks now and then. A few are forgotten per transaction, so that nobody waits; the audit log, which is a
chain, and the policy versions stay.
"""

import asyncio

import structlog

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.store import SqlStore
from rules.policy import HOUR

EVERY = 300.0
"""Seconds between two looks."""

AT_A_TIME = 20
"""Incidents per transaction."""

PAUSE = 0.05
"""Seconds between two transactions: whatever else waits for the database goes first."""

UPLOADED_WITHIN = HOUR
"""How long an upload may belong to no incident: what was broken off with its process goes after that."""

log = structlog.get_logger()


class Retention:
    """Deletes at each run what is older than the policy keeps."""

    def __init__(self, queue: CommandQueue, engine: Engine, store: SqlStore) -> None:
        self._queue = queue
        self._engine = engine
        self._store = store

    async def look(self) -> None:
        """Remove uploads that are nobody's, and forget what is older than the policy in use says; nothing, where it
        says nothing.
        """
        await self._queue.run(self._store.drop_stale_evidence, Instant(self._queue.clock() - UPLOADED_WITHIN))
        kept = self._engine.current.policy.retention
        if kept is None:
            return
        before = Instant(self._queue.clock() - kept)
        total = 0
        while forgotten := await self._queue.run(self._store.forget, before, AT_A_TIME):
            total += forgotten
            await asyncio.sleep(PAUSE)
        if total:
            log.info("closed incidents forgotten", incidents=total)
