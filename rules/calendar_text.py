"""iCalendar texts: the calendars in one, which are whole, or why it is none.

`rules.calendar_files` accepts a file by it, and the receiver's on-call package reads events from what it gives.
"""

from typing import Any

_TOO_OFTEN = {"SECONDLY", "MINUTELY"}
"""A rule that repeats so often names no shifts, and would take for ever to list."""


def calendars_in(text: str) -> list[Any]:
    """The calendars (`icalendar.Calendar`) in a text; feeds may stand one after the other.

    Raises ValueError with words for people.
    """
    import icalendar  # noqa: PLC0415 - half a second, which nobody pays who has no calendar

    begun, ended = (text.count(f"{word}:VCALENDAR") for word in ("BEGIN", "END"))
    if not begun:
        raise ValueError("is no iCalendar: it has no BEGIN:VCALENDAR")
    if begun != ended:
        raise ValueError("is no whole iCalendar: its end is missing")
    try:
        found = icalendar.Calendar.from_ical(text, multiple=True)
    except Exception as error:  # the parser raises whatever it stumbles over
        raise ValueError(f"is no iCalendar that can be read: {first_line(error)}") from error
    for event in (event for each in found for event in each.walk("VEVENT")):
        _require_bounded(event)
    return list(found)


def first_line(error: Exception) -> str:
    """What an error of a parser says, cut to a line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _require_bounded(event: Any) -> None:
    rules = event.get("RRULE", ())
    for rule in rules if isinstance(rules, list) else [rules] if rules else ():
        if _TOO_OFTEN.intersection(str(each).upper() for each in rule.get("FREQ", ())):
            raise ValueError(f'has an event "{event.get("SUMMARY", "")}" that repeats more often than every hour')
