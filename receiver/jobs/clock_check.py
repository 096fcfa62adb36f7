"""Compares the system clock with its reference, and logs the result. A jump does not make the service unready."""

import structlog

from receiver.clock import Clock, ClockVerdict
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from rules.policy import SECOND

EVERY = 30.0
"""Seconds between two comparisons."""

log = structlog.get_logger()


class Timekeeping:
    """Compares the clock with its reference at each run."""

    def __init__(self, queue: CommandQueue, clock: Clock, state: ServiceState) -> None:
        self._queue = queue
        self._clock = clock
        self._state = state
        self._said = ClockVerdict.AGREED

    async def look(self) -> None:
        """Compare once. Raises StoreUnavailable."""
        verdict = await self._queue.read(self._clock.adjust)
        self._state.clock_skew, self._state.clock_jumps = self._clock.skew, self._clock.jumps
        if verdict is not self._said and verdict is ClockVerdict.AGREED:
            log.info("the clocks agree again")
        elif verdict is not self._said:
            ahead = self._clock.skew / SECOND
            log.warning("the reference clock jumped", ahead_seconds=ahead, verdict=verdict.value)
        self._said = verdict
