"""The one place that reads clocks. Everything else gets `now` as an argument.

The receiver's time starts at the reference, which is the wall clock (on PostgreSQL: the database's), and then goes on
by the machine's steady clock. Now and then it is compared with the reference:

* A difference of up to `ALLOWED` is followed at once.
* A larger one is a jump, and is asked about a second time. Only if it is still there, a reference that is ahead is
  followed; windows that were set before last as long as they were to last (`receiver.core.windows.put_off`). One that
  jumped and came back has changed nothing.
* A reference that is behind never turns our time back, which would put off escalations: our time goes slower until
  both agree again, so that a window is late by a twentieth of its length at most.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from receiver.core.instant import Instant, Jump

ALLOWED = 1_000_000
"""Microseconds by which reference and receiver may differ without a word; windows are never early by more."""

SLOWER = 20
"""While the reference is behind, our time goes by one part of so many less than the steady clock."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where the system has such a clock."""


def wall_clock() -> Instant:
    """Microseconds since 1970 by the machine's wall clock."""
    return Instant(time.time_ns() // 1000)


def steady_clock() -> int:
    """Microseconds that only ever grow, evenly; since when is unspecified."""
    return time.clock_gettime_ns(_STEADY) // 1000


class ClockVerdict(StrEnum):
    """What a comparison with the reference came to."""

    AGREED = "agreed"
    DOUBTED = "doubted"
    """The reference jumped; the next comparison decides."""
    FOLLOWED = "followed"
    """It is ahead, as it was the last time: our time is its time from now on."""
    BEHIND = "behind"
    """It is behind, as it was the last time: our time goes slower."""


class Clock:
    """The receiver's time. Call it for the instant now; `adjust()` now and then."""

    def __init__(self, reference: Callable[[], Instant] = wall_clock, steady: Callable[[], int] = steady_clock) -> None:
        self._reference = reference
        self._steady = steady
        self._adjusted_at = steady()
        self._offset = reference() - self._adjusted_at
        self._last = Instant(0)
        self._doubted: int | None = None
        """By how much the reference was ahead (negative: behind) when it had jumped."""
        self.skew = 0
        """Microseconds by which the reference was ahead (negative: behind) at the last comparison."""
        self.jumps = 0
        """How often it jumped."""
        self.followed: list[Jump] = []
        """The jumps that our time has followed; said before it does."""

    def __call__(self) -> Instant:
        """The instant now; never before one that was given already."""
        self._last = max(self._last, Instant(self._steady() + self._offset))
        return self._last

    def adjust(self) -> ClockVerdict:
        """Compare with the reference, and follow it as far as it is to be believed."""
        now = self._steady()
        self.skew = ahead = self._reference() - now - self._offset
        passed, self._adjusted_at = now - self._adjusted_at, now
        if abs(ahead) <= ALLOWED:
            verdict, self._doubted = ClockVerdict.AGREED, None
            follow = ahead
        elif self._doubted is None or abs(ahead - self._doubted) > passed // SLOWER + ALLOWED:
            verdict, self._doubted = ClockVerdict.DOUBTED, ahead
            self.jumps += 1
            follow = 0
        else:
            verdict, follow = (ClockVerdict.FOLLOWED, ahead) if ahead > 0 else (ClockVerdict.BEHIND, ahead)
            self._doubted = None if ahead > 0 else ahead
            if ahead > 0:
                self.followed.append(Jump(Instant(self() + ALLOWED), ahead))
        self._offset += max(follow, -(passed // SLOWER))
        return verdict
