"""Receives a form with a file: the file is stored in pieces and hashed while it arrives.

Callers are authenticated and authorised before this. Memory holds two pieces of each file of any size; they count
as bodies of known callers. A file has no incident until the handler's action keeps it; otherwise it is removed at
the end of the request, or after an hour if the process ended before that.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from secrets import token_hex

import structlog
from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from receiver.errors import StoreUnavailable
from receiver.web.http.problem_details import HttpProblem
from receiver.web.http.request_body import BODIES, FORM_LIMIT, MOST_FIELDS, READ_WITHIN, SHARE, end_now

FORM = "multipart/form-data"

PIECE = 256 << 10
"""Bytes written at a time; an alert waits for one such write at most."""

AT_A_TIME = 8
"""Files received at a time; further ones are refused with 503."""

ARRIVES_WITHIN = 900.0
"""Seconds for a whole file; a pause in it may last READ_WITHIN, as in any body."""

BROKEN = (
    ValueError,
    AssertionError,
    RuntimeError,
    LookupError,
    ConnectionError,
    HttpProcessingError,
    web.RequestPayloadError,
)
"""What aiohttp raises for an invalid or incomplete form."""

PLAIN = frozenset({"", "binary", "7bit", "8bit"})
"""Content-Transfer-Encodings that leave a file unchanged."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Upload:
    """A completely received file."""

    id: str
    """The store's id of its content."""
    name: str
    """The sender's file name: untrusted."""
    sha256: str
    size: int


@dataclass(slots=True)
class Uploads:
    """How files are received; the application holds one."""

    limit: int
    """Bytes of one file."""
    keep: Callable[[str, int, bytes], Awaitable[None]]
    """Stores a piece: the upload's id, the piece's position from 0, its bytes. Raises StoreUnavailable."""
    drop: Callable[[str], Awaitable[None]]
    """Removes an upload that no incident uses."""
    has_room: Callable[[int], Awaitable[bool]]
    """Whether the store has room for so many bytes."""
    under_way: int = 0


UPLOADS = web.AppKey("uploads", Uploads)


@dataclass(slots=True)
class _Arriving:
    """A partly received form."""

    id: str = field(default_factory=lambda: token_hex(16))
    form: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    stored: int = 0
    """Stored pieces."""


def is_upload(request: web.Request) -> bool:
    """Whether a request's body is a form that may have a file."""
    return request.content_type == FORM


@asynccontextmanager
async def receive(
    request: web.Request, check: Callable[[Mapping[str, str]], None]
) -> AsyncIterator[tuple[Mapping[str, str], Upload | None]]:
    """Yields a form's fields and its file (None: it has none).

    `check` is called with the fields before the file, before the file is read, and with all fields at the end; its
    exception ends the request. Raises HttpProblem: 400, 413 too large, 415, 503 too slow or too many, 507 no room.
    """
    uploads, arriving = request.app[UPLOADS], _Arriving()
    await _require_acceptable(request, uploads)
    uploads.under_way += 1
    try:
        await _read(request, uploads, arriving, check)
        check(arriving.form)
        yield arriving.form, arriving.upload
    finally:
        uploads.under_way -= 1
        if arriving.stored:
            await _drop(uploads, arriving.id)


async def _require_acceptable(request: web.Request, uploads: Uploads) -> None:
    """Checks that need no byte of the body. Raises HttpProblem."""
    if not is_upload(request):
        raise HttpProblem(415, f"a file is sent as {FORM}, as a browser's form or `curl --form file=@NAME` does")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise HttpProblem(415, "a file is taken as it is: its hash is of what was sent")
    size = request.content_length or 0
    if size > uploads.limit + FORM_LIMIT:
        raise _too_large(uploads)
    if not await uploads.has_room(size or uploads.limit):
        raise _no_room()
    if uploads.under_way >= AT_A_TIME:
        why = f"{AT_A_TIME} files are being received already; please try again in a minute"
        raise HttpProblem(503, why, headers={"Retry-After": "60"})


