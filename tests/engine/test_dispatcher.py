"""Emergencies leave before all else: in a transaction of their own, without the scheduler, past what holds up others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import get_args

import pytest

from receiver.channels import Outgoing
from receiver.core.events import Declare, Delivered, Outcome, Rejected
from receiver.core.model import Instant, Status
from receiver.core.outside import KEPT_IN
from receiver.engine.engine import BUNDLE_LIMIT, Engine
from receiver.engine.queue import CommandQueue
from receiver.jobs.dispatcher import IN_FLIGHT, UNRECORDED, Dispatcher
from receiver.messages import MessageRenderer
from receiver.reports.queries import Records
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics
from rules.policy import EMERGENCY, ChannelType
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import EngineWorld, firing, messages
from tests.patience import GIVES_UP


class Held:
    """A provider that answers only when released; in `refused` channels it rejects emergencies at once."""

    def __init__(self) -> None:
        self.begun: list[Outgoing] = []
        self.more = asyncio.Condition()
        self.may_answer = asyncio.Event()
        self.refused: set[str] = set()
        """Names of channels that refuse emergencies."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        async with self.more:
            self.begun.append(outgoing)
            self.more.notify_all()
        if outgoing.channel.name in self.refused and outgoing.incident.level == EMERGENCY:
            return Rejected("no such number")
        await self.may_answer.wait()
        return Delivered("ref")

    async def close(self) -> None:
        return

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was begun to be sent fulfils it."""
        async with asyncio.timeout(GIVES_UP), self.more:
            await self.more.wait_for(condition)

    def of(self, key: str) -> set[str]:
        """Channels on which something of that incident was begun to be sent."""
        return {each.channel.name for each in self.begun if each.incident.key == key}


class Post:
    """Command queue, dispatcher and providers; no scheduler."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.engine = engine = Engine(store, POLICY, ALL, START)
        self.now = START
        self.queue = CommandQueue(engine, lambda: Instant(self.now))
        self.held = Held()
        words = MessageRenderer(None, store.installation, sms_replies=False)
        records = Records(store.reads(), words, engine)
        senders = dict.fromkeys(get_args(ChannelType), self.held)
        self.dispatcher = Dispatcher(self.queue, engine, senders, words, records, "w", Metrics())
        self.queue.on_emergency = self.dispatcher.send_emergencies


@pytest.fixture
async def post(open_stores: Callable[[str], SqlStore]) -> AsyncIterator[Post]:
    made = Post(open_stores("sqlite://"))
    yield made
    made.held.may_answer.set()
    await made.dispatcher.finish(20)
    made.queue.close()


async def test_an_emergency_waits_for_no_storm(post: Post) -> None:
    """When all that may be under way is under way and held up, its pages are sent without a person's action."""
    await post.queue.handle([firing(f"flood-{number}") for number in range(2 * IN_FLIGHT)])
    assert await post.dispatcher.send_due() >= IN_FLIGHT
    await post.queue.handle([firing("e", level=4)])
    await post.held.until(lambda: post.held.of("e") == {"email", "slack", "pagerduty", "sms"})


async def test_its_fallback_waits_for_nobody_either(post: Post) -> None:
    """A channel that refuses the page: what is told in its place is sent as soon as that is recorded."""
    post.held.refused = {"sms"}
    await post.queue.handle([firing("e", level=4)])
    await post.held.until(lambda: "phone" in post.held.of("e"))


async def test_an_exercise_that_would_leave_the_house_is_not_handed_to_a_sender(post: Post) -> None:
    """Planned while the address was the team's own, and an outsider's by the time of sending: the second look keeps it in,
    and the record says why. A real incident's page goes there.
    """
    for key, is_exercise in (("drill", True), ("real", False)):
        await post.queue.handle([Declare(key, "communication_failure", "ada", level=3, exercise=is_exercise)])
    [internal, external] = POLICY.stakeholders
    outsiders = replace(external, recipients=("Incident-Response@company.com",))
    post.engine.adopt(replace(POLICY, stakeholders=(internal, outsiders)), ALL)
    await post.dispatcher.send_due()
    await post.held.until(lambda: {"email", "slack"} <= post.held.of("real") and "slack" in post.held.of("drill"))
    post.held.may_answer.set()
    await post.dispatcher.finish(20)
    assert "email" not in post.held.of("drill")
    [drill] = [each for each in post.store.reads().incidents(limit=9)[0] if each.exercise]
    [mail] = [each for each in post.store.reads().notifications(drill.id) if each.channel == "email"]
    assert (mail.status, mail.detail) == (Status.GAVE_UP, KEPT_IN)


async def test_a_storm_is_claimed_no_faster_than_it_is_recorded(post: Post) -> None:
    """What waits for its record stays below the limit and two claims more: it takes memory, and its leases run out."""
    post.held.may_answer.set()
    await post.queue.handle([firing(f"flood-{number}") for number in range(8 * BUNDLE_LIMIT)])
    post.now = START + 40_000_000
    waiting, started = [0], [0]
    for _ in range(20):
        started.append(await post.dispatcher.send_due())
        await post.held.until(lambda: len(post.held.begun) >= sum(started))
        waiting.append(post.dispatcher.unrecorded)
    claimed = 3 * BUNDLE_LIMIT  # at once, on three channels
    assert 0 < max(waiting) <= UNRECORDED + 2 * claimed


@pytest.mark.parametrize("bundled", [False, True], ids=["single pages", "bundles"])
def test_emergencies_are_claimed_alone(store: SqlStore, bundled: bool) -> None:
    """Of a storm in which every level is due, only theirs are taken where only theirs are asked for; then the others."""
    world = EngineWorld(store)
    for level in (1, 2, 3, 4):
        world.handle(*(firing(f"{level}-{number}", level=level) for number in range(30 if bundled else 3)))
    now = Instant(START + (40_000_000 if bundled else 0))
    taken = {each.level for each in messages(world.engine.claim(now, "w", levels=(4,)))}
    rest = {each.level for each in messages(world.engine.claim(now, "w", levels=(1, 2, 3)))}
    assert (taken, rest) == ({4}, {1, 2, 3})
