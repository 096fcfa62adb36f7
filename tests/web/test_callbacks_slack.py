"""Slack's buttons and its command: signed, once, and answered with what is true."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from receiver.core.model import Instant
from receiver.jobs.dispatcher import Dispatcher
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.web.callbacks.slack_home import home
from rules.policy import HOUR, MINUTE, Person, Policy
from tests.channels.servers.slack import CHANNEL, SlackWorkspace
from tests.channels.servers.wire import Reply, Wire
from tests.patience import GIVES_UP
from tests.web.conftest import Running

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ACTIONS, COMMANDS = "/callbacks/slack/actions", "/callbacks/slack/commands"
EVENTS = "/callbacks/slack/events"


class Slack:
    """Slack as it calls a receiver, and where its answers go."""

    def __init__(self, receiver: Running, hooks: Wire) -> None:
        self.receiver = receiver
        self.hooks = hooks

    def sign(self, body: str, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
        """Slack's headers."""
        stamp = str(self.receiver.clock.now // 1_000_000 if at is None else at)
        mark = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), sha256).hexdigest()
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        return {**content, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}"}

    def pressed(self, action: str, state: str = "open", number: int = 1, user: str = "ron", user_id: str = "U1") -> str:
        """The body of a pressed button."""
        incident = self.receiver.store.reads().by_number(number)
        payload = {
            "type": "block_actions",
            "user": {"id": user_id, "username": user, "name": user},
            "response_url": f"{self.hooks.url}/actions/T1/1",
            "actions": [{"action_id": action, "value": incident.id, "block_id": f"state:{state}", "type": "button"}],
        }
        return urlencode({"payload": json.dumps(payload)})

    async def post(self, path: str, body: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return await self.receiver.post(path, body.encode(), headers=headers or self.sign(body))

    async def press(self, action: str, **more: Any) -> int:
        """Press a button, a second later than the last time."""
        self.receiver.clock.now = Instant(self.receiver.clock.now + 1_000_000)
        status, _ = await self.post(ACTIONS, self.pressed(action, **more))
        return status

    async def told(self) -> str:
        """What the person who pressed was told last."""
        await asyncio.wait_for(self.hooks.arrived.wait(), GIVES_UP)
        self.hooks.arrived.clear()
        words = json.loads(self.hooks.requests[-1].body)
        assert (words["response_type"], words["replace_original"]) == ("ephemeral", False)
        return words["text"]

    async def command(self, text: str, user: str = "U1") -> dict[str, str]:
        """Type /tocsin."""
        self.receiver.clock.now = Instant(self.receiver.clock.now + 1_000_000)
        body = urlencode({"command": "/tocsin", "text": text, "user_id": user, "user_name": "ron"}, quote_via=quote)
        status, answer = await self.post(COMMANDS, body)
        assert status == 200
        return answer

    async def incident(self, number: int = 1) -> dict[str, Any]:
        return (await self.receiver.get(f"/api/v1/incidents/{number}"))[1]


@pytest.fixture
async def slack(start: Callable[..., Any]) -> AsyncIterator[Slack]:
    """A receiver that Slack can reach, with one open incident."""
    async with Wire(lambda _: Reply(200, b"ok")) as hooks:
        receiver = await start(TOCSIN_SLACK_SIGNING_SECRET=SECRET, TOCSIN_SLACK_API_URL=f"{hooks.url}/api")
        await receiver.send("single_firing")
        yield Slack(receiver, hooks)


async def test_acknowledge(slack: Slack) -> None:
    """A press acknowledges in the name of who pressed, who is told; the message in Slack will be told by the outbox."""
    assert await slack.press("acknowledge") == 200
    assert await slack.told() == "#1 is acknowledged by ron."
    found = await slack.incident()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "ron")
    _, sent = await slack.receiver.get("/api/v1/incidents/1/notifications")
    assert ("acknowledged", "slack") in {(each["kind"], each["channel"]) for each in sent["notifications"]}