async def _read(
    request: web.Request, uploads: Uploads, arriving: _Arriving, check: Callable[[Mapping[str, str]], None]
) -> None:
    """Reads all parts. Raises HttpProblem."""
    try:
        async with asyncio.timeout(ARRIVES_WITHIN) as deadline:
            budget = request.app[BODIES].known
            end = partial(end_now, deadline)
            request[SHARE] = share = budget.begin(end)
            try:
                if not share.take(2 * PIECE):
                    raise HttpProblem(503, "too many bodies are being read; try again", headers={"Retry-After": "1"})
                await _read_parts(request, uploads, arriving, check)
            finally:
                budget.arrived(share)
    except TimeoutError:
        raise _refused(503, "the file did not arrive in time, or had to give way to alerts") from None
    except StoreUnavailable as error:
        log.warning("a file could not be stored", reason=str(error))
        raise _refused(503, "the database could not take the file: no room, perhaps; the log says why") from None
    except BROKEN:
        raise _refused(400, f"the body is no whole form ({FORM})") from None


async def _read_parts(
    request: web.Request, uploads: Uploads, arriving: _Arriving, check: Callable[[Mapping[str, str]], None]
) -> None:
    reader, left = await request.multipart(), FORM_LIMIT
    for _ in range(MOST_FIELDS):
        async with asyncio.timeout(READ_WITHIN):
            part = await reader.next()
        if part is None:
            return
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ValueError("a part that is no field")
        if not part.filename:
            value = await _read_field(part, left)
            left -= len(value)
            arriving.form[part.name] = value.decode().replace("\r\n", "\n")
        elif arriving.upload is not None:
            raise _refused(400, "one file at a time")
        else:
            check(arriving.form)
            arriving.upload = await _read_file(part, part.filename, uploads, arriving)
    raise ValueError("more fields than any form has")


async def _read_field(part: BodyPartReader, limit: int) -> bytes:
    value = bytearray()
    while piece := await _next_bytes(part):
        value += piece
        if len(value) > limit:
            raise _refused(413, f"the form has more than {FORM_LIMIT} bytes beside the file")
    return bytes(value)


async def _read_file(part: BodyPartReader, name: str, uploads: Uploads, arriving: _Arriving) -> Upload:
    encodings = part.headers.get("Content-Encoding", ""), part.headers.get("Content-Transfer-Encoding", "")
    if encodings[0] or encodings[1].lower() not in PLAIN:
        raise _refused(415, "a file is taken as it is: its hash is of what was sent")
    digest, size, piece = sha256(), 0, bytearray()
    while read := await _next_bytes(part):
        size += len(read)
        if size > uploads.limit:
            raise _too_large(uploads)
        digest.update(read)
        piece += read
        if len(piece) >= PIECE:
            await _store(uploads, arriving, bytes(piece))
            piece.clear()
    if not size:
        raise _refused(400, f"{name[:100]!r} is empty: there is nothing to keep")
    if piece:
        await _store(uploads, arriving, bytes(piece))
    return Upload(arriving.id, name, digest.hexdigest(), size)


async def _next_bytes(part: BodyPartReader) -> bytes:
    async with asyncio.timeout(READ_WITHIN):
        return await part.read_chunk(PIECE // 4)


async def _store(uploads: Uploads, arriving: _Arriving, piece: bytes) -> None:
    if not await uploads.has_room(len(piece)):
        raise _no_room()
    position, arriving.stored = arriving.stored, arriving.stored + 1
    await uploads.keep(arriving.id, position, piece)


async def _drop(uploads: Uploads, upload: str) -> None:
    """Removes an upload; on failure it is removed later, like interrupted ones."""
    try:
        await uploads.drop(upload)
    except StoreUnavailable as error:
        log.warning("an upload that belongs to no incident is removed later", reason=str(error))


def _refused(status: int, why: str) -> HttpProblem:
    """The rest of the body is not read: the connection is closed after the response."""
    problem = HttpProblem(status, f"{why}. Nothing of the file is kept")
    problem.hangs_up = True
    return problem


def size_words(size: int) -> str:
    """``25 MiB``, ``300000 bytes``."""
    return f"{size >> 20} MiB" if size % (1 << 20) == 0 else f"{size} bytes"


def _too_large(uploads: Uploads) -> HttpProblem:
    return _refused(413, f"the file is larger than {size_words(uploads.limit)}, which TOCSIN_EVIDENCE_LIMIT sets")


def _no_room() -> HttpProblem:
    return _refused(507, "the database's disk has too little room left: alerts need it. Make room, then try again")
