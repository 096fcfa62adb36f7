"""`tocsin on-call`: the shifts of the policy's schedules, without a running receiver."""

import difflib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from receiver.cli.calendar_copies import Calendars, Fetch, calendars
from receiver.cli.output import console, fail, print_json, print_table
from receiver.cli.policy_options import Paths
from receiver.clock import wall_clock
from receiver.core.model import Instant
from receiver.drill.on_call_walk import is_unknown
from receiver.messages.times import in_both_zones, stamp
from receiver.on_call.expand import shifts
from receiver.on_call.roster_json import as_json
from receiver.on_call.shift import Gap, Roster, Shift
from receiver.on_call.wall_time import local, read
from rules.load import load
from rules.policy import HOUR, MINUTE, OnCallSchedule, Policy
from rules.time_zones import time_zone

DAY = 24 * HOUR
FORTNIGHT = 14 * DAY
HORIZON = 400 * DAY
"""Microseconds around an instant in which its shift's start and end are searched."""


def on_call(
    paths: Paths = None,
    schedule: Annotated[
        str, typer.Option("--schedule", metavar="NAME", help="This one only.", show_default=False)
    ] = "",
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="Who is then; local time of the schedule, where it has no offset."),
    ] = "",
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="From then; left out: now.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Left out: a fortnight later.")] = "",
    calendar: Calendars = None,
    fetch: Fetch = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show who is on call when: shifts and gaps of every schedule. Overrides made in the running receiver are not
    included.
    """
    if at and (from_ or until):
        fail("tocsin on-call: say --at, or --from and --until", 2)
    policy = load(paths or [])
    windows = [(each, *_window(each, at or from_, until)) for each in _chosen(policy, schedule)]
    chosen = replace(policy, schedules=tuple(each for each, *_ in windows))
    given = calendars(chosen, calendar, fetch=fetch)
    rosters = [_roster(policy, given, *each, at=bool(at)) for each in windows]
    if json:
        print_json(as_json(rosters))
        return
    if not rosters:
        console.print("The policy has no schedules.")
    for (each, starts, ends), roster in zip(windows, rosters, strict=True):
        said = " to ".join(_edge(edge, each.time_zone) for edge in ((starts,) if at else (starts, ends)))
        print_table(["from", "until", "person", "source"], _rows(roster), f"\n{each.name}, {said}")


def _chosen(policy: Policy, name: str) -> tuple[OnCallSchedule, ...]:
    if not name:
        return policy.schedules
    found = policy.schedule(name)
    if found is None:
        names = [each.name for each in policy.schedules]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names) or 'none'}"
        fail(f"tocsin on-call: the policy has no schedule {name!r}; {hint}", 2)
    return (found,)


def _window(schedule: OnCallSchedule, starts: str, ends: str) -> tuple[int, int]:
    """Returns start and end. Exits if they are invalid."""
    try:
        first = read(starts, schedule.time_zone) if starts else wall_clock() // MINUTE * MINUTE
        last = read(ends, schedule.time_zone) if ends else first + FORTNIGHT
    except ValueError as error:
        fail(f"tocsin on-call: {error}", 2)
    if last <= first:
        fail(f"tocsin on-call: --until is not after --from ({_edge(first, schedule.time_zone)})", 2)
    return first, last


def _roster(
    policy: Policy, given: dict[str, str], schedule: OnCallSchedule, starts: int, ends: int, *, at: bool
) -> Roster:
    """Returns the schedule in the window; `at`: only the shifts at its start, with their full length."""
    first, last = (starts - HORIZON, starts + HORIZON) if at else (starts, ends)
    is_known = schedule.name in given or not is_unknown(schedule)
    if not is_known:
        place = f"{schedule.name}: {schedule.calendar_shown} is fetched by the service"
        _say(f"{place}; ask it now with --fetch, or give a copy: --calendar NAME=FILE")
    (found,) = shifts(replace(policy, schedules=(schedule,)), given, (), first, last)
    if not is_known:
        return replace(found, gaps=())  # unknown, not gaps
    if found.fault:
        fail(f"tocsin on-call: {schedule.name}: its calendar: {found.fault}")
    for name in found.unknown:
        _say(f'{schedule.name}: the calendar names nobody of `people` with "{name}": write that among their `aliases`')
    for name in found.free:
        _say(f"{schedule.name}: events that name {name} are marked as free, and put nobody on call")
    for name in found.backwards:
        _say(f'{schedule.name}: the event "{name}" ends before it begins, and puts nobody on call: mend it')
    if not at:
        return found
    gaps = tuple(each for each in found.gaps if each.starts <= starts < each.ends)
    return Roster(found.name, found.time_zone, found.at(starts), gaps)


def _say(what: str) -> None:
    """Prints a remark on standard error: programs read the answer from standard output."""
    print(what, file=sys.stderr)


def _rows(roster: Roster) -> Iterator[tuple[str, str, str, str]]:
    """Yields shifts and gaps in order, in the schedule's zone."""
    parts: list[Shift | Gap] = sorted((*roster.shifts, *roster.gaps), key=lambda each: each.starts)
    if not parts:
        yield "", "", "not known", ""
    for each in parts:
        who = (each.person, each.source) if isinstance(each, Shift) else ("nobody", "")
        yield _told(each.starts, roster.time_zone), _told(each.ends, roster.time_zone), *who


def _told(at: int, zone: str) -> str:
    return f"{local(at, zone):%a} {stamp(Instant(at), time_zone(zone))}"


def _edge(at: int, zone: str) -> str:
    return in_both_zones(Instant(at), time_zone(zone))
