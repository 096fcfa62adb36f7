"""What a person does in the console beside the big buttons: declare, assess, approve, follow up, try a channel."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from receiver.web.auth.passwords import hash_password
from rules.policy import HOUR, MINUTE, Policy, ResponseRole
from tests.channels.servers.slack import SlackWorkspace
from tests.web.conftest import Running
from tests.web.test_console import BROWSER, HOSTILE, csrf, log_in, page, press

PEOPLE = {
    "TOCSIN_USERS": "\n".join(
        f"{name}:{role}:{hash_password(name)}" for name, role in (("ron", "responder"), ("vic", "viewer"))
    ),
    "TOCSIN_API_TOKENS": "ann:admin:annes-token",
}


async def submit(receiver: Running, path: str, **form: str) -> tuple[int, str]:
    """Post a form with a fresh mark; status, and where to or what was answered."""
    form = {"csrf": csrf(await page(receiver, "/declare")), **form}
    async with receiver.http.post(receiver.url + path, data=form, headers=BROWSER, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def test_declaring(receiver: Running) -> None:
    """A person opens an incident with kind, title, level and note; the same form pressed twice opens one."""
    text = await page(receiver, "/declare")
    assert 'value="engine_failure"' in text
    assert 'href="/declare"' in await page(receiver, "/")
    form = {
        "type": "engine_failure",
        "title": "Engine two smokes",
        "level": "3",
        "note": "seen\r\nby hand",
        "system": "engine-2",
        "key": "k1",
    }
    assert await submit(receiver, "/declare", **form) == (303, "/incidents/1?done=declare#said")
    assert (await submit(receiver, "/declare", **form))[1].startswith("/incidents/1?")
    shown = await page(receiver, "/incidents/1?done=declare")
    assert "Declared." in shown
    assert re.search(r"seen\s+by hand", shown)
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["level"], found["title"], found["exercise"]) == (3, "Engine two smokes", False)
    assert found["labels"] == {"system": "engine-2"}, "which every message names, the shortest too"
    status, text = await submit(receiver, "/declare", type=HOSTILE, title="kept words", key="k2")
    assert status == 400
    assert "Not done:" in text
    assert 'value="kept words"' in text
    assert "<script>alert" not in text


async def test_declaring_an_unknown_kind(receiver: Running) -> None:
    """A slip of the pen opens nothing and is asked back, with a box for a kind that is new on purpose."""
    assert 'name="new_type"' not in await page(receiver, "/declare")
    status, text = await submit(receiver, "/declare", type="engin_failure", key="k1")
    assert (status, "did you mean engine_failure?" in text, 'name="new_type"' in text) == (409, True, True)
    assert (await receiver.get("/api/v1/incidents/1"))[0] == 404
    assert (await submit(receiver, "/declare", type="coffee", new_type="true", key="k1"))[0] == 303


async def test_assessing(receiver: Running) -> None:
    """Impact is chosen in the policy's words and raises the level; cause, fix and verification are kept, once each."""
    await receiver.post("/api/v1/incidents", {"type": "performance_drop", "level": 2, "new_type": True})
    text = await page(receiver, "/incidents/1")
    scale = re.search(r'name="scale\.(\w+)"', text)
    assert scale
    assert (await press(receiver, 1, "change", form="impact", **{f"scale.{scale[1]}": "critical"}))[0] == 303
    assert (await receiver.get("/api/v1/incidents/1"))[1]["level"] == 4
    assert 'value="critical" selected' in await page(receiver, "/incidents/1")
    said = {"facts.root_cause": "a hose\r\nburst", "facts.contributing_factors": "", "form": "cause"}
    for _ in range(2):
        assert (await press(receiver, 1, "change", **said))[0] == 303
    for name, value in (("fix_description", "new hose"), ("verification_status", "pressure holds")):
        assert (await press(receiver, 1, "change", **{f"facts.{name}": value}))[0] == 303
    _, report = await receiver.get("/api/v1/incidents/1/report?format=md")
    for words in ("a hose", "new hose", "pressure holds"):
        assert words in report
    _, timeline = await receiver.get("/api/v1/incidents/1/timeline")
    fields = [each["data"]["field"] for each in timeline["timeline"] if each["fact"] == "changed"]
    assert fields.count("root_cause") == 1, "what says the same again is no news"
    assert "contributing_factors" not in fields


