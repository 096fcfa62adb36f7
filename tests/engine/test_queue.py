"""The command queue: requests become batches, the most urgent first, and none waits for ever."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any, cast

import pytest
from msgspec.structs import replace

from receiver.core.events import Acknowledge, AlertsReceived
from receiver.core.model import Fact, Instant
from receiver.core.urgency import AGED, CLAIMS, EMERGENCIES, PEOPLE, STEPS
from receiver.engine.commands import ForIncident, Request, Result
from receiver.engine.engine import Engine
from receiver.engine.queue import ANSWER_WITHIN, AT_ONCE, BATCH_LIMIT, QUEUE_LIMIT, RESERVED, CommandQueue
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.store import SqlStore
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.world import Meddler, firing
from tests.patience import GIVES_UP


@pytest.fixture
def engine(open_stores: Callable[[str], SqlStore]) -> Engine:
    """Its methods are named, not run."""
    return Engine(open_stores("sqlite://"), POLICY, ALL, START)


async def test_a_database_that_never_answers_keeps_nobody_waiting(engine: Engine) -> None:
    """Each request is refused when the patience ends, those that come after the first too."""

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    queue = CommandQueue(engine, lambda: Instant(START), never, patience=0.01)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await queue.handle([firing("key")])
    assert "did not answer" in queue.state.writing.problem


async def test_what_is_taken_with_a_call_that_hangs_is_refused(engine: Engine) -> None:
    """A webhook that waited for long is taken beside a call; it is refused while that call hangs."""
    times = chain(repeat(Instant(START), 2), repeat(Instant(START + AGED + 1)))

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    queue = CommandQueue(engine, lambda: next(times), never, patience=0.01)
    call = asyncio.create_task(queue.run(engine.fire_due, Instant(START), 1, urgency=PEOPLE))
    with pytest.raises(StoreUnavailable, match="did not answer"):
        async with asyncio.timeout(GIVES_UP):
            await queue.handle([firing("key")])
    assert not call.done()


class SlowDatabase(asyncio.SelectorEventLoop):
    """An event loop whose time goes on with each call of the database, by nearly all that one may take."""

    ahead = 0.0
    calls = 0

    def time(self) -> float:
        return super().time() + self.ahead

    async def answer(self, *arguments: Any) -> list[Result]:
        """Stores what is asked for."""
        self.ahead += 0.9 * ANSWER_WITHIN
        self.calls += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [Result() for _ in arguments[1]]

    async def fail(self, *_: Any) -> None:
        """Stores nothing."""
        await self.answer(0, ())
        raise StoreUnavailable("locked")


def test_answers_that_store_nothing_delay_no_refusal(engine: Engine, open_stores: Callable[[str], SqlStore]) -> None:
    """A request is refused when the patience ends, while each write before it fails late and each read succeeds."""
    store = open_stores("sqlite://")

    async def write_late_and_fail(work: Callable[..., Any], *arguments: Any) -> list[Result]:
        if work == store.probe:
            await loop.fail()
        return [Result() for _ in arguments[0]] if work == engine.answer else []

    async def night() -> None:
        queue = CommandQueue(engine, lambda: Instant(START), write_late_and_fail)
        calls = [queue.run(work, urgency=PEOPLE) for _ in range(4) for work in (store.probe, store.next_due)]
        *_, webhook = await asyncio.gather(*calls, queue.handle([firing("key")]), return_exceptions=True)
        if isinstance(webhook, Exception):
            raise webhook

    with asyncio.Runner(loop_factory=SlowDatabase) as runner:
        loop = cast("SlowDatabase", runner.get_loop())
        with pytest.raises(StoreUnavailable, match="did not answer"):
            runner.run(night())


def test_whoever_waits_in_a_long_line_is_not_refused(engine: Engine) -> None:
    """While the database answers, a request is stored however long the line before it took; the database is well."""
    with asyncio.Runner(loop_factory=SlowDatabase) as runner:
        queue = CommandQueue(engine, lambda: Instant(START), cast("SlowDatabase", runner.get_loop()).answer)
        results = runner.run(queue.handle([firing(f"{number}") for number in range(BATCH_LIMIT)]))
    assert len(results) == BATCH_LIMIT
    assert not queue.state.writing.problem


def test_nobody_waits_for_a_database_that_stores_nothing(engine: Engine) -> None:
    """Where each call fails, a long line is refused when the patience ends, and not call by call."""
    with asyncio.Runner(loop_factory=SlowDatabase) as runner:
        loop = cast("SlowDatabase", runner.get_loop())
        queue = CommandQueue(engine, lambda: Instant(START), loop.fail)
        with pytest.raises(StoreUnavailable):
            runner.run(queue.handle([firing(f"{number}") for number in range(BATCH_LIMIT)]))
        runner.run(queue.settle(1))
    assert loop.calls == 2


@pytest.mark.parametrize(("alerts", "together"), [(1, 55), (10, 30), (100, 6), (3 * BATCH_LIMIT, 1)])
async def test_a_transaction_takes_so_many_alerts(engine: Engine, alerts: int, together: int) -> None:
    """However many webhooks wait, and however large: no transaction holds many more alerts than the limit."""
    batches: list[int] = []

    async def call(_: Any, requests: Sequence[Request], __: Instant) -> list[Result]:
        batches.append(len(requests))
        return [Result() for _ in requests]

    (one,) = firing("key").alerts
    waiting = [AlertsReceived("key", "", (one,) * alerts)] * (2 * together)
    await CommandQueue(engine, lambda: Instant(START), call).handle(waiting)
    assert batches == [together] * 2


async def test_one_caller_may_bring_more_than_the_queue_holds(engine: Engine) -> None:
    """A body of more incidents than the queue has room for is taken, emergencies first, each with its own result."""
    handled: list[str] = []

    async def call(_: Any, requests: Sequence[Any], __: Instant) -> list[Result]:
        handled.extend(each.key for each in requests)
        return [Result(error=each.key) for each in requests]

    (one,) = firing("key").alerts
    mild, severe = (replace(one, level=3),), (replace(one, level=4),)
    many = [AlertsReceived(f"{number}", "", mild) for number in range(QUEUE_LIMIT + RESERVED)]
    queue = CommandQueue(engine, lambda: Instant(START), call)
    results = await queue.handle([*many, AlertsReceived("the last", "", severe)])
    assert [each.error for each in results] == [*(each.key for each in many), "the last"]
    assert handled[0] == "the last"


class Storm:
    """A command queue over the real engine, which is busy with something until it is let go."""

    def __init__(self, store: SqlStore) -> None:
        self.engine = Engine(store, POLICY, ALL, START)
        self.reads = store.reads()
        self.go = asyncio.Event()
        self.said: list[str] = []
        """What was done, in order: keys of each batch, and calls about emergencies."""
        self.queue = CommandQueue(self.engine, lambda: Instant(START), self._call)
        self.queue.on_emergency = self._hear

    async def _call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        await self.go.wait()
        self.said.append(" ".join(each.key if hasattr(each, "key") else "person" for each in arguments[0]))
        return work(*arguments)

    async def _hear(self) -> None:
        self.said.append("emergency!")

    async def begin(self, *requests: Request) -> list[asyncio.Task[list[Result]]]:
        """One after the other they ask, while the first is being stored; then it goes on."""
        tasks = []
        for each in (firing("busy", level=1), *requests):
            tasks.append(asyncio.create_task(self.queue.handle([each])))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.go.set()
        await asyncio.gather(*tasks)
        return tasks


@pytest.fixture
def storm(open_stores: Callable[[str], SqlStore]) -> Storm:
    return Storm(open_stores("sqlite://"))


async def test_the_most_urgent_is_decided_first(storm: Storm) -> None:
    """A person, the emergency, and then the rest by level; its messages leave before the next batch is decided."""
    [opened] = storm.engine.handle([firing("known", level=1)], Instant(START))
    assert opened.incident is not None
    person = ForIncident(opened.incident.id, Acknowledge("ada"))
    await storm.begin(firing("w", level=2), firing("c"), firing("e", level=4), firing("w2", level=2), person)
    assert storm.said == ["busy", "person e c w w2", "emergency!"]


async def test_only_who_asks_gets_an_incident_whole(storm: Storm) -> None:
    """A webhook is answered with its incident's number and level, a person with the incident as it is now."""
    *_, fired = await storm.begin(firing("key", level=2))
    [heard] = fired.result()
    [concerned] = heard.concerned
    assert (heard.incident, concerned.number, concerned.level) == (None, 2, 2)
    [taken] = await storm.queue.handle([ForIncident(concerned.id, Acknowledge("ada"))])
    assert taken.incident == storm.reads.incident(concerned.id)
    assert taken.concerned == heard.concerned


