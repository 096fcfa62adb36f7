"""On-call rosters of the policy in use, with the overrides applied."""

from collections.abc import Sequence

from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.model import Instant
from receiver.core.shift_log import HandoffMessage, ShiftEntry, as_it_was
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.on_call.calendar_copy import copies_for
from receiver.on_call.expand import shifts
from receiver.on_call.override_log import KeptOverride, in_effect, kept
from receiver.on_call.shift import Roster
from receiver.store.reads import Reads
from rules.policy import HOUR, MINUTE, Policy

AHEAD = 35 * 24 * HOUR
"""How far back and ahead shifts are expanded: bounds the start of the current shift and the search for the next."""


LATELY = MINUTE
"""Microseconds: what is older is read from the shift log, which is up to date by then."""

TOLD = 200
"""Handoff messages read, at most."""


class RosterReader:
    """Reads overrides and expands schedules with them."""

    def __init__(self, queue: CommandQueue, engine: Engine, reads: Reads) -> None:
        self._queue = queue
        self._engine = engine
        self._reads = reads

    @property
    def policy(self) -> Policy:
        """The policy in use."""
        return self._engine.current.policy

    async def overrides(self) -> Sequence[KeptOverride]:
        """Every override, in the order of creation."""
        return kept(await self._queue.read(self._reads.override_changes))

    async def fetches(self) -> dict[str, CalendarFetches | None]:
        """Fetch results of each schedule with a calendar URL; None: not fetched yet."""
        names = [each.name for each in self.policy.schedules if each.is_fetched]
        return {name: await self._queue.read(self._reads.calendar_fetches, name) for name in names}

    async def log(self, since: int) -> dict[str, list[ShiftEntry]]:
        """Each schedule's shift log entries from `since` (microseconds since 1970) on, and the one before; in order."""
        names = [each.name for each in self.policy.schedules]
        return {name: await self._queue.read(self._reads.handoffs.entries, name, Instant(since)) for name in names}

    async def told(self) -> list[HandoffMessage]:
        """The newest handoff messages, the newest first."""
        return await self._queue.read(self._reads.handoffs.newest, TOLD)

    async def between(self, from_: int, until: int) -> tuple[Roster, ...]:
        """Every schedule's shifts and gaps between two times (microseconds since 1970), in the policy's order.

        Past shifts come from the shift log.
        """
        policy, past = self.policy, self._queue.clock() - LATELY

        def expand() -> tuple[Roster, ...]:
            calendars = copies_for(policy, self._reads.calendar_texts())
            found = shifts(policy, calendars, in_effect(kept(self._reads.override_changes())), from_, until)
            return tuple(
                as_it_was(each, self._reads.handoffs.entries(each.name, Instant(from_)), past) for each in found
            )

        return await self._queue.browse(expand) if policy.schedules else ()

    async def about(self, now: int) -> tuple[Roster, ...]:
        """Rosters from AHEAD before `now` to AHEAD after it."""
        return await self.between(now - AHEAD, now + AHEAD)
