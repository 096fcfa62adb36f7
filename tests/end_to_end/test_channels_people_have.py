"""A level 4 on Teams, Web Push, ntfy, Telegram, Discord and Slack, in their own protocols, and the ways back from there."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from receiver.channels.push_encryption import sender_key
from receiver.demo import tools
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load_text
from tests.channels.servers.push import Elsewhere, Ntfy
from tests.channels.servers.push_service import Browser, PushService
from tests.channels.servers.slack import SlackWorkspace
from tests.channels.servers.slack_socket import SlackGateway
from tests.channels.servers.teams import Workflow
from tests.channels.servers.wire import Request
from tests.channels.test_apprise import DISCORD, TELEGRAM
from tests.end_to_end.conftest import until
from tests.patience import GIVES_UP
from tests.web.test_console import csrf
from tests.web.test_devices import KEY, form

POLICY = """
incident_response:
  alert_channels:
    - {name: teams, type: teams, channel: flight}
    - {name: push, type: webpush, recipients: ["@dana"]}
    - {name: services, type: apprise, recipients: [ntfy, telegram, discord]}
    - {name: slack, type: slack, channel: "#incident-response"}
  detection:
    rules: [{name: margin, condition: "margin < 0.95", severity: 4, channels: [teams, push, services, slack]}]
people: [{name: dana, contacts: {webpush: dana, slack: U024BE7LH}}]
"""
TOKEN = {"Authorization": "Bearer danas"}


class App(SlackGateway):
    """Slack's API and Socket Mode at one address."""

    def __init__(self, workspace: SlackWorkspace) -> None:
        super().__init__("xapp-1")
        self.workspace = workspace

    def more(self, app: web.Application) -> None:
        app.router.add_route("*", "/api/{method}", self._call)

    async def _call(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self.workspace.answer(Request(request.method, request.path_qs, headers, await request.read()))
        return web.json_response(reply.body, status=reply.status)


class World:
    """The providers, and what people see there."""

    def __init__(self) -> None:
        self.teams, self.ntfy = Workflow("signature"), Ntfy("tk_0123456789abcdefghijklmnopqrs")
        self.elsewhere = Elsewhere("api.telegram.org", "discord.com")
        self.push = PushService(int(time.time()), sender_key(KEY).public_key())
        self.browser, self.workspace = Browser(), SlackWorkspace("xoxb-1")
        self.app = App(self.workspace)

    def has(self, number: int) -> bool:
        """Whether that incident's page is on each."""
        told = [
            *(str(each) for each in self.teams.cards),
            *(f"{each['title']} ntfy" for each in self.ntfy.messages),
            *(f"{each.get('text', '')}{each.get('content', '')} {path}" for path, each in self.elsewhere.taken),
            *(f"{each['title']} push" for each in self.browser.shown),
            *(each["text"] for each in self.workspace.shown),
        ]
        return len([each for each in told if f"#{number} EMERGENCY" in each]) >= 6

    def button(self, action: str) -> dict[str, str]:
        """The button of the last message in Slack."""
        blocks = self.workspace.shown[-1]["blocks"]
        buttons = (element for block in blocks if block["type"] == "actions" for element in block["elements"])
        return next(each | {"block_id": "state:open"} for each in buttons if each["action_id"] == action)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with made.teams.wire, made.ntfy.wire, made.elsewhere, made.push.wire, made.app:
        yield made


async def test_each_gets_it_and_three_answer(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Three emergencies arrive on all six; the first is acknowledged by the card's link, the second by the push's action,
    the third by Slack's button over the socket: each in that person's name, or the channel's.
    """
    world.elsewhere.authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("HTTPS_PROXY", world.elsewhere.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    address = f"127.0.0.1:{tools.free_port()}"
    environ = {
        "TOCSIN_DATABASE": "sqlite://",
        "TOCSIN_LISTEN": address,
        "TOCSIN_EXTERNAL_URL": f"http://{address}",
        "TOCSIN_SECRET_KEY": KEY,
        "TOCSIN_API_TOKENS": "dana:responder:danas",
        "TOCSIN_TEAMS_URL_FLIGHT": world.teams.url,
        "TOCSIN_APPRISE_URL_NTFY": world.ntfy.url,
        "TOCSIN_APPRISE_URL_TELEGRAM": TELEGRAM,
        "TOCSIN_APPRISE_URL_DISCORD": DISCORD,
        "TOCSIN_SLACK_TOKEN": "xoxb-1",
        "TOCSIN_SLACK_APP_TOKEN": "xapp-1",
        "TOCSIN_SLACK_API_URL": world.app.url,
    }
    policy = load_text(POLICY).policy
    async with Service(Settings.read(environ), (), policy) as service, aiohttp.ClientSession(service.address) as http:

        async def ask(method: str, path: str, **more: Any) -> tuple[int, Any]:
            async with http.request(method, path, **{"headers": TOKEN, **more}) as answer:
                is_json = "json" in answer.content_type
                return answer.status, await answer.json(content_type=None) if is_json else await answer.text()

        async def open_one(number: int) -> None:
            status, _ = await ask("POST", "/api/v1/incidents", json={"type": "margin", "level": 4})
            assert status == 201
            await until(lambda: world.has(number), f"page of #{number} on each channel")

        async def answered(number: int) -> str:
            _, found = await ask("GET", f"/api/v1/incidents/{number}")
            assert found["state"] == "acknowledged"
            return str(found["acknowledged_by"])

        _, page = await ask("GET", "/people/dana/devices")
        device = form(world.push, "phone", world.browser) + f"&csrf={csrf(page)}".encode()
        headers = {**TOKEN, "Content-Type": "application/x-www-form-urlencoded"}
        assert (await ask("POST", "/people/dana/devices", data=device, headers=headers, allow_redirects=False))[
            0
        ] == 303

        await open_one(1)
        link = next(each["url"] for each in world.teams.cards[0]["actions"] if each["title"] == "Acknowledge")
        assert (await ask("POST", link.removeprefix(service.address), headers={}))[0] == 200
        assert await answered(1) == "flight (Microsoft Teams)"

        await open_one(2)
        pushed = next(each for each in world.browser.shown if each["title"].startswith("#2 "))
        assert (await ask("POST", pushed["acknowledge"].removeprefix(service.address), headers={}))[0] == 200
        assert await answered(2) == "dana"

        await open_one(3)
        async with asyncio.timeout(GIVES_UP):
            socket = await world.app.connected()
        button = {**world.button("acknowledge"), "type": "button"}
        pressed = {"type": "block_actions", "user": {"id": "U024BE7LH", "username": "d"}, "actions": [button]}
        await world.app.ask(socket, "e-1", "interactive", pressed)
        assert await answered(3) == "dana"
