"""`check`, `diff` and `drill` with people on call: gaps are found in the pull request, and who is missing is tried."""

import json

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from receiver.drill.differences import differences
from receiver.drill.on_call_reach import reaches_over
from receiver.drill.on_call_sets import sets
from receiver.drill.on_call_walk import lints, walk
from rules.channel_types import numbers_cut
from tests.on_call.teams import HEAD, layered, policy, utc

RUN = CliRunner()
WEEKLY = "{people: [dana, ben, chris], starts: 2020-01-06T09:00, every: 1w}"
NOW = utc("2026-10-01T00:00")
TWO = f"""\
schedules:
  - name: primary
    time_zone: America/Chicago
    layers: [{WEEKLY}]
  - name: secondary
    time_zone: Europe/Berlin
    layers: [{WEEKLY.replace("dana, ben, chris", "ben, chris, dana")}]
"""


def said(given, days=400, now=NOW):
    """The messages of each lint, one below the other."""
    found = {}
    for each in lints(walk(given, now, days)):
        found[each.name] = "\n".join(filter(None, [found.get(each.name), each.message]))
    return found


def test_gaps_are_told_in_local_time():
    """The first five, how many more there are, and how long nobody is on call in all."""
    office = WEEKLY.replace("1w", "1w, only: [{days: [mon, tue, wed, thu, fri], from: 00:00, to: 24:00}]")
    assert said(layered(office), days=10)["on-call-gap"] == (
        "primary: nobody is on call from Sat 2026-10-03 00:00 CEST to Mon 2026-10-05 00:00 CEST; from Sat 2026-10-10 00:00 CEST "
        "to Sun 2026-10-11 02:00 CEST; in all 3d2h"
    )
    assert (
        "to Mon 2026-11-02 00:00 CET, and 3 more times; in all 16d1h" in said(layered(office), days=56)["on-call-gap"]
    )


@pytest.mark.parametrize(
    "hours",
    [
        "[{from: 09:00, to: 08:59}]",
        "[{days: [mon, tue, wed, thu, fri, sat]}]",
        "[{days: [sun], to: 23:59}, {days: [mon, tue, wed, thu, fri, sat]}]",
    ],
)
def test_each_planted_gap_is_found(hours):
    """A minute a day, a day a week, a minute a week."""
    assert "on-call-gap" in said(layered(WEEKLY.replace("1w", f"1w, only: {hours}")), days=8)


def test_nothing_is_found_where_nothing_is_wrong():
    """Over every change of clocks of the year: no gap, no night, no person twice."""
    assert said(policy(TWO.replace("America/Chicago", "Europe/Berlin")), days=800) == {}


def test_a_date_is_no_telephone_number():
    """What hides telephone numbers in what `check` says leaves dates as they are, in every month; numbers it hides."""
    for date in ("2027-01-11 15:00", "2027-09-01 09:00", "2026-10-05 09:00", "2027-08-02"):
        assert numbers_cut(f"from {date} CET") == f"from {date} CET"
    assert numbers_cut("call 0170-1234567, or 0049 170 1234567") == "call 017…567, or 004…567"


def test_nights_are_the_persons_own():
    """A handoff at nine in Chicago is in the afternoon for people who live by UTC; one at nine in Tokyo at midnight."""
    assert "handoff-at-night" not in said(layered(WEEKLY, zone="America/Chicago"))
    assert (
        "chris takes over at night in their zone (UTC)" in said(layered(WEEKLY, zone="Asia/Tokyo"))["handoff-at-night"]
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD.replace('["@primary"]', '["@primary", "@secondary"]') + TWO)
    return path


def test_a_gap_fails_the_check_and_can_be_allowed(file):
    """Exit code 1 in the pull request; with a reason, 0."""
    assert RUN.invoke(app, ["check", str(file)]).exit_code == 0
    text = file.read_text().replace("every: 1w}]", "every: 1w, only: [{days: [mon]}]}]", 1)
    file.write_text(text)
    failed = RUN.invoke(app, ["check", str(file), "--days", "20"])
    assert failed.exit_code == 1
    assert "on-call-gap" in failed.stdout
    file.write_text(text + 'lints: {allow: {on-call-gap: "office hours, by contract"}}\n')
    assert RUN.invoke(app, ["check", str(file)]).exit_code == 0


def test_programs_are_told_the_year_and_its_worst_hours(file):
    """Shifts, gaps, and per level how soon a person is reached, at worst and without the person who matters most."""
    answer = json.loads(RUN.invoke(app, ["check", str(file), "--json", "--days", "30"]).stdout)["on_call"]
    assert [each["name"] for each in answer["schedules"]] == ["primary", "secondary"]
    worst = {each["level"]: each for each in answer["worst_hours"]}
    assert worst[4]["after"] == 0
    assert worst[4]["without"] is not None  # the other of the two


