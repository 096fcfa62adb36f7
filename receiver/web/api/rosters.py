"""On-call rosters of the policy in use, with the overrides applied; the operations of schedules and overrides."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from receiver.core.audit_log import audit_of
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.model import Instant
from receiver.core.shift_log import HandoffMessage, ShiftEntry, as_it_was
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.times import in_both_zones, rfc3339
from receiver.on_call.calendar_copy import copies_for
from receiver.on_call.expand import shifts, why_void
from receiver.on_call.override_log import KeptOverride, OverrideChange, as_override, in_effect, kept
from receiver.on_call.shift import Roster, Shift
from receiver.on_call.wall_time import read
from receiver.store.reads import Reads
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.responses import (
    FetchedCalendarView,
    OnCallView,
    OverridesView,
    OverrideView,
    ScheduleView,
    ShiftView,
)
from receiver.web.http.problem_details import HttpProblem
from rules.policy import HOUR, MINUTE, OnCallSchedule, Policy
from rules.time_zones import time_zone

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


class OnCallApi:
    """Handlers of /on-call and /overrides."""

    def __init__(
        self, queue: CommandQueue, engine: Engine, rosters: RosterReader, clock: Callable[[], Instant]
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._rosters = rosters
        self._clock = clock

    async def on_call(self, _call: Call[requests.Nothing]) -> OnCallView:
        """List each schedule's current and next shifts."""
        now = self._clock()
        rosters, fetched = await self._rosters.about(now), await self._rosters.fetches()
        return OnCallView(schedules=[_schedule(each, now, fetched) for each in rosters])

    async def list(self, _call: Call[requests.Nothing]) -> OverridesView:
        """List the overrides that are in effect or planned."""
        return await self._show()

    async def make(self, call: Call[requests.OverrideBody]) -> OverridesView:
        """Create an override; where two overlap, the later one applies."""
        said, now = call.said, self._clock()
        schedule = self._schedule(said.schedule)
        if self._engine.current.policy.person(said.person) is None:
            names = ", ".join(person.name for person in self._engine.current.policy.people)
            raise HttpProblem(409, f"the policy has nobody named {said.person!r}; it has {names or 'no people'}")
        starts = _time(said.starts, schedule) if said.starts else now
        ends = _time(said.ends, schedule)
        if ends <= max(starts, now):
            end = in_both_zones(Instant(ends), time_zone(schedule.time_zone))
            why = "and is over" if ends <= now else "before it begins"
            raise HttpProblem(409, f"the override ends {end}, {why}")
        by = call.by(said.by)
        change = OverrideChange(now, by, said.reason, schedule.name, said.person, starts, ends)
        data = {"schedule": schedule.name, "person": said.person, "starts": rfc3339(Instant(starts))}
        data |= {"ends": rfc3339(Instant(ends)), "reason": said.reason, "by": by}
        entry = audit_of(call.caller.origin, now, "override", data=data)
        await self._queue.run(self._engine.override, change, entry, urgency=PEOPLE)
        return await self._show()

    async def cancel(self, call: Call[requests.CancelOverrideBody]) -> OverridesView:
        """Cancel an override with effect from now."""
        now, by = self._clock(), call.by(call.said.by)
        found = next((each for each in await self._rosters.overrides() if str(each.number) == call.part), None)
        if found is None:
            raise HttpProblem(404, f"there is no override {call.part}")
        if found.is_over(now):
            raise HttpProblem(409, f"override {call.part} is over")
        data = {"override": call.part, "reason": call.said.reason, "by": by}
        entry = audit_of(call.caller.origin, now, "cancel-override", data=data)
        change = OverrideChange(now, by, call.said.reason, cancels=found.number)
        await self._queue.run(self._engine.override, change, entry, urgency=PEOPLE)
        return await self._show()

    def _schedule(self, name: str) -> OnCallSchedule:
        policy = self._engine.current.policy
        found = policy.schedule(name)
        if found is None:
            names = ", ".join(each.name for each in policy.schedules)
            raise HttpProblem(409, f"the policy has no schedule {name!r}; it has {names or 'none'}")
        return found

    async def _show(self) -> OverridesView:
        now = self._clock()
        return OverridesView(
            overrides=[self._view(each) for each in await self._rosters.overrides() if not each.is_over(now)]
        )

    def _view(self, each: KeptOverride) -> OverrideView:
        change, policy = each.change, self._engine.current.policy
        schedule = policy.schedule(change.schedule)
        return OverrideView(
            number=each.number,
            schedule=change.schedule,
            time_zone=schedule.time_zone if schedule else "UTC",
            person=change.person,
            starts=rfc3339(Instant(change.starts)),
            ends=rfc3339(Instant(change.ends)),
            by=change.by,
            reason=change.reason,
            void=why_void(policy, as_override(each)),
        )


def _time(text: str, schedule: OnCallSchedule) -> int:
    try:
        return read(text, schedule.time_zone)
    except (ValueError, OverflowError) as error:
        raise HttpProblem(409, str(error)) from None


def _schedule(roster: Roster, now: Instant, fetched: Mapping[str, CalendarFetches | None]) -> ScheduleView:
    following = (each for each in roster.shifts if each.starts > now)
    return ScheduleView(
        name=roster.name,
        time_zone=roster.time_zone,
        now=_shifts(roster.at(now)),
        next=next(iter(_shifts(following)), None),
        calendar=_calendar(roster, fetched[roster.name]) if roster.name in fetched else None,
    )


def _calendar(roster: Roster, fetches: CalendarFetches | None) -> FetchedCalendarView:
    good_at = fetches.good_at if fetches else None
    return FetchedCalendarView(
        fetched_at=None if good_at is None else rfc3339(good_at),
        problem=roster.fault or (fetches.detail if fetches else "it was not fetched yet"),
        unknown=list(roster.unknown),
    )


def _shifts(found: Iterable[Shift]) -> list[ShiftView]:
    return [
        ShiftView(
            person=each.person,
            starts=rfc3339(Instant(each.starts)),
            ends=rfc3339(Instant(each.ends)),
            source=each.source,
        )
        for each in found
    ]
