"""`/on-call`: current and next shifts, and overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from pydantic import ValidationError

from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.shift_log import HandoffMessage, ShiftEntry
from receiver.on_call.expand import why_void
from receiver.on_call.override_log import KeptOverride, as_override
from receiver.on_call.references import whose_name
from receiver.on_call.shift import Gap, Roster, Shift
from receiver.on_call.standing import ScheduleStanding, standing
from receiver.on_call.wall_time import local, wall
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.rosters import AHEAD, OnCallApi, RosterReader
from receiver.web.console.on_call_drawing import DrawnWeek, drawn_weeks, midnight
from receiver.web.console.pages import Frame, Visit, go_to
from receiver.web.http.problem_details import HttpProblem, invalid
from rules.policy import HOUR, Policy

FORTNIGHT, QUARTER = 2, 13
"""Weeks."""

HANDOFFS = 10
"""Past handoffs of a schedule, at most."""

LISTED = 200
"""Shifts and gaps listed as text, at most."""


@dataclass(frozen=True, slots=True)
class CalendarState:
    """State of a schedule's calendar."""

    place: str
    """Its place, masked where it holds a secret."""
    good_at: int | None
    """When the copy was last fetched or confirmed as unchanged; None: never, or the calendar is a file."""
    problems: tuple[str, ...]
    """Faults, each with its remedy."""


@dataclass(frozen=True, slots=True)
class LoggedHandoff:
    """A shift log entry with the messages about it."""

    entry: ShiftEntry
    told: tuple[HandoffMessage, ...]


@dataclass(frozen=True, slots=True)
class ScheduleCard:
    """One schedule on the page."""

    roster: Roster
    standing: ScheduleStanding
    weeks: tuple[DrawnWeek, ...]
    lines: Sequence[Shift | Gap]
    """Its shifts and gaps from now on, ordered by start."""
    uncovered: int
    """Microseconds from now on without a person on call."""
    ends: int | None
    """When the last person on call now ends; None: no person is on call, or the end is beyond the expanded window."""
    typed_end: str
    """`ends` as a form field's value."""
    calendar: CalendarState | None
    """None: the schedule has layers instead."""
    handoffs: tuple[LoggedHandoff, ...]
    """Past handoffs, the newest first."""


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """An override that is in effect or planned."""

    kept: KeptOverride
    zone: str
    void: str


@dataclass(frozen=True, slots=True)
class OnCallPage:
    """Handlers of the on-call page and its buttons."""

    frame: Frame
    rosters: RosterReader
    api: OnCallApi

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        return await self._page(visit)

    async def take(self, visit: Visit) -> web.Response:
        """Makes an override from the form."""
        try:
            await self.api.make(Call(visit.caller, _body(visit), "", ""))
        except HttpProblem as problem:
            if problem.status not in {400, 409}:
                raise
            return await self._page(visit, problem)
        return go_to("/on-call?done=take#said")

    async def cancel(self, visit: Visit) -> web.Response:
        """Ends an override."""
        call = Call(visit.caller, requests.CancelOverrideBody(), "", "", visit.form.get("override", ""))
        try:
            await self.api.cancel(call)
        except HttpProblem as problem:
            if problem.status not in {404, 409}:
                raise
            return await self._page(visit, problem)
        return go_to("/on-call?done=cancel#said")

    async def _page(self, visit: Visit, problem: HttpProblem | None = None) -> web.Response:
        now, policy = visit.now, self.rosters.policy
        weeks = QUARTER if visit.request.query.get("weeks") == str(QUARTER) else FORTNIGHT
        rosters = await self.rosters.between(now - AHEAD, now + (QUARTER * 7 + 2) * 24 * HOUR)
        kept, fetches = await self.rosters.overrides(), await self.rosters.fetches()
        log, told = await self.rosters.log(now - AHEAD), await self.rosters.told()
        return self.frame.page(
            visit,
            "on_call.html",
            status=problem.status if problem else 200,
            cards=[
                _card(
                    each, policy, now, weeks, _calendar(each, policy, fetches), _handoffs(log.get(each.name, []), told)
                )
                for each in rosters
            ],
            overrides=[_row(each, policy) for each in kept if not each.is_over(now)],
            people=policy.people,
            me=whose_name(policy, visit.caller.name),
            weeks=weeks,
            problem=problem,
            typed=visit.form,
            done=visit.request.query.get("done", ""),
        )


