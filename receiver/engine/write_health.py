"""Whether the database takes writes, as reported by `tocsin_store_up` and `/-/ready`.

Reads are no proof: they still succeed with a full disk, a locked file or a stopped writer. So only writes count; if
there was none for PROBE_EVERY, the scheduler writes a probe row.
"""

from collections.abc import Callable

import structlog

from receiver.clock import steady_clock
from rules.policy import SECOND

PROBE_EVERY = 5 * SECOND
"""Microseconds after a successful write until a probe is due."""

WRITTEN_WITHIN = 30 * SECOND
"""Microseconds for which a successful write counts: longer than the waits for a lock and for a hanging writer."""

log = structlog.get_logger()


class Writing:
    """The last known state of the database's write access."""

    def __init__(self, clock: Callable[[], int] = steady_clock) -> None:
        """`clock`: a monotonic clock, in microseconds. Opening the database counts as a write."""
        self._clock = clock
        self._proved_at = clock()
        self._failure = ""

    @property
    def problem(self) -> str:
        """Why nothing can be written; empty: writes succeed."""
        if self._failure:
            return self._failure
        silent = self._clock() - self._proved_at
        return f"nothing was written to the database for {silent // SECOND} s" if silent > WRITTEN_WITHIN else ""

    @property
    def is_in_doubt(self) -> bool:
        """Whether a probe is due."""
        return bool(self._failure) or self._clock() - self._proved_at >= PROBE_EVERY

    def fail(self, reason: str) -> None:
        """Record that a call of the database failed."""
        if not self._failure:
            log.error("the database is unavailable", reason=reason)
        self._failure = reason

    def prove(self) -> None:
        """Record a successful write."""
        if self._failure:
            log.info("the database is available again")
        self._failure = ""
        self._proved_at = self._clock()
