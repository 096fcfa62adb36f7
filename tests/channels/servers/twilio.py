"""Twilio's REST API for messages and calls as its documentation has it, and the telephones behind it."""

import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from tests.channels.servers.wire import Reply, Request, Wire

ERRORS = {
    21211: (400, "The 'To' number {to} is not a valid phone number."),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"),
    21608: (400, "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number: {to}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    20429: (429, "Too Many Requests"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {path} was not found"),
    21620: (400, "Invalid TwiML provided"),
}


class TwilioAccount:
    """One account; `messages` and `calls` hold the forms that were accepted."""

    def __init__(self, sid: str, token: str) -> None:
        self.sid, self.token = sid, token
        self.messages: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        self.unreachable: dict[str, int] = {}
        """Number → error code."""
        self.clock, self.status, self.lists = 1_700_000_001.0, "queued", True
        """When, and in which state, everything in the lists is; whether there are lists."""
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        account = re.fullmatch(r"/2010-04-01/Accounts/([^/]+)/(Messages|Calls)\.json", path)
        if not account or account[1] != self.sid:
            return self.error(20404, path=request.path)
        if request.headers.get("authorization") != "Basic " + b64encode(f"{self.sid}:{self.token}".encode()).decode():
            return self.error(20003)
        if request.method == "GET":
            return self.listed(account[2], parse_qs(query))
        pairs = parse_qs(request.body.decode(), keep_blank_values=True)
        form: dict[str, Any] = {name: values[0] if len(values) == 1 else values for name, values in pairs.items()}
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
            return self.error(21211, to=form.get("To", ""))
        if code := self.unreachable.get(form["To"]):
            return self.error(code, to=form["To"])
        return self.message(form) if account[2] == "Messages" else self.call(form)

    def listed(self, kind: str, query) -> Reply:
        """What was sent to a number, the newest first."""
        if not self.lists:
            return self.error(20404, path=kind)
        forms = self.messages if kind == "Messages" else self.calls
        rows = [
            {
                "sid": f"{'SM' if kind == 'Messages' else 'CA'}{number:032x}",
                "to": form["To"],
                "from": form["From"],
                "body": form.get("Body"),
                "status": self.status,
                "date_created": format_datetime(datetime.fromtimestamp(self.clock, UTC)),
                "date_sent": None,
            }
            for number, form in enumerate(forms, 1)
            if form["To"] == query["To"][0]
        ]
        rows = rows[::-1][: int(query["PageSize"][0])]
        return Reply(200, {kind.lower(): rows, "page": 0, "next_page_uri": None})

    def message(self, form) -> Reply:
        if not 0 < len(form["Body"]) <= 1600 or not 1 <= int(form.get("ValidityPeriod", 36000)) <= 36000:
            return self.error(21617)
        self.messages.append(form)
        return Reply(201, {"sid": f"SM{len(self.messages):032x}", "status": "queued", "error_code": None})

    def call(self, form) -> Reply:
        try:
            ET.fromstring(form["Twiml"])
        except ET.ParseError:
            return self.error(21620)
        if len(form["Twiml"]) > 4000:
            return self.error(21620)
        self.calls.append(form)
        return Reply(201, {"sid": f"CA{len(self.calls):032x}", "status": "queued"})

    def error(self, code: int, **names: str) -> Reply:
        status, message = ERRORS[code]
        more = f"https://www.twilio.com/docs/errors/{code}"
        return Reply(status, {"code": code, "message": message.format(**names), "more_info": more, "status": status})