def _body(visit: Visit) -> requests.OverrideBody:
    said = {name: value for name, value in visit.form.items() if value and name != "csrf"}
    try:
        return requests.OverrideBody.model_validate(said, strict=False)
    except ValidationError as error:
        raise invalid(error, "form") from None


def _calendar(roster: Roster, policy: Policy, fetches: Mapping[str, CalendarFetches | None]) -> CalendarState | None:
    schedule = policy.schedule(roster.name)
    if schedule is None or not schedule.calendar:
        return None
    found = fetches.get(roster.name)
    good_at = found.good_at if found else None
    problems = []
    if roster.fault:
        problems.append(f"It cannot be read, and puts nobody on call: {roster.fault}. Mend it where it is made.")
    if schedule.is_fetched and found is None:
        problems.append("It was not fetched yet, and puts nobody on call. It is tried within a minute.")
    if found is not None and found.detail:
        copy = "The last good copy stays in use" if good_at else "There is no copy, so it puts nobody on call"
        problems.append(f"The last fetch was not good: {found.detail}. {copy}; it is tried every five minutes.")
    if found is not None and found.thinner:
        problems.append(f"In use is a copy of which people were told: {found.thinner}. Fill it, or take the schedule.")
    problems += [
        f"Nobody of the policy is called “{name}”: write it among a person's aliases, or take the event out."
        for name in roster.unknown
    ]
    problems += [
        f"Events that name {name} are marked as free, and put nobody on call: mark them as busy, or take them out."
        for name in roster.free
    ]
    problems += [
        f"The event “{name}” ends before it begins, and puts nobody on call: mend it where it is made."
        for name in roster.backwards
    ]
    return CalendarState(schedule.calendar_shown, good_at, tuple(problems))


def _handoffs(entries: Sequence[ShiftEntry], told: Sequence[HandoffMessage]) -> tuple[LoggedHandoff, ...]:
    """Handoffs after the first entry, which only marks the start of the log or of the read window."""
    newest = list(reversed(entries[1:]))[:HANDOFFS]
    messages = {each: tuple(m for m in told if (m.schedule, m.at) == (each.schedule, each.at)) for each in newest}
    return tuple(LoggedHandoff(*each) for each in messages.items())


def _card(
    roster: Roster,
    policy: Policy,
    now: int,
    weeks: int,
    calendar: CalendarState | None,
    handoffs: tuple[LoggedHandoff, ...],
) -> ScheduleCard:
    today = local(now, roster.time_zone).date()
    until = midnight(today + timedelta(days=7 * weeks), roster.time_zone)
    pieces: tuple[Shift | Gap, ...] = (*roster.shifts, *roster.gaps)
    coming = [each for each in pieces if each.ends > now and each.starts < until]
    holes = (min(each.ends, until) - max(each.starts, now) for each in coming if isinstance(each, Gap))
    stands = standing(roster, now)
    ends = None if stands.ends == roster.looked_at[1] else stands.ends
    return ScheduleCard(
        roster,
        stands,
        drawn_weeks(roster, [each.name for each in policy.people], now, weeks),
        sorted(coming, key=lambda each: each.starts)[:LISTED],
        sum(holes),
        ends,
        f"{wall(ends, roster.time_zone):%Y-%m-%dT%H:%M}" if ends else "",
        calendar,
        handoffs,
    )


def _row(each: KeptOverride, policy: Policy) -> OverrideRow:
    schedule = policy.schedule(each.change.schedule)
    return OverrideRow(each, schedule.time_zone if schedule else "UTC", why_void(policy, as_override(each)))