async def test_events_are_signed_too(slack: Slack) -> None:
    """Slack's test of the URL is answered; an event that Slack did not sign is refused, and one of no use is taken."""
    asked = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"})
    assert await slack.post(EVENTS, asked) == (200, "3eZbrw1a")
    assert (await slack.post(EVENTS, asked, slack.sign(asked, secret="another")))[0] == 401
    event = {"type": "message", "channel": "C1", "thread_ts": "1.2", "ts": "1.3", "user": "U1", "text": "!note x"}
    assert (await slack.post(EVENTS, json.dumps({"event": event})))[0] == 200
    assert [(await slack.post(EVENTS, body))[0] for body in ("[]", "x")] == [400, 400]


async def test_escalate_and_resolve(slack: Slack) -> None:
    """The other buttons do what they say; a resolve while alerts fire is refused in words."""
    await slack.press("escalate")
    assert (await slack.incident())["escalation"]["step"] == 1
    await slack.told()
    await slack.press("resolve")
    assert "still fire" in await slack.told()
    await slack.receiver.send("single_resolved")
    await slack.press("resolve")
    assert await slack.told() == "#1 is resolved by ron."


async def test_help_by_buttons_and_commands(slack: Slack) -> None:
    """Who has it asks for help and keeps it; another answers with the same button; it is withdrawn and given back."""
    await slack.press("acknowledge")
    await slack.told()
    await slack.press("escalate", state="acknowledged")
    assert await slack.told() == "#1 is acknowledged by ron; ron asked for help, which nobody has answered yet."
    await slack.press("acknowledge", state="open", user="eve")
    assert await slack.told() == "#1 is acknowledged by ron."
    found = await slack.incident()
    assert (found["owner"], found["history"][-1]["deed"], found["history"][-1]["by"]) == ("ron", "answered", "eve")
    await slack.press("escalate", state="acknowledged")
    await slack.told()
    assert (await slack.command("withdraw 1"))["text"] == "#1 is acknowledged by ron."
    await slack.press("give_back", state="acknowledged")
    assert await slack.told() == "#1 is open."


async def test_double_press(slack: Slack) -> None:
    """The second press, and another person's, change nothing and are told who was first."""
    await slack.press("acknowledge")
    await slack.told()
    await slack.press("acknowledge", user="eve")
    told = await slack.told()
    assert told.startswith("#1 is acknowledged by ron.")
    assert "Nothing was done" in told
    assert (await slack.incident())["acknowledged_by"] == "ron"


async def test_replay(slack: Slack) -> None:
    """The very same request sent again is not carried out again; an old one is refused."""
    body = slack.pressed("escalate")
    headers = slack.sign(body)
    assert (await slack.post(ACTIONS, body, headers))[0] == 200
    assert (await slack.post(ACTIONS, body, headers))[0] == 200
    assert (await slack.incident())["escalation"]["step"] == 1
    slack.receiver.clock.now = Instant(slack.receiver.clock.now + 301 * 1_000_000)
    assert (await slack.post(ACTIONS, body, headers))[0] == 401


@pytest.mark.parametrize("path", [ACTIONS, COMMANDS])
async def test_bad_signatures(slack: Slack, path: str) -> None:
    """What is not signed, signed with another secret, at another time, or nonsense, is refused and does nothing."""
    body = slack.pressed("acknowledge")
    good = slack.sign(body)
    bad = [
        {},
        {"X-Slack-Signature": good["X-Slack-Signature"]},
        slack.sign(body, secret="other"),
        slack.sign(body + "&x=1"),
        slack.sign(body, at=int(time.time()) - 10**7),
        {**good, "X-Slack-Request-Timestamp": "soon"},
        {**good, "X-Slack-Signature": "v0=é"},
        {**good, "X-Slack-Signature": ""},
    ]
    for headers in bad:
        assert (await slack.receiver.post(path, body.encode(), headers=headers))[0] == 401, headers
    assert (await slack.receiver.post(path, b"\xff\xfe", headers=slack.sign("x")))[0] == 401
    assert (await slack.incident())["state"] == "open"


