"""One browser of a person's, and its push service."""

from contextlib import asynccontextmanager

from receiver.channels.push_encryption import sender_key, to_base64
from receiver.channels.webpush import DeviceList, KnownDevices, WebPushSender
from receiver.core.devices import Device
from tests.channels.outgoings import OPENED_AT, outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.push_service import Browser, PushService
from tests.channels.servers.wire import Reply
from tests.patience import GIVES_UP

KEY = sender_key("k" * 32)


def device(service: PushService, name: str, browser: Browser) -> Device:
    """As a person has it who turned notifications on there."""
    service.browsers[name] = browser
    return Device(
        id=name,
        person="dana",
        endpoint=service.endpoint(name),
        p256dh=browser.p256dh,
        auth=to_base64(browser.auth),
        label=f"Firefox on {name}",
        added_at=OPENED_AT,
    )


def make_sender(devices: list[Device], lost: list[Device], timeout: float = GIVES_UP) -> WebPushSender:
    """A sender that knows one person, with these devices."""
    known = KnownDevices()
    sender = WebPushSender("https://tocsin.example", lambda: OPENED_AT, known, timeout=timeout)

    async def of(person):
        return [each for each in devices if each.person == person]

    async def lose(each):
        lost.append(each)

    known.devices = DeviceList(of, lose, KEY)
    return sender


@asynccontextmanager
async def provider(patience):
    browser, service = Browser(), PushService(OPENED_AT // 1_000_000, KEY.public_key())
    async with service.wire:
        yield Provider(
            make_sender([device(service, "secret-of-the-endpoint", browser)], [], patience),
            outgoing("webpush", "dana"),
            (to_base64(browser.auth), "/push/"),
            over_http(service.wire, Reply(400, b"bad"), Reply(403, b"bad key")),
            lambda: len(browser.shown),
            advice="Devices",
        )
