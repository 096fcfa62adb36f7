"""Schedules by the iCalendar exports of the products that docs/on-call.md names: the page's feeds, and longer ones, in
the shape in which each product writes them.
"""

import pytest

from receiver.on_call.expand import shifts
from rules.load import load, load_text
from tests.docs.sessions import FENCE, ROOT
from tests.on_call.teams import missing, roster, told, utc

POLICY = """\
incident_response:
  alert_channels:
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: email, type: email, recipients: [team@example.org]}
  detection:
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [email, sms]}
people:
  - {name: dana, aliases: [Dana O'Neil, Dana O'Neil - weekly], contacts: {sms: "+491701000001"}}
  - {name: ben, aliases: ["Benson, Ben"], contacts: {sms: "+491701000002", email: ben@example.org}}
schedules:
  - {name: primary, time_zone: Europe/Berlin, calendar: "https://example.org/feed.ics"}
"""

# Two shifts that begin in one hour share a UID; an override is a second event with PRIORITY 1; a shift that was taken
# back stays as a cancelled event without length; the refresh interval is no duration.
GRAFANA = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID://Grafana Labs//Grafana On-Call//
CALSCALE:GREGORIAN
REFRESH-INTERVAL;VALUE=DURATION:P1H
X-WR-CALNAME:primary
X-WR-TIMEZONE:UTC
BEGIN:VEVENT
SUMMARY:dana
DTSTART:20261019T130000Z
DTEND:20261019T134000Z
DTSTAMP:20261001T071112Z
UID:OQ7R2-202610191300-U1
LAST-MODIFIED:20261001T071112Z
PRIORITY:0
END:VEVENT
BEGIN:VEVENT
SUMMARY:dana
DTSTART:20261019T134000Z
DTEND:20261026T140000Z
DTSTAMP:20261001T071112Z
UID:OQ7R2-202610191300-U1
LAST-MODIFIED:20261001T071112Z
PRIORITY:0
END:VEVENT
BEGIN:VEVENT
SUMMARY:dana
DTSTART:20261026T140000Z
DTEND:20261102T140000Z
DTSTAMP:20261001T071112Z
UID:OQ7R2-202610261400-U1
LAST-MODIFIED:20261001T071112Z
PRIORITY:0
END:VEVENT
BEGIN:VEVENT
SUMMARY:Benson\\, Ben
DTSTART:20261026T140000Z
DTEND:20261102T140000Z
DTSTAMP:20261001T071112Z
UID:OX1Y9-202610261400-U2
LAST-MODIFIED:20261001T071112Z
PRIORITY:1
END:VEVENT
BEGIN:VEVENT
SUMMARY:zoe
DTSTART:20261021T080000Z
DTEND:20261021T080000Z
DTSTAMP:20260930T060000Z
UID:OX1Y9-202610210800-U3
LAST-MODIFIED:20261001T071112Z
PRIORITY:1
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
"""

# Names and schedules are written as HTML has them, commas as they are; the last shift has an open end.
GOALERT = """\
BEGIN:VCALENDAR
PRODID:-//GoAlert//v0.34.1//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
BEGIN:VEVENT
UID:5d0c6e1f27a94b38
SUMMARY:Dana O&#39;Neil On-Call (GoAlert: R&amp;D, first (EU))
DTSTAMP:20261001T071112Z
DTSTART:20261019T130000Z
DTEND:20261026T140000Z
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:REMINDER
TRIGGER:-PT10M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:b7712ac05ef84d19
SUMMARY:Benson, Ben On-Call (GoAlert: R&amp;D, first (EU)) Begins*
DESCRIPTION:The end time of this shift is unknown and will continue beyond what is displayed.
DTSTAMP:20261001T071112Z
DTSTART:20261026T140000Z
DTEND:20261102T140000Z
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:REMINDER
TRIGGER:-PT10M
END:VALARM
END:VEVENT
END:VCALENDAR
"""

# The end comes first, attendees are bare addresses, long lines are folded, an unknown title has a known attendee.
PAGERDUTY = """\
BEGIN:VCALENDAR
PRODID;X-RICAL-TZSOURCE=TZINFO:-//com.denhaven2/NONSGML ri_cal gem//EN
CALSCALE:GREGORIAN
VERSION:2.0
X-WR-CALNAME:On Call Schedule for Research and development - first
BEGIN:VEVENT
DTEND;VALUE=DATE-TIME:20261026T140000Z
DTSTART;VALUE=DATE-TIME:20261019T130000Z
ATTENDEE:dana.oneil@example.org
UID:Q1ZK0S7D4M2B9A
URL:https://example.pagerduty.com/schedules#PZ1Y2X3
SUMMARY:On Call - Dana O'Neil - Research and development - first (all the
  week)
