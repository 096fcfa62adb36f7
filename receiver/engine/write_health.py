"""Whether the database takes writes: what `tocsin_store_up` and `/-/ready` say of it.

Reading proves nothing: a full disk, a locked file and a writer that is stopped can all be read past. So only a write
counts, and where nothing is known to have been written for a while the scheduler writes a row that means nothing.
"""

from collections.abc import Callable

import structlog

from receiver.clock import steady_clock
from rules.policy import SECOND

PROBE_EVERY = 5 * SECOND
"""Microseconds after a proof that the database takes writes until the next one is asked for."""

WRITTEN_WITHIN = 30 * SECOND
"""Microseconds for which such a proof holds: longer than a lock and a writer that hangs are waited for."""

log = structlog.get_logger()


class Writing:
    """Whether the database takes writes, as last known."""

    def __init__(self, clock: Callable[[], int] = steady_clock) -> None:
        """`clock`: microseconds that only ever grow. Whoever opened the database has just written to it."""
        self._clock = clock
        self._proved_at = clock()
        self._failure = ""

    @property
    def problem(self) -> str:
        """Why nothing can be written, in words; empty: it can."""
        if self._failure:
            return self._failure
        silent = self._clock() - self._proved_at
        return f"nothing was written to the database for {silent // SECOND} s" if silent > WRITTEN_WITHIN else ""

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is time to write something that means nothing."""
        return bool(self._failure) or self._clock() - self._proved_at >= PROBE_EVERY

    def fail(self, reason: str) -> None:
        """The database did not do what it was asked for."""
        if not self._failure:
            log.error("the database is unavailable", reason=reason)
        self._failure = reason

    def prove(self) -> None:
        """Something was written just now."""
        if self._failure:
            log.info("the database is available again")
        self._failure = ""
        self._proved_at = self._clock()
