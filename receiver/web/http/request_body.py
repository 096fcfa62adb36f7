"""Reads a request's body whole, within limits of size, time and the process's total.

Handlers call `read_body` for authenticated callers, and `read_strangers_body` for others. Bodies of unknown callers are
never decompressed, so they take no more memory than was sent. The application holds one `Bodies`, made of its settings,
and has `count_bodies` among its middlewares.
"""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from urllib.parse import parse_qsl

from aiohttp import web

from receiver.web.http.problem_details import Handler, HttpProblem

READ_WITHIN = 30.0
"""Seconds for a body to arrive."""

STRANGERS_LIMIT = 64 << 10
"""Bytes of a body from an unknown caller: a login, a callback before its signature is checked."""

STRANGERS_TOTAL = 4 << 20
"""Bytes of all such bodies at a time."""

LARGEST_AT_A_TIME = 4
"""Bodies of the largest size that known callers may send at a time; the same total is shared by smaller ones."""

PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""Content-Encodings that are decompressed for known callers."""

MOST_FIELDS = 200
"""Fields of a posted form."""

FORM_LIMIT = 1 << 20
"""Bytes of a form from a person who is logged in."""

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(eq=False, slots=True)
class Share:
    """The part of a budget that one request or connection holds."""

    budget: "Budget"
    size: int = 0
    end: Callable[[], None] = lambda: None
    """Ends the holder."""

    def take(self, count: int) -> bool:
        """Takes `count` more units (negative: gives back). False: there is no room, and nothing was taken."""
        return self.budget.grow(self, count)


class Budget:
    """A limit on what is held at a time: bytes of bodies until the end of their requests, or connections.

    Where there is no room, the share that has been arriving longest is ended: regular bodies arrive in a moment.
    """

    def __init__(self, most: int, grace: float = 0.0) -> None:
        """`grace`: seconds for which a share that began to arrive, or to give way, is not ended."""
        self.most, self._grace = most, grace
        self._arriving: dict[Share, float] = {}
        """Since when, in seconds of the monotonic clock; the oldest first."""
        self.held = 0
        """Units held now."""

    @property
    def is_full(self) -> bool:
        """Whether the next share needs another one to end."""
        return self.held >= self.most

    @property
    def may_end(self) -> bool:
        """Whether any share may be ended."""
        return bool(self._arriving)

    def begin(self, end: Callable[[], None]) -> Share:
        """A new share; `end` is called if it must give way."""
        share = Share(self, 0, end)
        self._arriving[share] = monotonic()
        return share

    def arrived(self, share: Share) -> None:
        """Marks the share as arrived: it is not ended for others."""
        self._arriving.pop(share, None)

    def gives_way(self, share: Share) -> None:
        """Lets the share be ended again, after all others; one that already may be keeps its turn."""
        if share.size:
            self._arriving.setdefault(share, monotonic())

    def grow(self, share: Share, count: int) -> bool:
        """See `Share.take`."""
        while self.held + count > self.most:
            oldest = next(iter(self._arriving), share)
            if oldest is share or monotonic() - self._arriving[oldest] < self._grace:
                return False
            self._end(oldest)
        share.size += count
        self.held += count
        return True

    def release(self, share: Share) -> None:
        """Gives back all of a share; its request is over."""
        self._arriving.pop(share, None)
        self.held -= share.size
        share.size = 0

    def _end(self, share: Share) -> None:
        self.release(share)
        share.end()


class Bodies:
    """The process's budgets for bodies: of unknown and of known callers."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of one decompressed body from a known caller."""
        self.limit = limit
        self.strangers = Budget(STRANGERS_TOTAL)
        self.known = Budget(LARGEST_AT_A_TIME * limit)


BODIES = web.AppKey("bodies", Bodies)
SHARE = web.RequestKey("share", Share)
"""A request's share of a budget."""


@web.middleware
async def count_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Releases a request's share when the request is over."""
    try:
        return await handler(request)
    finally:
        share: Share | None = request.get(SHARE)
        if share is not None:
            share.budget.release(share)


