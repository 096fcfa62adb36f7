"""The writer process: ``python -m receiver.writer FD``, started by `receiver.writer.Writer`."""

import os
import select
import signal
import socket
import sys
import threading
import time
from io import BufferedReader
from typing import Any

import structlog

from receiver.clock import wall_clock
from receiver.engine.engine import Engine, EngineState
from receiver.errors import StoreUnavailable, TocsinError
from receiver.runtime import calm_down
from receiver.store import SqlStore, open_store
from receiver.telemetry.logs import configure_logs, log_entries
from receiver.version import installed
from receiver.writer.wire import LENGTH, pack, unpack
from rules.stored import parse

GRACE = 3.0
"""Seconds that a running transaction may take after the service has ended."""

log = structlog.get_logger()


class WriterProcess:
    """Runs the service's calls one at a time, until the service disconnects."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._heard: BufferedReader = line.makefile("rb")
        self._engine: Engine | None = None
        self._poisoned = 0

    def serve(self) -> None:
        """Open the database and answer calls. Raises EOFError or ConnectionError when the service disconnects."""
        database, identity, log_format, version = self._hear()
        configure_logs(log_format)
        try:
            if installed() != version:
                raise StoreUnavailable("this Tocsin's files were replaced while it ran: restart it")
            self._store: SqlStore = open_store(database, identity=identity)
        except TocsinError as error:
            self._line.sendall(pack(_bare(error)))
            return
        self._line.sendall(pack(None))
        try:
            while True:
                self._line.sendall(self._answer(*self._hear()))
        finally:
            self._store.close()

    def _hear(self) -> Any:
        head = self._heard.read(LENGTH.size)
        body = self._heard.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""
        if not body:
            raise EOFError
        return unpack(body)

    def _answer(self, standing: EngineState, target: str, method: str, arguments: tuple[Any, ...]) -> bytes:
        """Run a call; returns the encoded value, exception, and number of events that failed."""
        failure: Exception
        self._poisoned = 0
        try:
            on = self._object(standing, target)
            return pack((getattr(on, method)(*arguments), None, self._poisoned))
        except TocsinError as error:
            failure = _bare(error)
        except (MemoryError, OSError) as error:
            failure = StoreUnavailable(f"the process that writes failed: {str(error) or type(error).__name__}")
        except Exception as error:
            log.exception("a call of the service failed unexpectedly", method=method)
            failure = RuntimeError(type(error).__name__)
        return pack((None, failure, self._poisoned))

    def _object(self, standing: EngineState, target: str) -> object:
        """The target of a call, by its class name: the engine, the store, or a part of the store."""
        if target == Engine.__name__:
            return self._stand(standing)
        parts = (self._store, self._store.handoffs)
        return next(part for part in parts if type(part).__name__ == target)

    def _stand(self, standing: EngineState) -> Engine:
        """The engine, with the decision inputs of the service's engine."""
        if self._engine is None:
            document = self._store.reads().policy(standing.policy)
            if document is None:  # impossible without damage: the service stores a policy before it uses it
                raise StoreUnavailable("the database has lost the policy in use: restart Tocsin")
            policy, names = parse(document), standing.configured
            self._engine = Engine(self._store, policy, names, wall_clock(), self._say_poison, log_entries)
            calm_down()
        self._engine.stand(standing)
        return self._engine

    def _say_poison(self, item: object, error: Exception) -> None:
        self._poisoned += 1
        log.error("cannot decide on an event; the others went through", kind=type(item).__name__, exc_info=error)


def _bare(error: TocsinError) -> TocsinError:
    """The error without its traceback, which is not sent."""
    return error.with_traceback(None)


def _end_with(line: socket.socket) -> None:
    """End the process after the service has ended, even if a transaction hangs: its result has no reader."""
    watch = select.poll()
    watch.register(line, select.POLLRDHUP)
    watch.poll()
    time.sleep(GRACE)
    os._exit(1)


def main() -> None:
    """Serve the other end of the socket whose file descriptor is the argument."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the service handles it, and ends this process
    with socket.socket(fileno=int(sys.argv[1])) as line:
        threading.Thread(target=_end_with, args=(line,), daemon=True).start()
        try:
            WriterProcess(line).serve()
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main()
