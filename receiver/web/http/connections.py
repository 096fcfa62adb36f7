"""Limits the number of connections, the size of their heads and their TLS handshakes.

aiohttp limits what one connection sends, but not their number, and each takes an open file and memory. The service
makes one `Listener`; a `Connection` wraps aiohttp's protocol. Until its first authenticated request a connection holds
a seat of the unknown callers; then one of the webhook senders, or of the people and programs that use the API and the
console (`know`). Where no seat is free, the connection that has waited longest is closed: an unknown caller's also
while it sends, others only while idle. So a storm of Alertmanager's connections takes no seats from people or unknown
callers. An authenticated connection without a free seat keeps its first seat until its response; new ones wait in the
backlog.
"""

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import cast

import structlog
from aiohttp import web

from receiver.web.http.problem_details import Handler
from receiver.web.http.request_body import Budget
from receiver.web.http.tls import Tls

STRANGERS = 512
"""Connections of callers that are not authenticated (yet)."""

SENDERS = 12_288
"""Connections that send webhooks: a storm has one for each group that Alertmanager sends at a time. Beyond it they wait
in the backlog, an emergency's too: 20,000 groups at once took 48 s with 4,096, and 20 s with this (14 kB each)."""

SENDERS_BY_TLS = 4096
"""The same where connections are encrypted: each takes 51 kB (2,000 of them took 103 MB)."""

PEOPLE = 512
"""Connections of authenticated callers of the API and the console."""

IDLE = 10.0
"""Seconds without a request before the connection of a known caller gives way to another.

A client that sends just then gets no answer and cannot know whether its request was taken. In a storm Alertmanager uses
a connection again at once, and closes those that it needs no more.
"""

OTHER_FILES = 256
"""Open files left to the database, providers and the policy, where the process's limit is low."""

HEAD_LIMIT = 32 << 10
"""Bytes of a request's line and headers."""

HANDSHAKE_WITHIN = 10.0
"""Seconds for a TLS handshake."""

BACKLOG = 4096
"""Connections that may wait to be accepted; Linux caps it at `net.core.somaxconn`."""

ACCEPTED_AT_ONCE = 32
"""Connections accepted in one turn of the event loop.

In a storm a turn takes milliseconds: with one connection per turn, most of thousands would wait unread, possibly with
an emergency among them.
"""

ACCEPT_AGAIN = 0.02
"""Seconds until the next try after a failed accept, or while unknown callers have all their seats."""

PATIENCE = 5.0
"""Seconds to authenticate, while all seats of unknown callers are taken, before the oldest are closed.

In a storm Alertmanager connects thousands of times before it writes the first request; connections without a seat wait
in the backlog meanwhile.
"""

BLANK_LINE = b"\r\n\r\n"
HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

log = structlog.get_logger()


