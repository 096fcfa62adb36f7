"""What a schedule by layers means: wall time, turns, restricted hours, layers over layers."""

import pytest

from tests.on_call.teams import layered, missing, roster, told


def test_a_handoff_stays_at_nine_over_the_change_to_summer_time():
    """No gap, no overlap; the shift over the skipped hour is an hour shorter."""
    weekly = layered("{people: [dana, ben], starts: 2026-03-20T09:00, every: 1w}")
    found = roster(weekly, "2026-03-20T08:00", "2026-04-10T07:00")
    assert told(found) == [
        ("2026-03-20T08:00", "2026-03-27T08:00", "dana"),
        ("2026-03-27T08:00", "2026-04-03T07:00", "ben"),
        ("2026-04-03T07:00", "2026-04-10T07:00", "dana"),
    ]
    assert not found.gaps


def test_a_handoff_in_the_skipped_hour_is_at_its_end():
    """02:30 is not on that day: the clocks go from 02:00 to 03:00."""
    daily = layered("{people: [dana, ben], starts: 2026-03-28T02:30, every: 1d}")
    assert told(roster(daily, "2026-03-28T01:30", "2026-03-30T00:30")) == [
        ("2026-03-28T01:30", "2026-03-29T01:00", "dana"),
        ("2026-03-29T01:00", "2026-03-30T00:30", "ben"),
    ]


def test_a_handoff_in_the_doubled_hour_is_at_the_first():
    """02:30 comes at 00:30 and at 01:30 UTC."""
    daily = layered("{people: [dana, ben], starts: 2026-10-24T02:30, every: 1d}")
    assert told(roster(daily, "2026-10-24T00:30", "2026-10-26T01:30")) == [
        ("2026-10-24T00:30", "2026-10-25T00:30", "dana"),
        ("2026-10-25T00:30", "2026-10-26T01:30", "ben"),
    ]


def test_lord_howe_moves_by_half_an_hour():
    """A handoff at 02:15 in the skipped half hour is at 02:30, when the clocks have moved."""
    daily = layered("{people: [dana, ben], starts: 2026-10-03T02:15, every: 1d}", zone="Australia/Lord_Howe")
    assert told(roster(daily, "2026-10-02T15:45", "2026-10-04T15:15"))[0] == (
        "2026-10-02T15:45",
        "2026-10-03T15:30",
        "dana",
    )


def test_months_end_on_their_last_day_and_do_not_drift():
    """From the 31st: the 28th of February, then the 31st of March again."""
    monthly = layered("{people: [dana, ben], starts: 2026-01-31T09:00, every: 1month}", zone="UTC")
    handoffs = [each[0] for each in told(roster(monthly, "2026-01-31T09:00", "2026-06-01T00:00"))]
    assert handoffs == [
        "2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00", "2026-04-30T09:00", "2026-05-31T09:00",
    ]  # fmt: skip


def test_fridays_person_is_followed_on_monday_by_the_next():
    """Days outside `only` are no turns: no person is skipped over a weekend, and none comes twice."""
    office = "[{days: [mon, tue, wed, thu, fri], from: 09:00, to: 17:00}]"
    daily = layered(f"{{people: [dana, ben, chris], starts: 2026-10-01T09:00, every: 1d, only: {office}}}", zone="UTC")
    found = roster(daily, "2026-10-01T00:00", "2026-10-07T00:00")
    assert told(found) == [
        ("2026-10-01T09:00", "2026-10-01T17:00", "dana"),
        ("2026-10-02T09:00", "2026-10-02T17:00", "ben"),
        ("2026-10-05T09:00", "2026-10-05T17:00", "chris"),
        ("2026-10-06T09:00", "2026-10-06T17:00", "dana"),
    ]
    assert ("2026-10-02T17:00", "2026-10-05T09:00") in missing(found)


def test_weeks_are_counted_whatever_hours_they_have():
    """With `1w` the turn is the week's, from handoff to handoff."""
    office = "[{days: [mon, wed], from: 09:00, to: 17:00}]"
    weekly = layered(f"{{people: [dana, ben], starts: 2026-10-01T12:00, every: 1w, only: {office}}}", zone="UTC")
    assert [each[2] for each in told(roster(weekly, "2026-10-01T00:00", "2026-10-16T00:00"))] == [
        "dana", "dana", "ben", "ben",
    ]  # fmt: skip


