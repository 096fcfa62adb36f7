"""Schedules by a calendar: what its events mean, whom they name, and which copies of it are taken."""

import os

import pytest

from receiver.on_call.calendar_copy import judge
from receiver.on_call.shift import Override
from rules.load import load, load_text
from rules.problems import PolicyError
from rules.source import fingerprint
from rules.stored import digest
from tests.on_call.teams import HEAD, missing, policy, roster, told, utc

URL = 'schedules: [{name: primary, time_zone: Europe/Berlin, calendar: "https://example.org/oncall.ics"}]\n'
POLICY = policy(URL)
ALIASED = HEAD.replace("{name: ben,", '{name: ben, aliases: ["[L1] Ben B."],') + URL


def event(summary, starts, ends, *more):
    """Lines of an event; a time with a parameter is ``TZID=…:20261001T090000``."""
    starts, ends = (each if ":" in each else f":{each}" for each in (starts, ends))
    lines = (
        "BEGIN:VEVENT",
        f"UID:{summary}{starts}",
        f"SUMMARY:{summary}",
        f"DTSTART{';' if '=' in starts else ''}{starts}",
        f"DTEND{';' if '=' in ends else ''}{ends}",
        *more,
        "END:VEVENT",
    )
    return "\r\n".join(lines)


def calendar(*events, more=""):
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//test//EN\r\n"
    return head + more + "".join(f"{each}\r\n" for each in events) + "END:VCALENDAR\r\n"


def read(text, starts="2026-10-01T00:00", ends="2026-11-30T00:00", overrides=(), given=POLICY):
    return roster(given, starts, ends, overrides, {"primary": text})


def test_adjacent_whole_days_are_no_gap():
    """From midnight to midnight in the schedule's zone, over the change of clocks too."""
    found = read(
        calendar(
            event("dana", "VALUE=DATE:20261024", "VALUE=DATE:20261025"),
            event("ben", "VALUE=DATE:20261025", "VALUE=DATE:20261026"),
            event("ben", "VALUE=DATE:20261026", "VALUE=DATE:20261027"),
        ),
        "2026-10-23T22:00",
        "2026-10-26T23:00",
    )
    assert told(found) == [
        ("2026-10-23T22:00", "2026-10-24T22:00", "dana"),
        ("2026-10-24T22:00", "2026-10-26T23:00", "ben"),
    ]
    assert not found.gaps


def test_a_weekly_rule_stays_at_its_wall_time():
    """The handoff is at nine in the event's zone before and after the clocks change, without gap or overlap."""
    berlin = "TZID=Europe/Berlin"
    weekly = "RRULE:FREQ=WEEKLY;INTERVAL=2"
    found = read(
        calendar(
            event("dana", f"{berlin}:20261015T090000", f"{berlin}:20261022T090000", weekly),
            event("ben", f"{berlin}:20261022T090000", f"{berlin}:20261029T090000", weekly),
        ),
        "2026-10-15T07:00",
        "2026-11-12T08:00",
    )
    assert [(each[0], each[2]) for each in told(found)] == [
        ("2026-10-15T07:00", "dana"), ("2026-10-22T07:00", "ben"), ("2026-10-29T08:00", "dana"), ("2026-11-05T08:00", "ben"),
    ]  # fmt: skip
    assert not found.gaps


def test_exceptions_additions_and_moved_instances():
    """EXDATE takes one out, RDATE puts one in, an overridden instance is another's."""
    found = read(
        calendar(
            event(
                "dana", "20261001T080000Z", "20261001T100000Z",
                "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20261002T080000Z", "RDATE:20261020T080000Z",
            ),
            event("ben", "20261003T120000Z", "20261003T140000Z", "RECURRENCE-ID:20261003T080000Z").replace(
                "UID:ben:20261003T120000Z", "UID:dana:20261001T080000Z"
            ),
        )
    )  # fmt: skip
    assert told(found) == [
        ("2026-10-01T08:00", "2026-10-01T10:00", "dana"),
        ("2026-10-03T12:00", "2026-10-03T14:00", "ben"),
        ("2026-10-04T08:00", "2026-10-04T10:00", "dana"),
        ("2026-10-20T08:00", "2026-10-20T10:00", "dana"),
    ]


