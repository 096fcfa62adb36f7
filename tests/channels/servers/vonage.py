"""Vonage's SMS API as its documentation has it: every answer is a 200 with a status for each part."""

import hmac
import time
from hashlib import sha256
from urllib.parse import parse_qsl

from tests.channels.servers.wire import Reply, Request, Wire

ERRORS = {
    "1": "Throughput Rate Exceeded",
    "2": "Missing Mandatory Fields",
    "3": "Invalid parameter",
    "4": "Bad Credentials",
    "5": "Internal Error",
    "7": "Number barred",
    "9": "Quota Exceeded - rejected",
    "29": "Non White-listed Destination - rejected",
}


class VonageAccount:
    """One account; `messages` holds the forms that were accepted."""

    def __init__(self, key: str, secret: str, signature_secret: str = "") -> None:
        self.key, self.secret, self.signature_secret = key, secret, signature_secret
        self.messages: list[dict[str, str]] = []
        self.refuses: dict[str, str] = {}
        """Number → status."""
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        if request.path != "/sms/json" or request.method != "POST":
            return Reply(404, b"<html>not found</html>")
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if (form.get("api_key"), form.get("api_secret")) != (self.key, self.secret):
            return self.error("4")
        if not {"from", "to", "text"} <= form.keys():
            return self.error("2")
        if status := self.refuses.get(form["to"]):
            return self.error(status)
        if not form["to"].isdigit() or not 20_000 <= int(form.get("ttl", 20_000)) <= 604_800_000:
            return self.error("3")
        self.messages.append(form)
        parts = [{"to": form["to"], "message-id": f"0A{len(self.messages):014x}", "status": "0"}]
        return Reply(200, {"message-count": "1", "messages": parts})

    def error(self, status: str) -> Reply:
        return Reply(200, {"message-count": "1", "messages": [{"status": status, "error-text": ERRORS[status]}]})

    def signed(self, **params: str) -> dict[str, str]:
        """A callback's parameters with the signature that Vonage gives them."""
        given = {**params, "api-key": self.key, "timestamp": str(int(time.time())), "nonce": "1b2c"}
        text = "".join(f"&{name}={given[name].replace('&', '_').replace('=', '_')}" for name in sorted(given))
        return {**given, "sig": hmac.new(self.signature_secret.encode(), text.encode(), sha256).hexdigest().upper()}
