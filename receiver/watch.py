"""Keeps the heartbeat: notes it, makes its silence an incident, and passes it on to whoever watches from outside.

The service runs `Watch.look` every few seconds. The last heartbeat is kept in the store, so that any replica's
counts and none is forgotten at a restart.
"""

import aiohttp
import structlog

from receiver.core.heartbeat import is_silent, silence
from receiver.core.model import Instant, State
from receiver.desk import Desk
from receiver.metrics import Metrics
from receiver.store import SqlStore
from rules.policy import SECOND
from rules.watch import RULES_FAIL

KEEP_EVERY = 10 * SECOND
"""Microseconds between two heartbeats that are written down."""

PING_EVERY = 60 * SECOND
"""Microseconds between two pings of the outside watcher."""

PING_TIMEOUT = aiohttp.ClientTimeout(total=10)

log = structlog.get_logger()


class Watch:
    """The heartbeat's keeper."""

    def __init__(self, desk: Desk, store: SqlStore, metrics: Metrics, ping_url: str = "") -> None:
        """`ping_url`: called every minute while alerting lives; its silence tells somebody outside."""
        self._desk = desk
        self._store = store
        self._metrics = metrics
        self._ping_url = ping_url
        self._kept: Instant | None = None
        self._pinged: Instant | None = None
        self._was_silent: bool | None = None
        self._began = desk.clock()

    async def look(self) -> None:
        """Once: note, judge, tell. Raises StoreUnavailable."""
        now = self._desk.clock()
        heard = await self._last()
        if heard is None:
            return
        last = max(heard, self._began)  # while we were away nobody could have heard it
        within = self._desk.engine.current.policy.heartbeat_within
        silent = is_silent(last, now, within)
        self._desk.engine.blind = silent or await self._desk.read(self._rules_fail)
        if silent or self._was_silent is not False:
            await self._desk.handle([silence(last, now, within)])
        if silent and not self._was_silent:
            log.error("the heartbeat is missing: alerting is blind", seconds=(now - last) // SECOND)
        self._was_silent = silent
        if not silent:
            await self._ping(now)

    async def _last(self) -> Instant | None:
        """The last heartbeat of any replica; ours is written down now and then."""
        heard = self._metrics.heartbeat_at
        if heard is not None and (self._kept is None or heard - self._kept >= KEEP_EVERY):
            await self._desk.run(self._store.beat, heard)
            self._kept = heard
        return await self._desk.read(self._store.heartbeat_at)

    def _rules_fail(self) -> bool:
        """Whether Prometheus says that it cannot evaluate rules: then a cleared alert proves nothing."""
        live = frozenset({State.OPEN, State.ACKNOWLEDGED})
        found, _ = self._store.reads().incidents(state=live, type=RULES_FAIL, limit=10)
        return any(incident.is_firing for incident in found)

    async def _ping(self, now: Instant) -> None:
        if not self._ping_url or (self._pinged is not None and now - self._pinged < PING_EVERY):
            return
        self._pinged = now
        try:
            async with (
                aiohttp.ClientSession(timeout=PING_TIMEOUT) as session,
                session.get(self._ping_url, allow_redirects=False) as response,
            ):
                if response.status >= 400:
                    log.warning("the outside heartbeat was refused", status=response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("the outside heartbeat did not get through", reason=type(error).__name__)
