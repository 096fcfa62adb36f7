"""Slack's Socket Mode: buttons and the command where Slack cannot reach us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.channels.slack import configure
from receiver.clients.egress import Egress
from receiver.core.events import Delivered
from receiver.engine.commands import OutcomeReport
from receiver.settings import Settings
from tests.channels.servers.slack_socket import TICKET, SlackGateway
from tests.docs.sessions import ROOT
from tests.patience import GIVES_UP
from tests.web.conftest import Running

TOKEN = "xapp-1-A0123456789-secret"


@pytest.fixture
async def slack() -> AsyncIterator[SlackGateway]:
    async with SlackGateway(TOKEN) as gateway:
        yield gateway


async def begin(start: Callable[..., Any], slack: SlackGateway, token: str = TOKEN) -> Running:
    """A receiver that knows no signing secret, with one open incident."""
    receiver = await start(TOCSIN_SLACK_APP_TOKEN=token, TOCSIN_SLACK_API_URL=slack.url)
    assert (await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4}))[0] == 201
    return receiver


def pressed(receiver: Running, action: str = "acknowledge") -> dict[str, Any]:
    """A button that ron pressed."""
    incident = receiver.store.reads().by_number(1)
    button = {"action_id": action, "value": incident.id, "block_id": "state:open", "type": "button"}
    return {"type": "block_actions", "user": {"id": "U1", "username": "ron"}, "actions": [button]}


async def test_a_button_acknowledges(start: Callable[..., Any], slack: SlackGateway) -> None:
    """A button that comes in by the connection acts and is answered in Slack's time; the same envelope acts once."""
    receiver = await begin(start, slack)
    socket = await slack.connected()
    assert await slack.ask(socket, "e-1", "interactive", pressed(receiver)) == {"envelope_id": "e-1"}
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "ron")
    await slack.ask(socket, "e-2", "interactive", pressed(receiver, "give_back") | {"actions": []})
    before = len(receiver.store.newest_audits(10))
    await slack.ask(socket, "e-1", "interactive", pressed(receiver))
    assert len(receiver.store.newest_audits(10)) == before


async def test_the_command_is_answered(start: Callable[..., Any], slack: SlackGateway) -> None:
    """`/tocsin` gets its answer on the connection, visible to its sender alone."""
    receiver = await begin(start, slack)
    socket = await slack.connected()
    typed = {"command": "/tocsin", "text": "ack 1", "user_id": "U1", "user_name": "ron"}
    answer = await slack.ask(socket, "e-1", "slash_commands", typed)
    assert answer["payload"] == {"response_type": "ephemeral", "text": "#1 is acknowledged by ron."}
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "acknowledged"


async def deliver(receiver: Running) -> str:
    """Deliver everything; the id of the first message in Slack."""
    deliveries = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
    claimed = [notification for delivery in deliveries for notification, _ in delivery.items]
    reports = [
        OutcomeReport(each, Delivered("C0123456:1795400000.000100")) for each in claimed if each.channel == "slack"
    ]
    await receiver.queue.run(receiver.engine.report, reports, receiver.clock())
    assert reports
    return "1795400000.000100"


async def notes(receiver: Running) -> list[tuple[str, str]]:
    """Who noted what."""
    _, answer = await receiver.get("/api/v1/incidents/1/timeline")
    return [(each["by"], each["data"]["text"]) for each in answer["timeline"] if each["fact"] == "noted"]