async def test_everything_that_writes_stands_in_one_line(engine: Engine) -> None:
    """A person, an emergency and its messages, windows and outcomes, other messages, other alerts, and then upkeep."""
    said: list[str] = []

    async def call(work: Callable[..., Any], *arguments: Any) -> list[Result]:
        said.append(" ".join(map(_told, arguments[0])) if work == engine.answer else arguments[0])
        return [Result() for _ in arguments[0]]

    queue = CommandQueue(engine, lambda: Instant(START), call)
    asked = [queue.run(engine.audit, "upkeep"), queue.handle([firing("c", level=3)])]
    asked += [queue.run(engine.audit, name, urgency=rank) for name, rank in (("claim", CLAIMS), ("outcome", STEPS))]
    asked += [queue.handle([firing("e", level=4)]), queue.run(engine.audit, "its messages", urgency=EMERGENCIES)]
    asked += [queue.handle([ForIncident("id", Acknowledge("ada"))])]
    await asyncio.gather(*asked)
    assert said == ["person e", "its messages", "outcome", "claim", "c", "upkeep"]


async def test_what_waits_at_the_end_is_told(engine: Engine) -> None:
    """Requests that still wait when the queue is closed are answered as not done; none waits for ever."""

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    queue = CommandQueue(engine, lambda: Instant(START), never)
    waits = [asyncio.create_task(queue.run(engine.audit, name)) for name in ("under way", "waits")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    queue.close()
    told = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(each) for each in told] == [StoreUnavailable] * 2


