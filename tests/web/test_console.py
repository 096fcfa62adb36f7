"""The console's pages: what stands on them, who may press what, and that nothing foreign gets out of its place."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from receiver.core.events import Delivered
from receiver.engine.commands import OutcomeReport
from receiver.web.auth.passwords import hash_password
from rules.policy import HOUR, MINUTE, SECOND
from tests.web.conftest import Running, payload

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = "</textarea><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7*7 }}\u202e\"'"


async def page(receiver: Running, path: str, status: int = 200, **more: Any) -> str:
    """A page as a browser gets it."""
    found, text = await receiver.get(path, headers=BROWSER | more.pop("headers", {}), **more)
    assert found == status, text[:500]
    return text


async def press(receiver: Running, number: int, action: str, **form: str) -> tuple[int, str]:
    """Post a form of the incident's page; status, and where to or what was answered."""
    shown = await page(receiver, f"/incidents/{number}")
    url = f"{receiver.url}/incidents/{number}/{action}"
    form = {"csrf": csrf(shown), **form}
    async with receiver.http.post(url, data=form, headers=BROWSER, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


def csrf(text: str) -> str:
    """The mark in the page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found[1]


def hostile(name: str = "single_firing") -> dict[str, Any]:
    """A captured payload whose every text is hostile, with 40 alerts."""
    body = json.loads(payload(name))
    first = body["alerts"][0]
    first["labels"] |= {f"label_{number}": HOSTILE for number in range(40)}
    first["annotations"] = {"summary": HOSTILE, "description": HOSTILE}
    first["generatorURL"] = "javascript:alert(3)"
    body["alerts"] = [first | {"fingerprint": f"{number:016x}"} for number in range(40)]
    return body


async def test_now_most_urgent_first(receiver: Running) -> None:
    """Now lists the incidents that need a person: the worst level first, within it the unacknowledged."""
    await receiver.send("repeat_1", "single_firing")
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "engine two"})
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "engine one"})
    await receiver.post("/api/v1/incidents/3/acknowledge", {"by": "Dana"})
    text = await page(receiver, "/")
    order = [int(number) for number in re.findall(r'id="t(\d+)"', text)]
    assert order == [4, 3, 2, 1]
    assert "<strong>3</strong> open" in text
    assert "Dana has it" in text


async def test_now_by_what_burns(receiver: Running) -> None:
    """Within a level what is breached stands before what is fresh, with a badge; exercises have a section of their own
    and are not counted; a card says which step it has come to and how many alerts fire.
    """
    for body in ({"title": "old"}, {"title": "practice", "exercise": True}):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", **body})
    await receiver.pass_time(20 * MINUTE)
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "fresh"})
    body = json.loads(payload("single_firing"))
    body["alerts"] = [body["alerts"][0] | {"fingerprint": f"{each:016x}"} for each in range(12)]
    await receiver.post("/webhook/alertmanager", body)
    text = await page(receiver, "/")
    assert [int(number) for number in re.findall(r'id="t(\d+)"', text)] == [1, 3, 4, 2]
    assert text.count("breached</strong>") == 2
    assert "<strong>3</strong> open" in text
    assert "1 exercise apart" in text
    assert text.index('id="exercises"') < text.index('id="t2"')
    assert "12 firing" in text
    assert "step 1 of 3" in text


async def test_what_is_chosen_stays(receiver: Running) -> None:
    """A filter is a link; it holds on the next visit, until all is asked for again."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "labels": {"system": "left wing"}})
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "labels": {"system": "tail"}})
    kept = ""
    for path, found in (("/?system=tail", [2]), ("/", [2]), ("/?all", [1, 2]), ("/", [1, 2]), ("/?level=9", [1, 2])):
        async with receiver.http.get(receiver.url + path, headers={**BROWSER, "Cookie": kept}) as answer:
            kept, text = answer.headers["Set-Cookie"].partition(";")[0], await answer.text()
        assert sorted(int(number) for number in re.findall(r'id="t(\d+)"', text)) == found, path


