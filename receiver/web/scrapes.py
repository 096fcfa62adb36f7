"""`GET /metrics`: unauthenticated, so its text is cached, and the database is read once a second at most."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.errors import TocsinError
from receiver.store import Reads
from receiver.telemetry.metrics import Metrics
from receiver.web.api.rosters import RosterReader
from receiver.web.auth.sessions import Sessions
from receiver.web.http.problem_details import HttpProblem
from rules.policy import SECOND

GOOD_FOR = SECOND
"""Microseconds for which a text is cached."""


class Scrapes:
    """The handler, with its cached text."""

    def __init__(  # noqa: PLR0913 - its dependencies, each by name
        self,
        *,
        queue: CommandQueue,
        engine: Engine,
        reads: Reads,
        heartbeats: Heartbeats,
        state: ServiceState,
        metrics: Metrics,
        rosters: RosterReader,
        sessions: Sessions,
        clock: Callable[[], Instant],
    ) -> None:
        self._queue = queue
        self._reads = reads
        self._engine = engine
        self._heartbeats = heartbeats
        self._state = state
        self._metrics = metrics
        self._rosters = rosters
        self._sessions = sessions
        self._clock = clock
        self._turn = asyncio.Lock()
        self._text = b""
        self._named = b""
        """Metrics that name people; only for authenticated callers."""
        self._made_at: Instant | None = None

    async def expose(self, request: web.Request) -> web.Response:
        """The metrics. Without the database, those read from it are left out."""
        async with self._turn:
            now = self._clock()
            if self._made_at is None or not 0 <= now - self._made_at < GOOD_FOR:
                self._text, self._made_at = await self._make(now), now
        body = self._text + self._named if self._knows(request) else self._text
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _make(self, now: Instant) -> bytes:
        try:
            figures = await self._queue.read(self._reads.figures, now)
        except TocsinError:
            figures = None
        await self._tell_on_call(now)
        self._metrics.heartbeats(self._heartbeats.watched(self._engine.current.policy), now)
        self._named = generate_latest(self._metrics.named)
        return self._metrics.expose(figures, now, self._state)

    async def _tell_on_call(self, now: Instant) -> None:
        try:
            rosters, overrides = await self._rosters.about(now), await self._rosters.overrides()
        except TocsinError:
            rosters, overrides = (), ()
        put = [each.change for each in overrides if each.cancelled_at is None]
        self._metrics.on_call(rosters, sum(each.starts <= now < each.ends for each in put), now)

    def _knows(self, request: web.Request) -> bool:
        """Whether the request is authenticated; a wrong token counts as none."""
        try:
            caller = self._sessions.caller(request)
        except HttpProblem:
            return False
        return caller is not None
