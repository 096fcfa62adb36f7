"""`--calendar NAME=FILE` and `--fetch`: what stands at the URLs of calendars, for commands that prove a policy."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.output import fail
from rules.calendar_files import LARGEST
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
    """Schedule → iCalendar text, of files that stand for URLs, and with `fetch` of the URLs themselves.

    Ends the program where there is no such file. What could not be asked is said on standard error, and left out.
    """
    found: dict[str, str] = {}
    for each in given or []:
        name, _, file = each.partition("=")
        if policy.schedule(name) is None or not file:
            fail(f"tocsin: --calendar takes a schedule of the policy and a file, NAME=FILE, not {each!r}", 2)
        try:
            found[name] = read_whole(Path(file), LARGEST).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"tocsin: --calendar {each}: {getattr(error, 'strerror', '') or 'it is no text'}", 2)
    wanted = [each for each in policy.schedules if each.is_fetched and each.name not in found]
    return found | (asyncio.run(_ask(wanted)) if fetch and wanted else {})


async def _ask(schedules: Iterable[OnCallSchedule]) -> dict[str, str]:
    """What stands at their URLs now, all asked at the same time."""
    from receiver.clients.calendar_download import CalendarFeeds, FeedFailed

    feeds = CalendarFeeds()

    async def one(schedule: OnCallSchedule) -> tuple[str, str]:
        try:
            return schedule.name, (await feeds.fetch(schedule.calendar)).text
        except FeedFailed as error:
            said = f"{schedule.name}: {schedule.calendar_shown} could not be asked: {error.reason}"
            print(f"{said}; give a copy: --calendar {schedule.name}=FILE", file=sys.stderr)
            return schedule.name, ""

    try:
        return {name: text for name, text in await asyncio.gather(*map(one, schedules)) if text}
    finally:
        await feeds.close()