END:VEVENT
BEGIN:VEVENT
DTEND;VALUE=DATE-TIME:20261102T140000Z
DTSTART;VALUE=DATE-TIME:20261026T140000Z
ATTENDEE:Ben@example.org
UID:Q1ZK0S7D4M2B9B
URL:https://example.pagerduty.com/schedules#PZ1Y2X3
SUMMARY:On Call - Benjamin B. - Research and development - first
END:VEVENT
END:VCALENDAR
"""

# As the page assumes it: the title begins with the user's name, times are of a zone that the calendar defines.
OPSGENIE = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//OpsGenie//OpsGenie Schedule//EN
METHOD:PUBLISH
X-WR-CALNAME:primary_schedule
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1c9e-a
SUMMARY:Dana O'Neil - weekly
DTSTART;TZID=Europe/Berlin:20261019T150000
DTEND;TZID=Europe/Berlin:20261026T150000
END:VEVENT
BEGIN:VEVENT
UID:1c9e-b
SUMMARY:Ben B. - weekly
ATTENDEE;CN=Ben B.;ROLE=REQ-PARTICIPANT:mailto:ben@example.org
DTSTART;TZID=Europe/Berlin:20261026T150000
DTEND;TZID=Europe/Berlin:20261102T150000
END:VEVENT
END:VCALENDAR
"""

FEEDS = {"grafana": GRAFANA, "goalert": GOALERT, "pagerduty": PAGERDUTY, "opsgenie": OPSGENIE}


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@pytest.mark.parametrize("product", FEEDS)
def test_an_export_is_read_as_the_product_writes_it(product, ends):
    """Dana's week, over the change of clocks, then Ben's: by each product's own way to write it, with both line ends."""
    text = FEEDS[product].replace("\n", ends)
    found = roster(load_text(POLICY).policy, "2026-10-19T13:00", "2026-11-02T14:00", calendars={"primary": text})
    assert (found.fault, found.unknown, missing(found)) == ("", (), [])
    assert told(found) == [
        ("2026-10-19T13:00", "2026-10-26T14:00", "dana"),
        ("2026-10-26T14:00", "2026-11-02T14:00", "ben"),
    ]


def test_the_feeds_of_the_page_put_on_call_whom_they_name(tmp_path):
    """Each block of docs/on-call.md, saved under its name, beside the policy that compares them."""
    for _, name, content in FENCE.findall((ROOT / "docs" / "on-call.md").read_text()):
        if name.endswith((".ics", "feeds.yaml")):
            (tmp_path / name).write_text(content)
    given = load([tmp_path / "feeds.yaml"])
    found = shifts(given, {}, (), utc("2026-10-20T07:00"), utc("2026-10-20T09:00"))
    assert {each.name: [shift.person for shift in each.shifts] for each in found} == {
        "from-grafana": ["dana", "ben"],
        "from-opsgenie": ["ben"],
        "from-goalert": ["ben"],
        "from-pagerduty": ["ben"],
    }
    assert not any(each.fault or each.unknown or each.gaps for each in found)
