"""The process that writes: ``python -m receiver.writer FD``, started by `receiver.writer.Writer`."""

import signal
import socket
import sys
from io import BufferedReader
from typing import Any

import structlog

from receiver.clock import wall_clock
from receiver.engine import Engine, Standing
from receiver.errors import TocsinError
from receiver.garbage import calm_down
from receiver.logs import configure_logs
from receiver.store import open_store
from receiver.writer.wire import LENGTH, pack, unpack
from rules.stored import parse

log = structlog.get_logger()


class Clerk:
    """Does what it is asked for, one thing after the other, until nobody is there any more."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._heard: BufferedReader = line.makefile("rb")
        self._engine: Engine | None = None
        self._poisoned = 0

    def serve(self) -> None:
        """Open the database and answer; returns when the service has hung up."""
        database, log_format = self._hear()
        configure_logs(log_format)
        try:
            self._store = open_store(database, to_serve=True)
        except TocsinError as error:
            self._line.sendall(pack(_bare(error)))
            return
        self._line.sendall(pack(None))
        try:
            while True:
                self._line.sendall(pack(self._answer(*self._hear())))
        finally:
            self._store.close()

    def _hear(self) -> Any:
        """Raises EOFError when the service has hung up."""
        head = self._heard.read(LENGTH.size)
        body = self._heard.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""
        if not body:
            raise EOFError
        return unpack(body)

    def _answer(
        self, standing: Standing, target: str, method: str, arguments: tuple[Any, ...]
    ) -> tuple[Any, Exception | None, int]:
        """What came of it: value, what it raised, and how many events could not be decided."""
        value: Any = None
        failure: Exception | None = None
        self._poisoned = 0
        try:
            on = self._stand(standing) if target == Engine.__name__ else self._store
            value = getattr(on, method)(*arguments)
        except TocsinError as error:
            failure = _bare(error)
        except Exception as error:
            log.exception("failed unexpectedly", what=method)
            failure = RuntimeError(type(error).__name__)
        return value, failure, self._poisoned

    def _stand(self, standing: Standing) -> Engine:
        """The engine, as the service's own stands."""
        if self._engine is None:
            document = self._store.reads().policy(standing.policy)
            assert document is not None, "the service stores a policy before it uses it"
            self._engine = Engine(self._store, parse(document), standing.configured, wall_clock(), self._say_poison)
            calm_down()
        self._engine.stand(standing)
        return self._engine

    def _say_poison(self, item: object, error: Exception) -> None:
        self._poisoned += 1
        log.error("cannot decide on an event; the others went through", kind=type(item).__name__, exc_info=error)


def _bare(error: TocsinError) -> TocsinError:
    """Without what led to it, which need not go over."""
    return error.with_traceback(None)


def main() -> None:
    """Answer the service at the other end of the socket whose number is the argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the service, which then lets us go
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as line:
        try:
            Clerk(line).serve()
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main()
