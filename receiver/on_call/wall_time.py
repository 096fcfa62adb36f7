"""Conversion between the wall time of a zone and instants, across changes of clocks.

Rule: a wall time means the first instant at which the zone's clocks show it or a later time. So a time in a skipped
hour is at that hour's end, and a time in a repeated hour is in the first.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from rules.rota import months_later
from rules.time_zones import time_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = 1971, 2199
"""Years that an input may be in."""

_MICRO = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICRO
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=20_000)
def instant(wall: datetime, zone: str) -> int:
    """Returns the first instant (microseconds since 1970) at which clocks of the zone show `wall` or later."""
    tz = time_zone(zone)
    aware = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if aware.astimezone(tz).replace(tzinfo=None) != wall:  # skipped: the change lies between the two readings
        early = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
        while aware - early > _SECOND:
            middle = early + (aware - early) // _SECOND // 2 * _SECOND
            if middle.astimezone(tz).replace(tzinfo=None) >= wall:
                aware = middle
            else:
                early = middle
    return (aware - _EPOCH) // _MICRO


def wall(at: int, zone: str) -> datetime:
    """Returns the zone's wall time at an instant, without zone."""
    return local(at, zone).replace(tzinfo=None)


def local(at: int, zone: str) -> datetime:
    """Returns the instant as a datetime of the zone."""
    return (_EPOCH + at * _MICRO).astimezone(time_zone(zone))


def told_time(day: str, minutes: int, near: int, zone: str) -> int | None:
    """Returns the instant of a day (``2026-10-01``) and a time of day in minutes; without a day the nearest to `near`.

    None: the day does not exist.
    """
    try:
        days = [date.fromisoformat(day)] if day else [wall(near + off * _DAY, zone).date() for off in (-1, 0, 1)]
    except ValueError:
        return None
    named = (instant(datetime.combine(each, time(*divmod(minutes, 60))), zone) for each in days)
    return min(named, key=lambda at: abs(at - near))


def after_months(at: int, months: int, zone: str) -> int:
    """Returns the instant with the same wall time that many months later, on the same day of the month, or on the
    month's last day if it is shorter.
    """
    return instant(months_later(wall(at, zone), months), zone)


def read(text: str, zone: str) -> int:
    """Returns the instant in a text: RFC 3339 with an offset, or local time of the zone, or a date (its midnight).

    Raises ValueError with a message for its author.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'"{text}" is no time: write 2026-10-01T09:00, or 2026-10-01T09:00Z') from None
    if not EARLIEST <= found.year <= LATEST:
        raise ValueError(f'"{text}" is not between the years {EARLIEST} and {LATEST}')
    return instant(found, zone) if found.tzinfo is None else (found - _EPOCH) // _MICRO
