"""What goes wrong with schedules elsewhere, each as its users told it; more of it is in the tests beside this."""

from datetime import UTC, datetime

import pytest

from receiver.on_call.references import people_of
from receiver.on_call.shift import Override
from receiver.on_call.wall_time import wall
from tests.on_call.teams import layered, missing, policy, roster, told, utc
from tests.on_call.zones import changes

ZONES = ("Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago")
YEAR = ("2026-01-01T00:00", "2027-01-01T00:00")
DAILY = "{people: [dana, ben, chris], starts: 2025-12-01T09:00, every: 1d}"


@pytest.mark.parametrize("zone", ZONES)
def test_no_gap_or_overlap_at_a_change_of_clocks(zone):
    """A year of daily handoffs is one shift after the other."""
    found = roster(layered(DAILY, zone=zone), *YEAR)
    assert changes(zone, 2026)
    assert not found.gaps
    assert [each.ends for each in found.shifts[:-1]] == [each.starts for each in found.shifts[1:]]


@pytest.mark.parametrize("zone", ZONES)
def test_no_handoff_is_an_hour_off_after_it(zone):
    """Every one of the year is at nine of the schedule's clocks."""
    found = roster(layered(DAILY, zone=zone), *YEAR)
    assert {f"{wall(each.starts, zone):%H:%M}" for each in found.shifts[1:]} == {"09:00"}


def test_zones_other_than_utc_are_right():
    """Days are those of the zone, not UTC's: Sunday in Auckland begins on Saturday."""
    sundays = "{people: [dana], starts: 2026-10-01T00:00, every: 1d, only: [{days: [sun]}]}"
    found = roster(layered(sundays, zone="Pacific/Auckland"), "2026-10-01T00:00", "2026-10-06T00:00")
    assert told(found) == [("2026-10-03T11:00", "2026-10-04T11:00", "dana")]


def test_a_restricted_rotation_neither_skips_nor_repeats_over_weekends():
    """A quarter of working days: everybody comes in turn."""
    office = DAILY.replace("1d", "1d, only: [{days: [mon, tue, wed, thu, fri], from: 09:00, to: 17:00}]")
    people = [each.person for each in roster(layered(office), "2026-01-05T00:00", "2026-04-01T00:00").shifts]
    start = people.index("dana")
    assert people[start:] == [("dana", "ben", "chris")[number % 3] for number in range(len(people) - start)]


def test_adjacent_whole_days_are_no_gap():
    """The last day of one event is the day before the next one's first."""
    days = "".join(
        f"BEGIN:VEVENT\r\nUID:{day}\r\nSUMMARY:{who}\r\nDTSTART;VALUE=DATE:2026{day}\r\n"
        f"DTEND;VALUE=DATE:2026{end}\r\nEND:VEVENT\r\n"
        for who, day, end in (("dana", "0327", "0329"), ("ben", "0329", "0330"), ("chris", "0330", "0401"))
    )
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{days}END:VCALENDAR\r\n"
    given = policy('schedules: [{name: primary, time_zone: Europe/Berlin, calendar: "https://example.org/a.ics"}]\n')
    assert not missing(roster(given, "2026-03-26T23:00", "2026-03-31T22:00", calendars={"primary": text}))


def test_next_on_call_knows_overrides():
    """An override of the next shift changes who is next."""
    given = layered(DAILY, zone="UTC")
    over = Override("primary", "chris", utc("2026-10-02T09:00"), utc("2026-10-03T09:00"), "lee")
    found = roster(given, "2026-10-01T10:00", "2026-10-10T00:00", [over])
    following = next(each for each in found.shifts if each.starts > utc("2026-10-01T12:00"))
    assert (following.person, following.source) == ("chris", "override by lee")


def test_an_override_that_has_ended_is_not_told():
    """Nothing of it is in what comes after it."""
    over = Override("primary", "chris", utc("2026-10-02T09:00"), utc("2026-10-03T09:00"), "lee")
    found = roster(layered(DAILY, zone="UTC"), "2026-10-03T09:00", "2026-10-20T00:00", [over])
    assert "override by lee" not in {each.source for each in found.shifts}


def test_a_deleted_person_is_not_paged():
    """An override of theirs counts as a vacancy, and so does their event in a calendar."""
    over = Override("primary", "zoe", utc("2026-10-02T09:00"), utc("2026-10-03T09:00"), "zoe")
    given = layered(DAILY, zone="UTC")
    found = roster(given, "2026-10-01T09:00", "2026-10-09T00:00", [over])
    assert people_of("@primary", given, [found], utc("2026-10-02T12:00")) == ()
    assert missing(found) == [("2026-10-02T09:00", "2026-10-03T09:00")]


def test_the_oracles_changes_are_those_of_the_year():
    """Berlin's two, and Casablanca's, which follow the moon."""
    assert changes("Europe/Berlin", 2026) == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
    ]
    assert len(changes("Africa/Casablanca", 2024)) == 2
