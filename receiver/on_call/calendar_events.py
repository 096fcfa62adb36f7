"""Shifts that stand in an iCalendar: who is meant by an event, and from when until when.

Events repeat as RFC 5545 says (RRULE, RDATE, EXDATE, overridden instances); cancelled and transparent ones put nobody
on call. What has no zone of its own, and whole days, are in the schedule's zone.
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
"""What Grafana OnCall puts before whom an event names: the higher level goes over the lower."""

_GRAFANA = re.compile(r"grafana on-?call", re.IGNORECASE)
"""How Grafana OnCall names itself in what it exports. There PRIORITY is 1 for an override, and 0 for a rotation."""

_GOALERT = re.compile(r"(?:(.*) )?on-call \(.*\)(?: begins\*)?", re.IGNORECASE)
"""What GoAlert puts behind whom an event of a whole schedule names; it writes the name as HTML has it."""

_PAGERDUTY = re.compile(r"on call - (.+?)(?: - .*)?", re.IGNORECASE)
"""What PagerDuty puts around whom an event names."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


class CalendarError(ValueError):
    """A text is no calendar that shifts can be read from; says why, for people."""


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """What a calendar says of a window."""

    shifts: tuple[Shift, ...]
    unknown: tuple[str, ...] = ()
    """Names that are nobody's, each once."""
    free: tuple[str, ...] = ()
    """People whom events name that are marked as free, each once: those put nobody on call."""
    backwards: tuple[str, ...] = ()
    """Summaries of events that end before they begin, each once: those put nobody on call."""


def read_calendar(text: str, people: Iterable[Person], zone: str, from_: int, until: int) -> CalendarReading:
    """The shifts that have a part in the window. Raises CalendarError."""
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
    """Those of a rank, where none of a higher one is: so Grafana OnCall means them."""
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
    """Whom a summary names: what is left of it without what a product puts around a name."""
    text = _LEVEL.sub("", summary)
    if found := _GOALERT.fullmatch(text):
        return unescape(found[1] or "")
    found = _PAGERDUTY.fullmatch(text)
    return found[1] if found else text


@lru_cache(maxsize=32)
def _queries(text: str) -> tuple[tuple[Any, bool], ...]:
    """The calendars in a text (feeds may stand one after the other), ready to be asked for a window's events, each
    with whether it is Grafana OnCall's export.

    Raises CalendarError.
    """
    import recurring_ical_events  # noqa: PLC0415 - half a second, which nobody pays who has no calendar

    try:
        found = calendars_in(text)
    except ValueError as error:
        raise CalendarError(f"it {error}") from error
    try:
        queries = tuple(recurring_ical_events.of(each, skip_bad_series=False) for each in found)
    except Exception as error:  # the library raises whatever it stumbles over
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
    """A day begins at its midnight; a wall time of a known zone means what it means in layers."""
    if not isinstance(at, datetime):
        return instant(datetime.combine(at, time()), zone)
    if at.tzinfo is None:
        return instant(at, zone)
    key = str(getattr(at.tzinfo, "key", ""))
    if key in zone_names() and not at.fold:
        return instant(at.replace(tzinfo=None), key)
    return (at - _EPOCH) // _MICRO


class _Names:
    """Whom the events of a calendar mean."""

    def __init__(self, people: Iterable[Person]) -> None:
        known = tuple(people)
        self._names = {each.name.casefold(): each.name for each in known}
        self._mail = {mail.casefold(): each.name for each in known if (mail := each.contact("email"))}
        self._aliases = {alias.casefold(): each.name for each in known for alias in each.aliases}

    def of(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """By the summary, else by the attendees' addresses, else by an alias; nobody: empty."""
        whole, summary = (each.strip().casefold() for each in (_summary(event), _named(_summary(event))))
        named = self._names.get(summary) or self._mail.get(summary)
        if named:
            return (named,)
        attending = tuple(dict.fromkeys(self._mail[mail] for mail in _mails(event) if mail in self._mail))
        alias = self._aliases.get(whole) or self._aliases.get(summary)
        return attending or ((alias,) if alias else ())


def _mails(event: Mapping[str, Any]) -> Iterator[str]:
    """The addresses of those who attend and have not declined, lower case."""
    attendees = event.get("ATTENDEE", ())
    for each in attendees if isinstance(attendees, list) else [attendees] if attendees else ():
        if str(getattr(each, "params", {}).get("PARTSTAT", "")).upper() != "DECLINED":
            yield str(each).casefold().removeprefix("mailto:")
