"""One person's shifts as an iCalendar, for the calendar of their phone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from receiver.on_call.shift import Roster

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_feed(person: str, rosters: Iterable[Roster], now: int) -> bytes:
    """Returns an event for each shift; a shift's UID is the same in every feed."""
    import icalendar  # noqa: PLC0415 - half a second, only for feeds

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Tocsin//who is on call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {person}")
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    for roster in rosters:
        for shift in (each for each in roster.shifts if each.person == person):
            event = icalendar.Event()
            event.add("uid", f"{shift.starts // 1_000_000}-{roster.name}-{person}@tocsin")
            event.add("dtstamp", _time(now))
            event.add("dtstart", _time(shift.starts))
            event.add("dtend", _time(shift.ends))
            event.add("summary", f"On call: {roster.name}")
            event.add("description", f"{person}, by {shift.source}")
            event.add("transp", "TRANSPARENT")  # a person on call may have appointments
            calendar.add_component(event)
    return bytes(calendar.to_ical())


def _time(at: int) -> datetime:
    return _EPOCH + timedelta(seconds=at // 1_000_000)
