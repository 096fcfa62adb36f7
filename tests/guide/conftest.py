"""The guide's own policy in a real receiver: application, engine, store in memory, dispatcher, senders; a clock that
is moved by hand, and stand-ins that speak the providers' protocols.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from receiver.channels.configured import configured_channels, make_senders
from receiver.core.model import Instant
from receiver.demo.stand_ins import Providers, start_mailbox, start_web
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.jobs.dispatcher import Dispatcher
from receiver.jobs.loaded_rules import RulesSeen
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.settings import Settings
from receiver.telemetry.metrics import Metrics
from receiver.web.app import make_app, make_runner
from rules.load import load
from rules.policy import Policy, Reports
from tests.new_store import new_store
from tests.patience import GIVES_UP
from tests.web.conftest import START, StillClock

GUIDE = load([Path(__file__).parent.parent / "policies" / "guide.md"])


def policy_of_the_guide() -> Policy:
    """The guide's policy, with a recipient of its reports."""
    reports = Reports(
        GUIDE.reports.structure, GUIDE.reports.executive_summary, GUIDE.reports.technical, ("board@company.com",)
    )
    return replace(GUIDE, reports=reports)


@dataclass(frozen=True)
class Heard:
    """One delivered message."""

    medium: str
    to: str
    headline: str
    text: str


class Hall:
    """A receiver under the guide's policy, and all that people heard of it."""

    def __init__(
        self,
        queue: CommandQueue,
        engine: Engine,
        dispatcher: Dispatcher,
        clock: StillClock,
        http: aiohttp.ClientSession,
    ) -> None:
        self.queue, self.engine, self.dispatcher, self.clock, self.http = queue, engine, dispatcher, clock, http
        self.heard: list[Heard] = []

    async def pass_time(self, micros: int) -> None:
        """Time passes: every window fires at its time, and what is due is sent."""
        until = self.clock.now + micros
        while (due := self.engine._store.next_due()) is not None and due <= until:
            self.clock.now = max(self.clock.now, due)
            await self.work()
        self.clock.now = Instant(until)
        await self.work()

    async def work(self) -> None:
        """Fire and send what is due now."""
        await self.queue.run(self.engine.fire_due, self.clock.now)
        while await self.dispatcher.send_due():
            await self.dispatcher.finish(10)

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """One call that must go well; then what it planned is sent."""
        async with self.http.request(method, path, json=body) as answer:
            said = await answer.json(content_type=None) if "json" in answer.content_type else await answer.text()
            assert answer.status < 300, said
        await self.work()
        return said

    def mails(self, to: str) -> list[Heard]:
        """What this address got."""
        return [each for each in self.heard if each.medium == "email" and to in each.to]


@pytest.fixture
def policy() -> Policy:
    """What the receiver runs under."""
    return policy_of_the_guide()


@pytest.fixture
async def hall(policy: Policy) -> AsyncIterator[Hall]:
    """The receiver, with every provider of the guide's channels standing in."""
    clock, metrics = StillClock(), Metrics()
    heard: list[Heard] = []
    async with contextlib.AsyncExitStack() as stack:
        mailbox, smtp = await start_mailbox(
            lambda *said: heard.append(Heard(*(each.strip() for each in said[:3]), said[3].replace("\r\n", "\n")))
        )
        stack.callback(mailbox.close)
        runner, providers = await start_web(
            Providers(lambda *said: heard.append(Heard(*said[:3], said[3].replace("\r\n", "\n")))).app
        )
        stack.push_async_callback(runner.cleanup)
        settings = Settings.read(
            {
                "TOCSIN_DATABASE": "sqlite://",
                "TOCSIN_SMTP_URL": smtp,
                "TOCSIN_EMAIL_FROM": "tocsin@company.com",
                "TOCSIN_SLACK_TOKEN": "xoxb-1",
                "TOCSIN_SLACK_API_URL": f"{providers}/slack/api/",
                "TOCSIN_PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
                "TOCSIN_PAGERDUTY_API_URL": f"{providers}/pagerduty",
                "TOCSIN_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
                "TOCSIN_TWILIO_AUTH_TOKEN": "t",
                "TOCSIN_TWILIO_FROM": "+15550100",
                "TOCSIN_TWILIO_API_URL": f"{providers}/twilio",
            }
        )
        store = new_store(settings.database)
        stack.callback(store.close)
        engine, state = Engine(store, policy, configured_channels(policy, settings), START), ServiceState()
        queue = CommandQueue(engine, clock, state=state)
        stack.callback(queue.close)
        words, senders, reads = (
            MessageRenderer(None, store.installation, sms_replies=False),
            make_senders(settings, clock),
            store.reads(),
        )
        records = Records(reads, words, engine)
        dispatcher = Dispatcher(queue, engine, senders, words, records, "test", metrics)
        for sender in senders.values():
            stack.push_async_callback(sender.close)
        app = make_app(
            queue=queue,
            engine=engine,
            heartbeats=Heartbeats(clock),
            store=store,
            rules_seen=RulesSeen(),
            state=state,
            reads=reads,
            settings=settings,
            clock=clock,
            metrics=metrics,
            reload=_no_reload,
            key=settings.key(store.key),
            installation=store.installation,
        )
        runner = make_runner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        http = await stack.enter_async_context(aiohttp.ClientSession(base, timeout=aiohttp.ClientTimeout(GIVES_UP)))
        made = Hall(queue, engine, dispatcher, clock, http)
        made.heard = heard
        yield made


async def _no_reload() -> list[str]:
    return []
