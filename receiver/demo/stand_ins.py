"""Local stand-ins for the providers: they implement the real protocols and print the messages."""

import asyncio
import html
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

Show = Callable[[str, str, str, str], None]
"""(medium, recipient, headline, text)."""


class Mailbox:
    """An SMTP server's handler; shows every mail."""

    def __init__(self, show: Show) -> None:
        self._show = show

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Show a mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        mail = message_from_bytes(content, policy=policy.default)
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        self._show("email", ", ".join(envelope.rcpt_tos), str(mail["Subject"]), text)
        return "250 taken"


async def start_mailbox(show: Show) -> tuple[asyncio.Server, str]:
    """Start an SMTP server on a free port; returns it and its URL."""
    handler = Mailbox(show)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    return server, f"smtp://{host}:{port}"


class Providers:
    """Slack, PagerDuty and Twilio in one application, each at its own paths."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._messages = 0
        self.app = web.Application()
        self.app.router.add_post("/slack/api/{method}", self._slack)
        self.app.router.add_post("/pagerduty/v2/enqueue", self._pagerduty)
        self.app.router.add_post("/twilio/2010-04-01/Accounts/{sid}/{kind}.json", self._twilio)

    async def _slack(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        body = await request.json() if request.content_type == "application/json" else dict(await request.post())
        if method == "chat.postMessage":
            self._messages += 1
            where = str(body.get("channel", ""))
            if body.get("thread_ts"):
                where += " (thread, shown to the channel)" if body.get("reply_broadcast") else " (thread)"
            headline, *lines = html.unescape(str(body.get("text", ""))).splitlines() or [""]
            shown = html.unescape(_block_text(body.get("blocks")))
            self._show("slack", where, headline, "\n".join([*lines, *_unsaid(shown, headline, lines)]))
        stamp = str(body.get("ts") or f"1700000000.{self._messages:06d}")
        return web.json_response({"ok": True, "channel": body.get("channel"), "ts": stamp})

    async def _pagerduty(self, request: web.Request) -> web.Response:
        event = await request.json()
        payload = event.get("payload") or {}
        headline = f"{event['event_action']} {payload.get('summary', '')}".strip()
        self._show("pagerduty", "service ml-systems", headline, f"dedup key …{event['dedup_key'][-12:]}")
        return web.json_response({"status": "success", "dedup_key": event["dedup_key"]}, status=202)

    async def _twilio(self, request: web.Request) -> web.Response:
        form = await request.post()
        medium = {"Messages": "sms", "Calls": "phone"}.get(request.match_info["kind"], "sms")
        self._show(medium, str(form.get("To", "")), str(form.get("Body") or form.get("Twiml") or ""), "")
        self._messages += 1
        return web.json_response({"sid": f"SM{self._messages:032x}", "status": "queued"}, status=201)


def _block_text(blocks: Any) -> str:
    """The readable text of Block Kit blocks."""
    lines: list[str] = []
    for block in blocks if isinstance(blocks, list) else []:
        texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        lines += [text["text"] for text in texts if isinstance(text, dict) and isinstance(text.get("text"), str)]
    return "\n".join(lines)


def _unsaid(shown: str, headline: str, lines: list[str]) -> list[str]:
    """The lines of the blocks that the fallback text does not contain."""
    said = {headline, *lines}
    return [each for each in shown.splitlines() if each.strip("*") not in said]


async def start_web(app: web.Application) -> tuple[web.AppRunner, str]:
    """Serve an application on a free port of this machine; returns its runner and base URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"
