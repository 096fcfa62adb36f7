"""The only module that reads clocks. All other code gets `now` as an argument.

The receiver's time starts at the reference, which is the wall clock (on PostgreSQL: the database's), and then follows
the machine's steady clock. It is compared with the reference regularly:

* A difference of up to `ALLOWED` is corrected at once.
* A larger one is a jump, and is confirmed by the next comparison. If it persists and the reference is ahead, the
  receiver follows it; windows set before keep their length (`receiver.core.windows.put_off`). A jump that is undone
  before has no effect.
* A reference that is behind never sets the receiver's time back, which would delay escalations: instead its time runs
  slower until both agree, so that a window is late by at most a twentieth of its length.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from receiver.core.instant import Instant, Jump

ALLOWED = 1_000_000
"""Microseconds of difference that are corrected silently; windows are early by at most this much."""

SLOWER = 20
"""While the reference is behind, the receiver's time runs slower than the steady clock by one part in this many."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that includes the machine's sleep, where the system has one."""


def wall_clock() -> Instant:
    """Microseconds since 1970, by the machine's wall clock."""
    return Instant(time.time_ns() // 1000)


def steady_clock() -> int:
    """Microseconds of a monotonic clock; its zero is unspecified."""
    return time.clock_gettime_ns(_STEADY) // 1000


class ClockVerdict(StrEnum):
    """The result of a comparison with the reference."""

    AGREED = "agreed"
    DOUBTED = "doubted"
    """The reference jumped; the next comparison confirms it."""
    FOLLOWED = "followed"
    """The reference is still ahead: the receiver's time has been set to it."""
    BEHIND = "behind"
    """The reference is still behind: the receiver's time runs slower."""


class Clock:
    """The receiver's time. A call gives the current instant; `adjust()` is to be called regularly."""

    def __init__(self, reference: Callable[[], Instant] = wall_clock, steady: Callable[[], int] = steady_clock) -> None:
        self._reference = reference
        self._steady = steady
        self._adjusted_at = steady()
        self._offset = reference() - self._adjusted_at
        self._last = Instant(0)
        self._doubted: int | None = None
        """Microseconds by which the reference was ahead (negative: behind) at the unconfirmed jump; None: no jump."""
        self.skew = 0
        """Microseconds by which the reference was ahead (negative: behind) at the last comparison."""
        self.jumps = 0
        """Number of jumps of the reference."""
        self.followed: list[Jump] = []
        """The jumps that the receiver has followed; each is appended before its time changes."""

    def __call__(self) -> Instant:
        """The current instant; never earlier than one returned before."""
        self._last = max(self._last, Instant(self._steady() + self._offset))
        return self._last

    def adjust(self) -> ClockVerdict:
        """Compare with the reference, and correct the receiver's time."""
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
