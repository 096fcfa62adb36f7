"""The figures of the last weeks, counted beside the pages: counting reads much, and a page must not wait for it.

A week that is over is counted again every ten minutes (what was opened in it may still be resolved), the running
one every half minute, and only while somebody looks.
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
    """Seven days from a Monday, UTC; exercises left out."""

    begins: Instant
    tallies: Sequence[Tally]
    counted_at: Instant


class Weeks:
    """Counts, and keeps the counts."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._known: dict[Instant, Week] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def context(self, _app: web.Application) -> AsyncIterator[None]:
        """For `app.cleanup_ctx`: no count outlives the application, because the store is closed after it."""
        yield
        self._is_over = True
        if self._task is not None:
            await asyncio.wait({self._task})

    async def latest(self, now: Instant) -> tuple[list[Week], bool]:
        """The weeks known now, the oldest first, and whether these are all."""
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
        """On a thread of its own: the readers' serves the pages meanwhile."""
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
    """The mean of means with their counts; None: of nothing."""
    known = [(each, count) for each, count in pairs if each is not None and count]
    total = sum(count for _, count in known)
    return sum(each * count for each, count in known) // total if total else None
