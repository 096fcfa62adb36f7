"""The weekly figures, counted in the background: counting reads many rows, and a page must not wait for it.

A past week is counted again after ten minutes (its incidents may still be resolved), the current one after 30 seconds,
and only when a page asks.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from receiver.core.model import Instant
from receiver.errors import StoreUnavailable
from receiver.messages.times import DAY
from receiver.store import Reads
from receiver.store.statistics import Tally
from rules.policy import MINUTE, SECOND

WEEKS = 12
WEEK = 7 * DAY
MONDAY = 4 * DAY
"""From the epoch, a Thursday, to its first Monday."""

PATIENCE = 0.03
"""Seconds that a page waits for the count."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday, UTC, without exercises."""

    begins: Instant
    tallies: Sequence[Tally]
    counted_at: Instant


class Weeks:
    """Counts the weeks and caches the counts."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._known: dict[Instant, Week] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def context(self, _app: web.Application) -> AsyncIterator[None]:
        """For `app.cleanup_ctx`: waits for a running count, because the store is closed after the application."""
        yield
        self._is_over = True
        if self._task is not None:
            await asyncio.wait({self._task})

    async def latest(self, now: Instant) -> tuple[list[Week], bool]:
        """The counted weeks, the oldest first, and whether they are complete."""
        begins = Instant((now - MONDAY) // WEEK * WEEK + MONDAY)
        wanted = [Instant(begins - back * WEEK) for back in reversed(range(WEEKS))]
        stale = [each for each in reversed(wanted) if self._is_stale(each, now)]
        if stale and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._count(stale, now))
        if not self._known and self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE)
        known = [self._known[each] for each in wanted if each in self._known]
        return known, len(known) == len(wanted)

    def _is_stale(self, begins: Instant, now: Instant) -> bool:
        known = self._known.get(begins)
        return known is None or now - known.counted_at > (30 * SECOND if now < begins + WEEK else 10 * MINUTE)

    async def _count(self, stale: Sequence[Instant], now: Instant) -> None:
        """Counts on a separate thread, so that the readers' thread serves the pages."""
        for begins in stale:
            if self._is_over:
                return
            try:
                found = await asyncio.to_thread(self._reads.tallies, begins, Instant(begins + WEEK))
            except StoreUnavailable as error:
                log.warning("the weekly figures could not be counted", reason=str(error))
                return
            except Exception:
                log.exception("the weekly figures could not be counted")
                return
            self._known[begins] = Week(begins, tuple(each for each in found if not each.exercise), now)


def mean(pairs: Sequence[tuple[int | None, int]]) -> int | None:
    """The mean of (mean, count) pairs, weighted by count; None: no counts."""
    known = [(each, count) for each, count in pairs if each is not None and count]
    total = sum(count for _, count in known)
    return sum(each * count for each, count in known) // total if total else None