async def test_notices_are_approved_by_approvers(start: Callable[..., Any]) -> None:
    """A held notice stands there word for word; only an approver has its buttons, and exactly that text goes to the
    ticked recipients; with all boxes empty it is not sent.
    """
    receiver = await start(**PEOPLE)
    admin = {"Authorization": "Bearer annes-token"}
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"}, headers=admin)
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "Dana"}, headers=admin)
    _, told = await receiver.get("/api/v1/incidents/1/notices", headers=admin)
    held = [each for each in told["notices"] if each["standing"] == "held"]
    assert held
    text = {"subject": held[0]["subject"], "text": held[0]["text"].replace("not yet known", "status@example.com")}
    edited = {"hash": held[0]["hash"], **text}
    _, told = await receiver.ask("PUT", f"/api/v1/incidents/1/notices/{held[0]['id']}", edited, headers=admin)
    held = [each for each in told["notices"] if each["standing"] == "held"]
    ron = await log_in(receiver, "ron", "ron")
    theirs = await page(receiver, "/incidents/1", headers=ron)
    assert "waits for approval" in theirs
    assert "Send exactly this" not in theirs
    ann = await log_in(receiver, "", "annes-token")
    ours = await page(receiver, "/incidents/1", headers=ann)
    assert f'value="{held[0]["hash"]}"' in ours
    assert 'name="to.2" value="partners@company.com" checked' in ours
    nobody, one = {"to.0": ""}, {"to.0": "", "to.2": "partners@company.com"}
    for headers, text, to, status in (
        (ron, theirs, one, 403),
        (ann, ours, nobody, 400),
        (ann, ours, one, 303),
        (ann, ours, one, 409),
    ):
        form = {"csrf": csrf(text), "part": held[0]["id"], "hash": held[0]["hash"], **to}
        async with receiver.http.post(
            f"{receiver.url}/incidents/1/approve", data=form, headers=BROWSER | headers, allow_redirects=False
        ) as answer:
            assert answer.status == status
    assert re.search(r'class="notice sent".*?by ann', await page(receiver, "/incidents/1", headers=ann), re.DOTALL)
    rows = await table(receiver, "/incidents/1/notices.csv", admin)
    assert (rows[0]["decided_by"], rows[0]["only_to"]) == ("ann", "partners@company.com")


async def test_following_up(receiver: Running) -> None:
    """Follow-up actions are written down with owner and day, said to be overdue, and ticked; also after the close."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/resolve", {"by": "Dana"})
    form = {"text": "Order hoses", "owner": "Noor", "due": "2026-11-24"}
    assert (await press(receiver, 1, "follow-ups", **form))[0] == 303
    assert (await press(receiver, 1, "follow-ups", **form, zone="Moon/Sea"))[0] == 400
    assert (await press(receiver, 1, "follow-ups", **form, zone="Pacific/Honolulu"))[0] == 303
    _, found = await receiver.get("/api/v1/incidents/1/follow-ups")
    due = ["2026-11-24T23:59:59.000Z", "2026-11-25T09:59:59.000Z"]
    assert [each["due_at"] for each in found["follow_ups"]] == due, "a day is one of the zone that the page shows"
    await receiver.pass_time(72 * HOUR)
    text = await page(receiver, "/incidents/1")
    assert "closed" in text
    assert re.search(
        r"Order hoses.*?Noor.*?25 Nov|Order hoses.*?Noor.*?24 Nov 2026, 23:59:59.*?overdue", text, re.DOTALL
    )
    assert (await press(receiver, 1, "finish", part="f1"))[1] == "/incidents/1?done=finish#follow-ups"
    row, _ = await table(receiver, "/incidents/1/follow-ups.csv")
    assert (row["owner"], row["done_by"]) == ("Noor", "local")


async def test_ticking_with_evidence(receiver: Running) -> None:
    """A step is ticked with a note and a link; a link that is none is refused, and what was typed stays."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    _, lists = await receiver.get("/api/v1/incidents/1/checklists")
    step = lists["next_step"]["id"]
    status, text = await press(
        receiver, 1, "steps", part=step, done="true", link="javascript:alert(1)", note="my words"
    )
    assert status == 400
    assert "my words" in text
    assert 'href="javascript:' not in text
    link = "https://wiki.example.com/evidence"
    assert (await press(receiver, 1, "steps", part=step, done="true", link=link, note="my words"))[0] == 303
    assert f'href="{link}"' in await page(receiver, "/incidents/1")
    rows = await table(receiver, "/incidents/1/steps.csv")
    assert [(row["link"], row["done_by"]) for row in rows if row["step"] == step] == [(link, "local")]