@pytest.mark.parametrize(
    "payload",
    [
        *("", "{", "[]", "{}", '{"actions": 7}', '{"actions": [{"action_id": "other", "value": "x"}]}', '"x"'),
        '{"actions": [{"action_id": "resolve", "value": "no such incident"}], "user": 7, "response_url": "http://["}',
    ],
)
async def test_nonsense(slack: Slack, payload: str) -> None:
    """Signed nonsense is answered below 500 and does nothing."""
    status, _ = await slack.post(ACTIONS, urlencode({"payload": payload}))
    assert status in {200, 400}
    assert (await slack.incident())["state"] == "open"


async def test_answers_go_to_slack_only(slack: Slack) -> None:
    """An answer is posted to Slack's own host, for any address in the request."""
    async with Wire(lambda _: Reply(200, b"ok")) as elsewhere:
        body = slack.pressed("acknowledge").replace(quote(slack.hooks.url, safe=""), quote(elsewhere.url, safe=""))
        assert (await slack.post(ACTIONS, body))[0] == 200
        await slack.press("acknowledge")
        await slack.told()
        assert elsewhere.requests == []


async def test_commands(slack: Slack) -> None:
    """`/tocsin` lists, acknowledges, declares for all to see, and explains itself."""
    assert "*#1* level 3 open" in (await slack.command("incidents"))["text"]
    assert (await slack.command("ack 1"))["text"] == "#1 is acknowledged by ron."
    declared = await slack.command("declare engine_failure smoke in <bay> 2")
    assert declared == {"response_type": "in_channel", "text": "#2 is open."}
    found = await slack.incident(2)
    assert (found["type"], found["title"]) == ("engine_failure", "smoke in <bay> 2")
    for text in ("", "help", "ack", "ack twelve", "ack 99", "declare", "x" * 5000):
        assert (await slack.command(text))["response_type"] == "ephemeral"


async def test_commands_are_exact_words(slack: Slack) -> None:
    """Escalate and resolve are commands too; what only looks like one gets the help text and changes nothing."""
    before = await slack.incident()
    for text in ("responding 1", "rescheduled 1", "res 1", "resolve 1 please", "ack all", "acks 1", "incidents 1"):
        assert "/tocsin ack 12" in (await slack.command(text))["text"], text
    assert await slack.incident() == before
    await slack.command("ESC #1")
    assert (await slack.incident())["escalation"]["step"] == 1
    assert (await slack.command("ack 1, 7"))["text"].startswith("#1 is acknowledged by ron.\nThere is no incident 7.")
    assert "still fire" in (await slack.command("resolve 1"))["text"]


async def test_an_unknown_type_is_asked_back(slack: Slack) -> None:
    """A slip of the pen declares nothing and is asked back; a type that is new on purpose is declared."""
    asked = (await slack.command("declare safty_critical_failure smoke"))["text"]
    assert "did you mean safety_critical_failure?" in asked
    assert (await slack.receiver.get("/api/v1/incidents/2"))[0] == 404
    assert (await slack.command("declare-new coffee_machine leaks"))["text"] == "#2 is open."
    assert (await slack.incident(2))["type"] == "coffee_machine"


async def test_a_replayed_command(slack: Slack) -> None:
    """The very same command sent again declares nothing twice; typed anew it does."""
    body = urlencode(
        {"command": "/tocsin", "text": "declare engine_failure smoke", "user_id": "U1", "user_name": "ron"}
    )
    headers = slack.sign(body)
    for _ in range(2):
        assert (await slack.post(COMMANDS, body, headers))[0] == 200
    assert (await slack.receiver.get("/api/v1/incidents/3"))[0] == 404
    await slack.command("declare engine_failure smoke")
    assert (await slack.incident(3))["type"] == "engine_failure"


async def test_without_a_secret(start: Callable[..., Any]) -> None:
    """Without the signing secret there are no such callbacks."""
    receiver = await start()
    assert (await receiver.post(ACTIONS, b"payload={}"))[0] == 404


