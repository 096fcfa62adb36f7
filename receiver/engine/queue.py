"""The command queue: all that writes goes through it, one transaction after the other, the most urgent first.

Group commit: while a transaction runs, requests gather; the next one takes the most urgent of them
(`receiver.core.urgency`), so many as take about 20 ms. Other calls of the engine and the store wait in the same line.
The queue is bounded: when it is full the answer is quick (503, Alertmanager retries). Reads have threads of their own.
The wall clock is asked here, through the `now` that the service passes in.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple, TypeVar, cast

from receiver.core.events import AlertsReceived, Event
from receiver.core.model import Instant
from receiver.core.urgency import ANSWERS, EMERGENCIES, Queue, rank
from receiver.engine.commands import Asked, ForIncident, FromPrometheus, Request, Result
from receiver.engine.engine import Engine
from receiver.engine.service_state import ServiceState
from receiver.errors import RowUnreadable, StoreDamaged, StoreUnavailable
from rules.policy import EMERGENCY

Out = TypeVar("Out")


class QueuedCall(NamedTuple):
    """A method of the engine or of the store, and what it is called with."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]


Asking = tuple[Request | QueuedCall, asyncio.Future[Any]]
"""What is asked for, and who waits for what becomes of it."""

QUEUE_LIMIT = 20_000
"""Requests that may wait; beyond it new ones are refused."""

RESERVED = 2_000
"""Requests that may wait beyond the limit where they are people's or emergencies."""

AT_ONCE = 5_000
"""Requests that one caller has waiting at a time."""

BATCH_LIMIT = 600
"""What a transaction takes of requests: about 20 ms of work, for whatever is urgent waits for its end."""

REQUEST_COSTS = 10
"""What a request takes of that, beside one for each of its alerts."""

ANSWER_WITHIN = 15.0
"""Seconds without any answer of the database after which requests that wait are refused.

It does not limit how long a request waits: in a storm its turn may come later, and what is refused is sent again.
"""


