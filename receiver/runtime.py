"""When Python's garbage collector runs. Service and writer process call this module after their start."""

import asyncio
import ctypes
import gc
from contextlib import suppress
from pathlib import Path

GROWN = 1.1
"""Growth factor of the memory since the last collection that triggers another."""

EVERY = 10.0
"""Seconds between two measurements of the memory."""

_MEMORY = Path("/proc/self/statm")


def calm_down() -> None:
    """Exclude the objects of the start from collections: scanning them was a third of a webhook's cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


class Garbage:
    """Collects garbage when the process has grown.

    After `calm_down` Python itself rarely collects, and it counts objects, not bytes: a broken connection leaves a few
    objects in a reference cycle, which keep all received data.
    """

    def __init__(self) -> None:
        self._before = _resident()

    async def look(self) -> None:
        """Measure, and collect if the process has grown."""
        if _resident() > GROWN * self._before:
            gc.collect()
            await asyncio.to_thread(_give_back)
            self._before = _resident()
        self._before = min(self._before, _resident())


def _resident() -> int:
    """The process's resident memory in pages; 0 where the system does not provide it."""
    try:
        return int(_MEMORY.read_text().split()[1])
    except OSError:
        return 0


def _give_back() -> None:
    """Return freed memory to the system, where the C library supports it (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
