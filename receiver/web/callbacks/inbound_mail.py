"""Parses a mail that was sent to the reply address: a person's reply, a bounce (RFC 3464), or neither.

The standard library's older policy parses, because the newer one raises for malformed headers. Pure.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from email.utils import parseaddr
from html.parser import HTMLParser
from itertools import islice

from receiver.channels.email import RETURN_HEADER
from receiver.messages.plain import line
from rules.addresses import MailAddress
from rules.channel_types import ends_of

MOST_PARTS = 100
"""Parts of a mail that are looked at."""

ADDRESSED = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc")
"""Headers with the address that a mail was sent to."""

_ADDRESS = re.compile(r"[^\s<>;:,()]+@[^\s<>;:,()]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,120}@[!-;=?-~]{1,120}>")
_BREAKS = frozenset({"br", "div", "p", "tr", "li", "blockquote", "hr", "h1", "h2", "h3"})
_UNSEEN = frozenset({"head", "style", "script", "title"})


@dataclass(frozen=True, slots=True)
class MailReply:
    """A mail that a person wrote."""

    token: str
    """Of the address it was sent to; empty: it has none."""
    sender: str
    subject: str
    message_id: str
    """Empty: it has none that can be referred to."""
    first_line: str

    @property
    def acknowledges(self) -> bool:
        """Whether its first line is exactly ``ack``, in any case: quoted text or a sentence is no command."""
        return self.first_line.casefold() == "ack"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A report that a mail did not arrive."""

    token: str
    reason: str
    """The server's words, with addresses shortened."""


@dataclass(frozen=True, slots=True)
class IgnoredMail:
    """A mail without a meaning for Tocsin."""

    why: str


def read_mail(source: bytes, address: MailAddress) -> MailReply | Undelivered | IgnoredMail:
    """Parses a mail. `address`: the reply address, without a token."""
    mail = message_from_bytes(source)
    if mail.get_content_type() == "multipart/report":
        return _read_report(mail, address)
    if _said(mail, "Auto-Submitted").partition(";")[0].strip().lower() not in {"", "no"}:
        return IgnoredMail("a machine wrote it (Auto-Submitted)")
    return MailReply(
        _token(mail, address),
        parseaddr(_said(mail, "From"))[1],
        line(_said(mail, "Subject")),
        found[0] if (found := _MESSAGE_ID.search(_said(mail, "Message-ID"))) else "",
        _first_line(mail),
    )


def _read_report(mail: Message, address: MailAddress) -> Undelivered | IgnoredMail:
    """A report of delivery. One about a delay, a success or a read mail is ignored."""
    for part in _parts(mail):
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            for recipient in part.get_payload():
                if isinstance(recipient, Message) and _said(recipient, "Action").strip().lower() == "failed":
                    return Undelivered(_token(mail, address) or _returned_token(mail), _why(recipient))
    return IgnoredMail("it reports no failed delivery")


def _why(recipient: Message) -> str:
    """``5.1.1: 550 no such user``, of the report's part about a recipient."""
    status, diagnostic = _said(recipient, "Status"), _said(recipient, "Diagnostic-Code")
    words = diagnostic.partition(";")[2] or diagnostic
    said = line(": ".join(filter(None, (status.strip(), words.strip()))))
    return _ADDRESS.sub(lambda found: ends_of(found[0]), said) or "no reason given"


def _token(mail: Message, address: MailAddress) -> str:
    said = " ".join(str(value) for name in ADDRESSED for value in mail.get_all(name, []))
    pattern = rf"(?<![\w.+-]){re.escape(address.local)}\+([a-z0-9-]{{1,60}})@{re.escape(address.domain)}(?![\w-])"
    found = re.search(pattern, said, re.IGNORECASE | re.ASCII)
    return found[1].lower() if found else ""


def _returned_token(mail: Message) -> str:
    """The token in the headers of the original, which a report returns."""
    for part in _parts(mail):
        if part.get_content_type() == "text/rfc822-headers":
            part = message_from_string(_text(part))  # noqa: PLW2901 - its text is the original's head
        if token := _said(part, RETURN_HEADER).strip():
            return token
    return ""


def _first_line(mail: Message) -> str:
    """The first line of the text that is not empty; of the HTML form if there is no other."""
    for kind in ("text/plain", "text/html"):
        part = next((each for each in _parts(mail) if each.get_content_type() == kind), None)
        if part is not None:
            text = _text(part) if kind == "text/plain" else _shown(_text(part))
            lines = (each.strip(" \t\r\xa0\ufeff\u200b") for each in text.splitlines())
            return line(next(filter(None, lines), ""))
    return ""


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):  # ValueError: a null in the charset's name
        return content.decode("utf-8", "replace")


class _Shown(HTMLParser):
    """Collects the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag in _BREAKS:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        if tag in _BREAKS:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.text.append(" ".join(data.splitlines()))


def _shown(html: str) -> str:
    parser = _Shown()
    with suppress(AssertionError):  # raised for malformed conditional sections; the text before them counts
        parser.feed(html)
    return "".join(parser.text)


def _parts(mail: Message) -> Iterator[Message]:
    return islice(mail.walk(), MOST_PARTS)


def _said(mail: Message, name: str) -> str:
    return str(mail.get(name, ""))
