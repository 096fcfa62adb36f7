"""The command queue: all writes pass through it, one transaction at a time, the most urgent first.

Group commit: requests gather while a transaction runs; the next transaction takes the most urgent of them
(`receiver.core.urgency`), about 20 ms of work. Other calls of the engine and the store wait in the same queue. The
queue is bounded: when it is full, requests fail at once (503; Alertmanager retries). Reads use threads of their own.
The `now` of requests comes from the clock that the service passes in.
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
    """A method of the engine or the store, with its arguments."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]


Asking = tuple[Request | QueuedCall, asyncio.Future[Any]]
"""A queued request or call, and the future of its result."""

QUEUE_LIMIT = 20_000
"""Requests that may wait; further ones are refused."""

RESERVED = 2_000
"""Requests beyond the limit that may wait if they come from people or concern emergencies."""

AT_ONCE = 5_000
"""Requests that one caller may have in the queue at a time."""

BATCH_LIMIT = 600
"""Total cost of a transaction's requests: about 20 ms of work, because urgent requests wait until it ends."""

REQUEST_COSTS = 10
"""Cost of a request, plus one for each of its alerts."""

ANSWER_WITHIN = 15.0
"""Seconds that requests wait without a commit of any request, after which all of them are refused.

It does not limit the wait of a single request: in a storm its turn may come later, and refused webhooks are sent again.
Other calls do not count: those that find nothing to write succeed while every write hangs.
"""


class CommandQueue:
    """Passes requests to the engine in batches, and other calls one at a time."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], Instant],
        call: Callable[..., Awaitable[Any]] | None = None,
        patience: float = ANSWER_WITHIN,
        state: ServiceState | None = None,
    ) -> None:
        """`call` runs a method of the engine or the store in another process; without it, a thread here does.

        `patience`: seconds that the database may take to answer. `state`: records the database's failures.
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
        """Called after each batch: messages or windows may have become due."""
        self.on_emergency: Callable[[], Coroutine[Any, Any, object]] = _nothing
        """Started after a batch that concerned an emergency; its calls wait in the queue like all others."""
        self._urgent: set[asyncio.Task[object]] = set()
        self._under_way: Sequence[Asking] = ()
        self._callers = 0
        """Number of `handle` calls that wait."""
        self._late: asyncio.TimerHandle | None = None
        """The timer that refuses waiting requests if none is committed."""
        self.state = state or ServiceState()
        """The service's state."""

    async def handle(self, requests: Sequence[Request]) -> list[Result]:
        """Decide and store; returns when committed. Raises StoreUnavailable, also when the queue is full.

        More than AT_ONCE requests are queued in parts, the most urgent first, because they would exceed the queue's
        limit. If a later part fails, the earlier ones are stored; sending them again changes nothing.
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
        return await self._results(futures)

    async def _results(self, futures: list[asyncio.Future[Result]]) -> list[Result]:
        """Wait for them; the time limit of a commit runs while any caller waits."""
        self._callers += 1
        if self._callers == 1:
            self._expect_commit()
        try:
            return list(await asyncio.gather(*futures)) if len(futures) != 1 else [await futures[0]]
        finally:
            self._callers -= 1
            if not self._callers:
                self._expect_nothing()

    async def run(self, work: Callable[..., Out], *arguments: Any, urgency: int = ANSWERS) -> Out:
        """Run a method of the engine or the store in its turn. `urgency`: its rank (`receiver.core.urgency`)."""
        future = asyncio.get_running_loop().create_future()
        key = f"call {id(future)}"  # unique: a call keeps no order with other entries
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
        """Run a short read on the readers' thread; it never waits for a write. Paging depends on these reads."""
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
        """Run a read that may take long (lists, reports, searches) on a thread that only such reads share."""
        return await self._read(self._browsers, work, *arguments)

    async def settle(self, seconds: float) -> None:
        """Wait until all queued requests are stored, for at most that many seconds."""
        if self._pump is not None:
            await asyncio.wait([self._pump], timeout=seconds)

    def close(self) -> None:
        """Refuse what waits, and stop all threads after their current call."""
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
        while self._waiting:
            self._under_way = self._waiting.take(self.clock(), BATCH_LIMIT)
            for batch in _transactions(self._under_way):
                if unanswered := [each for each in batch if not each[1].done()]:
                    await self._carry_out(unanswered)

    async def _carry_out(self, batch: list[Asking]) -> None:
        """Run one call, or the requests of one transaction, and set the results of their futures."""
        try:
            [(first, future), *_] = batch
            if isinstance(first, QueuedCall):
                result = await self._run(first.work, *first.arguments)
                if not future.done():
                    future.set_result(result)
                return
            results = await self._run(self._engine.answer, [request for request, _ in batch], self.clock())
        except Exception as error:  # noqa: BLE001 - every error is passed to the waiting callers
            _refuse(batch, error)
            return
        self._expect_commit()
        for (_, waits), result in zip(batch, results, strict=True):
            self._answer(waits, result)
        self.on_commit()
        if any(each.level >= EMERGENCY for result in results for each in result.concerned):
            await self._tell_of_emergency()

    async def _tell_of_emergency(self) -> None:
        """Queue the claim of an emergency's messages: it runs next, unless a person's request waits."""
        task = asyncio.create_task(self.on_emergency())
        self._urgent.add(task)
        task.add_done_callback(self._urgent.discard)
        await asyncio.sleep(0)  # lets the task enter the queue

    def _answer(self, future: asyncio.Future[Result], result: Result) -> None:
        """Set a request's result. A request that failed because the file is damaged is refused as StoreDamaged."""
        if result.is_damage:
            self.state.is_damage_suspected = True
            self.state.writing.fail(result.error)
            _refuse_all([future], StoreDamaged(result.error))
        elif not future.done():
            future.set_result(result)

    def _expect_commit(self) -> None:
        """Restart the time limit of a commit if a caller waits."""
        self._expect_nothing()
        if self._callers:
            self._late = asyncio.get_running_loop().call_later(self._patience, self._refuse_late)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def _refuse_late(self) -> None:
        """Refuse all requests that run or wait, because the database does not answer."""
        reason = f"the database did not answer within {self._patience:g} s"
        self.state.writing.fail(reason)
        requests = [each for each in (*self._under_way, *self._waiting) if not isinstance(each[0], QueuedCall)]
        _refuse(requests, StoreUnavailable(reason))
        self._expect_commit()


def _transactions(taken: Iterable[Asking]) -> Iterator[list[Asking]]:
    """Split into transactions: consecutive requests form one, each call is one of its own."""
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
    """Default of `on_emergency`; does nothing."""


def _event(request: Request) -> Event:
    """The event of a request."""
    what = request.what if isinstance(request, Asked) else request
    if isinstance(what, ForIncident):
        return what.action
    return what.answer if isinstance(what, FromPrometheus) else what


def _key(request: Request) -> str:
    """The id or key of the request's incident; requests with the same one keep their order."""
    what = request.what if isinstance(request, Asked) else request
    return what.id if isinstance(what, ForIncident | FromPrometheus) else what.key


def _weight(request: Request) -> int:
    """The cost of a request within a transaction's BATCH_LIMIT."""
    return REQUEST_COSTS + (len(request.alerts) if isinstance(request, AlertsReceived) else 0)
