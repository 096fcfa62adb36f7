"""Overrides: who takes a schedule for a while, and what becomes of one whose person is gone."""

import pytest

from receiver.on_call.expand import why_void
from receiver.on_call.references import people_of
from receiver.on_call.shift import Override
from tests.on_call.teams import layered, missing, roster, told, utc

WEEKLY = layered("{people: [dana, ben], starts: 2026-10-01T00:00, every: 1w}", zone="UTC")


def override(person, starts, ends, by="lee", schedule="primary"):
    return Override(schedule, person, utc(starts), utc(ends), by)


def test_an_override_takes_its_time_and_no_more():
    """The shift around it goes on afterwards; its source names who made it."""
    found = roster(
        WEEKLY, "2026-10-01T00:00", "2026-10-08T00:00", [override("chris", "2026-10-03T10:00", "2026-10-03T18:00")]
    )
    assert told(found) == [
        ("2026-10-01T00:00", "2026-10-03T10:00", "dana"),
        ("2026-10-03T10:00", "2026-10-03T18:00", "chris"),
        ("2026-10-03T18:00", "2026-10-08T00:00", "dana"),
    ]
    assert found.shifts[1].source == "override by lee"


def test_the_latest_of_two_overrides_wins():
    """Where they overlap; the earlier one keeps what is left of it."""
    found = roster(
        WEEKLY,
        "2026-10-02T00:00",
        "2026-10-03T00:00",
        [
            override("chris", "2026-10-02T10:00", "2026-10-02T18:00"),
            override("ben", "2026-10-02T12:00", "2026-10-02T14:00"),
        ],
    )
    assert [each[2] for each in told(found)] == ["dana", "chris", "ben", "chris", "dana"]


def test_a_deleted_person_is_not_on_call():
    """The override is void and leaves a gap: the person whom it relieved is not on call either."""
    gone = override("zoe", "2026-10-03T10:00", "2026-10-03T18:00")
    found = roster(WEEKLY, "2026-10-03T00:00", "2026-10-04T00:00", [gone])
    assert missing(found) == [("2026-10-03T10:00", "2026-10-03T18:00")]
    assert why_void(WEEKLY, gone) == "the policy has nobody named zoe"
    assert people_of("@primary", WEEKLY, [found], utc("2026-10-03T12:00")) == ()


def test_an_override_of_another_schedule_changes_nothing():
    """One that names a schedule that is gone is void, and said to be."""
    gone = override("ben", "2026-10-03T10:00", "2026-10-03T18:00", schedule="tertiary")
    assert len(told(roster(WEEKLY, "2026-10-03T00:00", "2026-10-04T00:00", [gone]))) == 1
    assert why_void(WEEKLY, gone) == "the policy has no schedule tertiary"
    assert not why_void(WEEKLY, override("ben", "2026-10-03T10:00", "2026-10-03T18:00"))


def test_an_override_fills_a_gap():
    """Before the rotation starts, too."""
    found = roster(
        WEEKLY, "2026-09-30T00:00", "2026-10-01T00:00", [override("ben", "2026-09-30T06:00", "2026-10-02T00:00")]
    )
    assert told(found) == [("2026-09-30T06:00", "2026-10-01T00:00", "ben")]


@pytest.mark.parametrize(("reference", "names"), [("@primary", ["dana"]), ("@chris", ["chris"]), ("@nobody", [])])
def test_whom_a_reference_stands_for(reference, names):
    """A schedule: its people on call then; a person: that person."""
    found = roster(WEEKLY, "2026-10-01T00:00", "2026-10-15T00:00")
    assert [each.name for each in people_of(reference, WEEKLY, [found], utc("2026-10-02T00:00"))] == names
