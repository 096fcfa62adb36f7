"""Sends due canaries. The service runs `Canaries.look` every minute.

`receiver.core.canary` decides what a result means. A replica records a canary before it sends it, so several replicas
send it once.
"""

from dataclasses import replace

import structlog

from receiver.channels import Sender, Senders
from receiver.channels.trial import try_channel
from receiver.core.canary import Canary, is_due, judge, tell
from receiver.core.events import Outcome, Retry
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages import MessageRenderer
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics
from rules.policy import Channel

EVERY = 60.0
"""Seconds between two runs."""

log = structlog.get_logger()


class Canaries:
    """Sends due canaries, and stores their results."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        store: SqlStore,
        senders: Senders,
        renderer: MessageRenderer,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._store = store
        self._senders = senders
        self._renderer = renderer
        self._metrics = metrics

    async def look(self) -> None:
        """Send due canaries. Raises StoreUnavailable."""
        current = self._engine.current
        context = self._engine.context(current)
        for channel in current.policy.channels:
            if channel.canary is not None and context.is_set_up(channel.name):
                await self._look_at(channel, channel.canary, self._senders[channel.type])

    async def _look_at(self, channel: Channel, every: int, sender: Sender) -> None:
        now = self._queue.clock()
        last = await self._queue.read(self._store.reads().canary, channel.name)
        if last is not None:
            self._metrics.canary(channel.name, last)
        if not is_due(last, every, now):
            return
        begun = replace(last, tried_at=now) if last else Canary(now)
        if not await self._queue.run(self._store.take_turn, channel.name, last, begun):
            return  # another replica sends it
        after = judge(last, await self._send(channel, sender), now)
        await self._queue.run(self._store.keep_canary, channel.name, after)
        self._metrics.canary(channel.name, after)
        if after.failures:
            log.warning("a canary did not get through", channel=channel.name, reason=after.detail)
        event = tell(channel.name, last, after)
        if event is not None:
            await self._queue.handle([event])

    async def _send(self, channel: Channel, sender: Sender) -> list[Outcome]:
        """Send by the channel's real sender; every error becomes an outcome."""
        policy = self._engine.current.policy
        try:
            tried = await try_channel(sender, policy, channel, self._renderer, self._queue.clock)
        except Exception as error:
            log.exception("a canary failed unexpectedly", channel=channel.name)
            return [Retry(f"internal error ({type(error).__name__})")]
        return [each.outcome for each in tried]
