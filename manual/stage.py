"""A receiver for the manual: a small policy, a manual clock, and local servers in place of the providers, which record
what they receive. The documents show these messages.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any
from urllib.parse import quote_plus

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from aiosmtpd.smtp import SMTP, Envelope, Session

from receiver.channels.configured import configured_channels, make_senders
from receiver.clients.alert_payload import parse
from receiver.core.classify import sort
from receiver.core.events import Action, Declare
from receiver.core.model import Incident, Instant
from receiver.demo.stand_ins import Providers, start_web
from receiver.engine.commands import ForIncident
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.jobs.dispatcher import Dispatcher
from receiver.messages import MessageRenderer
from receiver.messages.times import rfc3339
from receiver.reports import Report
from receiver.reports.queries import Records
from receiver.settings import Settings
from receiver.store import open_store
from receiver.telemetry.metrics import Metrics
from rules.compile import compile as compile_rules
from rules.load import load_text
from rules.policy import SECOND, Policy
from rules.promtool.input_series import told
from rules.promtool.vectors import Sample

HOME = "https://tocsin.example"
HOOKS = "https://status.example"
"""The base URL of the policy's webhook; requests go to a local server."""
BEGIN = Instant(1_795_431_600_000_000)
"""2026-11-23 11:00 UTC."""
POLICY = """
contact_information: "duty office, +49 30 1234567"
signals:
  safety_margin: {expr: min by (system) (margin), identity: [system]}
incident_response:
  detection:
    check_interval: 30s
    rules:
      - name: safety_critical_failure
        condition: safety_margin < 0.95
        severity: 4
        description: The braking distance no longer fits into the runway ahead
        runbook_url: https://runbooks.example/safety-margin
        channels: [email, slack, pagerduty, sms, phone, status-page, teams, ntfy, telegram, mattermost]
  alert_channels:
    - {name: email, type: email, recipients: ["incident-response@example.org"]}
    - {name: slack, type: slack, channel: "#incident-response", mention: "<!here>"}
    - {name: pagerduty, type: pagerduty, service: ml-systems}
    - {name: sms, type: sms, recipients: ["+4930123456"]}
    - {name: phone, type: phone, recipients: ["+4930123456"]}
    - {name: status-page, type: webhook, url: "https://status.example/hooks/tocsin", headers: {X-Team: flight}}
    - {name: teams, type: teams, channel: flight}
    - {name: ntfy, type: apprise, recipients: [ntfy]}
    - {name: telegram, type: telegram, recipients: ["-1001234567890"]}
    - {name: mattermost, type: mattermost, channel: 4xp9fdt77pncbef59f4k1qe83o, mention: "@channel"}
  procedures:
    - name: initial_response
      steps: [Take flight-control out of automatic landing, Tell the tower, Look at the runway sensors]
roles:
  - {name: safety_officer, description: Approves the report}
incident_report:
  organisation: Landing Systems
  approver: safety_officer
"""
SETTINGS = {
    "TOCSIN_DATABASE": "sqlite://",
    "TOCSIN_EXTERNAL_URL": HOME,
    "TOCSIN_EMAIL_FROM": "Tocsin <tocsin@example.org>",
    "TOCSIN_SLACK_TOKEN": "xoxb-1",
    "TOCSIN_SLACK_SIGNING_SECRET": "s",
    "TOCSIN_PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
    "TOCSIN_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TOCSIN_TWILIO_AUTH_TOKEN": "t",
    "TOCSIN_TWILIO_FROM": "+12025550100",
    "TOCSIN_WEBHOOK_SIGNING_SECRET": "a-secret-of-both-sides",
    "TOCSIN_TELEGRAM_TOKEN": "1:t",
    "TOCSIN_MATTERMOST_TOKEN": "t",
}