def _told(request: Request) -> str:
    return request.key if isinstance(request, AlertsReceived) else "person"


async def test_no_resolve_overtakes_its_firing(storm: Storm) -> None:
    """An alert that fires at level 2 and clears, worse alerts of the same incident after it: as they came."""
    fires, worse = firing("key", level=2), firing("key", "b", level=4)
    clears = AlertsReceived("key", "", (replace(fires.alerts[0], firing=False, ended_at=Instant(START + 1)),))
    *_, last = await storm.begin(fires, firing("other", level=3), clears, worse)
    assert storm.said[:2] == ["busy", "key key key other"]
    [incident] = last.result()[0].concerned
    assert storm.reads.timeline(incident.id)[0].fact is Fact.OPENED
    assert {each.fingerprint: each.firing for each in storm.reads.alerts(incident.id)} == {"a": False, "b": True}


async def test_emergencies_and_people_find_a_place_in_a_full_queue(engine: Engine) -> None:
    """When a storm fills the queue, its next webhook is refused, and neither an emergency nor a person is."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def call(_: Any, requests: Sequence[Request], __: Instant) -> list[Result]:
        begun.set()
        await go.wait()
        return [Result() for _ in requests]

    queue = CommandQueue(engine, lambda: Instant(START), call)
    flood = [asyncio.create_task(queue.handle([firing("first")]))]
    await begun.wait()
    storm = range(QUEUE_LIMIT // AT_ONCE)
    flood += [asyncio.create_task(queue.handle([firing("flood")] * AT_ONCE)) for _ in storm]
    await asyncio.sleep(0)
    urgent = [firing("e", level=4), ForIncident("id", Acknowledge("ada"))]
    asked = [asyncio.create_task(queue.handle([each])) for each in urgent]
    await asyncio.sleep(0)
    asked.append(asyncio.create_task(queue.handle([firing("late")])))
    with pytest.raises(StoreUnavailable, match="too many"):
        await asked.pop()
    go.set()
    await asyncio.gather(*flood, *asked)


async def test_what_nobody_waits_for_holds_up_nothing(engine: Engine) -> None:
    """A whole batch whose callers have been refused is passed over, and the next is stored."""
    stored: list[str] = []

    async def call(_: Any, requests: Sequence[Request], __: Instant) -> list[Result]:
        stored.extend(each.key for each in requests if isinstance(each, AlertsReceived))
        return [Result() for _ in requests]

    queue = CommandQueue(engine, lambda: Instant(START), call)
    given_up = asyncio.create_task(queue.handle([firing("given up")] * 55))
    waits = asyncio.create_task(queue.handle([firing("waits", level=1)]))
    asyncio.get_running_loop().call_soon(given_up.cancel)
    await asyncio.wait([given_up])
    await waits
    assert stored == ["waits"]


async def test_a_damaged_file_is_unavailable_to_one_request_as_to_all(open_stores: Callable[[str], SqlStore]) -> None:
    """A page of the file that only one event needs: that event is refused for now (503), and the others are stored."""
    failures = [StoreDamaged("the file is damaged")] * 2
    """Of the batch, and of its first request alone."""

    def fail() -> None:
        if failures:
            raise failures.pop()

    store = open_stores("sqlite://")
    queue = CommandQueue(Engine(Meddler(store, fail), POLICY, ALL, START), lambda: Instant(START))
    with pytest.raises(StoreDamaged):
        await queue.handle([firing("bad"), firing("good")])
    assert [each.key for each in store.reads().incidents()[0]] == ["good"]
    assert queue.state.is_damage_suspected
    queue.close()