async def send_all(receiver: Running) -> None:
    """Send what is due, as the service does."""
    records = Records(receiver.store.reads(), receiver.engine, MessageRenderer())
    words = MessageRenderer("https://tocsin.example.com")
    queue, engine = receiver.queue, receiver.engine
    dispatcher = Dispatcher(queue, engine, receiver.senders, words, records, "w", receiver.metrics)
    while await dispatcher.send_due():
        await dispatcher.finish(GIVES_UP)
        dispatcher = Dispatcher(queue, engine, receiver.senders, words, records, "w", receiver.metrics)


@pytest.fixture
async def workspace() -> AsyncIterator[SlackWorkspace]:
    """A workspace with the app in it."""
    made = SlackWorkspace("xoxb-1")
    async with made.wire:
        yield made


@pytest.fixture
async def app(start: Callable[..., Any], policy: Policy, workspace: SlackWorkspace) -> Slack:
    """A receiver that calls that workspace, with an incident that rita has."""
    api = {"TOCSIN_SLACK_TOKEN": "xoxb-1", "TOCSIN_SLACK_API_URL": f"{workspace.wire.url}/api"}
    receiver = await start(TOCSIN_SLACK_SIGNING_SECRET=SECRET, **api)
    named = replace(policy, people=PEOPLE)
    await receiver.queue.run(receiver.engine.keep_policy, named, receiver.clock.now)
    receiver.engine.adopt(named, frozenset({"slack"}))
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await send_all(receiver)
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "rita"})
    return Slack(receiver, workspace.wire)


async def timeline(app: Slack) -> list[str]:
    """Its sentences, with who did it."""
    _, found = await app.receiver.get("/api/v1/incidents/1/timeline")
    return [f"{each['by'] or 'Tocsin'}: {each['text']}" for each in found["timeline"]]


async def happen(app: Slack, **event: Any) -> int:
    """Slack tells of an event."""
    return (await app.post(EVENTS, json.dumps({"event": event})))[0]


async def test_an_incident_gets_a_channel_of_its_own(app: Slack, workspace: SlackWorkspace) -> None:
    """`/tocsin channel 1`: it is made in Slack with who has the incident, its page links it, a note in it counts, and it is
    archived when the incident closes. Asked for twice, there is one.
    """
    receiver = app.receiver
    assert (await app.command("channel 7"))["text"].startswith("There is no incident 7.")
    said = await app.command("channel 1", user="U1")
    assert said["text"] == "Its channel #inc-1-engine-failure is being opened. #1 is acknowledged by rita."
    assert "is being opened" in (await app.command("channel 1"))["text"]
    await send_all(receiver)
    ((id_, room),) = workspace.rooms.items()
    assert (room["name"], room["members"], len(room["pins"])) == ("inc-1-engine-failure", {"UBOT", "U1", "U2"}, 1)
    assert "it has the channel #inc-1-engine-failure" in (await app.command("channel 1"))["text"]
    _, page = await receiver.get("/incidents/1", headers={"Accept": "text/html"})
    link = f"https://slack.com/app_redirect?channel={id_}"
    assert f'<a href="{link}" rel="noreferrer">#inc-1-engine-failure</a>' in page
    note = {"type": "message", "channel": id_, "ts": "1795435400.3", "user": "U1", "text": "!note the pump is hot"}
    assert await happen(app, **note, thread_ts=room["pins"][0]) == 200
    assert await happen(app, **note | {"ts": "1795435401.3", "text": "!note it smokes"}) == 200
    await receiver.post("/api/v1/incidents/1/resolve", {"by": "rita"})
    await receiver.post("/api/v1/incidents/1/close", {"by": "carl", "note": "done"})
    await send_all(receiver)
    assert room["archived"]
    lines = await timeline(app)
    assert f"Tocsin: the channel #inc-1-engine-failure is open ({link})" in lines
    assert {"cleo: the pump is hot", "cleo: it smokes"} <= set(lines)
    assert lines[-1] == "Tocsin: the channel #inc-1-engine-failure is archived"
    _, report = await receiver.get("/api/v1/incidents/1/report?format=md")
    assert link in report