def test_cancelled_and_transparent_events_put_nobody_on_call():
    """Such events need no person on call."""
    found = read(
        calendar(
            event("dana", "20261001T080000Z", "20261001T100000Z", "STATUS:CANCELLED"),
            event("ben", "20261001T080000Z", "20261001T100000Z", "TRANSP:TRANSPARENT"),
        )
    )
    assert not found.shifts
    assert not found.unknown


@pytest.mark.parametrize(
    ("zone", "begins"), [("", "2026-10-01T07:00"), ("X-WR-TIMEZONE:America/Chicago\r\n", "2026-10-01T14:00")]
)
def test_times_without_a_zone_are_the_schedules_or_the_calendars(zone, begins):
    """Floating times; `X-WR-TIMEZONE` says where they are at home. Whole days are the schedule's."""
    whole = event("ben", "VALUE=DATE:20261005", "VALUE=DATE:20261006")
    found = told(read(calendar(event("dana", "20261001T090000", "20261001T100000"), whole, more=zone)))
    assert [each for each, *_ in found] == [begins, "2026-10-04T22:00"]


def test_people_are_known_by_summary_attendee_or_alias():
    """In that order; a person who declined does not attend. A name of no known person is said."""
    mail = "ATTENDEE;CN=Chris:mailto:Chris@example.org"
    declined = "ATTENDEE;PARTSTAT=DECLINED:mailto:dana@example.org"
    found = read(
        calendar(
            event("Dana", "20261001T080000Z", "20261001T090000Z", mail),
            event("On call", "20261001T090000Z", "20261001T100000Z", declined, mail),
            event("[L1] Ben B.", "20261001T100000Z", "20261001T110000Z"),
            event("Zoe", "20261001T110000Z", "20261001T120000Z"),
        ),
        given=load_text(ALIASED).policy,
    )
    assert [each[2] for each in told(found)] == ["dana", "chris", "ben"]
    assert found.unknown == ("Zoe",)


def test_all_of_overlapping_events_are_on_call():
    """Both are told; an override takes the place of both."""
    text = calendar(
        event("dana", "20261001T080000Z", "20261001T120000Z"), event("ben", "20261001T100000Z", "20261001T140000Z")
    )
    assert [each.person for each in read(text).at(utc("2026-10-01T11:00"))] == ["dana", "ben"]
    override = Override("primary", "chris", utc("2026-10-01T10:30"), utc("2026-10-01T11:30"), "lee")
    assert [each.person for each in read(text, overrides=[override]).at(utc("2026-10-01T11:00"))] == ["chris"]


def test_a_rule_without_end_is_read_within_the_window_only():
    """However long it goes on; one that repeats every second is refused."""
    assert len(read(calendar(event("dana", "20200101T080000Z", "20200101T090000Z", "RRULE:FREQ=DAILY"))).shifts) == 60
    second = read(calendar(event("dana", "20200101T080000Z", "20200101T080001Z", "RRULE:FREQ=SECONDLY")))
    assert "more often than every hour" in second.fault


def test_a_custom_zone_is_read():
    """A VTIMEZONE of the calendar's own, as Outlook writes them."""
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0300\r\n"
        "TZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    text = calendar(event("dana", "TZID=Somewhere:20261001T090000", "TZID=Somewhere:20261001T100000"), more=zone)
    assert told(read(text))[0][0] == "2026-10-01T06:00"


def test_feeds_may_stand_one_after_the_other():
    """Each person's own feed, in one file."""
    feeds = [
        calendar(event("dana", "20261001T080000Z", "20261001T090000Z")),
        calendar(event("ben", "20261001T090000Z", "20261001T100000Z")),
    ]
    assert [each[2] for each in told(read("".join(feeds)))] == ["dana", "ben"]


GOOD = calendar(event("dana", "20261001T000000Z", "20261002T000000Z", "RRULE:FREQ=DAILY"))
THIN = calendar(event("dana", "20261001T000000Z", "20261001T120000Z", "RRULE:FREQ=DAILY"))
EMPTY = calendar()


