"""Services that Apprise knows, in their own protocols: a self-hosted ntfy, and Telegram and Discord, whose hosts cannot
be chosen: a proxy leads to them, and TLS proves their names by an authority of the tests.
"""

import json
import ssl

import trustme

from tests.channels.servers.wire import Reply, Request, Wire


class Ntfy:
    """A server of ntfy (docs.ntfy.sh, "publish as JSON"): its codes have five digits."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.messages: list[dict] = []
        self.wire = Wire(self.answer)

    @property
    def url(self) -> str:
        return f"ntfy://{self._token}@{self.wire.host}:{self.wire.port}/alarms"

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return Reply(401, {"code": 40101, "http": 401, "error": "unauthorized"})
        self.messages.append(json.loads(request.body))
        return Reply(200, {"id": "sPs71M8A2T", "event": "message", "topic": "alarms"})


class Elsewhere(Wire):
    """A proxy (CONNECT) whose far ends are all here; `authority` signs for their names."""

    def __init__(self, *hosts: str) -> None:
        super().__init__(self._reply)
        self.authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*hosts).configure_cert(self._tls)
        self.taken: list[tuple[str, dict]] = []
        """Path and document of each message that was taken."""

    async def _serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._tls)
        await super()._serve(reader, writer)

    def _reply(self, request: Request) -> Reply:
        document = json.loads(request.body)
        if request.path.startswith("/bot"):
            return self._telegram(request.path, document)
        return self._discord(request.path, document)

    def _telegram(self, path: str, document: dict) -> Reply:
        if len(document["text"]) > 4096:
            return Reply(400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"})
        self.taken.append((path, document))
        return Reply(200, {"ok": True, "result": {"message_id": len(self.taken)}})

    def _discord(self, path: str, document: dict) -> Reply:
        if len(document["content"]) > 2000:
            return Reply(400, {"content": ["Must be 2000 or fewer in length."]})
        self.taken.append((path, document))
        return Reply(204, b"", {"X-RateLimit-Remaining": "4", "X-RateLimit-Reset": "0"})
