"""The desk: where requests from many tasks become batches for the one thread that owns the engine.

Group commit: while a transaction runs, requests gather; the next transaction takes them all. The queue
is bounded: when it is full the answer is quick (503, Alertmanager retries). Reads have a thread of their
own. The wall clock is asked here, once per batch, through the `now` that the service passes in.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from receiver.core.model import Instant
from receiver.engine import Engine
from receiver.errors import StoreUnavailable
from receiver.requests import Request, Result

Out = TypeVar("Out")

QUEUE_LIMIT = 20_000
"""Requests that may wait; beyond it the desk is closed for the moment."""

BATCH_LIMIT = 500
"""Requests per transaction: more makes no commit cheaper, and everybody waits longer."""


class Desk:
    """Hands requests to the engine in batches, and everything else in turn."""

    def __init__(self, engine: Engine, clock: Callable[[], Instant]) -> None:
        self.engine = engine
        self.clock = clock
        self._thread = ThreadPoolExecutor(1, "tocsin-store")
        self._readers = ThreadPoolExecutor(1, "tocsin-read")
        self._waiting: deque[tuple[Request, asyncio.Future[Result]]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self.on_commit: Callable[[], None] = lambda: None
        """Called after each batch: messages or windows may be due now."""
        self.failing = ""
        """Why nothing can be written; empty once something was."""
        self.refused: tuple[str, ...] = ()
        """Why the policy that the files hold is not the one in use; empty: it is."""
        self.doubts: tuple[str, ...] = ()
        """What `tocsin check` warns of in the policy in use."""
        self.closing = False
        """Whether webhooks are no longer taken: the service stops."""

    async def handle(self, requests: Sequence[Request]) -> list[Result]:
        """Decide and store; returns when it is committed. Raises StoreUnavailable (also when the queue is full)."""
        if len(self._waiting) + len(requests) > QUEUE_LIMIT:
            raise StoreUnavailable("too many requests wait for the database already")
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in requests]
        self._waiting.extend(zip(requests, futures, strict=True))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._drain())
        return list(await asyncio.gather(*futures)) if len(futures) != 1 else [await futures[0]]

    async def run(self, work: Callable[..., Out], *arguments: Any) -> Out:
        """Run something on the store thread, in turn with everything else that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def read(self, work: Callable[..., Out], *arguments: Any) -> Out:
        """Run a read on the readers' thread; it never waits for a write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

    async def settle(self, seconds: float) -> None:
        """Wait until everything that was handed in is stored, for so long at most."""
        if self._pump is not None:
            await asyncio.wait([self._pump], timeout=seconds)

    def close(self) -> None:
        """Stop both threads, when what they are doing is done."""
        self._thread.shutdown()
        self._readers.shutdown()

    async def _drain(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_LIMIT, len(self._waiting)))]
            try:
                results = await self.run(self._handle, [request for request, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                self.failing = str(error) if isinstance(error, StoreUnavailable) else ""
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            self.failing = ""
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
            self.on_commit()

    def _handle(self, requests: Sequence[Request]) -> list[Result]:
        return self.engine.handle(requests, self.clock())