async def read_body(request: web.Request, limit: int | None = None) -> bytes:
    """Reads and decompresses the body of a known caller. `limit`: bytes, if less than the settings allow.

    Raises HttpProblem: 400 broken, 413 too large, 415 unknown encoding, 503 too slow or no room (Alertmanager retries
    503, but not 408 and 429).
    """
    bodies = request.app[BODIES]
    most = min(bodies.limit, limit or bodies.limit)
    body = await _read(request, bodies.known, most)
    encoding = _encoding(request)
    if not encoding:
        return body
    if encoding not in PACKED:
        raise HttpProblem(415, f"bodies are taken as they are, or packed as {', '.join(sorted(PACKED))}")
    if not request[SHARE].take(most):
        raise _no_room()
    return await asyncio.to_thread(_unpack, body, most)


async def read_strangers_body(request: web.Request, limit: int = STRANGERS_LIMIT) -> bytes:
    """Reads the body of an unknown caller. Raises HttpProblem: 400, 413, 415, 503."""
    if _encoding(request):
        raise HttpProblem(415, "compressed bodies are not taken here")
    return await _read(request, request.app[BODIES].strangers, limit)


def _encoding(request: web.Request) -> str:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


async def _read(request: web.Request, budget: Budget, limit: int) -> bytes:
    """The body as it was sent. Raises HttpProblem."""
    chunks: list[bytes] = []
    is_small = (request.content_length or 0) <= limit
    refusal = await _fill(chunks, request, budget, limit) if is_small else _too_large(limit)
    if refusal is None:
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    try:
        raise refusal
    finally:
        del refusal  # otherwise the problem, its traceback and this frame form a reference cycle
        chunks.clear()


async def _fill(chunks: list[bytes], request: web.Request, budget: Budget, limit: int) -> HttpProblem | None:
    """Reads into `chunks`; returns why it ended early, or None.

    Errors are caught here: the request's stream keeps its error, which would keep the frames, and with them the body.
    """
    content, left = request.content, limit
    try:
        async with asyncio.timeout(None if content.is_eof() else READ_WITHIN) as deadline:
            request[SHARE] = share = budget.begin(partial(end_now, deadline))
            try:
                while chunk := await content.readany():
                    left -= len(chunk)
                    if left < 0:
                        return _too_large(limit)
                    if not share.take(len(chunk)):
                        return _no_room()
                    chunks.append(chunk)
            finally:
                budget.arrived(share)
    except TimeoutError:
        return HttpProblem(503, f"the body did not arrive within {READ_WITHIN:.0f} s, or had to give way to others")
    except web.RequestPayloadError as error:
        error.__traceback__ = None
        content.feed_eof()  # otherwise aiohttp reads on, meets the same error, and may drop the response
        return _broken()
    except ConnectionError as error:
        error.__traceback__ = None
        return _broken()
    return None


def end_now(deadline: asyncio.Timeout) -> None:
    """Ends the time-out block at once."""
    deadline.reschedule(asyncio.get_running_loop().time())


def _unpack(body: bytes, limit: int) -> bytes:
    """Decompresses. Raises HttpProblem: 400, 413."""
    unpacking = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        unpacked = unpacking.decompress(body, limit + 1)
    except zlib.error:
        raise _broken() from None
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not unpacking.eof or unpacking.unused_data:
        raise _broken()
    return unpacked


def _too_large(limit: int) -> HttpProblem:
    return HttpProblem(
        413, f"the body is larger than {limit} bytes; TOCSIN_BODY_LIMIT sets how large a webhook's may be"
    )


def _no_room() -> HttpProblem:
    return HttpProblem(503, "too many bodies are being read; please try again", headers={"Retry-After": "1"})


def _broken() -> HttpProblem:
    problem = HttpProblem(400, "the body cannot be read: broken off or wrongly compressed")
    problem.hangs_up = True
    return problem


def parse_pairs(body: bytes) -> list[tuple[str, str]]:
    """The fields of a posted form (application/x-www-form-urlencoded) in order, empty ones included.

    Raises HttpProblem 400 for an invalid form.
    """
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise HttpProblem(400, "the body is no form") from None


def parse_form(body: bytes) -> dict[str, str]:
    """A form's fields by name; of several values the last. Raises HttpProblem 400."""
    return dict(parse_pairs(body))