async def test_several_at_once_and_a_slip(receiver: Running) -> None:
    """What is ticked is acknowledged or handed over in one press, which says what each came to, and why one was left as
    it is; a slip is undone.
    """
    for _ in range(3):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    token = csrf(await page(receiver, "/"))

    async def several(**form: str) -> str:
        form = {"csrf": token, **form}
        async with receiver.http.post(f"{receiver.url}/several", data=form, headers=BROWSER) as answer:
            return await answer.text()

    who = {"n.1": "1", "n.2": "2"}
    text = await several(action="acknowledge", **who)
    assert "Undo" in text
    assert "have #1" in text or "has it</strong>: #1" in text
    text = await several(action="hand-over", to="Noor", **who, **{"n.3": "3", "n.9": "9"})
    assert "Noor has it" in text
    left = text[text.index("Not changed:") : text.index("Noor has it")]
    assert re.search("<li>#3, .*: nobody has acknowledged the incident: acknowledge it instead</li>", left)
    assert "<li>#9: there is no such incident</li>" in left
    assert len(re.findall("<li>", left)) == 2
    assert "tick the incidents" in (await several(action="acknowledge")).lower()
    await receiver.post("/api/v1/incidents/3/acknowledge", {})
    status, where = await press(receiver, 3, "undo", back="now")
    assert (status, where) == (303, "/?undone=3#said")
    assert "its deadlines run on" in await page(receiver, "/?undone=3")
    status, text = await press(receiver, 3, "undo")
    assert status == 409
    assert "only whoever answered last" in text


async def test_more_than_a_page(receiver: Running) -> None:
    """Of more than fifty Now says which are shown, and the rest is a link away, each on one page; a filter holds."""
    for number in range(53):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 3, "title": f"no. {number}"})
    text = html.unescape(await page(receiver, "/"))
    assert "1 to 50 of 53 are shown" in text
    assert 'href="/?all&from=50"' in text
    later = await page(receiver, "/?all&from=50")
    assert "51 to 53 of 53 are shown" in later
    parts = [set(re.findall(r'id="t(\d+)"', each)) for each in (text, later)]
    assert (len(parts[0] | parts[1]), parts[0] & parts[1]) == (53, set())
    assert 'href="/?level=3&from=50"' in html.unescape(await page(receiver, "/?level=3"))
    assert "51 to 53 of 53" in await page(receiver, "/?all&from=400"), "where fewer are left, the last part"
    assert "are shown" not in await page(receiver, "/?level=4")


async def test_whom_it_can_be_given_to(receiver: Running) -> None:
    """Where Tocsin knows people, forms have a list of them, and a press that names another does nothing."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ada"})
    assert '<input id="to"' in await page(receiver, "/incidents/1")
    receiver.engine.standing.accounts = frozenset({"zoe"})
    text = await page(receiver, "/incidents/1")
    assert '<select id="to"' in text
    assert "<option>zoe</option>" in text
    assert '<select id="several-to"' in await page(receiver, "/")
    status, text = await press(receiver, 1, "handover", to="zoey")
    assert (status, "did you mean zoe?" in text) == (409, True)
    assert "ada has it" in html.unescape(text)


async def test_a_slip_in_a_declared_type(receiver: Running) -> None:
    """The page asks back what is meant, in the page's words, and where a new kind is said."""
    form = {"csrf": csrf(await page(receiver, "/declare")), "type": "safety_critcal_failure"}
    async with receiver.http.post(f"{receiver.url}/declare", data=form, headers=BROWSER) as answer:
        text = await answer.text()
    assert "did you mean safety_critical_failure? If the type is new on purpose, say so with the box below." in text
    assert 'name="new_type"' in text


async def test_messages_are_one_line(receiver: Running) -> None:
    """A timeline tells people and decisions; with the messages, those that went out together are one line to open."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    claimed = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
    reports = [OutcomeReport(notification, Delivered("")) for each in claimed for notification, _ in each.items]
    await receiver.queue.run(receiver.engine.report, reports, receiver.clock())
    await receiver.post("/api/v1/incidents/1/notes", {"by": "ada", "text": "seen"})
    alone = await page(receiver, "/incidents/1")
    assert "Messages: " not in alone
    told = (await page(receiver, "/incidents/1?deliveries=1")).partition('id="timeline"')[2].partition("</section>")[0]
    assert re.search(r"<summary>Messages: \d+ (accepted|delivered)", told)
    assert told.index("seen") < told.index("Messages: ")


async def test_a_waiting_message_is_due(receiver: Running) -> None:
    """A message that has waited past its time is due since then; no try lies in the past."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    receiver.clock.now += 8 * MINUTE
    told = (await page(receiver, "/incidents/1")).partition('id="messages"')[2].partition("</section>")[0]
    assert re.search(r"; due <time [^>]*>8 minutes ago</time>", told)
    assert "next try" not in told
    await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
    told = (await page(receiver, "/incidents/1")).partition('id="messages"')[2].partition("</section>")[0]
    assert "; due " not in told, "it is being sent, and its lease's end is no time of a try"