def test_one_drill_for_each_way_of_being_on_call():
    """Weeks of six people are drilled once: what differs is who it is, not how they are reached."""
    (alike,) = sets(walk(policy(TWO), NOW, 400))
    assert {name for cast in alike.casts for name in cast} >= {"dana", "ben", "chris"}


def test_every_person_missing_is_tried():
    """Each person of the rotation without whom no one is reached is named."""
    ways, _ = reaches_over(walk(layered(WEEKLY), NOW, 60))
    margin = next(each for each in ways if each.level == 4)
    assert {name for name, after in margin.without_person.items() if after is None} == {"dana", "ben", "chris"}


def test_a_drill_is_held_with_whoever_is_on_call(file):
    """`--at` says when; `--without` takes a person's name, and then the other one is reached."""
    words = ["drill", str(file), "--incident", "margin", "--for", "10m", "--json"]
    numbers = {"dana": "dana (+49…001)", "ben": "ben (+49…002)", "chris": "chris (+49…003)"}

    def reached(*more):
        answer = json.loads(RUN.invoke(app, [*words, *more]).stdout)
        return {each["recipient"] for each in answer["messages"] if each["delivered"] and each["channel"] == "phone"}

    (first, second) = (
        {numbers[each["shifts"][0]["person"]]}
        for each in json.loads(RUN.invoke(app, ["on-call", str(file), "--at", "2026-12-24T12:00Z", "--json"]).stdout)[
            "schedules"
        ]
    )
    assert reached("--at", "2026-12-24T12:00Z") == first | second
    name = next(name for name, number in numbers.items() if {number} == first)
    assert reached("--at", "2026-12-24T12:00Z", "--without", name) == second
    assert "at Thu 2026-12-24 09:00 UTC" in RUN.invoke(app, [*words, "--at", "2026-12-24T09:00"]).stderr


def test_a_drill_without_a_stranger_is_refused(file):
    """The people of the policy are named."""
    refused = RUN.invoke(app, ["drill", str(file), "--incident", "margin", "--without", "zoe"])
    assert refused.exit_code == 2
    assert "no channel or person 'zoe'; it has ben, chris, dana" in refused.stderr


def test_diff_tells_who_is_on_call_when():
    """Before and after, in the schedule's own time; what stays is not told."""
    tables = differences(layered(WEEKLY), layered(WEEKLY.replace("dana, ben", "ben, dana")), NOW)
    (table,) = (each for each in tables if each.title == "Who is on call")
    assert table.columns == ("schedule", "from", "until", "before", "after")
    assert table.rows[0][:3] == ("primary", "2026-10-01 02:00 CEST", "2026-10-05 09:00 CEST")
    assert all({before, after} == {"dana", "ben"} for *_, before, after in table.rows[:-1])
    assert not [each for each in differences(layered(WEEKLY), layered(WEEKLY), NOW) if each.title == "Who is on call"]


def test_a_schedule_that_is_gone_is_told():
    """Nobody is on call in it any more."""
    tables = differences(policy(TWO), layered(WEEKLY, zone="America/Chicago"), NOW)
    (table,) = (each for each in tables if each.title == "Who is on call")
    assert {(name, after) for name, *_, after in table.rows[:-1]} == {("secondary", "—")}


def test_a_calendar_that_is_fetched_is_not_known_here(tmp_path):
    """That is said, and fails nothing; with a copy its year is walked, and `drill` says what it lacks."""
    path, copy = tmp_path / "policy.yaml", tmp_path / "copy.ics"
    path.write_text(HEAD + 'schedules: [{name: primary, calendar: "https://example.org/oncall.ics"}]\n')
    copy.write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nSUMMARY:dana\nDTSTART;VALUE=DATE:20250101\n"
        "DTEND;VALUE=DATE:20250102\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    unknown = RUN.invoke(app, ["check", str(path)])
    assert (unknown.exit_code, "calendar-not-read" in unknown.stdout) == (0, True)
    known = RUN.invoke(app, ["check", str(path), "--calendar", f"primary={copy}"])
    assert (known.exit_code, "on-call-gap" in known.stdout) == (1, True)
    drilled = RUN.invoke(app, ["drill", str(path), "--incident", "margin"])
    assert "ask https://example.org/… with --fetch, or give a copy of it: --calendar NAME=FILE" in drilled.stderr


