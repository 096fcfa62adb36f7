"""The console's pages about who is on call, people's calendars, and metrics."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from receiver.channels.twilio import meaning_of
from receiver.core.events import Delivered, Rejected
from receiver.core.model import Instant
from receiver.core.shift_log import LoggedShift, ShiftEntry, ShiftNotes
from receiver.engine.commands import OutcomeReport
from rules.load import load_text
from rules.policy import HOUR, Policy
from tests.channels.servers.slack import SlackWorkspace
from tests.web.conftest import Running
from tests.web.test_console import BROWSER, csrf, page

POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: chat, type: slack, channel: "#alerts"}
people:
  - name: dana
    time_zone: America/Chicago
    contacts: {sms: "+4917010000001", email: dana@example.com, slack: U024BE7LH}
  - {name: ben, contacts: {sms: "+4917010000002"}}
schedules:
  - name: primary
    time_zone: Europe/Berlin
    layers: [{people: [dana, ben], starts: "2026-01-05T09:00", every: 1w}]
  - name: later
    time_zone: Europe/Berlin
    layers: [{people: [ben], starts: "2026-11-30T09:00", every: 1w}]
"""
USERS = {"TOCSIN_API_TOKENS": "ben:responder:responders-token,vic:viewer:the-viewers-token"}
BEN, VIC = ({"Authorization": f"Bearer {each}"} for each in ("responders-token", "the-viewers-token"))


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Two schedules of two people; the second begins a week from now. Now is Monday, 03:13 in Berlin."""
    return load_text(POLICY).policy


async def send(receiver: Running, path: str, **form: str) -> tuple[int, str]:
    """Post a form of the page."""
    form["csrf"] = csrf(await page(receiver, "/on-call"))  # the same on every page
    async with receiver.http.post(receiver.url + path, data=form, headers=BROWSER, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


def facts(text: str, schedule: str) -> str:
    """What stands under a schedule's name, without tags."""
    section = text.partition(f">{schedule} <span")[2].partition("</dl>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


async def take(receiver: Running, **changes: str) -> tuple[int, str]:
    """Dana takes primary over until the afternoon."""
    form = {"schedule": "primary", "person": "dana", "ends": "2026-11-23T15:00", "reason": "swap <b>"}
    return await send(receiver, "/on-call/take", **form | changes)


async def test_now_until_when_and_next(receiver: Running) -> None:
    """In the schedule's wall time, which is named; a schedule that has not begun says that it has no person."""
    text = await page(receiver, "/on-call")
    assert "times in Europe/Berlin" in facts(text, "primary")
    assert "Now ben Until Mon 23 Nov, 09:00 CET" in facts(text, "primary")
    assert "Next dana , from Mon 23 Nov, 09:00 CET" in facts(text, "primary")
    assert "Now ✕ nobody Next ben , from Mon 30 Nov, 09:00 CET" in facts(text, "later")
    assert "Nobody is on call for 7 days 5 hours of it" in text
    assert "<span>from Mon 30 Nov, 09:00 CET on, no end before " in text, "where its end is not known none is told"
    assert "<span>until Mon 30 Nov, 09:00 CET</span>" in text
    assert text.count("<svg") == 4
    assert (await page(receiver, "/on-call?weeks=13")).count("<svg") == 26


async def test_an_override_is_made_and_cancelled(receiver: Running) -> None:
    """It is in effect at once, told with its reason, and next is who it does not hide; then it is taken back."""
    assert await take(receiver) == (303, "/on-call?done=take#said")
    text = await page(receiver, "/on-call?done=take")
    assert "Now dana by override by local Until Mon 30 Nov, 09:00 CET" in facts(text, "primary")  # her own week follows
    assert "Next ben" in facts(text, "primary")
    assert "swap &lt;b&gt;" in text
    assert "swap <b>" not in text
    assert (await send(receiver, "/on-call/cancel", override="1"))[0] == 303
    assert "Now ben" in facts(await page(receiver, "/on-call"), "primary")
    assert (await send(receiver, "/on-call/cancel", override="1"))[0] == 409
    assert (await send(receiver, "/on-call/cancel", override="x"))[0] == 404


@pytest.mark.parametrize(
    "changes", [{"ends": "tomorrow"}, {"ends": "2020-01-01T09:00"}, {"person": "eve"}, {"reason": ""}, {"schedule": ""}]
)
async def test_what_cannot_be_is_said(receiver: Running, changes: dict[str, str]) -> None:
    """Nothing is done, and the page says why, with what was typed still there."""
    status, text = await take(receiver, **changes)
    assert status in {400, 409}
    assert "Not done:" in text
    assert "None is in effect" in text
    assert changes.get("schedule") == "" or f'value="{changes.get("ends", "2026-11-23T15:00")}"' in text


async def test_only_responders_change_it(start: Callable[..., Any]) -> None:
    """A viewer reads, and has neither forms nor the calendar's link; a responder's own name is chosen already."""
    receiver = await start(**USERS)
    seen = await page(receiver, "/on-call", headers=VIC)
    assert "/on-call/take" not in seen
    assert "/feeds/" not in await page(receiver, "/people/dana", headers=VIC)
    assert '<option value="ben" selected>' in await page(receiver, "/on-call", headers=BEN)
    for path in ("/on-call/take", "/on-call/cancel"):
        assert (await receiver.post(path, headers=VIC))[0] == 403


async def test_a_person_and_their_calendar(start: Callable[..., Any]) -> None:
    """Shifts in the person's zone, of contacts the ends only; the calendar is read by its own link alone."""
    receiver = await start(**USERS)
    text = await page(receiver, "/people/dana", headers=BEN)
    assert "Mon 23 Nov, 02:00 until Mon 30 Nov, 02:00 CST" in text
    assert "+49…001" in text
    assert "d…@example.com" in text
    assert "+4917010000001" not in text
    found = re.search(r'href="(/feeds/dana/[0-9a-f]{32}\.ics)"', text)
    assert found
    status, feed = await receiver.get(found[1])
    assert (status, "DTSTART:20261123T080000Z" in feed) == (200, True)
    assert (await receiver.get(found[1].replace("dana", "ben")))[0] == 404
    assert "nobody of that name" in await page(receiver, "/people/eve", 404, headers=BEN)


async def test_a_contact_is_tried(start: Callable[..., Any]) -> None:
    """The button sends a marked message to that contact alone, and says what the provider answered; it is audited. What
    cannot be sent has no button.
    """
    workspace = SlackWorkspace("xoxb-test", "U024BE7LH")
    async with workspace.wire:
        slack = {"TOCSIN_SLACK_TOKEN": "xoxb-test", "TOCSIN_SLACK_API_URL": f"{workspace.wire.url}/api"}
        receiver = await start(**slack)
        text = await page(receiver, "/people/dana")
        assert 'name="contact" value="slack"' in text
        assert 'name="contact" value="sms"' not in text
        status, said = await send(receiver, "/people/dana/test", contact="slack")
        assert (status, "Test message by slack:</strong> accepted" in said) == (200, True)
        (message,) = workspace.shown
        assert "Test message: nothing is wrong" in str(message["blocks"])
        assert (await send(receiver, "/people/dana/test", contact="sms"))[0] == 409
        assert (await send(receiver, "/people/ben/test", contact="slack"))[0] == 409
        [(_, entry)] = receiver.store.newest_audits(1)
        assert (entry.action, entry.data["person"]) == ("test-channel", "dana")


async def test_a_channel_for_whoever_is_on_call_can_be_tried(start: Callable[..., Any]) -> None:
    """SMS goes to `@primary` alone: it is configured, and both the channel and each person's number have the button."""
    account = {
        "TOCSIN_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TOCSIN_TWILIO_AUTH_TOKEN": "x",
        "TOCSIN_TWILIO_FROM": "+15550100",
    }
    receiver = await start(**account)
    assert 'name="contact" value="sms"' in await page(receiver, "/people/dana")
    assert 'name="channel" value="sms"' in await page(receiver, "/channels")


async def test_metrics(start: Callable[..., Any]) -> None:
    """The number on call, the seconds until the next gap, and overrides are public; names need authentication."""
    receiver = await start(**USERS)
    for_all = await receiver.scrape()
    assert for_all['tocsin_on_call_people{schedule="primary"}'] == 1
    assert for_all['tocsin_on_call_people{schedule="later"}'] == 0
    assert for_all['tocsin_on_call_gap_seconds{schedule="primary"}'] == float("inf")
    assert for_all['tocsin_on_call_gap_seconds{schedule="later"}'] == 0
    assert for_all["tocsin_on_call_overrides"] == 0
    assert not [name for name in for_all if "person=" in name]
    _, text = await receiver.get("/metrics", headers=VIC)
    assert 'tocsin_on_call{person="ben",schedule="primary"} 1.0' in text
    _, text = await receiver.get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert "person=" not in text


async def test_what_was_stays_as_it_was(receiver: Running) -> None:
    """Past handoffs come from the shift log, also when the policy in use contradicts it; so does the feed."""
    now = receiver.clock.now
    entries = [
        ShiftEntry(Instant(now - hours * HOUR), "primary", (LoggedShift(person, "override by ann"),))
        for hours, person in ((60, "ben"), (48, "dana"), (24, "ben"))
    ]
    assert await receiver.queue.run(receiver.store.handoffs.note, 0, ShiftNotes(tuple(entries)))
    text = await page(receiver, "/on-call")
    assert "Handoffs so far" in text
    past = " ".join(re.sub(r"<[^>]+>", " ", text.partition("Handoffs so far")[2].partition("</details>")[0]).split())
    assert past == "ben override by ann from Sun 22 Nov, 03:13 CET dana override by ann from Sat 21 Nov, 03:13 CET"
    link = re.search(r'href="(/feeds/dana/[^"]+)"', await page(receiver, "/people/dana"))
    assert link
    async with receiver.http.get(receiver.url + link[1]) as answer:
        assert "DTSTART:20261121T021320Z\r\nDTEND:20261122T021320Z" in await answer.text()


async def test_what_was_done_just_now_is_shown_before_the_log_has_it(receiver: Running) -> None:
    """The log hears of an override within seconds; the page shows it at once."""
    now = receiver.clock.now
    entry = ShiftEntry(Instant(now - HOUR), "primary", (LoggedShift("ben", "layer 1"),))
    await receiver.queue.run(receiver.store.handoffs.note, 0, ShiftNotes((entry,)))
    await take(receiver)
    assert "Now dana by override by" in facts(await page(receiver, "/on-call"), "primary")


async def test_a_contact_that_fails_is_shown(start: Callable[..., Any]) -> None:
    """Who sent STOP to our number reads so under that contact, the number by its ends, until a message leaves again."""
    receiver = await start(
        TOCSIN_TWILIO_ACCOUNT_SID="AC1", TOCSIN_TWILIO_AUTH_TOKEN="t", TOCSIN_TWILIO_FROM="+12025550100"
    )
    for title, outcome in (("a", Rejected(meaning_of(21610))), ("b", Delivered("SM1"))):
        body = {"type": title, "level": 4, "title": title, "new_type": True}
        status, said = await receiver.post("/api/v1/incidents", body, headers={"Host": "localhost"})
        assert status == 201, said
        claimed = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
        pages = [each for delivery in claimed for each, _ in delivery.items if each.person == "ben"]
        assert [each.channel for each in pages] == ["sms"]
        reports = [OutcomeReport(each, outcome) for each in pages]
        await receiver.queue.run(receiver.engine.report, reports, receiver.clock())
        text = await page(receiver, "/people/ben")
        failed = "The last message failed, Mon 23 Nov, 02:13 UTC: the recipient has opted out of SMS" in text
        assert failed == isinstance(outcome, Rejected), text
        assert "+4917010000002" not in text
        assert "The last message failed" not in await page(receiver, "/people/dana")
        await receiver.pass_time(1_000_000)


async def test_a_shift_without_an_end_is_told_as_that(receiver: Running) -> None:
    """Ben alone is on call in "later" from Monday on: his page does not take the end of what was looked at for his."""
    text = " ".join(re.sub(r"<[^>]+>", " ", await page(receiver, "/people/ben", headers=BEN)).split())
    assert "later from Mon 30 Nov, 08:00 UTC on, no end before Mon 22 Feb, 02:13 UTC" in text