async def test_now_counts_down(receiver: Running) -> None:
    """An incident's next escalation and its breach stand there as instants and in words; a breach that was, too."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    receiver.clock.now += 90 * SECOND
    text = await page(receiver, "/")
    assert re.search(
        r'Next escalation</dt><dd><time [^>]*datetime="2026-11-23T02:18:20.000Z"[^>]*>in 3 minutes 30', text
    )
    assert re.search(r"Response time ends</dt><dd><time [^>]*>in 13 minutes 30 seconds<", text)
    await receiver.pass_time(20 * MINUTE)
    text = await page(receiver, "/")
    assert re.search(r"Response time ended</dt><dd><time [^>]*>6 minutes 30 seconds ago<", text)


async def test_nothing_open(receiver: Running) -> None:
    """Without incidents Now says so, and what keeps messages from going out."""
    receiver.reasons.append("the clock runs 3 s ahead of its reference")
    text = await page(receiver, "/")
    assert "No incident is open" in text
    assert "The clock runs 3 s ahead" in text


@pytest.mark.parametrize("path", ["/", "/incidents/1"])
async def test_nothing_foreign_gets_out(receiver: Running, path: str) -> None:
    """Labels, annotations and notes are text: no tag, no template, no link of theirs; direction marks are gone."""
    await receiver.post("/webhook/alertmanager", hostile())
    await receiver.post("/api/v1/incidents/1/notes", {"by": HOSTILE, "text": HOSTILE})
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": HOSTILE})
    body = {"facts": {"root_cause": HOSTILE, "impact_description": HOSTILE}}
    assert (await receiver.ask("PATCH", "/api/v1/incidents/1", body))[0] == 200
    text = await page(receiver, path)
    assert "alert(1)" in text
    for bad in ("<script>alert", "<img src=x", "</textarea><", "javascript:", ">49<", "\u202e"):
        assert bad not in text, bad


@pytest.mark.parametrize("path", ["/", "/incidents/1", "/incidents/999"])
async def test_content_policy(receiver: Running, path: str) -> None:
    """Pages have nothing inline, and a policy that allows only our own style and script."""
    await receiver.post("/webhook/alertmanager", hostile())
    async with receiver.http.get(receiver.url + path, headers=BROWSER) as answer:
        text = await answer.text()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", re.sub(r"&lt;.*?&gt;", "", text))
    assert len(text.encode()) < 100_000


async def test_static_files_are_named_by_content(receiver: Running) -> None:
    """Style and script carry their hash and are kept for good; another name is nothing."""
    text = await page(receiver, "/")
    paths = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert {path.rpartition(".")[2] for path in paths} == {"css", "js", "png", "svg"}
    for path in paths:
        async with receiver.http.get(receiver.url + path) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
    assert (await receiver.get("/static/console.css"))[0] == 404


async def test_buttons(receiver: Running) -> None:
    """Acknowledge, note, update, facts, level, escalate, resolve: each does it and leads back to the page."""
    await receiver.send("single_firing")
    presses = [
        ("acknowledge", {"state": "open", "hold": "2h", "note": "on it"}),
        ("notes", {"text": "looked at the graphs"}),
        ("updates", {"text": "found it"}),
        ("handover", {"to": "Noor", "note": "my shift ends"}),
        ("change", {"facts.root_cause": "a full disk", "facts.fix_description": ""}),
        ("change", {"level": "4", "reason": "it spreads"}),
        ("acknowledge", {"state": "open"}),
        ("escalate", {"state": "acknowledged", "note": "need a hand"}),
        ("withdraw", {"note": "found the key"}),
        ("give-back", {"state": "acknowledged", "note": "my shift ends"}),
        ("acknowledge", {"state": "open"}),
        ("resolve", {"state": "acknowledged", "note": "disk emptied", "force": "true"}),
    ]
    for action, form in presses:
        status, where = await press(receiver, 1, action, **form)
        assert (status, where) == (303, f"/incidents/1?done={action}#said"), (action, where)
    text = await page(receiver, "/incidents/1?done=resolve")
    for words in (
        "looked at the graphs",
        "found it",
        "my shift ends",
        "a full disk",
        "disk emptied",
        "Resolved. Everybody",
    ):
        assert words in text
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "resolved"


async def test_a_call_for_help_is_seen_and_answered(receiver: Running) -> None:
    """Now and the incident's page say who has it and who asks, and the first button answers."""
    await receiver.send("single_firing")
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "amir"})
    await receiver.post("/api/v1/incidents/1/escalate", {"by": "amir"})
    for path in ("/", "/incidents/1"):
        text = await page(receiver, path)
        assert "amir has it; amir asked for help at" in text
        assert "no other answer yet" in text
        assert "Answer the call for help" in text
    text = await page(receiver, "/incidents/1")
    assert "Help is asked for again" in text
    assert "Ask for help no more" in text
    assert (await press(receiver, 1, "acknowledge", state="acknowledged", back="now"))[0] == 303
    text = await page(receiver, "/incidents/1")
    assert "no other answer yet" not in text
    assert "amir has it" in text
    assert "answered the call for help" in text


