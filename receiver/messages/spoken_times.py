"""Times of day in spoken words: two fourteen in the morning, noon, eleven at night on November twenty-third."""

from datetime import datetime, tzinfo

from receiver.core.model import Instant
from receiver.messages.times import moment

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    "twenty": "twentieth",
    "thirty": "thirtieth",
}
_PARTS = ((1, "at night"), (12, "in the morning"), (18, "in the afternoon"), (22, "in the evening"), (24, "at night"))
"""The hour at which each part of the day ends. Hours from one o'clock on are "in the morning"."""


def spoken_clock(at: Instant, now: Instant, zone: tzinfo) -> str:
    """Returns the time of day, with the date unless it is today. `spoken_zone` names the zone, once in each call."""
    when = moment(at, zone)
    date = "" if when.date() == moment(now, zone).date() else f" on {_MONTHS[when.month - 1]} {_ordinal(when.day)}"
    return f"{_time_of_day(when)}{date}"


def spoken_zone(name: str) -> str:
    """Returns ``Berlin time``, ``U T C``, ``C E T``."""
    area, _, city = name.rpartition("/")
    if area and area != "Etc":
        return f"{city.replace('_', ' ')} time"
    return " ".join(city) if city.isupper() else f"{city} time"


def _time_of_day(when: datetime) -> str:
    if when.minute == 0 and when.hour in {0, 12}:
        return "noon" if when.hour else "midnight"
    part = next(words for until, words in _PARTS if when.hour < until)
    return f"{_said(when.hour % 12 or 12)}{_minutes(when.minute)} {part}"


def _minutes(minute: int) -> str:
    if minute == 0:
        return ""
    return f" oh {_said(minute)}" if minute < 10 else f" {_said(minute)}"


def _said(number: int) -> str:
    """Returns a number below sixty in words."""
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]


def _ordinal(number: int) -> str:
    head, dash, last = _said(number).rpartition("-")
    return f"{head}{dash}{_ORDINALS.get(last, f'{last}th')}"
