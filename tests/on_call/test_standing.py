"""Who has a schedule, until when, and who is next; drawn, and as a calendar."""

from datetime import UTC, datetime

import icalendar

from receiver.core.model import Instant
from receiver.messages.on_call_text import who_is_on_call
from receiver.on_call.calendar_feed import calendar_feed
from receiver.on_call.shift import Gap, Roster, Shift, gaps
from receiver.on_call.standing import standing
from receiver.web.console.on_call_drawing import WIDTH, drawn_weeks
from rules.policy import HOUR

DAY = 24 * HOUR
START = int(datetime(2026, 10, 24, 7, tzinfo=UTC).timestamp()) * 1_000_000
"""Saturday, 09:00 in Berlin; the next night clocks go back."""


def roster(*shifts: Shift, days: int = 14) -> Roster:
    """Of these shifts, from START on."""
    ends = START + days * DAY
    return Roster("primary", "Europe/Berlin", shifts, tuple(gaps(shifts, START, ends)))


def shift(begins: float, ends: float, person: str, source: str = "layer 1") -> Shift:
    """In days from START."""
    return Shift(START + round(begins * DAY), START + round(ends * DAY), person, source)


def test_pieces_of_one_person_are_one_time() -> None:
    """An override until the person's own shift begins and that shift are one time; next is another person."""
    stands = standing(roster(shift(0, 2, "ben", "override by ann"), shift(2, 7, "ben"), shift(7, 14, "dana")), START)
    assert [(each.person, each.ends) for each in stands.on_call] == [("ben", START + 7 * DAY)]
    assert stands.next == shift(7, 14, "dana")


def test_next_after_a_gap_may_be_the_same_person() -> None:
    """A gap ends a person's time; in a gap there is no end, and next is the person who comes."""
    broken = roster(shift(0, 1, "ben"), shift(3, 4, "ben"))
    assert standing(broken, START).next == shift(3, 4, "ben")
    in_gap = standing(broken, START + 2 * DAY)
    assert (in_gap.on_call, in_gap.ends, in_gap.next) == ((), None, shift(3, 4, "ben"))
    assert standing(broken, START + 5 * DAY).next is None


def test_told_in_the_schedules_zone() -> None:
    """In named wall time, over a change of clocks too; a gap is shown in capitals."""
    told = who_is_on_call(roster(shift(0, 2, "ben"), shift(2, 7, "dana")), START)
    assert told == "primary: ben until Mon 26 Oct, 08:00 CET; then dana"
    broken = roster(shift(0, 0.5, "ben"), shift(3, 4, "dana"))
    assert who_is_on_call(broken, START) == (
        "primary: ben until Sat 24 Oct, 21:00 CEST; then NOBODY, then dana from Tue 27 Oct, 08:00 CET"
    )
    assert who_is_on_call(broken, START + DAY) == "primary: NOBODY; then dana from Tue 27 Oct, 08:00 CET"


def test_drawn() -> None:
    """Every day has its place, a gap is drawn as one, who is on call at the same time lies one below the other."""
    both = roster(shift(0, 3, "ben"), shift(1, 2, "dana"), shift(4, 14, "ben"))
    first, second = drawn_weeks(both, ["dana", "ben"], Instant(START), 2)
    assert [day for _, day in first.days][:2] == ["24 Oct", "Sun 25"]
    assert [(each.person, each.y > first.blocks[0].y) for each in first.blocks] == [
        ("ben", False),
        ("dana", True),
        ("ben", False),
        ("", False),
    ]
    assert first.blocks[-1].x + first.blocks[-1].width <= WIDTH
    assert (first.now is not None, second.now) == (True, None)
    assert both.gaps == (Gap(START + 3 * DAY, START + 4 * DAY),)


def test_calendar_of_one_person() -> None:
    """A phone's calendar reads the person's shifts alone, and the same shift keeps its UID."""
    one = roster(shift(0, 2, "ben"), shift(2, 7, "dana"), shift(7, 9, "ben"))
    read = icalendar.Calendar.from_ical(calendar_feed("ben", [one], START))
    events = list(read.walk("VEVENT"))
    assert [event.decoded("DTSTART") for event in events] == [
        datetime(2026, 10, 24, 7, tzinfo=UTC),
        datetime(2026, 10, 31, 7, tzinfo=UTC),
    ]
    assert {str(event["SUMMARY"]) for event in events} == {"On call: primary"}
    again = icalendar.Calendar.from_ical(calendar_feed("ben", [one], START + HOUR))
    assert [event["UID"] for event in again.walk("VEVENT")] == [event["UID"] for event in events]
