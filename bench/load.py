"""A load generator with little overhead: prepared HTTP requests over persistent connections, each answer awaited."""

import asyncio
from collections.abc import Iterator, Sequence
from time import perf_counter
from urllib.parse import urlsplit

ANSWERED_WITHIN = 120.0
"""Seconds after which a run is aborted."""


def prepare(url: str, bodies: Sequence[bytes]) -> list[bytes]:
    """The requests as bytes."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
    return [head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last is answered."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._buffer = b""
        self.refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            if not head.startswith(b"http/1.1 20"):
                self.refused += 1
            self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def fire(url: str, requests: Sequence[bytes], connections: int = 64) -> tuple[float, int]:
    """Send all requests; returns the duration in seconds and the number of answers other than 2xx."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    left = iter(requests)
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(connections)]
    began = perf_counter()
    protocols = [
        (await loop.create_connection(lambda f=future: _Connection(left, f), host, port))[1]  # type: ignore[misc]
        for future in futures
    ]
    await asyncio.wait_for(asyncio.gather(*futures), ANSWERED_WITHIN)
    return perf_counter() - began, sum(protocol.refused for protocol in protocols)


def paced(url: str, bodies: Sequence[bytes], rate: float, seconds: float) -> None:
    """Send the bodies repeatedly at `rate` per second for `seconds` (run in its own process)."""
    tick = 0.02
    requests = prepare(url, bodies)

    async def run() -> None:
        ends = perf_counter() + seconds
        sent, began = 0, perf_counter()
        while perf_counter() < ends:
            wanted = int((perf_counter() - began) * rate) - sent
            if wanted > 0:
                some = [requests[(sent + index) % len(requests)] for index in range(wanted)]
                await fire(url, some, connections=8)
                sent += wanted
            await asyncio.sleep(tick)

    asyncio.run(run())
