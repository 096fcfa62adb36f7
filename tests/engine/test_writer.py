"""The engine in a process of its own: what is asked arrives there, what comes of it comes back, and it may die."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge, AlertsReceived, Declare, Delivered
from receiver.core.model import Instant, State
from receiver.engine.commands import Asked, ForIncident, OutcomeReport, Result
from receiver.engine.engine import Engine
from receiver.errors import DatabaseInUse, StoreDamaged, StoreUnavailable
from receiver.settings import Settings
from receiver.store import SqlStore, open_store
from receiver.store.files import take_ownership
from receiver.writer import Writer
from receiver.writer.wire import LENGTH, SLICE, pack, unpack
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import MINUTE, firing


@dataclass
class EngineWorld:
    """Both ends on one database file."""

    writer: Writer
    engine: Engine
    store: SqlStore
    poisoned: list[None]

    async def handle(self, *requests: Any) -> list[Result]:
        return await self.writer.call(self.engine.handle, requests, START)  # type: ignore[no-any-return]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


def settings(url: str) -> Settings:
    return Settings.read({"TOCSIN_DATABASE": url})


@pytest.fixture
async def world(url: str) -> AsyncIterator[EngineWorld]:
    poisoned: list[None] = []
    store = open_store(url, to_serve=True)
    writer = await Writer(settings(url), store, lambda: poisoned.append(None)).start()
    engine = Engine(store, POLICY, ALL, START)
    writer.attach(engine)
    yield EngineWorld(writer, engine, store, poisoned)
    await writer.close()
    store.close()


async def test_what_is_asked_is_done_over_there(world: EngineWorld) -> None:
    """Alerts open an incident, which is stored and comes back whole; a refusal comes back as one."""
    [opened] = await world.handle(firing("key"))
    assert opened.incident == world.store.reads().incident(opened.incident.id)
    acknowledge = Asked(ForIncident(opened.incident.id, Acknowledge("dana")), Origin("dana", "api", "::1"))
    [taken] = await world.handle(acknowledge)
    assert taken.incident.state is State.ACKNOWLEDGED
    [nothing] = await world.handle(ForIncident("unknown", Acknowledge("dana")))
    assert nothing.incident is None


async def test_a_part_of_the_store_is_asked_over_there(world: EngineWorld) -> None:
    """Messages of handoffs are claimed by the process that writes, as everything else is."""
    assert list(await world.writer.call(world.store.handoffs.claim, START)) == []


async def test_messages_come_with_the_policy_they_are_written_by(world: EngineWorld) -> None:
    """A claimed message brings its incident's policy version and the one in use, each the service's own."""
    older = world.engine.current
    await world.handle(firing("key", level=4))
    newer = replace(POLICY, default_severity=4)
    await world.writer.call(world.engine.keep_policy, newer, START)
    world.engine.adopt(newer, ALL)
    delivery, *_ = await world.writer.call(world.engine.claim, Instant(START), "worker")
    assert delivery.context.policy_version is older
    assert delivery.context.current is world.engine.current
    assert delivery.context.configured == frozenset(ALL)


async def test_a_version_that_only_the_database_has_is_found(world: EngineWorld, url: str) -> None:
    """After a restart under another policy, messages of older incidents still have theirs."""
    await world.handle(firing("key", level=4))
    older = world.engine.current.digest
    engine = Engine(world.store, replace(POLICY, default_severity=4), ALL, START)
    world.writer.attach(engine)
    delivery, *_ = await world.writer.call(engine.claim, Instant(START), "worker")
    assert (delivery.context.policy_version.digest, delivery.context.current) == (older, engine.current)


async def test_it_decides_as_the_service_stands(world: EngineWorld) -> None:
    """What the service learns (a channel that cannot send, a policy) counts for the next decision over there."""
    world.engine.adopt(POLICY, ["slack"])
    await world.handle(firing("key", level=4))
    claimed = await world.writer.call(world.engine.claim, Instant(START), "worker")
    assert {each.items[0][0].channel for each in claimed} == {"slack"}


async def test_what_cannot_be_decided_is_counted_here(world: EngineWorld) -> None:
    """A poisoned event fails alone, and the service hears of it."""
    good, bad = await world.handle(firing("good"), Declare("bad", "fire", "ada", level=9, new_type=True))
    assert good.incident is not None
    assert bad.error
    assert len(world.poisoned) == 1


async def test_questions_are_answered_in_order(world: EngineWorld) -> None:
    """Each concurrent caller gets its own answer."""
    asked = [world.handle(firing(f"key-{number}")) for number in range(20)]
    answers = await asyncio.gather(*asked)
    assert [result.incident.key for [result] in answers] == [f"key-{number}" for number in range(20)]


async def test_it_may_die(world: EngineWorld) -> None:
    """Who waits hears that nothing is known of it; the next call finds another process, and all that was stored."""
    [opened] = await world.handle(firing("key"))
    os.kill(world.writer.pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(world.handle(firing("other")))
    await asyncio.sleep(0)
    os.kill(world.writer.pid, signal.SIGKILL)
    with pytest.raises(StoreUnavailable, match="has ended"):
        await waiting
    due = await world.writer.call(world.engine.fire_due, Instant(opened.incident.response_due_at + MINUTE))
    assert due == 1


async def test_errors_are_the_same_as_here(world: EngineWorld, tmp_path: Path) -> None:
    """A database that cannot be written is StoreUnavailable here too."""
    for path in await asyncio.to_thread(lambda: list(tmp_path.glob("tocsin.db*"))):
        await asyncio.to_thread(path.write_bytes, b"no database" * 10_000)
    with pytest.raises((StoreUnavailable, StoreDamaged)):
        await world.handle(firing("key"))


async def test_what_is_under_way_outlives_it(world: EngineWorld) -> None:
    """Messages that the service is sending when it dies are not sent by another as well: their reports count."""
    await world.handle(firing("key", level=4))
    claimed = await world.writer.call(world.engine.claim, Instant(START), "worker")
    os.kill(world.writer.pid, signal.SIGKILL)
    reports = [OutcomeReport(each, Delivered("ref")) for delivery in claimed for each, _ in delivery.items]
    assert reports
    with suppress(StoreUnavailable):  # it may not be known yet that it died
        await world.writer.call(world.store.probe)
    assert await world.writer.call(world.engine.report, reports, Instant(START)) == len(reports)


async def test_one_that_hangs_is_killed(world: EngineWorld, url: str) -> None:
    """A waiting caller gets an error after `hung_after` seconds, and the next call finds another process."""
    writer = await Writer(settings(url), world.store, lambda: None, hung_after=5).start()
    writer.attach(world.engine)
    os.kill(writer.pid, signal.SIGSTOP)
    with pytest.raises(StoreUnavailable, match="no answer within 5 s"):
        await writer.call(world.store.probe)
    await writer.call(world.store.probe)
    await writer.close()


async def test_one_that_has_much_to_do_is_waited_for(world: EngineWorld, url: str) -> None:
    """A body of many alerts is one transaction: killed before its end it would come again, and never be stored."""
    writer = await Writer(settings(url), world.store, lambda: None, hung_after=1).start()
    writer.attach(world.engine)
    (one,) = firing("key").alerts
    os.kill(writer.pid, signal.SIGSTOP)
    with pytest.raises(StoreUnavailable, match="no answer within 3 s"):
        await writer.call(world.engine.handle, [AlertsReceived("key", "", (one,) * 1000)], START)
    await writer.close()


def test_many_alerts_go_over_as_they_are() -> None:
    """Slice by slice, and none is missing or in another place."""
    (one,) = firing("key").alerts
    alerts = tuple(msgspec.structs.replace(one, fingerprint=f"{number:x}") for number in range(2 * SLICE + 1))
    event = AlertsReceived("key", "source", alerts, truncated=True)
    assert unpack(pack([event])[LENGTH.size :]) == [event]


async def test_the_file_stays_the_services_while_it_is_dead(world: EngineWorld, url: str) -> None:
    """No other process takes the file between one writer's end and the next one's start."""
    os.kill(world.writer.pid, signal.SIGKILL)
    with pytest.raises(DatabaseInUse):
        take_ownership(Path(url.removeprefix("sqlite:///")))


async def test_nothing_is_started_after_the_end(world: EngineWorld) -> None:
    """A call after the close raises StoreUnavailable, and starts no process."""
    await world.writer.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        await world.handle(firing("key"))


async def test_replaced_files_are_refused(world: EngineWorld, url: str) -> None:
    """A process of another version than the service's does not touch the database, and says what to do."""
    writer = Writer(settings(url), world.store, lambda: None)
    writer._opening = (*writer._opening[:3], "tocsin 99 of another commit")
    with pytest.raises(StoreUnavailable, match="restart it"):
        await writer.start()


def test_views_of_mappings_go_over() -> None:
    """What the core keeps behind a read-only view arrives as one."""
    assert unpack(pack(MappingProxyType({"a": 1}))[LENGTH.size :]) == MappingProxyType({"a": 1})
