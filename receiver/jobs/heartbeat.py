"""Stores the heartbeats, opens an incident for a missing one, and pings the external watchdog.

The service runs `HeartbeatWatch.look` every few seconds. Clocks are stored, so that heartbeats received by any replica
count, and none is lost at a restart.
"""

from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import structlog

from receiver.clients.egress import Egress, HttpSession, reason_of
from receiver.core.heartbeat import TYPE, Life, Watched, alarms, sight
from receiver.core.model import Incident, Instant, State
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.errors import StoreUnavailable
from receiver.store import SqlStore
from rules.policy import MINUTE, SECOND
from rules.self_monitoring import RULES_FAIL

EVERY = 2.0
"""Seconds between two runs."""

PING_EVERY = 60 * SECOND
"""Microseconds between two pings of the external watchdog."""

PING_TIMEOUT = aiohttp.ClientTimeout(total=10)

NONE_AFTER = 5 * MINUTE
"""Microseconds after which a warning is logged that no heartbeat has been received at all."""

LIVE = frozenset({State.OPEN, State.ACKNOWLEDGED})
MOST_INCIDENTS = 1000

log = structlog.get_logger()


class HeartbeatWatch:
    """Stores and evaluates the heartbeats at each run."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        store: SqlStore,
        heartbeats: Heartbeats,
        ping_url: str = "",
        can_page: Callable[[], Awaitable[bool]] | None = None,
        egress: Egress | None = None,
    ) -> None:
        """`ping_url`: the external watchdog's, called every minute while alerting works; empty: none.

        `can_page`: whether pages can be sent; if not, there is no ping.
        """
        self._queue = queue
        self._engine = engine
        self._store = store
        self._heartbeats = heartbeats
        self._ping_url = ping_url
        self._can_page = can_page
        self._session = HttpSession(PING_TIMEOUT, egress)
        self._pinged: Instant | None = None
        self._silent: frozenset[str] = frozenset()
        self._said_none = False

    async def look(self) -> None:
        """Store, evaluate and report. Raises StoreUnavailable."""
        await self._keep()
        now = self._queue.clock()
        watched = self._heartbeats.watched(self._engine.current.policy)
        failing = [each.source for each in await self._queue.read(self._live, RULES_FAIL) if each.is_firing]
        self._engine.standing.sight = sight(watched, failing)
        events = list(alarms(watched, await self._queue.read(self._live, TYPE), now))
        if events:
            await self._queue.handle(events)
        self._say(watched, now)
        if watched and all(each.life is not Life.SILENT for each in watched):
            await self._ping(now)

    async def close(self) -> None:
        """Close the connections to the external watchdog."""
        await self._session.close()

    async def _keep(self) -> None:
        heartbeats = self._heartbeats
        beats = heartbeats.take_unkept()
        try:
            if beats:
                await self._queue.run(self._store.hear, beats)
            heartbeats.learn(await self._queue.read(self._store.heartbeats))
        except StoreUnavailable:
            heartbeats.give_back(beats)
            raise

    def _live(self, type_: str) -> list[Incident]:
        found, _ = self._store.reads().incidents(state=LIVE, type=type_, limit=MOST_INCIDENTS)
        return found

    def _say(self, watched: Sequence[Watched], now: Instant) -> None:
        """Log changes."""
        silent = {each.clock.key: each for each in watched if each.life is Life.SILENT}
        for key, each in silent.items():
            if key not in self._silent:
                log.error(
                    "a heartbeat is missing: alerting is blind", of=each.words, seconds=(now - each.since) // SECOND
                )
        self._silent = frozenset(silent)
        if not watched and not self._said_none and now - self._heartbeats.began > NONE_AFTER:
            self._said_none = True
            log.warning(
                "no heartbeat is watched: no message is sent when Prometheus or Alertmanager dies; "
                "route TocsinHeartbeat to this receiver, or name one under `heartbeats` in the policy"
            )

    async def _ping(self, now: Instant) -> None:
        if not self._ping_url or (self._pinged is not None and now - self._pinged < PING_EVERY):
            return
        if self._can_page is not None and not await self._can_page():
            return
        self._pinged = now
        try:
            async with self._session.request("GET", self._ping_url) as response:
                if response.status >= 400:
                    log.warning("the ping of TOCSIN_HEARTBEAT_URL was refused", status=response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("the ping of TOCSIN_HEARTBEAT_URL failed", reason=reason_of(error))
