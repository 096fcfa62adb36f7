"""Webhooks to other systems: one signed JSON document per message. Its format is stable (docs/channels/webhook.md).

The key in X-Tocsin-Key is constant across tries, so that a receiver can drop duplicates: every uncertain result is a
Retry. Link-local addresses are refused, also behind a name: cloud machines serve credentials on one.
"""

import hmac
import json
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import AddressRefused, Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.clients.egress import Egress, make_connector
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Incident, Instant
from receiver.messages.times import rfc3339
from receiver.settings import Settings
from rules.policy import SECOND

PAYLOAD_VERSION = 1
_SECRET_LENGTH, _TOKEN_LENGTH = 6, 16
"""Minimum characters of a word that may be a secret, and of a path segment that may be a token."""

LINK_LOCAL = "the URL leads to a link-local address, which is refused"

CREDENTIALS = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Addresses at which two clouds serve credentials, although not link-local."""

CARRIERS = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""Networks whose last 32 bits are an IPv4 address: NAT64, and its predecessor."""


class WebhookSender:
    """Posts messages to the URLs of webhook channels."""

    def __init__(
        self,
        now: Callable[[], int],
        signing_secret: str = "",
        egress: Egress | None = None,
        *,
        timeout: float = 15.0,
        allow_link_local: bool = False,
    ) -> None:
        """`now`: microseconds since 1970, for the signature. `timeout`: seconds for a whole request."""
        self._now = now
        self._secret = signing_secret
        self._poster = Poster(timeout, egress, make_connector if allow_link_local else guarded_connector)
        self._allow_link_local = allow_link_local

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: the receiver answered 2xx."""
        if not self._allow_link_local and names_link_local(outgoing.notification.recipient):
            return Rejected(LINK_LOCAL)  # behind a proxy the socket check does not apply
        own = dict(outgoing.channel.headers)
        body = json.dumps(payload(outgoing), separators=(",", ":")).encode()
        ours = {"Content-Type": "application/json", "User-Agent": "Tocsin", "X-Tocsin-Key": outgoing.key}
        ours |= self._signed(body)
        reserved = {name.lower() for name in ours} - {"user-agent"}
        headers = {**ours, **{name: value for name, value in own.items() if name.lower() not in reserved}}
        answer = await self._poster.post(outgoing.notification.recipient, body, headers)
        return judge(answer, (self._secret, *_confidential(outgoing.notification.recipient, own.values())))

    def _signed(self, body: bytes) -> dict[str, str]:
        timestamp = str(self._now() // SECOND)
        if not self._secret:
            return {"X-Tocsin-Timestamp": timestamp}
        return {"X-Tocsin-Timestamp": timestamp, "X-Tocsin-Signature": sign(self._secret, timestamp, body)}

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def configure(settings: Settings, now: Callable[[], int]) -> Configured | None:
    """Always configured: no provider is needed. With a secret, messages are signed."""
    secret = settings.webhook_signing_secret
    return Configured(partial(WebhookSender, now, secret.get_secret_value() if secret else ""))


def _confidential(url: str, values: Collection[str]) -> list[str]:
    """Returns the secrets that an answer could repeat: header values and their words, and secret parts of the URL.

    Short words are not secret, and replacing them would make the rest unreadable.
    """
    words = [url, *values, *(word for value in values for word in value.split())]
    with suppress(ValueError):  # not a URL: no request was sent either
        parts = urlsplit(url)
        words += [parts.password or "", *(value for _, value in parse_qsl(parts.query))]
        words += [part for part in parts.path.split("/") if len(part) >= _TOKEN_LENGTH]
    return sorted((word for word in words if len(word) >= _SECRET_LENGTH), key=len, reverse=True)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Returns the signature of a webhook; the receiver computes the same and compares."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


def payload(outgoing: Outgoing) -> dict[str, Any]:
    """Returns the document. Fields are added; renaming or removing one requires a new version."""
    notification, message = outgoing.notification, outgoing.message
    return {
        "version": PAYLOAD_VERSION,
        "key": outgoing.key,
        "kind": notification.kind,
        "reason": notification.reason,
        "page": notification.page,
        "channel": notification.channel,
        "incident": _incident(outgoing.incident),
        "firing": dict(message.firing),
        "message": {"subject": message.subject, "text": message.text},
        "links": [{"label": label, "url": url} for label, url in message.links],
    }


def _incident(incident: Incident) -> Mapping[str, Any]:
    return {
        "id": incident.id,
        "number": incident.number,
        "type": incident.type,
        "level": incident.level,
        "state": incident.state,
        "title": incident.title,
        "labels": dict(incident.labels),
        "opened_at": _to_millisecond(incident.opened_at),
        "acknowledged_at": _to_millisecond(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": _to_millisecond(incident.resolved_at),
        "recurrences": incident.recurrences,
        "exercise": incident.exercise,
    }


def _to_millisecond(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at, "milliseconds")


def judge(answer: Answer | Unanswered | Unsendable, secrets: tuple[str, ...]) -> Outcome:
    """Returns the outcome of the receiver's answer."""
    match answer:
        case Unsendable(reason):
            return Rejected(reason)
        case Unanswered(reason):
            return Retry(reason)
        case Answer(status=status) if 200 <= status < 300:
            return Delivered()
        case Answer(status=status) if status in {408, 425, 429} or status >= 500:
            return Retry(f"the webhook's receiver is not ready ({status})", answer.retry_after)
        case Answer(status=status) if 300 <= status < 400:
            return Rejected(f"the webhook's receiver redirects ({status}); redirects are not followed: set the new URL")
        case Answer(status=status):
            said = excerpt(answer.body, secrets)
            return Rejected(f"the webhook's receiver refuses it ({status}){f': {said}' if said else ''}")


def guarded_connector(**more: Any) -> aiohttp.TCPConnector:
    """Returns a connector that refuses link-local addresses."""
    return make_connector(socket_factory=_guarded_socket, **more)


def _guarded_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Returns a socket for an address; raises AddressRefused if it is link-local.

    Checked here and not in a resolver: this is the address of the connection, from the URL or from a name server.
    """
    family, kind, protocol, _, where = address
    if _is_link_local(str(where[0])):
        raise AddressRefused(LINK_LOCAL)
    return socket.socket(family, kind, protocol)


def names_link_local(url: str) -> bool:
    """Whether its host is a literal link-local address."""
    try:
        return _is_link_local(urlsplit(url).hostname or "")
    except ValueError:  # a name, or not a URL
        return False


def _is_link_local(host: str) -> bool:
    address = ip_address(host)
    carried = _carried(address) if isinstance(address, IPv6Address) else address
    return address.is_link_local or carried.is_link_local or str(carried) in CREDENTIALS


def _carried(address: IPv6Address) -> IPv4Address | IPv6Address:
    """Returns the IPv4 address embedded in an IPv6 address, if any."""
    if address.ipv4_mapped or any(address in network for network in CARRIERS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address