@pytest.mark.parametrize(
    ("last", "fetched", "taken", "says"),
    [
        ("", GOOD, True, ""),
        (GOOD, GOOD, True, ""),
        (THIN, GOOD, True, ""),
        (GOOD, THIN, True, "covers 28d less of the coming 8 weeks"),
        (GOOD, EMPTY, False, "it puts nobody on call any more"),
        (GOOD, GOOD.replace("SUMMARY:dana", "SUMMARY:zoe"), False, "it puts nobody on call any more"),
        (GOOD, "<html>Sign in</html>", False, "is not taken: it is no iCalendar"),
        (GOOD, GOOD[: len(GOOD) // 2], False, "is not taken"),
        (GOOD, "", False, "nobody on call any more"),
        ("", EMPTY, True, ""),
        ("<html>", GOOD, True, ""),
    ],
)
def test_a_copy_is_taken_or_not(last, fetched, taken, says):
    """A broken fetch never empties a schedule; one that covers less of the coming weeks is taken with an alarm."""
    verdict = judge(POLICY, POLICY.schedules[0], last, fetched, utc("2026-10-05T00:00"))
    assert verdict.is_taken is taken
    assert says in verdict.alarm
    assert bool(says) is bool(verdict.alarm)


def test_a_file_beside_the_policy_is_part_of_it(tmp_path):
    """Its shifts are read with the policy; another content is another version, and is seen when files are watched."""
    file = tmp_path / "oncall.ics"
    file.write_text(GOOD)
    (tmp_path / "policy.yaml").write_text(HEAD + "schedules: [{name: primary, time_zone: UTC, calendar: oncall.ics}]\n")
    given, mark = load([tmp_path]), fingerprint([tmp_path / "policy.yaml"])
    assert told(roster(given, "2026-10-03T00:00", "2026-10-04T00:00")) == [
        ("2026-10-03T00:00", "2026-10-04T00:00", "dana")
    ]
    file.write_text(THIN)
    assert missing(roster(load([tmp_path]), "2026-10-03T00:00", "2026-10-04T00:00"))
    assert digest(load([tmp_path])) != digest(given)
    assert fingerprint([tmp_path / "policy.yaml"]) != mark


def test_a_pipe_is_no_calendar(tmp_path):
    """It is not waited for."""
    os.mkfifo(tmp_path / "oncall.ics")
    (tmp_path / "policy.yaml").write_text(HEAD + "schedules: [{name: primary, calendar: oncall.ics}]\n")
    with pytest.raises(PolicyError, match=r"oncall\.ics cannot be read: it is a pipe, and a file is needed"):
        load([tmp_path])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not lie beside the policy"),
        (b"<html>", "has no BEGIN:VCALENDAR"),
        (b"\xff\xfe", "is not UTF-8"),
        (GOOD[: len(GOOD) // 2].encode(), "is no whole iCalendar: its end is missing"),
        (b" " * (4 * 2**20 + 1), "is larger than 4 MiB"),
    ],
)
def test_a_file_that_is_no_calendar_is_an_error(tmp_path, content, says):
    """At the line that names it."""
    if content is not None:
        (tmp_path / "oncall.ics").write_bytes(content)
    (tmp_path / "policy.yaml").write_text(HEAD + "schedules: [{name: primary, calendar: oncall.ics}]\n")
    with pytest.raises(PolicyError) as refused:
        load([tmp_path])
    assert says in str(refused.value)
    assert "policy.yaml:12:29:" in str(refused.value)


def test_a_feed_of_grafana_oncall_is_read_as_it_is():
    """`[L1] dana` is dana; where shifts overlap the higher level is on call, as there; of one level all are."""
    text = calendar(
        event("[L1] dana", "20261005T090000Z", "20261012T090000Z"),
        event("[L2] ben", "20261006T090000Z", "20261007T090000Z"),
        event("[L99] dana", "20261006T120000Z", "20261006T130000Z"),
        event("[L1] ben", "20261011T090000Z", "20261012T090000Z"),
        more="X-WR-TIMEZONE:UTC\r\n",
    )
    given = policy(URL.replace("Europe/Berlin", "UTC"))
    assert told(read(text, "2026-10-05T09:00Z", "2026-10-12T09:00Z", given=given)) == [
        ("2026-10-05T09:00", "2026-10-06T09:00", "dana"),
        ("2026-10-06T09:00", "2026-10-06T12:00", "ben"),
        ("2026-10-06T12:00", "2026-10-06T13:00", "dana"),
        ("2026-10-06T13:00", "2026-10-07T09:00", "ben"),
        ("2026-10-07T09:00", "2026-10-12T09:00", "dana"),
        ("2026-10-11T09:00", "2026-10-12T09:00", "ben"),
    ]


def test_a_feed_of_a_whole_goalert_schedule_is_read_as_it_is():
    """Of `dana On-Call (GoAlert: primary)` the name counts; a feed of one person has no name, and that is said."""
    text = calendar(
        event("dana On-Call (GoAlert: primary)", "20261005T090000Z", "20261006T090000Z"),
        event("Ben On-Call (GoAlert: primary (EU)) Begins*", "20261006T090000Z", "20261007T090000Z"),
        event("On-Call (GoAlert: primary)", "20261007T090000Z", "20261008T090000Z"),
    )
    found = read(text)
    assert [each.person for each in found.shifts] == ["dana", "ben"]
    assert found.unknown == ("On-Call (GoAlert: primary)",)


def test_the_export_of_grafana_oncall_is_read_as_it_leaves():
    """Its refresh interval is no duration, two shifts that begin in one hour share a UID, and PRIORITY 1 is an override."""
    text = calendar(
        event("dana", "20261005T090000Z", "20261005T091000Z", "PRIORITY:0"),
        event("dana", "20261005T091000Z", "20261006T090000Z", "PRIORITY:0"),
        event("ben", "20261005T120000Z", "20261005T130000Z", "PRIORITY:1"),
        more="CALSCALE:GREGORIAN\r\nREFRESH-INTERVAL;VALUE=DURATION:P1H\r\n",
    ).replace("-//test//test//EN", "//Grafana Labs//Grafana On-Call//")
    assert told(read(text.replace("UID:dana:20261005T0910", "UID:dana:20261005T0900"))) == [
        ("2026-10-05T09:00", "2026-10-05T12:00", "dana"),
        ("2026-10-05T12:00", "2026-10-05T13:00", "ben"),
        ("2026-10-05T13:00", "2026-10-06T09:00", "dana"),
    ]
    elsewhere = read(text.replace("Grafana", "Outlook"))
    assert len(elsewhere.at(utc("2026-10-05T12:30"))) == 2


def test_feeds_of_pagerduty_and_goalert_name_people_in_their_own_ways():
    """PagerDuty puts words around the name and its addresses have no scheme; GoAlert writes names as HTML has them."""
    given = load_text(HEAD.replace("{name: dana,", '{name: dana, aliases: ["Dana O\'Neil"],') + URL).policy
    text = calendar(
        event("On Call - Dana O'Neil - Team A", "20261005T090000Z", "20261006T090000Z"),
        event("On Call - Ben B. - Team A", "20261006T090000Z", "20261007T090000Z", "ATTENDEE:ben@example.org"),
        event("Dana O&#39;Neil On-Call (GoAlert: R&amp;D)", "20261007T090000Z", "20261008T090000Z"),
        event("On Call - Zoe - Team A", "20261008T090000Z", "20261009T090000Z", "ATTENDEE:zoe@example.org"),
    )
    found = read(text, given=given)
    assert [each[2] for each in told(found)] == ["dana", "ben", "dana"]
    assert found.unknown == ("On Call - Zoe - Team A",)


def test_events_that_are_marked_as_free_are_said():
    """Google Calendar marks whole days so: who is named by them is not on call, and that is told with the name."""
    day = event("dana", "VALUE=DATE:20261001", "VALUE=DATE:20261002", "TRANSP:TRANSPARENT")
    found = read(calendar(day, event("holiday", "VALUE=DATE:20261003", "VALUE=DATE:20261004", "TRANSP:TRANSPARENT")))
    assert (found.shifts, found.free, found.unknown) == ((), ("dana",), ())


@pytest.mark.parametrize(
    "times",
    [
        ("20261002T000000Z", "20261001T000000Z"),
        ("VALUE=DATE:20261002", "VALUE=DATE:20261001"),
        ("TZID=Europe/Berlin:20261002T000000", "20261001T000000Z"),
        ("VALUE=DATE:20261002", "20261001T000000Z"),
        ("20261002T000000Z", "20261001T000000Z", "RRULE:FREQ=DAILY;COUNT=3"),
    ],
)
def test_an_event_that_ends_before_it_begins_puts_nobody_on_call(times):
    """It is said by its name, not read the other way round; the others count."""
    starts, ends, *more = times
    found = read(calendar(event("dana", starts, ends, *more), event("ben", "20261005T080000Z", "20261005T090000Z")))
    assert [each.person for each in found.shifts] == ["ben"]
    assert (found.backwards, found.unknown) == (("dana",), ())


def test_an_event_of_less_than_no_time_puts_nobody_on_call():
    """DURATION says the end as well."""
    text = calendar(event("dana", "20261002T000000Z", "20261003T000000Z"))
    found = read(text.replace("DTEND:20261003T000000Z", "DURATION:-P1D"))
    assert (found.shifts, found.backwards) == ((), ("dana",))


BROKEN_ALARM = ("BEGIN:VALARM", "TRIGGER:in time", "END:VALARM")


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (event("dana", "2026-10-01", "20261001T090000Z"), 'an event "dana" whose DTSTART cannot be read'),
        (event("dana", "20261001T080000Z", "20261001T090000Z", "EXDATE:never"), 'event "dana" whose EXDATE cannot'),
        ("BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:dana\r\nEND:VEVENT", 'an event "dana" without a beginning'),
        (event("dana", "TZID=Nowhere:20261001T090000", "TZID=Nowhere:20261001T100000"), 'the time zone "Nowhere"'),
        (event("dana", "20261001T080000Z", "20261001T090000Z", *BROKEN_ALARM), ""),
        (event("dana", "20261001T080000Z", "20261001T090000Z", "BEGIN:VALARM"), "END:VEVENT ends what has not begun"),
        (event("dana", "20261001T080000Z", "20261001T090000Z", "PRIORITY:high", "no line"), ""),
        (event("dana", *["TZID=Central European Standard Time:20261001T090000"] * 2, "DURATION:PT1H"), ""),
    ],
)
def test_what_says_when_an_event_is_has_to_be_right(one, says):
    """An event that is half read would leave a gap: it is named, with what is wrong. Alarms do not matter."""
    found = read(calendar(one, event("ben", "20261002T080000Z", "20261002T090000Z")))
    assert says in found.fault
    assert bool(says) is bool(found.fault)
    assert bool(found.shifts) is not bool(says)