async def test_trying_a_channel(start: Callable[..., Any]) -> None:
    """The button sends a marked message by the real sender and says what the provider answered; a viewer has none."""
    workspace = SlackWorkspace("xoxb-test")
    async with workspace.wire:
        slack = {"TOCSIN_SLACK_TOKEN": "xoxb-test", "TOCSIN_SLACK_API_URL": f"{workspace.wire.url}/api"}
        receiver = await start(**PEOPLE, **slack)
        ron, vic = await log_in(receiver, "ron", "ron"), await log_in(receiver, "vic", "vic")
        text = await page(receiver, "/channels", headers=ron)
        assert "Send a test message" in text
        assert "Send a test message" not in await page(receiver, "/channels", headers=vic)

        async def test(headers: dict[str, str], mark: str, channel: str) -> tuple[int, str]:
            form = {"csrf": mark, "channel": channel}
            async with receiver.http.post(
                f"{receiver.url}/channels/test", data=form, headers=BROWSER | headers
            ) as answer:
                return answer.status, await answer.text()

        status, said = await test(ron, csrf(text), "slack")
        assert (status, "#incident-response: accepted" in said) == (200, True), said
        (message,) = workspace.shown
        assert "Test message: nothing is wrong" in str(message["blocks"])
        assert "EXERCISE" in message["text"]
        workspace.error = "not_in_channel"
        assert "refused: the bot is not in #incident-response" in (await test(ron, csrf(text), "slack"))[1]
        assert (await test(ron, csrf(text), "fax"))[0] == 404
        assert (await test(ron, "", "slack"))[0] == 403
        assert (await test(vic, csrf(text), "slack"))[0] == 403
        status, said = await test(ron, csrf(text), "sms")
        assert (status, "not configured" in said) == (409, True)
    assert len(workspace.shown) == 1


async def table(receiver: Running, path: str, headers: dict[str, str] | None = None) -> list[dict[str, str]]:
    """A CSV's rows."""
    async with receiver.http.get(receiver.url + path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/csv")
        return list(csv.DictReader(io.StringIO(await answer.text())))


async def test_channels_are_a_list_too(receiver: Running) -> None:
    """The channels can be taken away as CSV; an address that may hold a secret is not whole in it."""
    rows = await table(receiver, "/channels.csv")
    assert {row["channel"] for row in rows} >= {"email", "slack", "sms"}
    assert {row["state"] for row in rows} == {"configured"}


async def test_a_full_page_is_small(receiver: Running) -> None:
    """An incident with everything that a page has, ten times over, is a page below 100 kB; so is every other page."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "Dana"})
    for number in range(100):
        await receiver.post("/api/v1/incidents/1/notes", {"by": "Dana", "text": f"{number} {'words ' * 20}"})
        if number < 10:
            await receiver.post("/api/v1/incidents/1/follow-ups", {"text": f"do {number}"})
    await receiver.pass_time(30 * MINUTE)
    for path in ("/", "/incidents/1", "/history", "/policy", "/channels", "/declare"):
        assert len((await page(receiver, path)).encode()) < 100_000, path


async def test_roles(start: Callable[..., Any], policy: Policy) -> None:
    """Where the policy names roles, the page says who holds which, and names people to them."""
    receiver = await start()
    await receiver.post("/api/v1/incidents", {"type": "performance_drop", "level": 2, "new_type": True})
    assert 'id="do-roles"' not in await page(receiver, "/incidents/1")
    roles = (ResponseRole("commander", "Decides."), ResponseRole("scribe", from_level=4))
    changed = replace(policy, roles=roles)
    receiver.engine.keep_policy(changed, receiver.clock())
    receiver.engine.adopt(changed, [])
    await receiver.post("/api/v1/incidents/1/replan", {})
    text = await page(receiver, "/incidents/1")
    assert '<dt>Commander</dt><dd><span class="quiet">nobody yet</span></dd>' in text
    assert "<dt>Scribe</dt>" not in text
    answer = await submit(receiver, "/incidents/1/roles", part="commander", to=HOSTILE)
    assert answer == (303, "/incidents/1?done=roles#said")
    text = await page(receiver, "/incidents/1")
    assert "<script>alert" not in text
    assert re.search(r"<dt>Commander</dt><dd>&lt;", text)
    status, text = await submit(receiver, "/incidents/1/roles", part="pilot", to="ann")
    assert status == 409
    assert "the policy has no role pilot" in text