def test_a_diff_knows_calendars_by_copies(tmp_path):
    """Who is on call by a calendar at a URL is compared with a copy of it, of which the number of events is told, and no
    line; without one it is said that nothing is known.
    """
    copy, old, new = tmp_path / "copy.ics", tmp_path / "old.yaml", tmp_path / "new.yaml"
    copy.write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nSUMMARY:dana\nDTSTART;VALUE=DATE:20250106\n"
        "DTEND;VALUE=DATE:20250107\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    old.write_text(HEAD + 'schedules: [{name: primary, time_zone: UTC, calendar: "https://example.org/a.ics"}]\n')
    layer = '{people: [dana], starts: "2025-01-06T00:00", every: 1w}'
    new.write_text(HEAD + f"schedules: [{{name: primary, time_zone: UTC, layers: [{layer}]}}]\n")
    blind = RUN.invoke(app, ["diff", str(old), str(new)])
    assert "primary: nobody is on call: ask https://example.org/… with --fetch" in blind.stderr
    seen = RUN.invoke(app, ["diff", str(old), str(new), "--calendar", f"primary={copy}"])
    assert (seen.exit_code, seen.stderr) == (0, "")
    assert "events: 1 (" in seen.stdout
    assert "DTSTART" not in seen.stdout
    assert "Who is on call" not in seen.stdout
    copy.write_text("<html>")
    broken = RUN.invoke(app, ["diff", str(old), str(new), "--calendar", f"primary={copy}"])
    assert "the copy of its calendar is no iCalendar" in broken.stderr


def test_on_call_claims_nothing_of_a_calendar_that_it_has_not_read(tmp_path):
    """Neither shifts nor gaps: "nobody" would be taken for an answer."""
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD + 'schedules: [{name: primary, calendar: "https://example.org/oncall.ics"}]\n')
    told = RUN.invoke(app, ["on-call", str(path)])
    assert ("not known" in told.stdout, "nobody" in told.stdout) == (True, False)
    answer = json.loads(RUN.invoke(app, ["on-call", str(path), "--json"]).stdout)
    assert [answer["schedules"][0][name] for name in ("shifts", "gaps")] == [[], []]


@pytest.mark.parametrize("given", ["third=x.ics", "primary", "primary=nowhere.ics"])
def test_a_copy_that_is_none_is_refused(file, given):
    """With the option, and what is wrong with it."""
    refused = RUN.invoke(app, ["check", str(file), "--calendar", given])
    assert (refused.exit_code, "--calendar" in refused.stderr) == (2, True)


def test_no_output_has_a_whole_contact(file, tmp_path):
    """`drill`, `explain` and `diff` name people, with the ends of their contacts; another number is another one."""
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("+4917010000001", "+4917019900001"))
    html = tmp_path / "drill.html"
    drill = ["drill", str(file), "--incident", "margin", "--for", "10m"]
    said = [
        RUN.invoke(app, words).stdout
        for words in (
            drill,
            [*drill, "--json", "--html", str(html)],
            ["explain", str(file), "alertname=x", "severity_level=4"],
            ["diff", str(file), str(other)],
            ["diff", str(file), str(other), "--json"],
        )
    ]
    assert not [each for each in (*said, html.read_text()) if "+491701" in each]
    assert "(another one)" in said[3]
    assert "(+49…00" in said[1]


def test_a_calendar_that_has_ended_is_a_gap(tmp_path):
    """Nobody is on call now or ever: `check` fails, and does not only say that the calendar ends."""
    events = "SUMMARY:dana\r\nUID:1\r\nDTSTART:20200101T000000Z\r\nDTEND:20200102T000000Z"
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
    (tmp_path / "x.ics").write_text(f"{head}BEGIN:VEVENT\r\n{events}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    (tmp_path / "policy.yaml").write_text(HEAD + "schedules: [{name: primary, time_zone: UTC, calendar: x.ics}]\n")
    checked = RUN.invoke(app, ["check", str(tmp_path / "policy.yaml"), "--days", "30"])
    assert (checked.exit_code, "on-call-gap" in checked.stdout) == (1, True)


def test_a_shift_that_begins_at_night_after_a_gap_is_said():
    """Also where no person goes off call then; not where the same person was on call just before."""
    nights = '{people: [dana], starts: "2020-01-06T00:00", every: 1d, only: [{from: "23:00", to: "05:00"}]}'
    assert "dana takes over at night" in said(layered(nights, zone="UTC"))["handoff-at-night"]
    mornings = nights.replace('"23:00", to: "05:00"', '"07:00", to: "21:00"')
    assert "handoff-at-night" not in said(layered(mornings, zone="UTC"))
    rest = '{people: [dana], starts: "2020-01-06T00:00", every: 1d}'
    assert "handoff-at-night" not in said(layered(rest, nights, zone="UTC"))
