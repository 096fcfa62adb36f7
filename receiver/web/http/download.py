"""Sends a file with untrusted content as an attachment: no browser may run or render it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class Download:
    """A response that is a file."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    pieces: AsyncIterator[bytes]
    """The content. If it ends early, the connection is aborted, so that the client sees an incomplete file."""

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Sends the file; returns the finished response."""
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f"attachment; filename*=UTF-8''{quote(self.name, safe='')}",
                "Content-Length": str(self.size),
                "Content-Security-Policy": POLICY,
                "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(self.sha256)).decode()}:",
            }
        )
        await response.prepare(request)
        left = self.size
        async for piece in self.pieces:
            left -= len(piece)
            await response.write(piece)
        if left and request.transport is not None:
            request.transport.abort()
        await response.write_eof()
        return response
