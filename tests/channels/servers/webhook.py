"""A team's own system that takes Tocsin's webhooks, and accepts signed ones only."""

import hmac
import json
from hashlib import sha256

from tests.channels.servers.wire import Reply, Request, Wire


class Inbox:
    """Keeps each message once, by its key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.messages: dict[str, dict] = {}
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        signed = request.headers["x-tocsin-timestamp"].encode() + b"." + request.body
        expected = "v1=" + hmac.new(self._secret.encode(), signed, sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-tocsin-signature", "")):
            return Reply(401, b"bad signature")
        self.messages[request.headers["x-tocsin-key"]] = json.loads(request.body)
        return Reply(200, b"thanks")
