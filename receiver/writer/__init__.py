"""The writer process: it owns the database's write access and runs the engine on it.

Threads of one interpreter share a lock, so the costs of HTTP and of decisions with SQL would add up; two processes run
in parallel (docs/decisions/0012). `Writer` is the service's side: `Writer.call` takes a method of the service's own
engine or store and runs it in the other process. Rules: arguments, results and exceptions are sent, in order; when the
process ends, waiting callers get StoreUnavailable, and a new process is started; messages being sent are kept by the
service; the process ends with the service, however that ends. Imports the engine and the store. Begin with `Writer`;
`wire` is the encoding of calls, `__main__` the other process.
"""

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import structlog
from msgspec.structs import replace

from receiver.core.events import AlertsReceived
from receiver.engine.engine import Engine
from receiver.errors import StoreUnavailable, TocsinError
from receiver.settings import Settings
from receiver.store import SqlStore
from receiver.version import installed
from receiver.writer.wire import LENGTH, pack, unpack

PATIENCE = 10.0
"""Seconds that the process may take to end when it is idle."""

HUNG = 10.0
"""Seconds without an answer to a waiting call, after which the process is killed and replaced: twice its wait for a
lock."""

STARTED = 60.0
"""Seconds that the process may take to start: loading the program takes several on a busy machine."""

PER_ALERT = 0.002
"""Additional seconds allowed per alert of a call: a webhook with 50,000 alerts is one transaction, and must not be
killed for its length. Ten times the measured cost."""

LATE = 1.0
"""Seconds by which a check for a hang may be late; a later one means that this process itself stood still."""

START_APART = 1.0
"""Seconds between attempts to start another process."""

MANY = 1000
"""Number of alerts in a call above which it is encoded in a thread instead of on the event loop."""

TRIES = 3
"""Attempts to read a policy version that only the database has; meanwhile a page waits."""

log = structlog.get_logger()


class Writer:
    """The service's side of the writer process."""

    def __init__(
        self, settings: Settings, store: SqlStore, on_poison: Callable[[], None], hung_after: float = HUNG
    ) -> None:
        """`store` is the service's own, which holds the file lock. `on_poison` is called per event that failed.

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
        """The process id."""
        return self._process.pid

    def attach(self, engine: Engine) -> None:
        """Set the service's engine; the other process's decides with the same inputs, on the same database."""
        self._engine = engine

    async def call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run a method of an Engine or a SqlStore in the process. Raises what it raises, and StoreUnavailable."""
        await self._require_line()
        target = type(work.__self__).__name__  # type: ignore[attr-defined] # a bound method
        standing = self._engine.standing
        standing = replace(standing, jumps=tuple(standing.jumps))  # a copy: it may change while another thread packs it
        question = standing, target, work.__name__, arguments
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
        """End the process after its current call; later calls raise StoreUnavailable."""
        async with self._one_at_a_time:
            self._is_closed = True
            await self._let_go()

    async def _read(self, answer: bytes) -> Any:
        """Decode an answer; a policy version that is not in memory is read in a thread."""
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
    """Number of alerts in a call's requests."""
    requests = asked if isinstance(asked, list) else ()
    return sum(len(each.alerts) for each in requests if isinstance(each, AlertsReceived))


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process that hangs or does not end."""
    with suppress(ProcessLookupError):
        process.kill()


class _Line(asyncio.Protocol):
    """Calls and answers, in order; a process that answers no call in time is disconnected."""

    def __init__(self, on_hung: Callable[[], None], hung_after: float) -> None:
        self._asked: deque[tuple[asyncio.Future[bytes], float]] = deque()
        """Futures of waiting calls, each with the seconds allowed beyond `hung_after`."""
        self._heard = bytearray()
        self._loop = asyncio.get_running_loop()
        self._on_hung = on_hung
        self._hung_after = hung_after
        """Seconds without a byte while a call waits, after which the process counts as hung."""
        self._quiet_since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self.is_lost = False

    def expect_answers_within(self, seconds: float) -> None:
        """Set the time limit of later calls; no call may wait at this moment."""
        self._hung_after = seconds
        self._stop_watching()

    def ask(self, question: bytes, longer: float = 0.0) -> asyncio.Future[bytes]:
        """Send a call; the future is its answer, or StoreUnavailable if the process ends. `longer`: more seconds."""
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
        """Check for a hang. A late check means that this process stood still, and the answer may be unread: go on."""
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
        """Close the connection, which ends the process."""
        self._transport.close()

    def hang_up(self, why: str) -> None:
        """Drop the connection at once, with all data under way."""
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
