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

import pytest

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge, Declare, Delivered
from receiver.core.model import Instant, State
from receiver.engine.commands import Asked, ForIncident, OutcomeReport, Result
from receiver.engine.engine import Engine
from receiver.errors import DatabaseInUse, StoreDamaged, StoreUnavailable
from receiver.settings import Settings
from receiver.store import SqlStore, open_store
from receiver.store.files import take_ownership
from receiver.writer import Writer
from receiver.writer.wire import LENGTH, pack, unpack
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.house import MINUTE, firing


@dataclass
class House:
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
async def house(url: str) -> AsyncIterator[House]:
    poisoned: list[None] = []
    store = open_store(url, to_serve=True)
    writer = await Writer(settings(url), store, lambda: poisoned.append(None)).start()
    engine = Engine(store, POLICY, ALL, START)
    writer.attach(engine)
    yield House(writer, engine, store, poisoned)
    await writer.close()
    store.close()


async def test_what_is_asked_is_done_over_there(house: House) -> None:
    """Alerts open an incident, which is stored and comes back whole; a refusal comes back as one."""
    [opened] = await house.handle(firing("key"))
    assert opened.incident == house.store.reads().incident(opened.incident.id)
    acknowledge = Asked(ForIncident(opened.incident.id, Acknowledge("dana")), Origin("dana", "api", "::1"))
    [taken] = await house.handle(acknowledge)
    assert taken.incident.state is State.ACKNOWLEDGED
    [nothing] = await house.handle(ForIncident("unknown", Acknowledge("dana")))
    assert nothing.incident is None


async def test_messages_come_with_the_policy_they_are_written_by(house: House) -> None:
    """A claimed message brings its incident's policy version and the one in use, each the service's own."""
    older = house.engine.current
    await house.handle(firing("key", level=4))
    newer = replace(POLICY, default_severity=4)
    await house.writer.call(house.engine.keep_policy, newer, START)
    house.engine.adopt(newer, ALL)
    delivery, *_ = await house.writer.call(house.engine.claim, Instant(START), "worker")
    assert delivery.context.policy_version is older
    assert delivery.context.current is house.engine.current
    assert delivery.context.configured == frozenset(ALL)


async def test_a_version_that_only_the_database_has_is_found(house: House, url: str) -> None:
    """After a restart under another policy, messages of older incidents still have theirs."""
    await house.handle(firing("key", level=4))
    older = house.engine.current.digest
    engine = Engine(house.store, replace(POLICY, default_severity=4), ALL, START)
    house.writer.attach(engine)
    delivery, *_ = await house.writer.call(engine.claim, Instant(START), "worker")
    assert (delivery.context.policy_version.digest, delivery.context.current) == (older, engine.current)


async def test_it_decides_as_the_service_stands(house: House) -> None:
    """What the service learns (a channel that cannot send, a policy) counts for the next decision over there."""
    house.engine.adopt(POLICY, ["slack"])
    await house.handle(firing("key", level=4))
    claimed = await house.writer.call(house.engine.claim, Instant(START), "worker")
    assert {each.items[0][0].channel for each in claimed} == {"slack"}


async def test_what_cannot_be_decided_is_counted_here(house: House) -> None:
    """A poisoned event fails alone, and the service hears of it."""
    good, bad = await house.handle(firing("good"), Declare("bad", "fire", "ada", level=9, new_type=True))
    assert good.incident is not None
    assert bad.error
    assert len(house.poisoned) == 1


async def test_questions_are_answered_in_order(house: House) -> None:
    """Whoever asks while others wait gets their own answer."""
    asked = [house.handle(firing(f"key-{number}")) for number in range(20)]
    answers = await asyncio.gather(*asked)
    assert [result.incident.key for [result] in answers] == [f"key-{number}" for number in range(20)]


async def test_it_may_die(house: House) -> None:
    """Who waits hears that nothing is known of it; the next call finds another process, and all that was stored."""
    [opened] = await house.handle(firing("key"))
    os.kill(house.writer.pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(house.handle(firing("other")))
    await asyncio.sleep(0)
    os.kill(house.writer.pid, signal.SIGKILL)
    with pytest.raises(StoreUnavailable, match="has ended"):
        await waiting
    due = await house.writer.call(house.engine.fire_due, Instant(opened.incident.response_due_at + MINUTE))
    assert due == 1


async def test_errors_are_the_same_as_here(house: House, tmp_path: Path) -> None:
    """A database that cannot be written is StoreUnavailable here too."""
    for path in await asyncio.to_thread(lambda: list(tmp_path.glob("tocsin.db*"))):
        await asyncio.to_thread(path.write_bytes, b"no database" * 10_000)
    with pytest.raises((StoreUnavailable, StoreDamaged)):
        await house.handle(firing("key"))


async def test_what_is_under_way_outlives_it(house: House) -> None:
    """Messages that the service is sending when it dies are not sent by another as well: their reports count."""
    await house.handle(firing("key", level=4))
    claimed = await house.writer.call(house.engine.claim, Instant(START), "worker")
    os.kill(house.writer.pid, signal.SIGKILL)
    reports = [OutcomeReport(each, Delivered("ref")) for delivery in claimed for each, _ in delivery.items]
    assert reports
    with suppress(StoreUnavailable):  # it may not be known yet that it died
        await house.writer.call(house.store.probe)
    assert await house.writer.call(house.engine.report, reports, Instant(START)) == len(reports)


async def test_one_that_hangs_is_killed(house: House, url: str) -> None:
    """Whoever waits for it hears so after a while, and the next call finds another process."""
    writer = await Writer(settings(url), house.store, lambda: None, hung_after=5).start()
    writer.attach(house.engine)
    os.kill(writer.pid, signal.SIGSTOP)
    with pytest.raises(StoreUnavailable, match="no answer within 5 s"):
        await writer.call(house.store.probe)
    await writer.call(house.store.probe)
    await writer.close()


async def test_the_file_stays_the_services_while_it_is_dead(house: House, url: str) -> None:
    """Nobody else takes the file between one writer's end and the next one's start."""
    os.kill(house.writer.pid, signal.SIGKILL)
    with pytest.raises(DatabaseInUse):
        take_ownership(Path(url.removeprefix("sqlite:///")))


async def test_nothing_is_started_after_the_end(house: House) -> None:
    """Whoever asks when it is closed hears so, and no process comes of it."""
    await house.writer.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        await house.handle(firing("key"))


async def test_replaced_files_are_refused(house: House, url: str) -> None:
    """A process of another version than the service's does not touch the database, and says what to do."""
    writer = Writer(settings(url), house.store, lambda: None)
    writer._opening = (*writer._opening[:3], "tocsin 99 of another commit")
    with pytest.raises(StoreUnavailable, match="restart it"):
        await writer.start()


def test_views_of_mappings_go_over() -> None:
    """What the core keeps behind a read-only view arrives as one."""
    assert unpack(pack(MappingProxyType({"a": 1}))[LENGTH.size :]) == MappingProxyType({"a": 1})
