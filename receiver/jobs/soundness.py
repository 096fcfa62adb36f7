"""Maintains the database: finds, sets aside and reports damaged rows, checks the file, and shortens its journal.

The service runs `look` every few seconds and `check` every minute. Damage does not make the service unready: intact
rows remain usable.
"""

import asyncio

import structlog

from receiver.clock import steady_clock
from receiver.core.soundness import tell_file, tell_rows
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.store import SqlStore
from receiver.store.integrity import IntegrityFindings, indexes_of
from rules.policy import HOUR, MINUTE

EVERY = 10.0
"""Seconds between two searches for unreported damage."""

CHECK_EVERY = 60.0
"""Seconds between two decisions whether the file's check is due."""

EXAMINED_EVERY = MINUTE
"""Microseconds between two examinations of all incidents that are not closed."""

CHECKED_EVERY = 24 * HOUR
"""Microseconds between two checks of a file without signs of damage."""

SUSPECTED_EVERY = HOUR
"""Microseconds between two checks of a file with signs of damage."""

MENDED = (
    "Its indexes did not agree with its tables and were made anew: nothing is wrong with it now. It was copied while "
    "it was in use, or the disk is failing. Messages may have been late until then."
)
WHAT_TO_DO = (
    "Restart Tocsin: at the start it makes all indexes anew, which mends most of this. If it then refuses to start, "
    "`tocsin restore BACKUP`. Keep a copy of the file, and look at the disk."
)

CHECK_TAKES = 120.0
"""Seconds that a check of the file may take."""

AT_A_TIME = 200
"""Rows per read."""

TOLD_AT_ONCE = 10_000
"""Damaged rows reported per run."""

log = structlog.get_logger()


class Soundness:
    """Examines rows and the file."""

    def __init__(self, queue: CommandQueue, store: SqlStore, state: ServiceState) -> None:
        self._queue = queue
        self._store = store
        self._state = state
        self._examined_at: int | None = None
        self._checked_at = None if store.found is IntegrityFindings.UNKNOWN else steady_clock()
        self._suspected_at: int | None = None
        self._unsaid = MENDED if store.found is IntegrityFindings.MENDED else ""
        self._said = ""

    async def look(self) -> None:
        """Examine what is not closed, if due, and report damage. Raises StoreUnavailable."""
        if _is_over(self._examined_at, EXAMINED_EVERY):
            await self._queue.run(self._store.shorten_journal)
            await self._examine()
            self._examined_at = steady_clock()
        if self._unsaid:
            await self._say(self._unsaid)
            self._unsaid = ""
        rows = await self._queue.read(self._store.reads().doubts.untold, TOLD_AT_ONCE)
        if rows:
            await self._queue.handle([tell_rows(rows, self._queue.clock())])
            await self._queue.run(self._store.told_damage, [(what, id_) for what, id_, _ in rows])

    async def _examine(self) -> None:
        """Repair notifications without a usable due time, and unreadable or contradictory incidents."""
        queue, doubts = self._queue, self._store.reads().doubts
        messages = await queue.read(doubts.notifications, AT_A_TIME)
        if messages:
            await queue.run(self._store.put_right, [], messages, queue.clock())
        after: int | None = -1
        while after is not None:
            doubtful, after = await queue.read(doubts.incidents, queue.clock(), after, AT_A_TIME)
            if doubtful:
                await queue.run(self._store.put_right, doubtful, [], queue.clock())

    async def check(self) -> None:
        """Check the file, if due or if damage is suspected."""
        if not (_is_over(self._checked_at, CHECKED_EVERY) or self._is_suspect()):
            return
        self._checked_at = steady_clock()
        problems = await asyncio.to_thread(self._store.look_at_file, CHECK_TAKES)
        for index in indexes_of(problems or ()):
            log.error("an index of the database is damaged; it is made anew", index=index)
            await self._queue.run(self._store.reindex, index)
        if problems and indexes_of(problems):
            problems = await asyncio.to_thread(self._store.look_at_file, CHECK_TAKES) or [MENDED]
        if problems is None:
            log.warning("the database file is too large to be checked while it is in use; check a backup of it")
        elif problems:
            await self._say(problems[0] if problems[0] is MENDED else f"{problems[0]}. {WHAT_TO_DO}")

    def _is_suspect(self) -> bool:
        """Whether suspected damage makes a check due."""
        suspect, self._state.is_damage_suspected = self._state.is_damage_suspected, False
        if not suspect or not _is_over(self._suspected_at, SUSPECTED_EVERY):
            return False
        self._suspected_at = steady_clock()
        return True

    async def _say(self, words: str) -> None:
        log.error("the database file is damaged", what=words)
        if words != self._said:
            await self._queue.handle([tell_file(words, self._queue.clock())])
            self._said = words


def _is_over(since: int | None, microseconds: int) -> bool:
    return since is None or steady_clock() - since >= microseconds