REACTION = {"type": "reaction_added", "reaction": "pushpin", "user": "U1"}


async def pinned(app: Slack, workspace: SlackWorkspace, **change: Any) -> int:
    """A pushpin on rita's reply in the incident's thread."""
    await send_all(app.receiver)
    thread = next(ts for ts, each in workspace.messages.items() if "thread_ts" not in each)
    said = {"channel": CHANNEL, "thread_ts": thread, "user": "U2", "text": "pump 2 &lt; 3 bar"}
    workspace.messages["1795435400.000300"] = said | change.pop("said", {})
    item = {"type": "message", "channel": CHANNEL, "ts": "1795435400.000300"}
    return await happen(app, **REACTION | {"item": item} | change)


async def test_a_pushpin_makes_a_note_of_a_message(app: Slack, workspace: SlackWorkspace) -> None:
    """A reply in the thread goes into the timeline in the name of who pinned it, with who wrote it; once, by however many
    people, and it gets a check mark.
    """
    assert await pinned(app, workspace) == 200
    assert await pinned(app, workspace, user="U4", reaction="memo") == 200
    lines = [each for each in await timeline(app) if "pump 2" in each]
    assert lines == ["cleo: rita wrote: pump 2 < 3 bar"]
    async with asyncio.timeout(GIVES_UP):
        mark = await workspace.marks.get()
    assert mark == {"channel": CHANNEL, "timestamp": "1795435400.000300", "name": "white_check_mark"}


@pytest.mark.parametrize(
    "change",
    [
        {"reaction": "eyes"},
        {"item": {"type": "file", "file": "F1"}},
        {"item": {"type": "message", "channel": CHANNEL, "ts": "1795435499.000300"}},
        {"said": {"text": ""}},
        {"said": {"thread_ts": "1795435000.000100"}},
        {"said": {"metadata": {"event_type": "tocsin_notification", "event_payload": {}}}},
    ],
    ids=["another reaction", "a file", "no such message", "no text", "another thread", "Tocsin's own message"],
)
async def test_other_reactions_are_ignored(app: Slack, workspace: SlackWorkspace, change: dict[str, Any]) -> None:
    """They note nothing, and Slack is not asked to send them again."""
    assert await pinned(app, workspace, **change) == 200
    assert [each for each in await timeline(app) if "wrote" in each] == []


async def test_a_message_that_slack_does_not_show_is_said(
    app: Slack, workspace: SlackWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the scope to read the channel nothing is noted; the log names it."""
    workspace.readable = False
    assert await pinned(app, workspace) == 200
    assert "channels:history" in "".join(capsys.readouterr())


async def test_the_home_tab_shows_what_is_open_and_who_is_on_call(app: Slack, workspace: SlackWorkspace) -> None:
    """As of its opening, for each who opens it; the other tabs get nothing."""
    assert await happen(app, type="app_home_opened", tab="messages", user="U2", channel="D1") == 200
    assert await happen(app, type="app_home_opened", tab="home", user="U1", channel="D1") == 200
    async with asyncio.timeout(GIVES_UP):
        user, view = await workspace.homes.get()
    assert (user, view["type"], workspace.homes.empty()) == ("U1", "home", True)
    headers = [each["text"]["text"] for each in view["blocks"] if each["type"] == "header"]
    lists = [each["text"]["text"] for each in view["blocks"] if each["type"] == "section"]
    assert headers == ["Now", "On call"]
    assert lists[0].startswith("• *#1* level 4 acknowledged: ")
    assert lists[1] == "The policy has no schedule."


def test_the_home_tab_fits() -> None:
    """However much is open, it is within Slack's limits."""
    view = home("\n".join(["x" * 900] * 500), "\n".join(["y" * 900] * 2000), Instant(0))
    assert len(view["blocks"]) <= 100
    assert max(len(each["text"]["text"]) for each in view["blocks"][:-1]) <= 3000


PEOPLE = (
    Person("cleo", aliases=("cleopatra",), contacts=(("slack", "U1"),)),
    Person("rita", contacts=(("slack", "U2"),)),
    Person("olga", contacts=(("slack", "U3"),)),
    Person("carl", contacts=(("slack", "U4"),)),
)


@pytest.fixture
async def emergency(start: Callable[..., Any], policy: Policy) -> AsyncIterator[Slack]:
    """A declared emergency that cleo, an approver, has resolved; ever since only her signature must not be on it."""
    async with Wire(lambda _: Reply(200, b"ok")) as hooks:
        receiver = await start(
            token="aaaa",
            TOCSIN_SLACK_SIGNING_SECRET=SECRET,
            TOCSIN_SLACK_API_URL=f"{hooks.url}/api",
            TOCSIN_API_TOKENS="root:admin:aaaa,cleopatra:approver:bbbb,rita:responder:cccc,carl:approver:dddd",
        )
        engine = receiver.engine
        named = replace(policy, people=PEOPLE)
        await receiver.queue.run(engine.keep_policy, named, receiver.clock.now)
        engine.adopt(named, frozenset())
        await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
        await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "rita"})
        await receiver.post("/api/v1/incidents/1/resolve", {"by": "cleopatra"})
        yield Slack(receiver, hooks)


