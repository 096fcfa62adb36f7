"""Slack's Socket Mode: buttons and `/tocsin` over an outgoing connection, so that Slack need not reach Tocsin.

Requests have no signature: the app's token (xapp-…) opens the connection, and TLS authenticates Slack. Each envelope is
acknowledged by its id after its action, within Slack's three seconds; a repeated envelope is applied once. Slack
announces the end of a connection some seconds before, and a new one is opened. Each replica has its own connection;
Slack sends an envelope to one of them. The SDK's own client is not used: it logs the connection's URL, which grants
access, and does not report a lost connection.
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
from receiver.web.callbacks.context import CallbackContext
from receiver.web.callbacks.slack_interactions import SlackCallbacks
from receiver.web.http.problem_details import HttpProblem

HEARTBEAT = 20.0
"""Seconds between pings; a connection without a reply within half of that is reopened."""
APART = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds until the next try to connect, after the first, second … failure; the last one repeats."""
HELLO_WITHIN = 10.0
"""Seconds for Slack's hello message."""
REFUSED = frozenset({"invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "account_inactive"})

log = structlog.get_logger()


class SlackSocket:
    """Keeps a connection open, and passes its requests to the callbacks."""

    def __init__(self, callbacks: SlackCallbacks, token: str, api_url: str, egress: Egress) -> None:
        """`token`: of the app, with the scope connections:write."""
        self._callbacks = callbacks
        self._token = token
        self._client: AsyncWebClient = quiet_client(token, api_url, TIMEOUT, egress)
        self._egress = egress
        self._answering: set[asyncio.Task[None]] = set()

    async def keep(self) -> None:
        """Connects and listens, again and again, until cancelled."""
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
        """Runs one connection until Slack ends it. Returns why there was none; empty: there was one."""
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._client.apps_connections_open(app_token=self._token)
            return await self._listen(str(answer.get("url", "")))
        except SlackApiError as error:
            said = str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
            if said in REFUSED:
                return "Slack refuses TOCSIN_SLACK_APP_TOKEN: set it to the app's token (xapp-…, connections:write)"
            return f"Slack opens no connection ({said or 'no reason given'})"
        except Exception as error:  # noqa: BLE001 - network errors and invalid answers; the text may have a URL
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
        """Waits for the answers to received envelopes before the connection is closed."""
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
            return  # without an acknowledgement Slack tells the person that it failed
        else:
            reply |= {"payload": said} if said and envelope.get("accepts_response_payload") else {}
        with suppress(ConnectionError, aiohttp.ClientError):  # the action is done; the person is told by other means
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
            case "events_api":
                await self._callbacks.happened(payload)
                return {}
            case _:
                return {}


def configure(context: CallbackContext) -> SlackCallbacks | None:
    """Configured if requests can be verified, or come in by Socket Mode."""
    settings = context.settings
    secret, app_token = settings.slack_signing_secret, settings.of_channels.get("slack_app_token")
    if not secret and not app_token:
        return None
    verified_by = secret.get_secret_value() if secret else ""
    slack = SlackCallbacks(context.actions, context.rosters, verified_by, settings, context.clock)
    if app_token:
        socket = SlackSocket(slack, app_token.get_secret_value(), settings.slack_api_url, Egress.of(settings))
        context.keep(socket.keep)
    context.app.on_cleanup.append(slack.close)
    return slack
