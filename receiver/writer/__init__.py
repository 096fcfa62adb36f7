"""The process that writes: it owns the database's writing end and runs the engine on it.

Threads of one interpreter share a lock, so that what HTTP takes and what decisions and SQL take would add up; in two
processes they run side by side (docs/decisions/0014). `Writer` is the service's end: `Writer.call` is given a
method of the service's own engine or store and has the other process run it. Rules: data goes over and exceptions
come back, one answer after the other, in order; a process that dies is StoreUnavailable to whoever waits, and the
next takes its place; what the service is sending stays its own; it ends when the service does, however that ends.
Imports the engine and the store. Begin with `Writer`; `wire` is how calls are put into bytes, `__main__` the other
process.
"""

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import structlog

from receiver.core.events import AlertsReceived
from receiver.engine.engine import Engine
from receiver.errors import StoreUnavailable, TocsinError
from receiver.settings import Settings
from receiver.store import SqlStore
from receiver.version import installed
from receiver.writer.wire import LENGTH, pack, unpack

PATIENCE = 10.0
"""Seconds that the other process may take to end when it has nothing left to do."""

HUNG = 10.0
"""Seconds in which it answers nothing, although it is asked, after which it is killed and another takes its place:
twice as long as it waits for a lock."""

STARTED = 60.0
"""Seconds that one may take to start: on a machine that is busy, loading the program alone takes some."""

PER_ALERT = 0.002
"""Seconds that it may take longer for each alert of what it is asked: a body of 50,000 is one transaction, and would be
killed again and again. Ten times what it takes."""

LATE = 1.0
"""Seconds by which a look at it may come late without our having stood still ourselves."""

START_APART = 1.0
"""Seconds between two tries to start another."""

MANY = 1000
"""Alerts in what is asked for, from which on it is put into bytes beside the event loop."""

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
        self._opening = (settings.database, store.identity, settings.log_format, installed())
        self._store = store
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
            kept = () if self._store.lock is None else (self._store.lock,)
            handed = (theirs.fileno(), *kept)
            self._process = await asyncio.create_subprocess_exec(*command, pass_fds=handed, start_new_session=True)
        loop = asyncio.get_running_loop()
        process = self._process
        _, self._line = await loop.create_unix_connection(lambda: _Line(lambda: _kill(process), STARTED), sock=ours)
        try:
            failure = unpack(await self._line.ask(pack(self._opening)))
        except StoreUnavailable as error:
            failure = error
        except BaseException:
            _kill(process)
            await self._let_go()
            raise
        if failure is not None:
            await self._let_go()
            raise failure
        self._line.expect_answers_within(self._hung_after)
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
        question = self._engine.standing, target, work.__name__, arguments
        alerts = _alerts(arguments[0]) if arguments else 0
        packed = await asyncio.to_thread(pack, question) if alerts > MANY else pack(question)
        answer = await self._line.ask(packed, alerts * PER_ALERT)
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

    async def _read(self, answer: bytes) -> Any:
        """The answer; a policy version that we don't know yet is looked up, but not on the event loop."""
        for tries in range(TRIES):
            try:
                return unpack(answer, self._engine.known_policy_version)
            except KeyError as unknown:
                with suppress(StoreUnavailable):
                    await asyncio.to_thread(self._engine.policy_version, unknown.args[0])
                await asyncio.sleep(tries)
        return unpack(answer, self._engine.policy_version)

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


def _alerts(asked: object) -> int:
    """Alerts in what is asked for."""
    requests = asked if isinstance(asked, list) else ()
    return sum(len(each.alerts) for each in requests if isinstance(each, AlertsReceived))


def _kill(process: asyncio.subprocess.Process) -> None:
    """One that hangs, or does not end when it is told to."""
    with suppress(ProcessLookupError):
        process.kill()


class _Line(asyncio.Protocol):
    """Questions and answers, in order; whoever lets all of them wait for too long is hung up on."""

    def __init__(self, on_hung: Callable[[], None], hung_after: float) -> None:
        self._asked: deque[tuple[asyncio.Future[bytes], float]] = deque()
        """Who waits, and seconds that their question may take beyond `hung_after`."""
        self._heard = bytearray()
        self._loop = asyncio.get_running_loop()
        self._on_hung = on_hung
        self._hung_after = hung_after
        """Seconds without a byte, although something is asked."""
        self._quiet_since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self.is_lost = False

    def expect_answers_within(self, seconds: float) -> None:
        """From now on; nothing is asked at this moment."""
        self._hung_after = seconds
        self._stop_watching()

    def ask(self, question: bytes, longer: float = 0.0) -> asyncio.Future[bytes]:
        """Its answer; StoreUnavailable where none comes any more. `longer`: seconds that it may take beyond others."""
        future = self._loop.create_future()
        if not self._asked:
            self._quiet_since = self._loop.time()
        self._asked.append((future, longer))
        if self.is_lost:
            self._give_up()
            return future
        self._transport.write(question)
        if self._watch is None:
            self._look_again(self._hung_after)
        return future

    def _look_again(self, seconds: float) -> None:
        due_at = self._loop.time() + seconds
        self._watch = self._loop.call_at(due_at, self._look, due_at)

    def _look(self, due_at: float) -> None:
        """Where we come late it is we who stood still, and its answer may lie here unread."""
        self._watch = None
        now = self._loop.time()
        if now - due_at > LATE:
            self._quiet_since = now
        if not self._asked:
            return
        allowed = self._hung_after + self._asked[0][1]
        left = self._quiet_since + allowed - now
        if left > 0:
            self._look_again(left)
            return
        log.error("the process that writes to the database hangs; it is killed", seconds=allowed)
        self._on_hung()
        self.hang_up(f"the process that writes gave no answer within {allowed:g} s")

    def close(self) -> None:
        """Let it end."""
        self._transport.close()

    def hang_up(self, why: str) -> None:
        """At once, whatever is still on its way."""
        self._transport.abort()
        self.is_lost = True
        self._give_up(why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # it can write

    def data_received(self, data: bytes) -> None:
        self._quiet_since = self._loop.time()
        self._heard += data
        while len(self._heard) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._heard)[0]
            if len(self._heard) < end:
                return
            answer = bytes(memoryview(self._heard)[LENGTH.size : end])
            del self._heard[:end]
            future, _ = self._asked.popleft()
            if not future.done():
                future.set_result(answer)

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_lost = True
        self._stop_watching()
        self._give_up()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _give_up(self, why: str = "the process that writes to the database has ended") -> None:
        while self._asked:
            future, _ = self._asked.popleft()
            if not future.done():
                future.set_exception(StoreUnavailable(why))
