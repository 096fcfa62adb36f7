"""Who is on call by a calendar at a URL, and how its copy is."""

import pytest

from receiver.core.fetched_calendars import CalendarFetches
from rules.load import load_text
from rules.policy import Policy
from tests.web.conftest import Running
from tests.web.test_console import page

POLICY = """
incident_response:
  alert_channels: [{name: email, type: email, recipients: ["@primary", team@example.org]}]
people: [{name: dana, contacts: {email: dana@example.org}}]
schedules: [{name: primary, time_zone: UTC, calendar: "https://example.org/private-3f9c/x.ics"}]
"""
EVENTS = "".join(
    f"BEGIN:VEVENT\r\nUID:{name}\r\nSUMMARY:{name}\r\nDTSTART;VALUE=DATE:20250101\r\nDTEND;VALUE=DATE:20250102\r\n"
    "RRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    for name in ("dana", "zoe")
)
CALENDAR = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{EVENTS}END:VCALENDAR\r\n"


@pytest.fixture(scope="session")
def policy() -> Policy:
    """One schedule by a calendar that is fetched."""
    return load_text(POLICY).policy


async def test_the_api_tells_who_the_copy_names_how_old_it_is_and_what_is_wrong_with_it(receiver: Running) -> None:
    """Before the first fetch it says so; the URL is told nowhere."""
    _, found = await receiver.get("/api/v1/on-call")
    [schedule] = found["schedules"]
    assert (schedule["now"], schedule["calendar"]["fetched_at"]) == ([], None)
    assert schedule["calendar"]["problem"] == "it was not fetched yet"
    now = receiver.clock.now
    fetches = CalendarFetches("u", now, now, good_at=now, detail="its server answers 404")
    await receiver.queue.run(receiver.store.keep_calendar, "primary", fetches, CALENDAR, "digest")
    _, found = await receiver.get("/api/v1/on-call")
    [schedule] = found["schedules"]
    assert [each["person"] for each in schedule["now"]] == ["dana"]
    assert schedule["calendar"]["fetched_at"].startswith("2026-11-23T02:13:20")
    assert (schedule["calendar"]["problem"], schedule["calendar"]["unknown"]) == ("its server answers 404", ["zoe"])
    assert "private" not in str(found)


async def test_the_page_shows_what_is_wrong_with_a_calendar_and_what_to_do(receiver: Running) -> None:
    """Its age, why the last fetch failed, and a name of no known person; the gap stays red, the URL is not shown."""
    text = await page(receiver, "/on-call")
    assert "was not fetched yet" in text
    assert "✕ nobody" in text
    now = receiver.clock.now
    fetches = CalendarFetches("u", now, now, good_at=now, detail="its server answers 404", thinner="it covers 3d less")
    await receiver.queue.run(receiver.store.keep_calendar, "primary", fetches, CALENDAR, "digest")
    text = await page(receiver, "/on-call")
    assert "The last fetch was not good: its server answers 404. The last good copy stays in use" in text
    assert "Nobody of the policy is called “zoe”" in text
    assert "it covers 3d less" in text
    assert "23 Nov 2026, 02:13:20 UTC" in text.partition("as of")[2].partition("</dd>")[0]
    assert "private" not in text