async def complete(slack: Slack) -> None:
    """All but the signature."""
    receiver, one = slack.receiver, "/api/v1/incidents/1"
    await receiver.ask("PATCH", one, {"facts": {"root_cause": "a worn bearing"}})
    _, found = await receiver.get(f"{one}/checklists")
    for step in (step for checklist in found["checklists"] for step in checklist["steps"]):
        await receiver.ask("PUT", f"{one}/steps/{step['id']}", {})


async def test_a_second_person_signs_off_in_slack(emergency: Slack) -> None:
    """With the refusals of the API: what is missing, who resolved it (by any of their names), who is no approver, and
    who is unknown. Then the button signs, and it closes in time.
    """
    refusals = {
        "U4": "it cannot be signed off yet: the root cause is not known",
        "U2": "this is for approvers, and rita is a responder",
        "U3": "this is for approvers, and olga has no account",
        "U9": "Tocsin does not know who you are",
    }
    for user, why in refusals.items():
        assert why in (await emergency.command("signoff 1", user=user))["text"], user
    await complete(emergency)
    assert "another person signs it off" in (await emergency.command("sign-off 1", user="U1"))["text"]
    assert await emergency.press("sign_off", state="resolved", user_id="U2") == 200
    assert "rita is a responder" in await emergency.told()
    assert await emergency.press("sign_off", state="resolved", user_id="U4") == 200
    assert await emergency.told() == "#1 is resolved by cleopatra, signed off by carl."
    assert (await emergency.incident())["signed_off_by"] == "carl"
    await emergency.receiver.pass_time(24 * HOUR + MINUTE)
    assert (await emergency.incident())["state"] == "closed"


async def test_closing_in_slack_needs_a_reason_and_a_role(emergency: Slack) -> None:
    """`/tocsin close 12 why`: an approver's, and it stands in the timeline with what was missing."""
    assert "needs a reason" in (await emergency.command("close 1", user="U4"))["text"]
    assert "rita is a responder" in (await emergency.command("close 1 enough", user="U2"))["text"]
    assert "There is no incident 7" in (await emergency.command("close 7 enough", user="U4"))["text"]
    assert "/tocsin close 12 why" in (await emergency.command("close it", user="U4"))["text"]
    assert (await emergency.command("close #1 a false alarm", user="U4"))["text"] == "#1 is closed."
    _, found = await emergency.receiver.get("/api/v1/incidents/1/timeline")
    [closed] = [each for each in found["timeline"] if each["fact"] == "closed"]
    assert (closed["by"], closed["data"]["note"]) == ("carl", "a false alarm")