async def test_ticking(receiver: Running) -> None:
    """A step of a checklist is ticked, and unticked, by its button."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    _, before = await receiver.get("/api/v1/incidents/1/checklists")
    step = before["checklists"][0]["steps"][0]["id"]
    for done in ("true", "false"):
        assert (await press(receiver, 1, "steps", part=step, done=done))[0] == 303
        _, after = await receiver.get("/api/v1/incidents/1/checklists")
        assert after["checklists"][0]["steps"][0]["done"] is (done == "true")


async def test_a_stale_press_is_told_the_truth(receiver: Running) -> None:
    """A button pressed on a page that is no longer true does nothing, says how it stands, and keeps the words."""
    await receiver.send("single_firing")
    await receiver.post("/api/v1/incidents/1/resolve", {"by": "Noor", "note": "done", "force": True})
    status, text = await press(receiver, 1, "escalate", state="open", note="please <help>")
    assert status == 409
    assert "Not done:" in text
    assert "resolved by Noor" in text
    assert "please &lt;help&gt;" in text
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "resolved"
    status, text = await press(receiver, 1, "notes", text=" ")
    assert status == 400
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    status, text = await press(receiver, 2, "resolve", state="acknowledged", note="please <help>")
    assert status == 409
    assert "please &lt;help&gt;</textarea>" in text


async def test_no_such_page(receiver: Running) -> None:
    """An incident that is not there is a page that says so; a press for it, or of an unknown button, too."""
    assert "there is no such incident" in await page(receiver, "/incidents/7", 404)
    await receiver.send("single_firing")
    assert (await press(receiver, 1, "explode"))[0] == 404
    assert (await receiver.get("/incidents/7"))[1]["status"] == 404


PEOPLE = {
    "TOCSIN_USERS": f"ron:responder:{hash_password('correct')}\nvic:viewer:{hash_password('horse')}",
    "TOCSIN_API_TOKENS": "ann:admin:annes-token",
}


async def log_in(receiver: Running, name: str, password: str) -> dict[str, str]:
    """The header with a session's cookie."""
    form = {"name": name, "password": password, "next": "/"}
    async with receiver.http.post(receiver.url + "/login", data=form, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        receiver.http.cookie_jar.clear()
    return {"Cookie": cookie}


async def test_roles(start: Callable[..., Any]) -> None:
    """A stranger is led to the login; a viewer sees pages without buttons and cannot press; a responder can."""
    receiver = await start(**PEOPLE)
    await receiver.post(
        "/api/v1/incidents", {"type": "engine_failure"}, headers={"Authorization": "Bearer annes-token"}
    )
    async with receiver.http.get(receiver.url + "/incidents/1", headers=BROWSER, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login?next=%2Fincidents%2F1")
    assert (await receiver.get("/events"))[0] == 401
    ron, vic = await log_in(receiver, "ron", "correct"), await log_in(receiver, "vic", "horse")
    theirs = await page(receiver, "/incidents/1", headers=vic)
    assert "/incidents/1/acknowledge" not in theirs
    mark = csrf(await page(receiver, "/incidents/1", headers=ron))
    for headers, given, status in (
        (vic, mark, 403),
        (ron, "", 403),
        (ron, "x", 403),
        (ron, mark, 303),
        (ron, mark, 409),
    ):
        form = {"state": "open", "csrf": given}
        async with receiver.http.post(
            f"{receiver.url}/incidents/1/acknowledge", data=form, headers=BROWSER | headers, allow_redirects=False
        ) as answer:
            assert answer.status == status, given
    assert "ron has it" in await page(receiver, "/", headers=ron)


async def test_changes_are_pushed(receiver: Running) -> None:
    """Who watches Now, or an incident, hears of a change; what does not concern it is not told."""
    await receiver.send("single_firing")
    async with receiver.http.get(f"{receiver.url}/events?watch=1") as stream:
        assert stream.content_type == "text/event-stream"

        async def heard() -> str:
            while (await stream.content.readline()) != b"event: change\n":
                pass
            return (await stream.content.readline()).decode()

        first = await heard()
        await receiver.post("/api/v1/incidents/1/notes", {"text": "hello"})
        assert await heard() != first
    for watch in ("x", "1e3", "9999999999999"):
        assert (await receiver.get(f"/events?watch={watch}"))[0] == 400


async def test_long_durations(receiver: Running) -> None:
    """How long ago is said in words, in the two largest units."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    receiver.clock.now += 171 * HOUR
    assert "7 days 3 hours ago" in await page(receiver, "/incidents/1")