@dataclass
class Kept:
    """The messages that the providers received, each kind in order."""

    mails: list[EmailMessage] = field(default_factory=list)
    slack: list[dict[str, Any]] = field(default_factory=list)
    """Messages posted; updates are not recorded."""
    pagerduty: list[dict[str, Any]] = field(default_factory=list)
    sms: list[dict[str, Any]] = field(default_factory=list)
    """To and Body."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    """To and Twiml."""
    webhooks: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Headers and document."""
    cards: list[dict[str, Any]] = field(default_factory=list)
    """Posts to Teams' workflow."""
    ntfy: list[dict[str, Any]] = field(default_factory=list)
    telegram: list[dict[str, Any]] = field(default_factory=list)
    """New messages; edits are not recorded."""
    mattermost: list[dict[str, Any]] = field(default_factory=list)
    """New posts."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Receive a mail."""
        assert isinstance(envelope.content, bytes), "SMTP was not told to decode"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    @web.middleware
    async def keep(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record a request, and let the stand-in answer."""
        form = orjson.loads(await request.read()) if request.content_type == "application/json" else {}
        form = form or dict(await request.post())
        if request.path.endswith("chat.postMessage"):
            self.slack.append(form)
        elif "/pagerduty/" in request.path:
            self.pagerduty.append(form)
        elif request.path.endswith("/Messages.json"):
            self.sms.append(form)
        elif request.path.endswith("/Calls.json"):
            self.calls.append(form)
        elif request.path.startswith("/hooks/"):
            self.webhooks.append((dict(request.headers), form))
        elif request.path.startswith("/workflows/"):
            self.cards.append(form["attachments"][0]["content"])
        elif request.path.endswith("/sendMessage"):
            self.telegram.append(form)
        elif request.path == "/api/v4/posts":
            self.mattermost.append(form)
        elif request.path == "/":
            self.ntfy.append(form)
        return await handler(request)

    async def answer(self, _request: web.Request) -> web.Response:
        """The answer of a webhook's receiver, a workflow and ntfy: success."""
        return web.Response()

    async def answer_post(self, _request: web.Request) -> web.Response:
        """The answer of Mattermost."""
        return web.json_response({"id": f"p{len(self.mattermost):025}"})

    async def answer_bot(self, _request: web.Request) -> web.Response:
        """The answer of Telegram."""
        sent = {"message_id": len(self.telegram), "chat": {"id": -1001234567890}}
        return web.json_response({"ok": True, "result": sent})


class Stage:
    """The receiver, and its messages."""

    def __init__(self, text: str, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.text, self._more = text, settings
        self.kept = Kept()
        self.now = BEGIN
        self._began: dict[str, Instant] = {}

    def clock(self) -> Instant:
        """The current time of the stage."""
        return self.now

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Stage"]:
        """Run all services during the block."""
        async with AsyncExitStack() as stack:
            mailbox = await asyncio.get_running_loop().create_server(lambda: SMTP(self.kept), "127.0.0.1", 0)
            stack.callback(mailbox.close)
            app = Providers(lambda *_: None).app
            app.middlewares.append(self.kept.keep)
            for path in ("/hooks/{name}", "/workflows/{name}", "/"):
                app.router.add_post(path, self.kept.answer)
            app.router.add_post("/bot1:t/{method}", self.kept.answer_bot)
            app.router.add_route("*", "/api/v4/{path:.*}", self.kept.answer_post)
            runner, providers = await start_web(app)
            stack.push_async_callback(runner.cleanup)
            self.policy = self.load(providers)
            self.settings = settings = Settings.read(
                SETTINGS
                | dict(self._more)
                | {
                    "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{mailbox.sockets[0].getsockname()[1]}",
                    "TOCSIN_SLACK_API_URL": f"{providers}/slack/api/",
                    "TOCSIN_PAGERDUTY_API_URL": f"{providers}/pagerduty",
                    "TOCSIN_TWILIO_API_URL": f"{providers}/twilio",
                    "TOCSIN_APPRISE_URL_NTFY": f"{providers.replace('http', 'ntfy')}/alarms",
                    "TOCSIN_TEAMS_URL_FLIGHT": f"{providers}/workflows/flight",
                    "TOCSIN_TELEGRAM_API_URL": providers,
                    "TOCSIN_MATTERMOST_API_URL": providers,
                }
            )
            self.store = store = open_store(settings.database)
            stack.callback(store.close)
            self.engine = Engine(store, self.policy, configured_channels(self.policy, settings), self.now)
            self.engine.standing.receipts = settings.hears_twilio
            self.queue = CommandQueue(self.engine, self.clock)
            stack.callback(self.queue.close)
            words = MessageRenderer(
                HOME, "manual", ack_url=_ack_url, answer_token=_token, answered_types=settings.answered_types
            )
            self.senders = senders = make_senders(settings, self.clock)
            for sender in senders.values():
                stack.push_async_callback(sender.close)
            self.reads = store.reads()
            self.records = Records(self.reads, words, self.engine)
            self.dispatcher = Dispatcher(self.queue, self.engine, senders, words, self.records, "manual", Metrics())
            yield self

    def load(self, providers: str) -> Policy:
        """The stage's policy; `providers`: the base URL of its webhooks."""
        return load_text(self.text.replace(HOOKS, providers), "policy.yaml").policy

    async def pass_time(self, micros: int) -> None:
        """Advance the clock: every window fires at its time, and due messages are sent."""
        until = self.now + micros
        while (due := self.store.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            await self.work()
        self.now = Instant(until)
        await self.work()

    async def alert(self, *alerts: Mapping[str, Any]) -> None:
        """Receive a webhook of Alertmanager."""
        body = {"version": "4", "status": "firing", "alerts": alerts, "groupLabels": {}, "groupKey": "g"}
        payload = parse(orjson.dumps(body), self.now)
        await self.queue.handle(sort(self.engine.current, "", payload.group_labels, payload.alerts))
        await self.work()

    async def act(self, incident: Incident, action: Action) -> None:
        """Perform a person's action."""
        [result] = await self.queue.handle([ForIncident(incident.id, action)])
        assert result.refusal is None, result.refusal
        await self.work()

    async def declare(self, what: Declare) -> None:
        """Declare an incident."""
        await self.queue.handle([what])
        await self.work()

    def take(self) -> Kept:
        """The messages since the last call."""
        lists = [getattr(self.kept, each.name) for each in fields(Kept)]
        taken = Kept(*map(list, lists))
        for each in lists:
            each.clear()
        return taken

    def incidents(self) -> list[Incident]:
        """All incidents, the newest first."""
        return self.reads.incidents(limit=100)[0]

    def report(self, incident: Incident, by: str) -> Report:
        """The incident's report in its current state."""
        return self.records.incident(incident, self.now, by)

    def compiled(self, rule: str, value: float, labels: Mapping[str, str], *, over: bool = False) -> dict[str, Any]:
        """A rule's alert in Prometheus's form, half a minute old at its first arrival."""
        alert = next(
            each
            for group in compile_rules(self.policy)
            for each in group.alerts
            if each.rule and each.rule.name == rule
        )
        fingerprint = "-".join((rule, *labels.values()))
        began = self._began.setdefault(fingerprint, Instant(self.now - 30 * SECOND))
        if over:
            del self._began[fingerprint]
        shown, annotations = told(alert, Sample(tuple(labels.items()), value))
        return {
            "status": "resolved" if over else "firing",
            "labels": {**dict(shown), "alertname": alert.alert},
            "annotations": dict(annotations),
            "startsAt": rfc3339(began),
            "endsAt": rfc3339(self.now) if over else "0001-01-01T00:00:00Z",
            "fingerprint": fingerprint,
            "generatorURL": f"https://prometheus.example/graph?g0.expr={quote_plus(alert.expr)}",
        }

    async def work(self) -> None:
        """Execute and send what is due now."""
        await self.queue.run(self.engine.fire_due, self.now)
        while await self.dispatcher.send_due():
            await self.dispatcher.finish(10)


def _ack_url(incident: Incident, _: str) -> str:
    return f"{HOME}/act/{_token(incident, '')}"


def _token(incident: Incident, _: str) -> str:
    return f"{incident.number}-3-q3f7k2m5axw4cabcd"
