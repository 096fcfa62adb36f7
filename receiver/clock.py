"""The one place that reads clocks. Everything else gets `now` as an argument.

The receiver's time starts at the wall clock (on PostgreSQL: the database's) and then follows the
machine's steady clock, so that a wall clock set back cannot put off an escalation. A wall clock that
runs ahead is followed: early beats late. Either way the difference shows in `/-/ready`.
"""

import time
from collections.abc import Callable

from receiver.core.model import Instant

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where the system has such a clock."""


def wall_clock() -> Instant:
    """Microseconds since 1970 by the machine's wall clock."""
    return Instant(time.time_ns() // 1000)


def steady_clock() -> int:
    """Microseconds that only ever grow, evenly; since when is unspecified."""
    return time.clock_gettime_ns(_STEADY) // 1000


class Clock:
    """The receiver's time. Call it for the instant now; `adjust()` now and then."""

    def __init__(self, reference: Callable[[], Instant] = wall_clock) -> None:
        self._reference = reference
        self._offset = reference() - steady_clock()
        self.skew = 0
        """Microseconds by which the reference was behind at the last adjustment (it is not followed back)."""

    def __call__(self) -> Instant:
        """The instant now."""
        return Instant(steady_clock() + self._offset)

    def adjust(self) -> None:
        """Compare with the reference: follow it forward, never back."""
        ahead = self._reference() - self()
        self.skew = max(0, -ahead)
        self._offset += max(0, ahead)
