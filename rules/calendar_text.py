"""Parses iCalendar texts: returns the calendars, or the reason why a text is not valid.

`rules.calendar_files` validates files with it, and the receiver's on-call package reads events from its result.

Rules: properties without relation to shifts are not read, because exports have errors there (Grafana OnCall writes the
refresh interval `P1H`, which is not a duration). Properties of an event's time must be valid, else the whole text is
refused: a partly read calendar must not decide who is on call.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

from rules.time_zones import zone_names

_TOO_OFTEN = {"SECONDLY", "MINUTELY"}
"""Frequencies that are not shifts and would take too long to expand."""

_READ = {"VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}
"""Components that define who is on call when."""

_OF_CALENDAR = {"BEGIN", "END", "VERSION", "PRODID", "X-WR-TIMEZONE"}
"""The properties of a calendar that are read."""

_PARSING = Lock()

BACKWARDS = "X-TOCSIN-ENDS-BEFORE-IT-BEGINS"
"""A property added here to events that end before they begin; the recurrence library silently swaps their ends."""

_TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
"""Properties of an event's time."""


def calendars_in(text: str) -> list[Any]:
    """The calendars (`icalendar.Calendar`) in a text, which may contain several in a row.

    Raises ValueError with a message for users.
    """
    begun, ended = (text.count(f"{word}:VCALENDAR") for word in ("BEGIN", "END"))
    if not begun:
        raise ValueError("is no iCalendar: it has no BEGIN:VCALENDAR")
    if begun != ended:
        raise ValueError("is no whole iCalendar: its end is missing")
    lines = list(_of_shifts(text))
    try:
        found = _parsed(lines)
    except Exception as error:  # the parser raises arbitrary errors
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
    """The first line of a parser's error."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _parsed(lines: Iterable[str]) -> list[Any]:
    """Each calendar is parsed alone: the parser caches zones by name, and two calendars may define different zones of
    one name.
    """
    import icalendar  # noqa: PLC0415 - half a second, only for policies with calendars

    found: list[Any] = []
    own: list[str] = []
    with _PARSING:
        for line in lines:
            own.append(line)
            if line.strip().upper() == "END:VCALENDAR":
                icalendar.use_zoneinfo()  # type: ignore[no-untyped-call] # clears the zones of other calendars
                found += icalendar.Calendar.from_ical("\r\n".join((*own, "")), multiple=True)
                own.clear()
    return found


def _of_shifts(text: str) -> Iterator[str]:
    """The lines about shifts: no alarms, no to-dos, no display properties."""
    inside: list[str] = []
    is_read = True
    for line in re.split(r"\r\n|\r|\n", text):
        name, _, value = line.partition(":")
        key, word = name.partition(";")[0].strip().upper(), value.strip().upper()
        if line[:1] in {" ", "\t"}:  # a continuation line
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
    """Replace `X-WR-TIMEZONE`, the zone of times without one, by its IANA name; Windows has other names."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - as above

    name = str(calendar.get("X-WR-TIMEZONE", "")).strip()
    zone = WINDOWS_TO_OLSON.get(name, name)
    if zone and zone not in zone_names():
        raise ValueError(f'has X-WR-TIMEZONE "{name}", which is no time zone: write one such as Europe/Berlin')
    if zone != name:
        calendar["X-WR-TIMEZONE"] = zone


def _require_times(event: Any, zones: set[str]) -> None:
    """Check that every time of an event can be read. `zones`: those that its calendar defines."""
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
    """Whether it is a zone's IANA or Windows name, or ends in one: ``/example.org/Europe/Berlin``."""
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
    # A date or a floating time beside an absolute one: only the schedule's zone determines the order.
    return _day(ends) < _day(starts)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _tell_apart(events: Iterable[Any]) -> None:
    """Give distinct events that share a UID different UIDs, because only one event per UID is read. Grafana OnCall
    gives two shifts of one person that begin within an hour the same UID.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for event in (each for each in events if "RECURRENCE-ID" not in each):
        uid = str(event.get("UID", ""))
        count = seen[uid, str(event.get("SEQUENCE", 0))]
        seen[uid, str(event.get("SEQUENCE", 0))] += 1
        if count or not uid:
            event["UID"] = f"{uid} {count + 1}"
