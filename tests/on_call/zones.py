"""Independent of what it tests: what a zone's clocks show, and a schedule worked out minute by minute.

Only the direction from an instant to wall time is asked of the zone data, which has one answer; transitions are found
by looking at every quarter of an hour.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


@lru_cache(maxsize=200)
def offsets(zone, year):
    """(instant of the change, offset from then on), from a year's start until a month into the next."""
    tz, at, end = (
        ZoneInfo(zone),
        datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=40),
        datetime(year + 1, 2, 1, tzinfo=UTC),
    )
    found = [(at, at.astimezone(tz).utcoffset())]
    while at < end:
        at += QUARTER
        if (offset := at.astimezone(tz).utcoffset()) != found[-1][1]:
            found.append((at, offset))
    return found


def changes(zone, year):
    """The instants within the year at which the zone's clocks change."""
    return [at for at, _ in offsets(zone, year)[1:] if at.year == year]


def clocks(zone, starts, ends):
    """(instant, what clocks show, the latest that they have shown) for every minute."""
    known = offsets(zone, starts.year)
    latest, at, place = None, starts - timedelta(days=1), 0
    while at < ends:
        while place + 1 < len(known) and known[place + 1][0] <= at:
            place += 1
        shown = (at + known[place][1]).replace(tzinfo=None)
        latest = shown if latest is None else max(latest, shown)
        if at >= starts:
            yield at, shown, latest
        at += MINUTE
