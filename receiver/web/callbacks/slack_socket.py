"""Slack's Socket Mode: buttons and `/tocsin` over a connection that we open, so that nobody has to reach us.

Whoever has the app's token (xapp-…) may open it, and TLS says that Slack is at its other end: nothing is signed. Each
envelope is answered with its id once it is carried out, in the three seconds that Slack waits; the same envelope twice
is carried out once. Slack says some seconds before it closes a connection, and a new one is opened then; of several
replicas each has its own, and Slack gives an envelope to one of them. The SDK's own client is not used: it logs the
address of the connection, which lets in whoever reads it, and does not say when it is not connected.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from receiver.channels.slack import TIMEOUT, quiet_client
from receiver.clients.egress import Egress
from receiver.web.callbacks.slack_interactions import SlackCallbacks
from receiver.web.http.problem_details import HttpProblem

HEARTBEAT = 20.0
"""Seconds between our pings; a connection that answers none within half of that is opened anew."""
APART = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds until the next try to connect, after the first, the second … failed one; the last is repeated."""
HELLO_WITHIN = 10.0
"""Seconds in which Slack greets us."""
REFUSED = frozenset({"invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "account_inactive"})

log = structlog.get_logger()


class SlackSocket:
    """Keeps a connection, and hands over what comes in on it."""

    def __init__(self, callbacks: SlackCallbacks, token: str, api_url: str, egress: Egress) -> None:
        """`token`: of the app, with the scope connections:write."""
        self._callbacks = callbacks
        self._token = token
        self._client: AsyncWebClient = quiet_client(token, api_url, TIMEOUT, egress)
        self._egress = egress
        self._answering: set[asyncio.Task[None]] = set()

    async def keep(self) -> None:
        """Connect, listen, and do so again; until it is cancelled."""
        failed = 0
        try:
            while True:
                said = await self._try_once()
                failed = failed + 1 if said else 0
                if failed == 1:
                    log.warning("Slack's buttons and commands are not heard: no Socket Mode connection", reason=said)
                await asyncio.sleep(APART[min(failed, len(APART)) - 1] if failed else 0)
        finally:
            for task in self._answering:
                task.cancel()

    async def _try_once(self) -> str:
        """One connection, until Slack ends it; why there was none, in words; empty: there was one."""
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._client.apps_connections_open(app_token=self._token)
            return await self._listen(str(answer.get("url", "")))
        except SlackApiError as error:
            said = str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
            if said in REFUSED:
                return "Slack refuses TOCSIN_SLACK_APP_TOKEN: set it to the app's token (xapp-…, connections:write)"
            return f"Slack opens no connection ({said or 'no reason given'})"
        except Exception as error:  # noqa: BLE001 - the network, or an answer that makes no sense; its text may have a URL
            return f"Slack cannot be reached ({type(error).__name__})"

    async def _listen(self, url: str) -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                url, heartbeat=HEARTBEAT, proxy=self._egress.proxy_for(url), ssl=self._egress.tls
            ) as socket,
        ):
            async with asyncio.timeout(HELLO_WITHIN):
                hello = await socket.receive_json(loads=orjson.loads)
            if hello.get("type") != "hello":
                return "Slack does not greet"
            log.info("Slack's buttons and commands are heard by Socket Mode")
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                envelope = orjson.loads(message.data)
                if envelope.get("type") == "disconnect":
                    break
                if envelope.get("envelope_id"):
                    self._start(socket, envelope)
            await self._finish()
        return ""

    def _start(self, socket: aiohttp.ClientWebSocketResponse, envelope: Mapping[str, Any]) -> None:
        task = asyncio.create_task(self._answer(socket, envelope))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _finish(self) -> None:
        """Before a connection is closed what came by it is answered on it."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=HELLO_WITHIN)

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, envelope: Mapping[str, Any]) -> None:
        reply: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        try:
            said = await self._carry_out(envelope)
        except HttpProblem as problem:
            log.warning("a message of Slack's makes no sense", reason=problem.detail)
        except Exception:
            log.exception("a message of Slack's could not be carried out")
            return  # not answered: Slack tells the person that it did not work
        else:
            reply |= {"payload": said} if said and envelope.get("accepts_response_payload") else {}
        with suppress(ConnectionError, aiohttp.ClientError):  # it was carried out; who pressed is told otherwise
            await socket.send_str(orjson.dumps(reply).decode())

    async def _carry_out(self, envelope: Mapping[str, Any]) -> Mapping[str, Any]:
        payload, reference = envelope.get("payload"), f"slack {envelope['envelope_id']}"
        if not isinstance(payload, dict):
            raise HttpProblem(400, "the payload is no object")
        match envelope.get("type"):
            case "interactive":
                await self._callbacks.pressed(payload, reference)
                return {}
            case "slash_commands":
                form = {name: value for name, value in payload.items() if isinstance(value, str)}
                return await self._callbacks.commanded(form, reference)
            case _:  # an event that nobody asked for
                return {}