def test_hours_beyond_midnight_belong_to_the_day_they_begin_on():
    """Friday's night lasts until Saturday morning, and is Friday's person's, wherever the handoff is."""
    nights = "[{days: [thu, fri], from: 22:00, to: 06:00}]"
    daily = layered(f"{{people: [dana, ben], starts: 2026-10-01T00:00, every: 1d, only: {nights}}}", zone="UTC")
    assert told(roster(daily, "2026-10-01T00:00", "2026-10-09T00:00")) == [
        ("2026-10-01T22:00", "2026-10-02T06:00", "dana"),
        ("2026-10-02T22:00", "2026-10-03T06:00", "ben"),
        ("2026-10-08T22:00", "2026-10-09T00:00", "dana"),
    ]


def test_a_handoff_within_the_hours_is_where_starts_says():
    """Until noon Friday's person has Monday's hours too: Saturday and Sunday are no turns."""
    office = "[{days: [mon, tue, wed, thu, fri], from: 09:00, to: 17:00}]"
    daily = layered(f"{{people: [dana, ben], starts: 2026-10-02T12:00, every: 1d, only: {office}}}", zone="UTC")
    assert told(roster(daily, "2026-10-02T00:00", "2026-10-06T00:00")) == [
        ("2026-10-02T12:00", "2026-10-02T17:00", "dana"),
        ("2026-10-05T09:00", "2026-10-05T12:00", "dana"),
        ("2026-10-05T12:00", "2026-10-05T17:00", "ben"),
    ]


def test_parts_of_days_without_hours_are_no_turns():
    """Twelve-hour turns of which only the day's have hours: everybody comes, one after the other."""
    days = "[{from: 08:00, to: 20:00}]"
    halves = layered(f"{{people: [dana, ben], starts: 2026-10-01T08:00, every: 12h, only: {days}}}", zone="UTC")
    assert [each[2] for each in told(roster(halves, "2026-10-01T00:00", "2026-10-05T00:00"))] == [
        "dana", "ben", "dana", "ben",
    ]  # fmt: skip


def test_turns_below_a_day_keep_their_time_of_day():
    """08:00 and 20:00, before and after the change of clocks."""
    halves = layered("{people: [dana, ben], starts: 2026-03-28T08:00, every: 12h}")
    assert [each[0] for each in told(roster(halves, "2026-03-28T07:00", "2026-03-30T06:00"))] == [
        "2026-03-28T07:00", "2026-03-28T19:00", "2026-03-29T06:00", "2026-03-29T18:00",
    ]  # fmt: skip


def test_before_the_start_there_is_a_gap():
    """No person is on call before the first turn."""
    weekly = layered("{people: [dana], starts: 2026-10-01T09:00, every: 1w}", zone="UTC")
    found = roster(weekly, "2026-09-30T00:00", "2026-10-20T00:00")
    assert missing(found) == [("2026-09-30T00:00", "2026-10-01T09:00")]
    assert told(found) == [("2026-10-01T09:00", "2026-10-20T00:00", "dana")]  # one person's weeks are one shift


def test_later_layers_go_over_earlier_ones():
    """In a gap of the upper layer, the lower one shows."""
    found = roster(
        layered(
            "{people: [dana], starts: 2026-10-01T00:00, every: 1w}",
            "{people: [ben], starts: 2026-10-01T00:00, every: 1d, only: [{days: [sat], from: 08:00, to: 12:00}]}",
            zone="UTC",
        ),
        "2026-10-03T00:00",
        "2026-10-04T00:00",
    )
    assert [(each.person, each.source) for each in found.shifts] == [
        ("dana", "layer 1"), ("ben", "layer 2"), ("dana", "layer 1"),
    ]  # fmt: skip
    assert not found.gaps


def test_the_sun_is_followed():
    """Each layer's hours are those of its own zone."""
    hours = "only: [{from: 09:00, to: 17:00}]"
    found = roster(
        layered(
            f"{{people: [dana], starts: 2026-10-01T00:00, every: 1w, {hours}, time_zone: Europe/Berlin}}",
            f"{{people: [ben], starts: 2026-10-01T00:00, every: 1w, {hours}, time_zone: America/Chicago}}",
            zone="UTC",
        ),
        "2026-10-05T00:00",
        "2026-10-06T00:00",
    )
    assert told(found) == [
        ("2026-10-05T07:00", "2026-10-05T14:00", "dana"),
        ("2026-10-05T14:00", "2026-10-05T22:00", "ben"),
    ]


@pytest.mark.parametrize("starts", ["2019-10-03T09:00", "2026-09-24T09:00"])
def test_a_start_of_years_ago_is_no_slower_and_no_other(starts):
    """Only the place of the window in the rotation counts."""
    weekly = layered(f"{{people: [dana, ben], starts: {starts}, every: 1w}}", zone="UTC")
    assert len(told(roster(weekly, "2026-10-01T00:00", "2026-10-31T00:00"))) == 6