@pytest.mark.parametrize(("zone", "begins"), [("Central Standard Time", "14:00"), ("Nowhere/Land", "")])
def test_the_zone_of_a_calendar_may_be_as_windows_names_it(zone, begins):
    """One that is none is said with its name."""
    text = calendar(event("dana", "20261001T090000", "20261001T100000"), more=f"X-WR-TIMEZONE:{zone}\r\n")
    found = read(text)
    assert [each[0][11:] for each in told(found)] == ([begins] if begins else [])
    assert ('X-WR-TIMEZONE "Nowhere/Land", which is no time zone' in found.fault) is not bool(begins)


def test_two_calendars_may_define_zones_of_one_name():
    """Each goes by its own, whichever was read first, so that replicas agree."""

    def one(person, offset):
        zone = (
            "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
            f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        )
        return calendar(event(person, "TZID=Ours:20261001T090000", "TZID=Ours:20261001T100000"), more=zone)

    assert told(read(one("dana", "+0300")))[0][0] == "2026-10-01T06:00"
    assert told(read(one("dana", "+0500") + one("ben", "+0400"))) == [
        ("2026-10-01T04:00", "2026-10-01T05:00", "dana"),
        ("2026-10-01T05:00", "2026-10-01T06:00", "ben"),
    ]


@pytest.mark.parametrize("scheme", ["webcal", "webcals", "WebCal"])
def test_an_address_for_calendar_programs_is_taken(scheme):
    """Opsgenie and PagerDuty give such; what is fetched is the same over https."""
    assert policy(URL.replace("https", scheme)).schedules[0].calendar == "https://example.org/oncall.ics"
