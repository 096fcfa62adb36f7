"""Instants and durations in words. An instant is told in its reader's zone, and says which that is."""

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
    """How words reach whoever takes them in."""

    WRITTEN = auto()
    """Read later, whenever that is: how long is left would be wrong by then."""
    LIVE = auto()
    """Read at this very moment: a page that renews itself."""
    SPOKEN = auto()
    """Heard at this very moment."""


def moment(at: Instant, zone: tzinfo = UTC) -> datetime:
    """The instant as a datetime of that zone."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def stamp(at: Instant, zone: tzinfo = UTC) -> str:
    """Date and time: ``2026-11-23 03:14 UTC``."""
    when = moment(at, zone)
    return f"{when:%Y-%m-%d %H:%M} {abbreviation(when)}"


def in_both_zones(at: Instant, zone: tzinfo) -> str:
    """An instant in a zone and in UTC: a time without an offset may have been meant otherwise."""
    local = f"{moment(at, zone):%a} {stamp(at, zone)}"
    return local if local.endswith(" UTC") else f"{local} ({stamp(at)})"


def abbreviation(when: datetime) -> str:
    """What its zone is called then: ``UTC``, ``CET``, ``CEST``; where people have no name for it ``UTC+4``."""
    named = when.tzname() or ""
    if named.isalpha():
        return named
    hours, minutes = divmod(abs(when.utcoffset() or timedelta()) // timedelta(minutes=1), 60)
    sign = "-" if (when.utcoffset() or timedelta()) < timedelta() else "+"
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def rfc3339(at: Instant, timespec: str = "") -> str:
    """UTC, to the microsecond where it has any; `timespec` (of `datetime.isoformat`) asks for something else."""
    spec = timespec or ("microseconds" if at % 1000 else "milliseconds")
    return moment(at).isoformat(timespec=spec).replace("+00:00", "Z")


def clock(at: Instant, now: Instant, zone: tzinfo = UTC) -> str:
    """The time of day, with the date where it is not today's: ``03:14 UTC``, ``24 Nov 03:14 UTC``."""
    when = moment(at, zone)
    date = "" if when.date() == moment(now, zone).date() else f"{when.day} {_MONTHS[when.month - 1]} "
    return f"{date}{when:%H:%M} {abbreviation(when)}"


def day_and_time(at: int, zone: tzinfo = UTC) -> str:
    """A day of the coming weeks and its time: ``Mon 30 Nov, 09:00 CET``."""
    when = moment(Instant(at), zone)
    return f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]}, {when:%H:%M} {abbreviation(when)}"


def from_until(starts: int, ends: int, zone: tzinfo = UTC) -> str:
    """``Mon 30 Nov, 09:00 until Fri 4 Dec, 17:00 CET``; within a day ``Mon 30 Nov, 09:00 until 17:00 CET``."""
    first, last = day_and_time(starts, zone), day_and_time(ends, zone)
    named = abbreviation(moment(Instant(ends), zone))
    if abbreviation(moment(Instant(starts), zone)) == named:
        first = first.removesuffix(f" {named}")
    is_same_day = moment(Instant(starts), zone).date() == moment(Instant(ends), zone).date()
    return f"{first} until {last.partition(', ')[2] if is_same_day else last}"


def duration(micros: int) -> str:
    """How long, in its two largest units: ``15 minutes``, ``1 hour 30 minutes``, ``24 hours``, ``3 days``."""
    seconds = max(0, micros) // SECOND
    if seconds < 60:
        return _count(seconds, "second")
    if micros < HOUR:
        return _count(micros // MINUTE, "minute")
    if micros < 2 * DAY:
        return _two(micros, HOUR, "hour", MINUTE, "minute")
    return _two(micros, DAY, "day", HOUR, "hour")


def as_set(micros: int, spellings: Iterable[str]) -> str:
    """How long something lasts that a policy sets, in the policy's unit: ``72 hours``, ``3 days``. `spellings`: its."""
    return in_words(spelling(micros, spellings)) or duration(micros)


def _two(micros: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(micros, large)
    more = rest // small
    return _count(whole, large_name) + (f" {_count(more, small_name)}" if more else "")


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def left(until: Instant, now: Instant) -> str:
    """How far off an instant is: ``12 minutes left``, ``5 minutes ago``."""
    return f"{duration(until - now)} left" if until > now else f"{duration(now - until)} ago"
