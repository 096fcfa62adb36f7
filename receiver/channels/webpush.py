"""Web Push to phones and browsers: to every device on which the person turned notifications on.

A recipient is a person's name. Each device has a push service (its browser maker's), which stores a message until the
device is online; its answer proves only acceptance. A device that its push service no longer knows (404, 410) is marked
as gone, which the person's page shows. A message counts as delivered if one device's push service accepted it.

The text is encrypted for the browser. A later message about an incident replaces an earlier waiting one (Topic) and its
notification (tag).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import Answer, Poster, Unanswered, Unsendable
from receiver.channels.push_encryption import MOST, Subscription, authorization, encrypt_once
from receiver.channels.webhook import LINK_LOCAL, guarded_connector, names_link_local
from receiver.clients.egress import Egress
from receiver.core.devices import Device
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.messages.plain import cut, cut_words
from receiver.settings import Settings
from rules.policy import CRITICAL, SECOND

TIMEOUT = 10.0
"""Seconds for a whole request."""
WAITS = {True: 3600, False: 4 * 3600}
"""Urgent → seconds that a push service may store a message for an offline device."""
TITLE, TEXT = 150, 600
"""Characters that a notification shows."""

_GONE = "404 or 410"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeviceList:
    """What the sender needs from the service."""

    of: Callable[[str], Awaitable[list[Device]]]
    """Returns a person's devices."""
    lose: Callable[[Device], Awaitable[None]]
    """Marks a device as gone."""
    key: ec.EllipticCurvePrivateKey
    """The key that identifies Tocsin to push services."""


@dataclass(slots=True)
class KnownDevices:
    """State shared by all senders of one service."""

    devices: DeviceList | None = None
    """Set if there is a database."""


class WebPushSender:
    """The sender for channels of type webpush."""

    def __init__(
        self,
        contact: str,
        now: Callable[[], int],
        known: KnownDevices,
        egress: Egress | None = None,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        """`contact`: the URL at which push services find the sender. `now`: microseconds since 1970."""
        self._contact = contact
        self._now = now
        self._poster = Poster(timeout, egress, guarded_connector)
        self.known = known

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Sends to all of the person's devices at once."""
        person = outgoing.notification.recipient
        devices = self.known.devices
        if devices is None:
            return Rejected("devices are known to the running Tocsin only: send a test from the person's page there")
        there = [each for each in await devices.of(person) if each.gone_at is None]
        if not there:
            return Rejected(f"{person} has no device: it is turned on in Tocsin, on the person's page under Devices")
        text = payload(outgoing)
        return _together(await asyncio.gather(*(self._send(outgoing, each, text, devices) for each in there)))

    async def _send(self, outgoing: Outgoing, device: Device, text: bytes, devices: DeviceList) -> Outcome:
        if names_link_local(device.endpoint):
            return Rejected(f"{device.label}: {LINK_LOCAL}")  # behind a proxy the socket check does not apply
        is_urgent = outgoing.notification.level >= CRITICAL and outgoing.message.live
        headers = {
            "Authorization": authorization(devices.key, device.endpoint, self._contact, self._now() // SECOND),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(WAITS[is_urgent]),
            "Urgency": "high" if is_urgent else "normal",
            "Topic": sha256(outgoing.incident_ref.encode()).hexdigest()[:32],
        }
        body = encrypt_once(text, Subscription.parse(device.p256dh, device.auth))
        outcome = judge(await self._poster.post(device.endpoint, body, headers), device.label)
        if isinstance(outcome, Rejected) and _GONE in outcome.reason:
            log.warning("a device is gone", person=device.person, device=device.label)
            await devices.lose(device)
        return outcome

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


def configure(settings: Settings, now: Callable[[], int]) -> Configured | None:
    """Configured if Tocsin has an external URL: browsers must open it to turn notifications on."""
    contact, known = settings.external_url, KnownDevices()
    return Configured(lambda egress: WebPushSender(contact, now, known, egress)) if contact else None


def payload(outgoing: Outgoing) -> bytes:
    """Returns the document for the service worker (`templates/static/worker.js`): fields are added, never renamed."""
    message = outgoing.message
    shown = {
        "title": cut(message.headline, TITLE),
        "body": cut_words("\n".join(filter(None, (message.lead, *message.actions[:1]))) or message.subject, TEXT),
        "tag": outgoing.incident_ref,
        "urgent": outgoing.notification.level >= CRITICAL and message.live,
        "open": next((url for _, url in message.links), ""),
        "acknowledge": message.acknowledge,
    }
    written = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    if len(written) > MOST:  # wide letters: several bytes each
        shown["body"] = cut_words(message.lead, TEXT // 4)
        written = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    return written


def judge(answer: Answer | Unanswered | Unsendable, label: str) -> Outcome:
    """Returns the outcome of a push service's answer, without its address, which permits any reader to send."""
    match answer:
        case Unsendable(reason):
            return Rejected(f"{label}: {reason}")
        case Unanswered(reason):
            return Retry(f"{label}: {reason}")
        case Answer(status=status) if 200 <= status < 300:
            return Delivered()
        case Answer(status=404 | 410):
            return Rejected(f"{label}: its push service knows it no more ({_GONE}); turn it on again under Devices")
        case Answer(status=401 | 403 as status):
            return Rejected(
                f"{label}: its push service refuses Tocsin's key ({status}); turn it on again under Devices"
            )
        case Answer(status=status) if status in {408, 425, 429} or status >= 500:
            return Retry(f"{label}: its push service is not ready ({status})", answer.retry_after)
        case Answer(status=status):
            return Rejected(f"{label}: its push service refuses the message ({status})")


def _together(outcomes: list[Outcome]) -> Outcome:
    """Delivered if one device has it; else the longest Retry; else Rejected."""
    waiting = [each for each in outcomes if isinstance(each, Retry)]
    if any(isinstance(each, Delivered) for each in outcomes):
        return Delivered()
    if waiting:
        return max(waiting, key=lambda each: each.after or 0)
    return Rejected("; ".join(each.reason for each in outcomes if isinstance(each, Rejected)))
