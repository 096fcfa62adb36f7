"""The process that writes: it owns the database's writing end and runs the engine on it.

Threads of one interpreter share a lock, so that what HTTP takes and what decisions and SQL take would add up; in two
processes they run side by side (docs/decisions/0014). `Writer` is the service's end: `Writer.call` is given a
method of the service's own engine or store and has the other process run it. Rules: data goes over and exceptions
come back, one answer after the other, in order; a process that dies is StoreUnavailable to whoever waits, and the
next takes its place; what the service is sending stays its own; it ends when the service does, however that ends.
"""

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import structlog

from receiver.engine import Engine
from receiver.errors import StoreUnavailable, TocsinError
from receiver.settings import Settings
from receiver.store import SqlStore
from receiver.version import installed
from receiver.writer.wire import LENGTH, pack, unpack

PATIENCE = 10.0
"""Seconds that the other process may take to end when it has nothing left to do."""

HUNG = 60.0
"""Seconds without an answer after which it is killed: longer than anything that it does takes."""

START_APART = 1.0
"""Seconds between two tries to start another."""

TRIES = 3
"""To find a policy version that only the database has, while whoever is to be paged waits."""

log = structlog.get_logger()


class Writer:
    """The service's end."""

    def __init__(
        self, settings: Settings, store: SqlStore, on_poison: Callable[[], None], hung_after: float = HUNG
    ) -> None:
        """`store` is the service's own, and keeps the file from others. `on_poison` hears of undecidable events.

        `hung_after`: seconds.
        """
        self._opening = (settings.database, settings.log_format, installed())
        self._kept = () if store.lock is None else (store.lock,)
        self._on_poison = on_poison
        self._hung_after = hung_after
        self._one_at_a_time = asyncio.Lock()
        self._failed_at = -START_APART
        self._is_closed = False

    async def start(self) -> Self:
        """Start the process, which opens the database. Raises what `open_store` raises, and OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "receiver.writer", str(theirs.fileno())]
            handed = (theirs.fileno(), *self._kept)
            self._process = await asyncio.create_subprocess_exec(*command, pass_fds=handed, start_new_session=True)
        loop = asyncio.get_running_loop()
        _, self._line = await loop.create_unix_connection(_Line, sock=ours)
        try:
            failure = unpack(await self._ask(pack(self._opening)))
        except StoreUnavailable as error:
            failure = error
        if failure is not None:
            await self._let_go()
            raise failure
        return self

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def attach(self, engine: Engine) -> None:
        """As whom the engine over there decides: the service's own, on the same database."""
        self._engine = engine

    async def call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run a method of an Engine or a SqlStore over there. Raises what it raises, and StoreUnavailable."""
        await self._require_line()
        target = type(work.__self__).__name__  # type: ignore[attr-defined] # a bound method
        answer = await self._ask(pack((self._engine.standing, target, work.__name__, arguments)))
        value, failure, poisoned = await self._read(answer)
        for _ in range(poisoned):
            self._on_poison()
        if failure is not None:
            raise failure
        return value

    async def close(self) -> None:
        """Let it end, when what it is doing is done; nothing is asked after that."""
        async with self._one_at_a_time:
            self._is_closed = True
            await self._let_go()

    async def _ask(self, question: bytes) -> bytes:
        """Its answer. One that hangs is killed, so that the next call finds another."""
        line, process = self._line, self._process
        try:
            async with asyncio.timeout(self._hung_after):
                return await line.ask(question)
        except TimeoutError:
            log.error("the process that writes to the database hangs; it is killed", seconds=self._hung_after)
            _kill(process)
            line.hang_up()
            raise StoreUnavailable(f"the process that writes gave no answer within {self._hung_after:g} s") from None

    async def _read(self, answer: bytes) -> Any:
        """The answer; a policy version that we don't know yet is looked up, but not on the event loop."""
        for tries in range(TRIES):
            try:
                return unpack(answer, self._engine.known_playbook)
            except KeyError as unknown:
                with suppress(StoreUnavailable):
                    await asyncio.to_thread(self._engine.playbook, unknown.args[0])
                await asyncio.sleep(tries)
        return unpack(answer, self._engine.playbook)

    async def _let_go(self) -> None:
        process = self._process
        self._line.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            _kill(process)
            await process.wait()

    async def _require_line(self) -> None:
        async with self._one_at_a_time:
            if not self._line.is_lost:
                return
            if self._is_closed:
                raise StoreUnavailable("Tocsin is stopping")
            loop = asyncio.get_running_loop()
            if loop.time() - self._failed_at < START_APART:
                raise StoreUnavailable("the process that writes to the database cannot be started")
            await self._let_go()
            code = self._process.returncode
            log.error("the process that writes to the database ended; another is started", code=code)
            try:
                await self.start()
            except (TocsinError, OSError) as error:
                self._failed_at = loop.time()
                raise StoreUnavailable(str(error)) from error


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


class _Line(asyncio.Protocol):
    """Questions and answers, in order."""

    def __init__(self) -> None:
        self._asked: deque[asyncio.Future[bytes]] = deque()
        self._heard = bytearray()
        self.is_lost = False

    def ask(self, question: bytes) -> asyncio.Future[bytes]:
        """Its answer; StoreUnavailable where none comes any more."""
        future = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        if self.is_lost:
            self._give_up()
        else:
            self._transport.write(question)
        return future

    def close(self) -> None:
        self._transport.close()

    def hang_up(self) -> None:
        """At once, whatever is still on its way."""
        self._transport.abort()
        self.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # it can write

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._heard)[0]
            if len(self._heard) < end:
                return
            answer = bytes(memoryview(self._heard)[LENGTH.size : end])
            del self._heard[:end]
            future = self._asked.popleft()
            if not future.done():
                future.set_result(answer)

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_lost = True
        self._give_up()

    def _give_up(self) -> None:
        while self._asked:
            future = self._asked.popleft()
            if not future.done():
                future.set_exception(StoreUnavailable("the process that writes to the database has ended"))
