"""When Python's garbage collector runs. Both of our processes ask for it when they have started."""

import asyncio
import ctypes
import gc
from contextlib import suppress
from pathlib import Path

GROWN = 1.1
"""How many times the memory of the last look is reason to look for garbage."""

EVERY = 10.0
"""Seconds between two looks at how much memory there is."""

_MEMORY = Path("/proc/self/statm")


def calm_down() -> None:
    """What was loaded at the start stays: looking through it again and again was a third of a webhook's cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


class Garbage:
    """Collects garbage when the process has grown.

    Since `calm_down` Python hardly looks by itself, and it counts objects, not bytes: a connection that breaks off
    leaves a few objects that hold each other, and with them all that was sent.
    """

    def __init__(self) -> None:
        self._before = _resident()

    async def look(self) -> None:
        """Once."""
        if _resident() > GROWN * self._before:
            gc.collect()
            await asyncio.to_thread(_give_back)
            self._before = _resident()
        self._before = min(self._before, _resident())


def _resident() -> int:
    """Pages of memory that the process has; 0 where the system does not say."""
    try:
        return int(_MEMORY.read_text().split()[1])
    except OSError:
        return 0


def _give_back() -> None:
    """What was freed goes back to the system, where the C library can do that (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
