"""Reads shifts from an iCalendar: the persons of an event, its start and end.

Events repeat as in RFC 5545 (RRULE, RDATE, EXDATE, overridden instances). Cancelled and transparent events are not
shifts. Times without a zone, and whole days, are in the schedule's zone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from html import unescape
from typing import Any

from receiver.on_call.shift import Shift, merged, without
from receiver.on_call.wall_time import instant
from rules.calendar_text import BACKWARDS, calendars_in, first_line
from rules.policy import Person
from rules.time_zones import zone_names

_LEVEL = re.compile(r"^\[l(\d{1,3})\] *", re.IGNORECASE)
"""Grafana OnCall's prefix of a name in an event: a higher level takes precedence."""

_GRAFANA = re.compile(r"grafana on-?call", re.IGNORECASE)
"""Grafana OnCall's name in its exports. There PRIORITY is 1 for an override, and 0 for a rotation."""

_GOALERT = re.compile(r"(?:(.*) )?on-call \(.*\)(?: begins\*)?", re.IGNORECASE)
"""GoAlert's suffix of a name in an event of a whole schedule; the name is HTML-escaped."""

_PAGERDUTY = re.compile(r"on call - (.+?)(?: - .*)?", re.IGNORECASE)
"""PagerDuty's text around a name in an event."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


class CalendarError(ValueError):
    """The text is not a calendar with readable shifts; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """The content of a calendar within a window."""

    shifts: tuple[Shift, ...]
    unknown: tuple[str, ...] = ()
    """Names that match no person, each once."""
    free: tuple[str, ...] = ()
    """People in events marked as free, each once: such events are not shifts."""
    backwards: tuple[str, ...] = ()
    """Summaries of events that end before they begin, each once: such events are not shifts."""


def read_calendar(text: str, people: Iterable[Person], zone: str, from_: int, until: int) -> CalendarReading:
    """Returns the shifts that overlap the window. Raises CalendarError."""
    if not text:
        return CalendarReading(())
    names = _Names(people)
    by_rank: dict[tuple[int, int], list[Shift]] = {}
    unknown: dict[str, None] = {}
    free: dict[str, None] = {}
    backwards: dict[str, None] = {}
    for event, is_grafanas in _occurrences(text, from_, until):
        starts, ends = _instant(event.start, zone), _instant(event.end, zone)
        if _is(event, "STATUS", "CANCELLED") or starts >= ends or starts >= until or ends <= from_:
            continue
        if BACKWARDS in event:
            backwards[_title(event)] = None
            continue
        meant = names.of(event)
        if _is(event, "TRANSP", "TRANSPARENT"):
            free |= dict.fromkeys(meant)
            continue
        rank = (_priority(event) if is_grafanas else 0, _level(event))
        by_rank.setdefault(rank, []).extend(Shift(starts, ends, each, "calendar") for each in meant)
        if not meant:
            unknown[_title(event)] = None
    return CalendarReading(tuple(_uppermost_ranks(by_rank)), tuple(unknown), tuple(free), tuple(backwards))


def _title(event: Mapping[str, Any]) -> str:
    return str(event.get("SUMMARY", "")).strip() or "an event without a summary"


def _uppermost_ranks(by_rank: Mapping[tuple[int, int], list[Shift]]) -> Iterator[Shift]:
    """Yields the shifts of each rank where no higher rank has one, as in Grafana OnCall."""
    higher: list[Shift] = []
    for rank in sorted(by_rank, reverse=True):
        yield from without(by_rank[rank], merged(replace(each, person="") for each in higher))
        higher += by_rank[rank]


def _level(event: Mapping[str, Any]) -> int:
    found = _LEVEL.match(_summary(event))
    return int(found[1]) if found else 0


def _priority(event: Mapping[str, Any]) -> int:
    said = str(event.get("PRIORITY", ""))
    return int(said) if said.isdecimal() else 0


def _summary(event: Mapping[str, Any]) -> str:
    return " ".join(str(event.get("SUMMARY", "")).split())


def _named(summary: str) -> str:
    """Returns the name in a summary, without the text that a product adds."""
    text = _LEVEL.sub("", summary)
    if found := _GOALERT.fullmatch(text):
        return unescape(found[1] or "")
    found = _PAGERDUTY.fullmatch(text)
    return found[1] if found else text


@lru_cache(maxsize=32)
def _queries(text: str) -> tuple[tuple[Any, bool], ...]:
    """Returns the calendars in a text (feeds may be concatenated), ready for queries, each with whether Grafana OnCall
    exported it.

    Raises CalendarError.
    """
    import recurring_ical_events  # noqa: PLC0415 - half a second, only for policies with a calendar

    try:
        found = calendars_in(text)
    except ValueError as error:
        raise CalendarError(f"it {error}") from error
    try:
        queries = tuple(recurring_ical_events.of(each, skip_bad_series=False) for each in found)
    except Exception as error:  # the library raises many types
        raise CalendarError(f"it cannot be read: {first_line(error)}") from error
    makers = (bool(_GRAFANA.search(str(each.get("PRODID", "")))) for each in found)
    return tuple(zip(queries, makers, strict=True))


def _occurrences(text: str, from_: int, until: int) -> list[tuple[Any, bool]]:
    starts, ends = (_EPOCH + at * _MICRO for at in (from_, until))
    try:
        first, last = starts - timedelta(days=2), ends + timedelta(days=2)
        return [(event, own) for each, own in _queries(text) for event in each.between(first, last)]
    except CalendarError:
        raise
    except Exception as error:
        raise CalendarError(f"an event of the calendar cannot be read: {first_line(error)}") from error


def _is(event: Any, name: str, value: str) -> bool:
    return str(event.get(name, "")).upper() == value


def _instant(at: date, zone: str) -> int:
    """A day begins at its midnight; a wall time of a known zone is converted as in layers."""
    if not isinstance(at, datetime):
        return instant(datetime.combine(at, time()), zone)
    if at.tzinfo is None:
        return instant(at, zone)
    key = str(getattr(at.tzinfo, "key", ""))
    if key in zone_names() and not at.fold:
        return instant(at.replace(tzinfo=None), key)
    return (at - _EPOCH) // _MICRO


class _Names:
    """The names of the people in a calendar's events."""

    def __init__(self, people: Iterable[Person]) -> None:
        known = tuple(people)
        self._names = {each.name.casefold(): each.name for each in known}
        self._mail = {mail.casefold(): each.name for each in known if (mail := each.contact("email"))}
        self._aliases = {alias.casefold(): each.name for each in known for alias in each.aliases}

    def of(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the people of an event: by summary, else by the attendees' addresses, else by an
        alias; empty: none.
        """
        whole, summary = (each.strip().casefold() for each in (_summary(event), _named(_summary(event))))
        named = self._names.get(summary) or self._mail.get(summary)
        if named:
            return (named,)
        attending = tuple(dict.fromkeys(self._mail[mail] for mail in _mails(event) if mail in self._mail))
        alias = self._aliases.get(whole) or self._aliases.get(summary)
        return attending or ((alias,) if alias else ())


def _mails(event: Mapping[str, Any]) -> Iterator[str]:
    """Yields the addresses, lower case, of attendees who have not declined."""
    attendees = event.get("ATTENDEE", ())
    for each in attendees if isinstance(attendees, list) else [attendees] if attendees else ():
        if str(getattr(each, "params", {}).get("PARTSTAT", "")).upper() != "DECLINED":
            yield str(each).casefold().removeprefix("mailto:")
