"""The operations of on-call schedules and their overrides."""

from collections.abc import Callable, Iterable, Mapping

from receiver.core.audit_log import audit_of
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.model import Instant
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.times import in_both_zones, rfc3339
from receiver.on_call.expand import why_void
from receiver.on_call.override_log import KeptOverride, OverrideChange, as_override
from receiver.on_call.shift import Roster, Shift
from receiver.on_call.wall_time import read
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
from receiver.web.api.rosters import RosterReader
from receiver.web.http.problem_details import HttpProblem
from rules.policy import OnCallSchedule
from rules.time_zones import time_zone


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