async def test_a_note_in_the_thread_is_in_the_timeline(start: Callable[..., Any], slack: SlackGateway) -> None:
    """`!note` in an incident's thread is noted once in the writer's name and gets a check mark; all else is ignored."""
    receiver = await start(TOCSIN_SLACK_APP_TOKEN=TOKEN, TOCSIN_SLACK_TOKEN="xoxb-1", TOCSIN_SLACK_API_URL=slack.url)
    assert (await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4}))[0] == 201
    thread = await deliver(receiver)
    socket = await slack.connected()
    said = {"type": "message", "channel": "C0123456", "thread_ts": thread, "user": "U1", "ts": "1795400060.000200"}
    said["text"] = "!Note\npump 2 &lt; 3 bar"
    ignored = [
        {"text": "we look at pump 2"},
        {"text": "!note"},
        {"text": "!notes are fun"},
        {"thread_ts": "1795400000.000101"},
        {"channel": "C9999999"},
        {"bot_id": "B1"},
        {"subtype": "message_changed"},
        {"user": 1},
        {"thread_ts": None},
    ]
    for number, change in enumerate(ignored):
        await slack.ask(socket, f"e-{number}", "events_api", {"event": {**said, "ts": f"17954.{number}", **change}})
    for again in ("e-20", "e-21"):
        await slack.ask(socket, again, "events_api", {"event": said})
    assert await notes(receiver) == [("U1", "pump 2 < 3 bar")]
    async with asyncio.timeout(GIVES_UP):
        mark = await slack.reactions.get()
    assert mark == {"channel": "C0123456", "timestamp": "1795400060.000200", "name": "white_check_mark"}
    typed = {"command": "/tocsin", "text": "note 1 it holds", "user_id": "U1", "user_name": "ron"}
    answer = await slack.ask(socket, "e-30", "slash_commands", typed)
    assert answer["payload"]["text"] == "Noted. #1 is open."
    assert (await notes(receiver))[1] == ("ron", "it holds")


@pytest.mark.parametrize("payload", ["text", {"actions": "none"}, {}])
async def test_what_makes_no_sense_does_no_harm(start: Callable[..., Any], slack: SlackGateway, payload: Any) -> None:
    """An unreadable envelope changes nothing, and the next one is carried out."""
    receiver = await begin(start, slack)
    socket = await slack.connected()
    for number, kind in enumerate(("interactive", "slash_commands", "events_api")):
        assert (await slack.ask(socket, f"e-{number}", kind, payload))["envelope_id"] == f"e-{number}"
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "open"
    await slack.ask(socket, "e-9", "interactive", pressed(receiver))
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "acknowledged"


@pytest.mark.parametrize("how", ["said", "cut"])
async def test_a_connection_that_ends_is_opened_anew(start: Callable[..., Any], slack: SlackGateway, how: str) -> None:
    """Slack closes connections every few hours, and networks cut them: the next button comes by the next connection."""
    receiver = await begin(start, slack)
    first = await slack.connected()
    if how == "said":
        await first.send_json({"type": "disconnect", "reason": "refresh_requested"})
    else:
        await first.close()
    second = await slack.connected()
    await slack.ask(second, "e-1", "interactive", pressed(receiver))
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "acknowledged"
    assert slack.opened == 2


async def test_a_refused_token_is_said(
    start: Callable[..., Any], slack: SlackGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong token is said in the log with the setting; neither it nor the connection's address stands there."""
    slack.refuses = "not_allowed_token_type"
    await begin(start, slack)
    slack.refuses = ""
    await slack.connected()
    said = "".join(capsys.readouterr())
    assert "TOCSIN_SLACK_APP_TOKEN" in said
    assert TOKEN not in said
    assert TICKET not in said


async def test_nothing_is_believed_that_is_posted(start: Callable[..., Any], slack: SlackGateway) -> None:
    """Without a signing secret there is nothing to post to; buttons are shown all the same, as presses come to us."""
    receiver = await begin(start, slack)
    for path in ("/callbacks/slack/actions", "/callbacks/slack/commands"):
        assert (await receiver.post(path, b"payload=x"))[0] == 404
    settings = Settings.read({"TOCSIN_SLACK_TOKEN": "xoxb-1", "TOCSIN_SLACK_APP_TOKEN": TOKEN})
    configured = configure(settings, lambda: 0)
    assert configured is not None
    assert configured.make(Egress())._interactive  # type: ignore[attr-defined]


def test_the_manifest_is_whole() -> None:
    """The manifest to paste has the command, buttons by Socket Mode, and each scope that the page asks for."""
    manifest = yaml.safe_load((ROOT / "deploy" / "slack" / "manifest.yaml").read_text())
    page = Path(ROOT / "docs" / "channels" / "slack.md").read_text()
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == {
        "message.channels",
        "message.groups",
        "reaction_added",
        "app_home_opened",
    }
    assert manifest["features"]["app_home"]["home_tab_enabled"] is True
    assert [each["command"] for each in manifest["features"]["slash_commands"]] == ["/tocsin"]
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert {each for each in scopes if f"`{each}`" not in page} == set()
    assert {"chat:write", "chat:write.public", "commands", "files:write", "channels:history"} <= set(scopes)
