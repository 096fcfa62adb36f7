"""The scheduler and its dispatcher: windows and messages share the time, and a bad template stops no page."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

from receiver.channels import Outgoing
from receiver.core.events import Delivered, Outcome
from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.jobs.dispatcher import Dispatcher
from receiver.jobs.scheduler import FIRED_AT_ONCE, Scheduler
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.store import open_store
from receiver.telemetry.metrics import Metrics
from rules.policy import MINUTE, Policy, Template
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import firing
from tests.patience import GIVES_UP

DUE = 4 * FIRED_AT_ONCE
RUNAWAY = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


class Sink:
    """A channel that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.arrived = asyncio.Event()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Take it."""
        self.taken.append(outgoing)
        self.arrived.set()
        return Delivered("ref")

    async def close(self) -> None:
        """Nothing is kept."""


class Room:
    """A service's inside: engine, command queue, dispatcher and scheduler, and in which order the engine was asked."""

    def __init__(self, policy: Policy) -> None:
        self.now = START
        self.asked: list[tuple[str, Any]] = []
        self.sink = Sink()
        self.store = open_store("sqlite://")
        self._thread = ThreadPoolExecutor(1)
        engine = Engine(self.store, policy, ALL, START)
        self.queue = CommandQueue(engine, lambda: self.now, self._call)
        self.metrics = Metrics()
        words = MessageRenderer(None, "inst")
        records = Records(self.store.reads(), words, engine)
        senders = dict.fromkeys(("email", "slack", "pagerduty", "sms", "phone"), self.sink)
        self.dispatcher = Dispatcher(self.queue, engine, senders, words, records, "me", self.metrics)
        self.scheduler = Scheduler(self.queue, engine, self.store, self.dispatcher, self.queue.state)

    async def _call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        done = await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        self.asked.append((work.__name__, done))
        return done


@asynccontextmanager
async def room(policy: Policy = POLICY) -> AsyncIterator[Room]:
    """One that is left in order."""
    made = Room(policy)
    yield made
    await made.dispatcher.finish(5)
    made.queue.close()
    made.store.close()


async def test_windows_do_not_starve_sending() -> None:
    """However many windows are due, messages are started between every few of them."""
    async with room() as here:
        await here.queue.handle([firing(f"key-{number}", level=4) for number in range(DUE)])
        here.now = Instant(START + 5 * MINUTE)
        here.asked.clear()
        beating = asyncio.create_task(here.scheduler.keep())
        while sum(done for name, done in here.asked if name == "fire_due") < DUE:
            await asyncio.sleep(0.01)
        here.queue.state.is_stopping = True
        await beating
        turns = [name for name, _ in groupby(name for name, _ in here.asked if name in {"fire_due", "claim"})]
        fired = sum(name == "fire_due" for name, _ in here.asked)
        assert turns == ["fire_due", "claim"] * fired
        assert {done for name, done in here.asked if name == "fire_due"} <= {0, FIRED_AT_ONCE}


async def test_a_runaway_template_takes_no_page_away() -> None:
    """A stored policy's template that never ends: its page goes out in Tocsin's words, which say so; so does a metric."""
    templates = dataclasses.replace(POLICY.templates, initial=Template(RUNAWAY, "{{ severity }}", "opened"))
    async with room(dataclasses.replace(POLICY, templates=templates)) as here:
        await here.queue.handle([firing("key", level=4)])
        await here.dispatcher.send_due()
        await asyncio.wait_for(here.sink.arrived.wait(), GIVES_UP)
        await here.dispatcher.finish(30)
        assert all("these are Tocsin's own words" in each.message.text for each in here.sink.taken)
        [failed] = [each for each in here.metrics.registry.collect() if each.name == "tocsin_templates_failed"]
        assert failed.samples[0].value == len(here.sink.taken)
