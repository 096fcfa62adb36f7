"""`--calendar NAME=FILE` and `--fetch`: the calendars at URLs, for commands that check a policy."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.output import fail
from receiver.drill.on_call_walk import is_unknown, with_copies
from rules.calendar_files import LARGEST
from rules.calendar_text import calendars_in
from rules.policy import OnCallSchedule, Policy
from rules.whole_files import read_whole

Calendars = Annotated[
    list[str] | None,
    typer.Option("--calendar", metavar="NAME=FILE", help="A copy of the calendar that a schedule has at a URL."),
]
Fetch = Annotated[
    bool, typer.Option("--fetch", help="Ask the URLs of calendars of which no copy is given, each for 10 s at most.")
]


def calendars(policy: Policy, given: list[str] | None, *, fetch: bool) -> dict[str, str]:
    """Returns schedule → iCalendar text, from files that replace URLs, and with `fetch` from the URLs.

    Exits if a file does not exist. URLs that cannot be fetched are reported on standard error and left out.
    """
    (found,) = _copies((policy,), given, fetch=fetch)
    return found


def with_calendars(*policies: Policy, given: list[str] | None, fetch: bool) -> list[Policy]:
    """Returns the policies with those texts; schedules without a calendar are reported on standard error."""
    copies = _copies(policies, given, fetch=fetch)
    known = [with_copies(policy, each) for policy, each in zip(policies, copies, strict=True)]
    said = [why for policy in known for each in policy.schedules if (why := _why_unknown(each))]
    for why in dict.fromkeys(said):
        print(why, file=sys.stderr)
    return known


def _why_unknown(schedule: OnCallSchedule) -> str:
    """Returns why the schedule's calendar has no shifts here; empty: it can be read."""
    if is_unknown(schedule):
        ask = f"ask {schedule.calendar_shown} with --fetch, or give a copy of it: --calendar NAME=FILE"
        return f"{schedule.name}: nobody is on call: {ask}"
    try:
        if schedule.is_fetched:
            calendars_in(schedule.calendar_text)
    except ValueError as error:
        return f"{schedule.name}: nobody is on call: the copy of its calendar {error}"
    return ""


def _copies(policies: Sequence[Policy], given: list[str] | None, *, fetch: bool) -> list[dict[str, str]]:
    """Returns the copies for each policy; a URL that several name is fetched once."""
    files = _files(policies, given)
    wanted = {each.calendar: each for policy in policies for each in policy.schedules if each.is_fetched}
    left = [each for each in wanted.values() if each.name not in files]
    asked = asyncio.run(_ask(left)) if fetch and left else {}
    return [
        {
            each.name: text
            for each in policy.schedules
            if each.calendar and (text := files.get(each.name) or asked.get(each.calendar))
        }
        for policy in policies
    ]


def _files(policies: Sequence[Policy], given: list[str] | None) -> dict[str, str]:
    """Returns schedule → the text of its file."""
    known = {each.name for policy in policies for each in policy.schedules if each.calendar}
    found: dict[str, str] = {}
    for each in given or []:
        name, _, file = each.partition("=")
        if name not in known or not file:
            names = f": it has {', '.join(sorted(known))}" if known else ", which has none"
            fail(f"tocsin: --calendar takes a schedule by a calendar of the policy{names}; NAME=FILE, not {each!r}", 2)
        try:
            found[name] = read_whole(Path(file), LARGEST).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"tocsin: --calendar {each}: {getattr(error, 'strerror', '') or 'it is no text in UTF-8'}", 2)
    return found


async def _ask(schedules: Iterable[OnCallSchedule]) -> dict[str, str]:
    """Returns URL → its text, fetched at the same time."""
    from receiver.clients.calendar_download import CalendarFeeds, FeedFailed

    feeds = CalendarFeeds()

    async def one(schedule: OnCallSchedule) -> tuple[str, str]:
        try:
            return schedule.calendar, (await feeds.fetch(schedule.calendar)).text
        except FeedFailed as error:
            said = f"{schedule.name}: {schedule.calendar_shown} could not be asked: {error.reason}"
            print(f"{said}; give a copy: --calendar {schedule.name}=FILE", file=sys.stderr)
            return schedule.calendar, ""

    try:
        return {url: text for url, text in await asyncio.gather(*map(one, schedules)) if text}
    finally:
        await feeds.close()
