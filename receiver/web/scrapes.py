"""`GET /metrics`: open to strangers, so however often they ask, the database is asked once a second."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import TocsinError
from receiver.store import Reads
from receiver.telemetry.metrics import Metrics
from rules.policy import SECOND

GOOD_FOR = SECOND
"""Microseconds for which a text is answered again."""


class Scrapes:
    """The handler, and the text that it answered last."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        reads: Reads,
        heartbeats: Heartbeats,
        state: ServiceState,
        metrics: Metrics,
        clock: Callable[[], Instant],
    ) -> None:
        self._queue = queue
        self._reads = reads
        self._engine = engine
        self._heartbeats = heartbeats
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._turn = asyncio.Lock()
        self._text = b""
        self._made_at: Instant | None = None

    async def expose(self, _request: web.Request) -> web.Response:
        """The metrics. Without the database the counters still are; what it would have said is left out."""
        async with self._turn:
            now = self._clock()
            if self._made_at is None or not 0 <= now - self._made_at < GOOD_FOR:
                self._text, self._made_at = await self._make(now), now
        return web.Response(body=self._text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _make(self, now: Instant) -> bytes:
        try:
            figures = await self._queue.read(self._reads.figures, now)
        except TocsinError:
            figures = None
        self._metrics.heartbeats(self._heartbeats.watched(self._engine.current.policy), now)
        return self._metrics.expose(figures, now, self._state)
