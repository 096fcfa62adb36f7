"""iCalendar texts: the calendars in one, which are whole, or why it is none.

`rules.calendar_files` accepts a file by it, and the receiver's on-call package reads events from what it gives.

Rules: what says nothing of shifts is not read, because exports have faults there (Grafana OnCall asks to be read again
every `P1H`, which is no duration). What says when an event is has to be right, or the text is refused, and nobody is
on call by half of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

from rules.time_zones import zone_names

_TOO_OFTEN = {"SECONDLY", "MINUTELY"}
"""A rule that repeats so often names no shifts, and would take for ever to list."""

_READ = {"VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}
"""Components that say who is on call when."""

_OF_CALENDAR = {"BEGIN", "END", "VERSION", "PRODID", "X-WR-TIMEZONE"}
"""What is read of a calendar itself."""

_PARSING = Lock()

BACKWARDS = "X-TOCSIN-ENDS-BEFORE-IT-BEGINS"
"""What an event has here that does: the library that repeats events reads one the other way round, and does not say."""

_TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
"""What says when an event is."""


def calendars_in(text: str) -> list[Any]:
    """The calendars (`icalendar.Calendar`) in a text; feeds may stand one after the other.

    Raises ValueError with words for people.
    """
    begun, ended = (text.count(f"{word}:VCALENDAR") for word in ("BEGIN", "END"))
    if not begun:
        raise ValueError("is no iCalendar: it has no BEGIN:VCALENDAR")
    if begun != ended:
        raise ValueError("is no whole iCalendar: its end is missing")
    lines = list(_of_shifts(text))
    try:
        found = _parsed(lines)
    except Exception as error:  # the parser raises whatever it stumbles over
        raise ValueError(f"is no iCalendar that can be read: {first_line(error)}") from error
    for calendar in found:
        _settle_zone(calendar)
        events = calendar.walk("VEVENT")
        zones = {str(each.get("TZID", "")) for each in calendar.walk("VTIMEZONE")}
        for event in events:
            _require_times(event, zones)
            _require_bounded(event)
            if _is_backwards(event):
                event[BACKWARDS] = "TRUE"
        _tell_apart(events)
    return found


def first_line(error: Exception) -> str:
    """What an error of a parser says, cut to a line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _parsed(lines: Iterable[str]) -> list[Any]:
    """Each calendar by itself: the parser keeps zones by name, and two calendars may call other zones the same."""
    import icalendar  # noqa: PLC0415 - half a second, which nobody pays who has no calendar

    found: list[Any] = []
    own: list[str] = []
    with _PARSING:
        for line in lines:
            own.append(line)
            if line.strip().upper() == "END:VCALENDAR":
                icalendar.use_zoneinfo()  # type: ignore[no-untyped-call] # forgets the zones of others
                found += icalendar.Calendar.from_ical("\r\n".join((*own, "")), multiple=True)
                own.clear()
    return found


def _of_shifts(text: str) -> Iterator[str]:
    """The lines that say who is on call when: no alarms, no to-dos, nothing of how the calendar wants to be shown."""
    inside: list[str] = []
    is_read = True
    for line in re.split(r"\r\n|\r|\n", text):
        name, _, value = line.partition(":")
        key, word = name.partition(";")[0].strip().upper(), value.strip().upper()
        if line[:1] in {" ", "\t"}:  # goes on with the line before
            key = ""
        elif key == "BEGIN":
            inside.append(word)
        if key:
            is_read = _READ.issuperset(inside) and (inside != ["VCALENDAR"] or key in _OF_CALENDAR)
        if is_read and line:
            yield line
        if key == "END" and (not inside or inside.pop() != word):
            raise ValueError(f"is no iCalendar that can be read: END:{word} ends what has not begun")


def _settle_zone(calendar: Any) -> None:
    """`X-WR-TIMEZONE`, the zone of times without one, by its IANA name; Windows has names of its own."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - as above

    name = str(calendar.get("X-WR-TIMEZONE", "")).strip()
    zone = WINDOWS_TO_OLSON.get(name, name)
    if zone and zone not in zone_names():
        raise ValueError(f'has X-WR-TIMEZONE "{name}", which is no time zone: write one such as Europe/Berlin')
    if zone != name:
        calendar["X-WR-TIMEZONE"] = zone


def _require_times(event: Any, zones: set[str]) -> None:
    """Every time of an event can be read. `zones`: those that its calendar defines."""
    named = f'has an event "{event.get("SUMMARY", "")}"'
    for name, why in event.errors:
        if name in _TIMES:
            raise ValueError(f"{named} whose {name} cannot be read: {why.splitlines()[0][:200]}")
    if "DTSTART" not in event:
        raise ValueError(f"{named} without a beginning (DTSTART)")
    for value in (each for name in _TIMES for each in _listed(event.get(name))):
        zone = str(getattr(value, "params", {}).get("TZID", ""))
        if zone and zone not in zones and not _is_known(zone):
            raise ValueError(
                f'{named} in the time zone "{zone}", which it does not define (VTIMEZONE) and which is none of the '
                "known ones, such as Europe/Berlin"
            )


def _is_known(zone: str) -> bool:
    """Whether it is a zone's name, or Windows' for one, or has one at its end: ``/example.org/Europe/Berlin``."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - as above

    parts = zone.strip("/").split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts) if zone.startswith("/") else 1))
    return any(each in zone_names() or each in WINDOWS_TO_OLSON for each in ends)


def _listed(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _require_bounded(event: Any) -> None:
    for rule in _listed(event.get("RRULE")):
        if _TOO_OFTEN.intersection(str(each).upper() for each in rule.get("FREQ", ())):
            raise ValueError(f'has an event "{event.get("SUMMARY", "")}" that repeats more often than every hour')


def _is_backwards(event: Any) -> bool:
    if "DTEND" not in event:
        return "DURATION" in event and event["DURATION"].dt < timedelta(0)
    starts, ends = (each.dt for each in (event["DTSTART"], event["DTEND"]))
    if isinstance(starts, datetime) and isinstance(ends, datetime) and bool(starts.tzinfo) == bool(ends.tzinfo):
        return ends < starts
    # A day, or a time without a zone, beside another: which instant it is, only the schedule's zone tells.
    return _day(ends) < _day(starts)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _tell_apart(events: Iterable[Any]) -> None:
    """Give events of their own that share a UID another each: of those with one UID only one would be read. Grafana
    OnCall gives two shifts of one person that begin in one hour the same.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for event in (each for each in events if "RECURRENCE-ID" not in each):
        uid = str(event.get("UID", ""))
        count = seen[uid, str(event.get("SEQUENCE", 0))]
        seen[uid, str(event.get("SEQUENCE", 0))] += 1
        if count or not uid:
            event["UID"] = f"{uid} {count + 1}"