class CommandQueue:
    """Hands requests to the engine in batches, and everything else in turn."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], Instant],
        call: Callable[..., Awaitable[Any]] | None = None,
        patience: float = ANSWER_WITHIN,
        state: ServiceState | None = None,
    ) -> None:
        """`call` runs a method of the engine or of the store elsewhere; without it, a thread here does.

        `patience`: seconds that the database may take to answer. `state`: where it is noted when the database fails.
        """
        self._engine = engine
        self.clock = clock
        self._call = call or self._call_here
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, "tocsin-store")
        self._readers = ThreadPoolExecutor(1, "tocsin-read")
        self._browsers = ThreadPoolExecutor(1, "tocsin-browse")
        self._waiting: Queue[Asking] = Queue()
        self._pump: asyncio.Task[None] | None = None
        self.on_commit: Callable[[], None] = lambda: None
        """Called after each batch: messages or windows may be due now."""
        self.on_emergency: Callable[[], Coroutine[Any, Any, object]] = _nothing
        """Begun after a batch that concerned an emergency: what it asks for waits in the line like everything else."""
        self._urgent: set[asyncio.Task[object]] = set()
        self._under_way: Sequence[Asking] = ()
        self._late: asyncio.TimerHandle | None = None
        """What refuses those who wait, where the database does not answer."""
        self.state = state or ServiceState()
        """The service's; whoever shows it is given it by the service."""

    async def handle(self, requests: Sequence[Request]) -> list[Result]:
        """Decide and store; returns when it is committed. Raises StoreUnavailable (also when the queue is full).

        Very many are handed in one part after the other, the most urgent first: more than the queue holds would never
        be taken. Where a later part fails the earlier ones are stored, and change nothing when they come again.
        """
        if len(requests) <= AT_ONCE:
            return await self._handle(requests)
        order = sorted(range(len(requests)), key=lambda place: -rank(_event(requests[place])))
        results: dict[int, Result] = {}
        for start in range(0, len(order), AT_ONCE):
            places = order[start : start + AT_ONCE]
            results |= zip(places, await self._handle([requests[place] for place in places]), strict=True)
        return [results[place] for place in range(len(requests))]

    async def _handle(self, requests: Sequence[Request]) -> list[Result]:
        ranks = [rank(_event(request)) for request in requests]
        limit = QUEUE_LIMIT + (RESERVED if max(ranks, default=0) >= EMERGENCIES else 0)
        if len(self._waiting) + len(requests) > limit:
            raise StoreUnavailable("too many requests wait for the database already")
        loop, now = asyncio.get_running_loop(), self.clock()
        futures = [loop.create_future() for _ in requests]
        for request, future, its_rank in zip(requests, futures, ranks, strict=True):
            self._waiting.put((request, future), _key(request), its_rank, now, _weight(request))
        self._begin()
        return list(await asyncio.gather(*futures)) if len(futures) != 1 else [await futures[0]]

    async def run(self, work: Callable[..., Out], *arguments: Any, urgency: int = ANSWERS) -> Out:
        """Run a method of the engine or of the store, in its turn. `urgency`: its rank (`receiver.core.urgency`)."""
        future = asyncio.get_running_loop().create_future()
        key = f"call {id(future)}"  # it keeps no order with anything
        self._waiting.put((QueuedCall(work, arguments), future), key, urgency, self.clock(), BATCH_LIMIT)
        self._begin()
        return cast("Out", await future)

    async def _run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await self._call(work, *arguments)
        except RowUnreadable:
            raise
        except (StoreUnavailable, StoreDamaged) as error:
            self.state.is_damage_suspected |= isinstance(error, StoreDamaged)
            self.state.writing.fail(str(error))
            raise

    async def _call_here(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def read(self, work: Callable[..., Out], *arguments: Any) -> Out:
        """Run a read on the readers' thread; it never waits for a write. Reads there are short: paging needs them."""
        return await self._read(self._readers, work, *arguments)

    async def _read(self, thread: ThreadPoolExecutor, work: Callable[..., Out], *arguments: Any) -> Out:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)
        except RowUnreadable:
            raise
        except StoreDamaged:
            self.state.is_damage_suspected = True
            raise

    async def browse(self, work: Callable[..., Out], *arguments: Any) -> Out:
        """Run a read that may take long (lists, reports, searches): they wait for each other, and nothing for them."""
        return await self._read(self._browsers, work, *arguments)

    async def settle(self, seconds: float) -> None:
        """Wait until everything that was handed in is stored, for so long at most."""
        if self._pump is not None:
            await asyncio.wait([self._pump], timeout=seconds)

    def close(self) -> None:
        """Stop all threads, when what they are doing is done."""
        if self._pump is not None:
            self._pump.cancel()
        _refuse(
            [*self._under_way, *self._waiting.take(Instant(0), sys.maxsize)], StoreUnavailable("Tocsin is stopping")
        )
        self._thread.shutdown()
        self._readers.shutdown()
        self._browsers.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        self._expect_answer()
        try:
            while self._waiting:
                taken = [each for each in self._waiting.take(self.clock(), BATCH_LIMIT) if not each[1].done()]
                for batch in _transactions(taken):
                    await self._carry_out(batch)
        finally:
            self._expect_nothing()

    async def _carry_out(self, batch: list[Asking]) -> None:
        """One call, or as many requests as make a transaction. Whoever waits hears what became of it."""
        self._under_way = batch
        try:
            [(first, future), *_] = batch
            if isinstance(first, QueuedCall):
                result = await self._run(first.work, *first.arguments)
                self._expect_answer()
                if not future.done():
                    future.set_result(result)
                return
            results = await self._run(self._engine.answer, [request for request, _ in batch], self.clock())
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            _refuse(batch, error)
            return
        self._expect_answer()
        for (_, waits), result in zip(batch, results, strict=True):
            self._answer(waits, result)
        self.on_commit()
        if any(each.level >= EMERGENCY for result in results for each in result.concerned):
            await self._tell_of_emergency()

    async def _tell_of_emergency(self) -> None:
        """Its messages are claimed next, unless a person asks for something."""
        task = asyncio.create_task(self.on_emergency())
        self._urgent.add(task)
        task.add_done_callback(self._urgent.discard)
        await asyncio.sleep(0)  # until it stands in the line

    def _answer(self, future: asyncio.Future[Result], result: Result) -> None:
        """Tell whoever waits. One request that a damaged file could not take is refused as all of them would be."""
        if result.is_damage:
            self.state.is_damage_suspected = True
            self.state.writing.fail(result.error)
            _refuse_all([future], StoreDamaged(result.error))
        elif not future.done():
            future.set_result(result)

    def _expect_answer(self) -> None:
        """From now on the database has its time anew."""
        self._expect_nothing()
        self._late = asyncio.get_running_loop().call_later(self._patience, self._refuse_late)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def _refuse_late(self) -> None:
        """No request waits longer for a database that does not answer, nor those that come meanwhile."""
        reason = f"the database did not answer within {self._patience:g} s"
        self.state.writing.fail(reason)
        requests = [each for each in (*self._under_way, *self._waiting) if not isinstance(each[0], QueuedCall)]
        _refuse(requests, StoreUnavailable(reason))
        self._expect_answer()


def _transactions(taken: Iterable[Asking]) -> Iterator[list[Asking]]:
    """Requests that follow each other are one; each call is one of its own."""
    for is_call, some in groupby(taken, key=lambda each: isinstance(each[0], QueuedCall)):
        batch = list(some)
        yield from ([each] for each in batch) if is_call else [batch]


def _refuse(asking: Iterable[Asking], error: Exception) -> None:
    _refuse_all((future for _, future in asking), error)


def _refuse_all(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)


async def _nothing() -> None:
    """What an emergency leads to where nothing is sent."""


def _event(request: Request) -> Event:
    """What a request asks to decide on."""
    what = request.what if isinstance(request, Asked) else request
    if isinstance(what, ForIncident):
        return what.action
    return what.answer if isinstance(what, FromPrometheus) else what


def _key(request: Request) -> str:
    """What a request concerns, and keeps its order in: an incident by its key or by its id."""
    what = request.what if isinstance(request, Asked) else request
    return what.id if isinstance(what, ForIncident | FromPrometheus) else what.key


def _weight(request: Request) -> int:
    """What it takes of a transaction."""
    return REQUEST_COSTS + (len(request.alerts) if isinstance(request, AlertsReceived) else 0)
