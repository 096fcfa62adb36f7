"""The command queue: requests from many tasks become batches for the one thread that speaks with the engine.

Group commit: while a transaction runs, requests gather; the next transaction takes the most urgent of them
(`receiver.core.urgency`). The queue is bounded: when it is full the answer is quick (503, Alertmanager retries).
Reads have a thread of their own. The wall clock is asked here, through the `now` that the service passes in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from receiver.core.events import AlertsReceived, Event
from receiver.core.model import Instant
from receiver.core.urgency import Queue, rank
from receiver.engine.commands import Asked, ForIncident, FromPrometheus, Request, Result
from receiver.engine.engine import Engine
from receiver.engine.service_state import ServiceState
from receiver.errors import RowUnreadable, StoreDamaged, StoreUnavailable
from rules.policy import EMERGENCY

Out = TypeVar("Out")
Asking = tuple[Request, asyncio.Future[Result]]
"""A request, and who waits for what becomes of it."""

QUEUE_LIMIT = 20_000
"""Requests that may wait; beyond it new ones are refused."""

RESERVED = 2_000
"""Requests that may wait beyond the limit where they are people's or emergencies."""

AT_ONCE = 5_000
"""Requests that one caller has waiting at a time."""

BATCH_LIMIT = 1000
"""Alerts per transaction (a request without any counts as one): more makes no commit cheaper, and all wait longer."""

ANSWER_WITHIN = 15.0
"""Seconds for a request to be committed; Alertmanager's own patience is unknown to us, 10 s at least."""


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

        `patience`: seconds that a request may take. `state`: where it is noted when the database fails.
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
        self.on_emergency: Callable[[], Awaitable[object]] = _nothing
        """Awaited after a batch that concerned an emergency, before the next: its messages leave first."""
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
        limit = QUEUE_LIMIT + (RESERVED if max(ranks, default=0) >= EMERGENCY else 0)
        if len(self._waiting) + len(requests) > limit:
            raise StoreUnavailable("too many requests wait for the database already")
        loop, now = asyncio.get_running_loop(), self.clock()
        futures = [loop.create_future() for _ in requests]
        for request, future, its_rank in zip(requests, futures, ranks, strict=True):
            self._waiting.put((request, future), _key(request), its_rank, now, _alerts(request))
        patience = loop.call_later(self._patience, self._refuse_late, futures)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._drain())
        try:
            return list(await asyncio.gather(*futures)) if len(futures) != 1 else [await futures[0]]
        finally:
            patience.cancel()

    async def run(self, work: Callable[..., Out], *arguments: Any) -> Out:
        """Run a method of the engine or of the store, in turn with everything else that writes."""
        try:
            return cast("Out", await self._call(work, *arguments))
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
        self._thread.shutdown()
        self._readers.shutdown()
        self._browsers.shutdown(cancel_futures=True)

    async def _drain(self) -> None:
        while self._waiting:
            batch = self._next()
            if not batch:
                continue
            try:
                results = await self.run(self._engine.handle, [request for request, _ in batch], self.clock())
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                _refuse([future for _, future in batch], error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                self._answer(future, result)
            self.on_commit()
            if any(result.incident is not None and result.incident.level >= EMERGENCY for result in results):
                await self.on_emergency()

    def _answer(self, future: asyncio.Future[Result], result: Result) -> None:
        """Tell whoever waits. One request that a damaged file could not take is refused as all of them would be."""
        if result.is_damage:
            self.state.is_damage_suspected = True
            self.state.writing.fail(result.error)
            _refuse([future], StoreDamaged(result.error))
        elif not future.done():
            future.set_result(result)

    def _next(self) -> list[Asking]:
        """What is most urgent, as far as somebody still waits for it."""
        return [each for each in self._waiting.take(self.clock(), BATCH_LIMIT) if not each[1].done()]

    def _refuse_late(self, futures: Sequence[asyncio.Future[Result]]) -> None:
        """Nobody waits longer for a database that does not answer."""
        reason = f"the database did not answer within {self._patience:g} s"
        self.state.writing.fail(reason)
        _refuse(futures, StoreUnavailable(reason))


def _refuse(futures: Sequence[asyncio.Future[Result]], error: Exception) -> None:
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


def _alerts(request: Request) -> int:
    return len(request.alerts) if isinstance(request, AlertsReceived) else 1
