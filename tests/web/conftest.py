"""A receiver to talk to: the real application, engine and store (in memory), and a clock that stands still."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from receiver.channels import Senders
from receiver.channels.configured import make_senders
from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.heartbeat_cache import Heartbeats
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import Failing, ServiceState
from receiver.jobs.loaded_rules import RulesSeen
from receiver.settings import Settings
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics
from receiver.web.app import make_app, make_runner
from rules.load import load
from rules.policy import Policy
from tests.new_store import new_store
from tests.patience import GIVES_UP

PAYLOADS = Path(__file__).parent.parent / "payloads"
START = Instant(1_795_400_000_000_000)
"""2026-11-23T02:13:20Z, shortly before the payloads were captured."""


@dataclass
class StillClock:
    """Says the time it is told to say."""

    now: Instant = START

    def __call__(self) -> Instant:
        return self.now


@dataclass
class Running:
    """A receiver that listens."""

    store: SqlStore
    queue: CommandQueue
    clock: StillClock
    metrics: Metrics
    http: aiohttp.ClientSession
    url: str
    port: int
    state: ServiceState
    engine: Engine
    heartbeats: Heartbeats
    rules_seen: RulesSeen
    reasons: list[Failing]
    """Why it is not ready."""
    policy_problems: list[str]
    """What a reload finds."""
    senders: Senders
    app: web.Application

    async def post(self, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """POST JSON; status and what was answered."""
        return await self.ask("POST", path, body, **more)

    async def get(self, path: str, **more: Any) -> tuple[int, Any]:
        """GET; status and what was answered."""
        return await self.ask("GET", path, **more)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Any request; status and what was answered (JSON where it is JSON)."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        content: dict[str, Any] = {} if body is None else {"data": io.BytesIO(body)}
        async with self.http.request(method, self.url + path, allow_redirects=False, **content, **more) as answer:
            is_json = "json" in answer.content_type
            return answer.status, await answer.json(content_type=None) if is_json else await answer.text()

    async def send(self, *names: str, source: str = "") -> list[list[int]]:
        """Send captured payloads; the incident numbers that each was answered with."""
        numbers = []
        for name in names:
            status, answer = await self.post(f"/webhook/alertmanager?source={source}", payload(name))
            assert status == 200, answer
            numbers.append(answer["incidents"])
        return numbers

    async def pass_time(self, micros: int) -> None:
        """Let time pass, and what is due happen."""
        self.clock.now = Instant(self.clock.now + micros)
        await self.queue.run(self.engine.fire_due, self.clock.now)

    async def scrape(self) -> dict[str, float]:
        """The metrics, by name and labels as they are written."""
        _, text = await self.get("/metrics")
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}


def payload(name: str) -> bytes:
    """A captured webhook body."""
    return (PAYLOADS / f"{name}.json").read_bytes()


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The shipped policy."""
    return load()


@pytest.fixture
async def start(policy: Policy) -> AsyncIterator[Callable[..., Any]]:
    """Start receivers, with the environment that is given; `token`: an API token that every request carries."""
    started: list[tuple[Running, web.AppRunner]] = []

    async def begin(token: str = "", **environ: str) -> Running:
        settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", **environ})
        running, runner = await _begin(settings, policy, token)
        started.append((running, runner))
        return running

    yield begin
    for running, runner in started:
        await running.http.close()
        await runner.cleanup()
        running.queue.close()
        running.store.close()


@asynccontextmanager
async def begin_with(policy: Policy, **environ: str) -> AsyncIterator[Running]:
    """A receiver with a policy of its own."""
    running, runner = await _begin(Settings.read({"TOCSIN_DATABASE": "sqlite://", **environ}), policy)
    try:
        yield running
    finally:
        await running.http.close()
        await runner.cleanup()
        running.queue.close()
        running.store.close()
        for sender in running.senders.values():
            await sender.close()


async def _begin(settings: Settings, policy: Policy, token: str = "") -> tuple[Running, web.AppRunner]:
    clock, metrics = StillClock(), Metrics()
    store = new_store(settings.database)
    channels = frozenset(channel.name for channel in policy.channels)
    state, heartbeats, rules_seen = ServiceState(clock), Heartbeats(clock), RulesSeen()
    engine = Engine(store, policy, channels, clock(), lambda *_: metrics.poisoned.inc())
    engine.standing.receipts = settings.hears_twilio
    engine.standing.accounts = settings.account_names
    queue = CommandQueue(engine, clock, state=state)
    reasons: list[Failing] = []
    state.add_check(lambda: reasons)
    policy_problems: list[str] = []

    async def reload() -> list[str]:
        await asyncio.sleep(0)
        return policy_problems

    senders = make_senders(settings, clock)
    app = make_app(
        queue=queue,
        engine=engine,
        heartbeats=heartbeats,
        store=store,
        rules_seen=rules_seen,
        state=state,
        reads=store.reads(),
        settings=settings,
        clock=clock,
        metrics=metrics,
        reload=reload,
        key=settings.key(store.key),
        installation=store.installation,
        senders=senders,
    )
    runner = make_runner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(GIVES_UP), headers=headers)
    url = f"http://127.0.0.1:{port}"
    running = Running(
        senders=senders,
        store=store,
        queue=queue,
        clock=clock,
        metrics=metrics,
        http=http,
        url=url,
        port=port,
        state=state,
        engine=engine,
        heartbeats=heartbeats,
        rules_seen=rules_seen,
        reasons=reasons,
        policy_problems=policy_problems,
        app=app,
    )
    return running, runner


@pytest.fixture
async def receiver(start: Callable[..., Any]) -> Running:
    """A receiver with no tokens."""
    return await start()
