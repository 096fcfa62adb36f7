"""Looks after the database itself: damaged rows are found, put out of the way and told of; the file is checked.

The service runs `look` every few seconds and `check` every minute. Damage is no unreadiness: what is whole goes on.
"""

import asyncio

import structlog

from receiver.clock import steady_clock
from receiver.core.soundness import tell_file, tell_rows
from receiver.desk import Desk
from receiver.store import SqlStore
from rules.policy import HOUR, MINUTE

EVERY = 10.0
"""Seconds between two looks for rows that nobody was told of."""

CHECK_EVERY = 60.0
"""Seconds between two looks whether the file is to be checked."""

EXAMINED_EVERY = MINUTE
"""Microseconds between two examinations of all that is not closed."""

CHECKED_EVERY = 24 * HOUR
"""Microseconds between two checks of a file that shows no damage."""

CHECK_TAKES = 120.0
"""Seconds that a check of the file may take."""

AT_A_TIME = 200
"""Rows read at once."""

TOLD_AT_ONCE = 10_000
"""Damaged rows that one look tells of."""

log = structlog.get_logger()


class Soundness:
    """Looks, again and again."""

    def __init__(self, desk: Desk, store: SqlStore) -> None:
        self._desk = desk
        self._store = store
        self._examined_at: int | None = None
        self._checked_at = steady_clock() if store.is_checked else None
        self._told = ""

    async def look(self) -> None:
        """Once: examine what is not closed, if it is time, and tell of what proved to be damaged."""
        if self._examined_at is None or steady_clock() - self._examined_at >= EXAMINED_EVERY:
            await self._examine()
            self._examined_at = steady_clock()
        rows = await self._desk.read(self._store.reads().untold_damage, TOLD_AT_ONCE)
        if rows:
            await self._desk.handle([tell_rows(rows, self._desk.clock())])
            await self._desk.run(self._store.told_damage, [(what, id_) for what, id_, _ in rows])

    async def _examine(self) -> None:
        """Waiting for a time that never comes, windows that nobody would carry out, what cannot be read."""
        desk, reads = self._desk, self._store.reads()
        messages = await desk.read(reads.absurd_notifications, AT_A_TIME)
        if messages:
            await desk.run(self._store.put_right, [], messages, desk.clock())
        after: int | None = -1
        while after is not None:
            doubtful, after = await desk.read(reads.doubtful_incidents, desk.clock(), after, AT_A_TIME)
            if doubtful:
                await desk.run(self._store.put_right, doubtful, [], desk.clock())

    async def check(self) -> None:
        """The file, if it is time or something proved to be damaged."""
        is_due = self._checked_at is None or steady_clock() - self._checked_at >= CHECKED_EVERY
        if not (is_due or self._desk.is_damaged):
            return
        self._desk.is_damaged = False
        self._checked_at = steady_clock()
        problems = await asyncio.to_thread(self._store.look_at_file, CHECK_TAKES)
        if problems is None:
            log.warning("the database file is too large to be checked while it is in use; check a backup of it")
        elif problems:
            await self._say(problems[0])

    async def _say(self, problem: str) -> None:
        log.error("the database file is damaged", problem=problem)
        if problem != self._told:
            self._told = problem
            words = (
                f"{problem}. Restart Tocsin: at the start it makes its indexes anew, which mends most of this. If it then "
                "refuses to start, `tocsin restore BACKUP`. Keep a copy of the file; look at the disk."
            )
            await self._desk.handle([tell_file(words, self._desk.clock())])
