"""The notation of rotations: ``1w``, ``1month``, ``2026-10-01T09:00``, ``09:00``.

The document models validate with it; the receiver's on-call package parses the validated texts with it. All times are
wall time in the schedule's zone.
"""

import re
from calendar import monthrange
from datetime import datetime
from typing import Literal, NamedTuple

Unit = Literal["m", "h", "d", "w", "month"]

DAY_MINUTES = 1440

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As in `only`, in the order of `datetime.weekday`."""

EVERY_FORM = r"^[1-9]\d{0,3}(m|h|d|w|month)$"
_EVERY = re.compile(EVERY_FORM, re.ASCII)
_EVERY_EXAMPLES = '"12h", "1d", "1w", "2w" or "1month"'
_NEARLY = re.compile(r"(\d{0,4})\s*(m|h|d|w|mo|min|hour|day|week|month)(?:ute)?(?:s|ly)?", re.IGNORECASE)
"""Common other notations of a length: ``1 week``, ``weekly``, ``2W``."""
_UNITS: dict[str, Unit] = {"min": "m", "hour": "h", "day": "d", "week": "w", "mo": "month"}
_LARGER: dict[str, tuple[int, Unit]] = {"m": (1440, "d"), "h": (24, "d")}
"""Unit → the number of them in a day, and the unit of days."""

START_FORM = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d$"
TIME_FORM = r"^([01]\d|2[0-4]):[0-5]\d$"
_TIME = re.compile(TIME_FORM, re.ASCII)


class Every(NamedTuple):
    """The length of a turn."""

    number: int
    unit: Unit

    @property
    def slot_minutes(self) -> int:
        """Minutes between possible handoffs, for turns in minutes, hours or days."""
        return {"m": 1, "h": 60}.get(self.unit, 0) * self.number or DAY_MINUTES


def parse_every(text: str) -> Every:
    """Parse the length of a turn. Raises ValueError with a message for the policy's author."""
    found = _EVERY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is no length of a turn: {_meant(text.strip())}')
    unit: Unit = found[1]  # type: ignore[assignment] # the pattern has no others
    every = Every(int(text.strip().removesuffix(unit)), unit)
    if unit in _LARGER:
        per_day, larger = _LARGER[unit]
        if every.number % per_day == 0:
            raise ValueError(f'"{text}" is whole days: write "{every.number // per_day}{larger}"')
        if per_day % every.number:
            raise ValueError(
                f'"{text}" does not divide a day, so handoffs would wander: write for example "8h" or "1d"'
            )
    return every


def _meant(text: str) -> str:
    """The suggested notation."""
    if text.isdecimal():
        return f'it needs a unit: write for example "{text}d"'
    nearly = _NEARLY.fullmatch("day" if text.lower() == "daily" else text)
    if nearly is None or (nearly[1] and not int(nearly[1])):
        return f"write for example {_EVERY_EXAMPLES}"
    if nearly[2] == "M":  # months, not minutes
        return f'write "{nearly[1] or 1}month"'
    word = nearly[2].lower()
    return f'write "{nearly[1] or 1}{_UNITS.get(word, word)}"'


def months_later(start: datetime, months: int) -> datetime:
    """The same day and time so many months later; the month's last day if it has no such day."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    day = min(start.day, monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def parse_start(text: str) -> datetime:
    """Parse a local date and time without a zone. Raises ValueError with a message for the policy's author."""
    words = f'"{text}" is no local date and time: write for example "2026-10-01T09:00"'
    if re.search(r"(Z|[+-]\d\d:?\d\d)$", text.strip()) and "T" in text:
        raise ValueError(f"{words}, without an offset: the zone is `time_zone`")
    if not re.fullmatch(START_FORM, text.strip(), re.ASCII):
        raise ValueError(words)
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{words} ({error})") from None


def parse_time(text: str) -> int:
    """Minutes from midnight to a time of day, up to 24:00. Raises ValueError with a message for the policy's author."""
    hours, _, minutes = text.strip().partition(":")
    if not _TIME.fullmatch(text.strip()) or (total := int(hours) * 60 + int(minutes)) > DAY_MINUTES:
        raise ValueError(f'"{text}" is no time of day: write for example "09:00", up to "24:00"')
    return total
