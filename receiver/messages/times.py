"""Instants and durations in words. An instant is shown in its reader's zone, with the zone's name."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum, auto

from receiver.core.model import Instant
from rules.durations import in_words, spelling
from rules.policy import HOUR, MINUTE, SECOND

DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Manner(StrEnum):
    """How a text reaches its reader."""

    WRITTEN = auto()
    """Read at an unknown later time: remaining durations are left out, because they would be wrong."""
    LIVE = auto()
    """Read immediately: a page that refreshes itself."""
    SPOKEN = auto()
    """Heard immediately."""


def moment(at: Instant, zone: tzinfo = UTC) -> datetime:
    """Returns the instant as a datetime in that zone."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def stamp(at: Instant, zone: tzinfo = UTC) -> str:
    """Returns date and time: ``2026-11-23 03:14 UTC``."""
    when = moment(at, zone)
    return f"{when:%Y-%m-%d %H:%M} {abbreviation(when)}"


def in_both_zones(at: Instant, zone: tzinfo) -> str:
    """Returns an instant in a zone and in UTC, so that a time entered without an offset can be checked."""
    local = f"{moment(at, zone):%a} {stamp(at, zone)}"
    return local if local.endswith(" UTC") else f"{local} ({stamp(at)})"


def abbreviation(when: datetime) -> str:
    """Returns the zone's name at that time: ``UTC``, ``CET``, ``CEST``; ``UTC+4`` for zones without a name."""
    named = when.tzname() or ""
    if named.isalpha():
        return named
    hours, minutes = divmod(abs(when.utcoffset() or timedelta()) // timedelta(minutes=1), 60)
    sign = "-" if (when.utcoffset() or timedelta()) < timedelta() else "+"
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def rfc3339(at: Instant, timespec: str = "") -> str:
    """Returns UTC, with microseconds unless they are zero; `timespec` (of `datetime.isoformat`) overrides that."""
    spec = timespec or ("microseconds" if at % 1000 else "milliseconds")
    return moment(at).isoformat(timespec=spec).replace("+00:00", "Z")


def clock(at: Instant, now: Instant, zone: tzinfo = UTC) -> str:
    """Returns the time of day, with the date unless it is today: ``03:14 UTC``, ``24 Nov 03:14 UTC``."""
    when = moment(at, zone)
    date = "" if when.date() == moment(now, zone).date() else f"{when.day} {_MONTHS[when.month - 1]} "
    return f"{date}{when:%H:%M} {abbreviation(when)}"


def day_and_time(at: int, zone: tzinfo = UTC) -> str:
    """Returns weekday, date and time without the year: ``Mon 30 Nov, 09:00 CET``."""
    when = moment(Instant(at), zone)
    return f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]}, {when:%H:%M} {abbreviation(when)}"


def from_until(starts: int, ends: int, zone: tzinfo = UTC) -> str:
    """Returns ``Mon 30 Nov, 09:00 until Fri 4 Dec, 17:00 CET``; within a day ``Mon 30 Nov, 09:00 until 17:00 CET``."""
    first, last = day_and_time(starts, zone), day_and_time(ends, zone)
    named = abbreviation(moment(Instant(ends), zone))
    if abbreviation(moment(Instant(starts), zone)) == named:
        first = first.removesuffix(f" {named}")
    is_same_day = moment(Instant(starts), zone).date() == moment(Instant(ends), zone).date()
    return f"{first} until {last.partition(', ')[2] if is_same_day else last}"


def duration(micros: int) -> str:
    """Returns a duration in its two largest units: ``15 minutes``, ``1 hour 30 minutes``, ``24 hours``, ``3 days``;
    of less than a second, and if negative, ``less than a second``.
    """
    seconds = micros // SECOND
    if seconds < 1:
        return "less than a second"
    if seconds < 60:
        return _count(seconds, "second")
    if micros < HOUR:
        return _count(micros // MINUTE, "minute")
    if micros < 2 * DAY:
        return _two(micros, HOUR, "hour", MINUTE, "minute")
    return _two(micros, DAY, "day", HOUR, "hour")


def as_set(micros: int, spellings: Iterable[str]) -> str:
    """Returns a policy's duration in the policy's unit: ``72 hours``, ``3 days``. `spellings`: the
    policy's spellings.
    """
    return in_words(spelling(micros, spellings)) or duration(micros)


def _two(micros: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(micros, large)
    more = rest // small
    return _count(whole, large_name) + (f" {_count(more, small_name)}" if more else "")


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def left(until: Instant, now: Instant) -> str:
    """Returns the distance to an instant: ``12 minutes left``, ``5 minutes ago``."""
    return f"{duration(until - now)} left" if until > now else f"{duration(now - until)} ago"
