"""Slack's end of Socket Mode: it opens connections for clients with the app's token, and gives each envelope to one."""

import asyncio
import json

import aiohttp
from aiohttp import web

from tests.patience import GIVES_UP

TICKET = "ticket-of-the-connection"


class SlackGateway:
    """`async with` it; `url` is that of its API."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.opened = 0
        self.refuses = ""
        """The error with which it refuses to open a connection; empty: it does not."""
        self._sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[dict]] = {}

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/api/apps.connections.open", self._open)
        app.router.add_get("/link/", self._link)
        app.router.add_post("/api/reactions.add", self._react)
        self.more(app)
        self.reactions: asyncio.Queue[dict] = asyncio.Queue()
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._host = "{}:{}".format(*self._runner.addresses[0])
        self.url = f"http://{self._host}/api"
        return self

    def more(self, app: web.Application) -> None:
        """Adds further methods of the API."""

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _open(self, request):
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if self.refuses:
            return web.json_response({"ok": False, "error": self.refuses})
        self.opened += 1
        return web.json_response({"ok": True, "url": f"ws://{self._host}/link/?ticket={TICKET}"})

    async def _react(self, request):
        await self.reactions.put(await request.json())
        return web.json_response({"ok": True})

    async def _link(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        await self._sockets.put(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                answer = json.loads(message.data)
                self._answers[answer["envelope_id"]].set_result(answer)
        return socket

    async def connected(self) -> web.WebSocketResponse:
        """The next connection that comes about."""
        async with asyncio.timeout(GIVES_UP):
            return await self._sockets.get()

    async def ask(self, socket: web.WebSocketResponse, envelope_id: str, kind: str, payload: dict) -> dict:
        """Send an envelope; its answer."""
        self._answers[envelope_id] = asyncio.get_running_loop().create_future()
        accepts = kind == "slash_commands"
        await socket.send_json(
            {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": accepts}
        )
        async with asyncio.timeout(3):  # as long as Slack waits
            return await self._answers[envelope_id]