class Connections:
    """The seats, and the connections by aiohttp's protocol."""

    def __init__(
        self, strangers: int = STRANGERS, senders: int = SENDERS, people: int = PEOPLE, idle: float = IDLE
    ) -> None:
        """At most so many connections of each kind; fewer, if the process may not open as many files.

        `idle`: see `IDLE`.
        """
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        every = strangers + senders + people
        room = every if files == resource.RLIM_INFINITY else max(files - OTHER_FILES, files // 2)
        self.strangers = Budget(min(strangers, room // 4))
        self.people = Budget(min(people, room // 4), idle)
        self.senders = Budget(min(senders, room - self.strangers.most - self.people.most), idle)
        self._by_handler: dict[asyncio.BaseProtocol, Connection] = {}

    def add(self, handler: asyncio.BaseProtocol, connection: "Connection") -> None:
        """Registers the connection that aiohttp's protocol `handler` serves."""
        self._by_handler[handler] = connection

    def remove(self, handler: asyncio.BaseProtocol) -> None:
        """Removes a closed connection."""
        self._by_handler.pop(handler, None)

    def of(self, request: web.Request) -> "Connection | None":
        """The connection of a request; None: unknown."""
        return self._by_handler.get(request.protocol)


CONNECTIONS = web.AppKey("connections", Connections)


@web.middleware
async def keep_seats(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that marks the request's connection as busy."""
    connection = request.app[CONNECTIONS].of(request)
    if connection is None:
        return await handler(request)
    connection.begin()
    try:
        return await handler(request)
    finally:
        connection.end(request)


def know(request: web.Request, *, sends: bool = False) -> None:
    """Moves the connection of an authenticated request to its seats. `sends`: the request is a webhook."""
    connections = request.app[CONNECTIONS]
    if (connection := connections.of(request)) is not None:
        connection.know(connections.senders if sends else connections.people)


class Connection(asyncio.Protocol):
    """One connection, from accept to close, around aiohttp's protocol."""

    def __init__(self, connections: Connections, make: Callable[[], asyncio.Protocol]) -> None:
        """`make` returns aiohttp's protocol."""
        self._connections, self._make = connections, make
        self._handler: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._head = 0
        """Bytes read of the current head."""
        self._ahead = 0
        """Bytes received after the head."""
        self._serving = False
        self._known: Budget | None = None
        """The budget of its seat since authentication; None: not authenticated."""
        self._seat = connections.strangers.begin(self._hang_up)
        self.connecting: asyncio.Task[None] | None = None
        """The task of its handshake."""

    def sit(self) -> bool:
        """Takes a seat. False: none is free."""
        return self._seat.take(1)

    def leave(self) -> None:
        """Gives the seat back."""
        self._seat.budget.release(self._seat)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._handler = handler = self._make()
        self._connections.add(handler, self)
        handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Passes data on, and refuses a head of more than HEAD_LIMIT bytes."""
        assert self._handler is not None, "it was made"
        if self._serving:
            self._ahead += len(data)
        elif not self._take_head(data):
            assert self._transport is not None, "as above"
            self._transport.write(HEAD_TOO_LARGE)
            self._transport.close()
            return
        self._handler.data_received(data)

    def _take_head(self, data: bytes) -> bool:
        """Counts the head's bytes. Returns whether it is within HEAD_LIMIT."""
        seen = data if self._head else data.lstrip(b"\r\n")
        end = seen.find(BLANK_LINE)
        if end >= 0:
            self._serving, self._ahead = True, len(seen) - end - len(BLANK_LINE)
        self._head += end if end >= 0 else len(data)
        return self._head <= HEAD_LIMIT

    def begin(self) -> None:
        """A request begins: the connection is not closed for others."""
        self._serving = True
        if self._known is not None:
            self._known.arrived(self._seat)

    def end(self, request: web.Request) -> None:
        """The response is sent. Pipelined data of an unknown caller closes the connection: it would have no limit."""
        if self._known is not None:
            self._take_seat(self._known)
        else:
            self._seat.budget.gives_way(self._seat)
            if self._ahead > (request.content_length or 0):
                request.protocol.close()
        self._serving, self._head, self._ahead = False, 0, 0

    def know(self, budget: Budget) -> None:
        """As the function `know`, during a request: until its end the connection is not closed for others."""
        if self._known is None and self._take_seat(budget):
            self._known = budget
        self._seat.budget.arrived(self._seat)

    def _take_seat(self, budget: Budget) -> bool:
        """Moves to a new seat of `budget`. False: none is free."""
        before, seat = self._seat, budget.begin(self._hang_up)
        if before.budget is budget:
            before.budget.release(before)
        if not seat.take(1):
            budget.release(seat)
            return False
        before.budget.release(before)
        self._seat = seat
        return True

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        elif self.connecting is not None:
            self.connecting.cancel()

    def pause_writing(self) -> None:
        """Called by asyncio."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        if self._handler is not None:
            self._handler.resume_writing()

    def eof_received(self) -> bool | None:
        """Called by asyncio."""
        return self._handler.eof_received() if self._handler is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.leave()
        if self._handler is not None:
            self._connections.remove(self._handler)
            self._handler.connection_lost(exc)


class Listener:
    """Accepts connections on one socket, several in one turn of the event loop.

    asyncio's own server accepts without a limit, and does not report the address of a refused handshake.
    """

    def __init__(
        self, bound: socket.socket, connections: Connections, make: Callable[[], asyncio.Protocol], tls: Tls
    ) -> None:
        """`bound`: not yet listening. `make` returns aiohttp's protocol."""
        self._socket, self._connections, self._make, self._tls = bound, connections, make, tls
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._full_since: float | None = None
        self._may_end = 0
        """Connections of unknown callers that may be closed: they had PATIENCE to authenticate."""

    def start(self) -> None:
        """Starts to listen."""
        self._socket.setblocking(False)
        self._socket.listen(BACKLOG)
        self._watch()

    def close(self) -> None:
        """Stops listening; accepted connections stay open."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._connecting:
            task.cancel()

    def _watch(self) -> None:
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if not self._has_room():
                self._pause()
                return
            try:
                accepted, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no file or no memory is left; temporary
                log.error("no connection can be accepted; trying again", reason=error.strerror)
                self._pause()
                return
            self._begin(accepted, str(address[0]))

    def _pause(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._again = self._loop.call_later(ACCEPT_AGAIN, self._watch)

    def _has_room(self) -> bool:
        """Whether there is a seat for an unknown caller: a free one, or one held for PATIENCE."""
        if not self._connections.strangers.is_full:
            self._full_since = None
            return True
        if not self._connections.strangers.may_end:
            return False
        now = self._loop.time()
        if self._full_since is None:
            self._full_since, self._may_end = now, self._connections.strangers.held
        if now - self._full_since < PATIENCE:
            return False
        self._may_end -= 1
        if self._may_end == 0:
            self._full_since = None
        return True

    def _begin(self, accepted: socket.socket, address: str) -> None:
        connection = Connection(self._connections, self._make)
        if not connection.sit():
            connection.leave()
            accepted.close()
            return
        connection.connecting = task = self._loop.create_task(self._connect(connection, accepted, address))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: Connection, accepted: socket.socket, address: str) -> None:
        context = self._tls.context
        within = None if context is None else HANDSHAKE_WITHIN
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, accepted, ssl=context, ssl_handshake_timeout=within
            )
        except OSError as error:  # ssl.SSLError is one
            connection.leave()
            self._tls.say_refused(error, address)
        except asyncio.CancelledError:
            connection.leave()
            raise
