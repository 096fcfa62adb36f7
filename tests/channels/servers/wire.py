"""A server that speaks HTTP byte by byte, so that it can fail in every way a network and a provider can.

The provider's servers (pagerduty, twilio, webhook) are functions from a request to a reply; a fault in `faults`
takes the place of the next reply. It runs on the loop of the test: a sender that blocks the loop gets no answer.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What goes out."""

    status: int
    body: bytes | dict = b""
    headers: dict[str, str] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        body = json.dumps(self.body).encode() if isinstance(self.body, dict) else self.body
        kind = "application/json" if isinstance(self.body, dict) else "text/html"
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


Fault = Callable[["Wire", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Wire:
    """One listening server."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._answer = answer
        self.faults: list[Fault | Reply] = []
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        """Set when a connection or a request has come in."""
        self._over = asyncio.Event()
        self._serving: set[asyncio.Task] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.host, self.port = host, port
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self._over.set()
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def over(self, seconds: float) -> bool:
        """Wait so long; True at once when the server stops."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _accept(self, reader, writer):
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader, writer):
        try:
            while True:
                fault = self.faults[0] if self.faults else None
                if fault is not None and not isinstance(fault, Reply):
                    self.faults.pop(0)
                    await fault(self, reader, writer)
                    return
                request = await self.read(reader)
                reply = self.faults.pop(0) if fault is not None else self._answer(request)
                writer.write(reply.as_bytes())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def read(self, reader) -> Request:
        """Read one request, and keep it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        request = Request(method, path, headers, body)
        self.requests.append(request)
        self.arrived.set()
        return request


def never_ends(fault):
    """Marks what is not over before the client gives up; every other answer comes, however busy the machine is."""
    fault.never_ends = True
    return fault


def patience(fault):
    """Seconds for which a sender in a test has to wait for what this fault or Reply makes of the answer."""
    return 1.0 if getattr(fault, "never_ends", False) else 30.0


@never_ends
async def hang(wire, reader, writer):
    """Read the request, never answer."""
    await wire.read(reader)
    await wire._over.wait()


async def reset_unread(wire, reader, writer):
    """Reset the connection as soon as bytes come in, without reading the request."""
    await reader.read(1)
    _reset(writer)


async def reset_read(wire, reader, writer):
    """Read the whole request, then reset the connection."""
    await wire.read(reader)
    _reset(writer)


async def lose_answer(wire, reader, writer):
    """Do what the request asks, then reset the connection instead of answering."""
    wire._answer(await wire.read(reader))
    _reset(writer)


async def garbage(wire, reader, writer):
    """Answer with what is no HTTP."""
    await wire.read(reader)
    writer.write(b"\x00\xff\xfe 220 mail.example ESMTP\r\n\r\n")
    await writer.drain()


def broken_off(status):
    """Say a status and the beginning of an answer, then close."""

    async def fault(wire, reader, writer):
        await wire.read(reader)
        writer.write(f'HTTP/1.1 {status} X\r\nContent-Length: 1000\r\n\r\n{{"sid":'.encode())
        await writer.drain()

    return fault


def trickle(status):
    """Say a status, then an answer byte by byte, without end."""

    @never_ends
    async def fault(wire, reader, writer):
        await wire.read(reader)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 100000000\r\n\r\n".encode())
        while not await wire.over(0.02):
            writer.write(b" ")
            await writer.drain()

    return fault


@never_ends
async def trickle_head(wire, reader, writer):
    """Say a status line, then headers byte by byte, without end."""
    await wire.read(reader)
    writer.write(b"HTTP/1.1 202 X\r\nX-Header: ")
    while not await wire.over(0.02):
        writer.write(b"a")
        await writer.drain()


def endless(status):
    """Say a status, then an answer as fast as it is taken, without end."""

    @never_ends
    async def fault(wire, reader, writer):
        await wire.read(reader)
        writer.write(f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while not wire._over.is_set():
            writer.write(chunk)
            await writer.drain()

    return fault


def _reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
