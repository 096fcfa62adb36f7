"""Devices: each person turns notifications on in their own browser, sees them, and acknowledges from one."""

from typing import Any

from msgspec.structs import replace

from receiver.channels.push_encryption import sender_key, to_base64
from receiver.core.model import Instant, Kind
from receiver.messages import MessageRenderer
from receiver.web.auth.message_tokens import LASTS
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from rules.load import load_text
from tests.channels.outgoings import outgoing
from tests.channels.servers.push_service import Browser, PushService, identity
from tests.web.conftest import Running, begin_with
from tests.web.test_console import csrf

KEY, PUBLIC = "k" * 32, "https://tocsin.example.test"
POLICY = """\
incident_response:
  alert_channels: [{name: push, type: webpush, recipients: ["@dana"]}]
  detection:
    rules: [{name: margin, condition: "margin < 0.95", severity: 4, channels: [push]}]
people: [{name: dana, contacts: {webpush: dana}}, {name: ron, contacts: {webpush: ron}}]
"""
ENVIRON = {
    "TOCSIN_SECRET_KEY": KEY,
    "TOCSIN_EXTERNAL_URL": PUBLIC,
    "TOCSIN_API_TOKENS": "ann:admin:token,dana:responder:danas,ron:responder:rons",
}
PAGE = "/people/dana/devices"


def form(service: PushService, name: str, browser: Browser) -> bytes:
    """What the page's script posts for a browser that subscribed."""
    service.browsers[name] = browser
    fields = {"endpoint": service.endpoint(name), "p256dh": browser.p256dh, "auth": to_base64(browser.auth)}
    return "&".join(f"{key}={value}" for key, value in {**fields, "label": "Firefox on Android"}.items()).encode()


async def post(receiver: Running, path: str, body: bytes, token: str = "danas") -> int:
    """As the form of one's own page posts it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {token}"}
    _, own = await receiver.get(f"/people/{'ron' if token == 'rons' else 'dana'}/devices", headers=headers)
    return (await receiver.post(path, body + f"&csrf={csrf(own)}".encode(), headers=headers))[0]


async def test_a_push_acknowledges() -> None:
    """Dana turns it on, a page comes to her browser, its button acknowledges in her name, for a day; a lost device is told."""
    async with begin_with(load_text(POLICY).policy, **ENVIRON) as receiver:
        service = PushService(receiver.clock.now // 1_000_000, sender_key(KEY).public_key())
        async with service.wire:
            browser = Browser()
            assert await post(receiver, PAGE, form(service, "phone", browser)) == 303
            assert (await receiver.post("/api/v1/incidents", {"type": "margin", "level": 4}, headers=admin()))[0] == 201
            (page,) = await receiver.queue.run(receiver.engine.claim, receiver.clock(), "me", frozenset())
            links = Links(Signing(KEY, receiver.clock), receiver.store.installation, PUBLIC)
            message = MessageRenderer(PUBLIC, "inst", ack_url=links.url).render(page, receiver.clock())
            sent = replace_message(page, message)
            outcome = await receiver.senders["webpush"].send(sent)
            assert type(outcome).__name__ == "Delivered", outcome
            (shown,) = browser.shown
            button, sent_at = shown["acknowledge"].removeprefix(PUBLIC), receiver.clock.now
            receiver.clock.now = Instant(sent_at + LASTS)
            assert (await receiver.post(button, b""))[0] == 404, "a notification that lay for a day"
            receiver.clock.now = Instant(sent_at + LASTS - 1)
            assert (await receiver.post(button, b""))[0] == 200
            _, found = await receiver.get("/api/v1/incidents/1", headers=admin())
            assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "dana")
            service.browsers.clear()
            await receiver.senders["webpush"].send(sent)
            _, shown_page = await receiver.get(PAGE, headers={"Authorization": "Bearer danas"})
            assert "its push service knows it no more" in shown_page
            again = Browser()
            assert await post(receiver, PAGE, form(service, "phone", again)) == 303
            assert [each.gone_at for each in receiver.store.devices.of("dana")] == [None]


def admin() -> dict[str, str]:
    return {"Authorization": "Bearer token"}


def replace_message(page: Any, message: Any) -> Any:
    """As the dispatcher hands it to the sender."""
    notification, incident = page.items[0]
    made = outgoing("webpush", notification.recipient)
    return type(made)(
        **{each: getattr(made, each) for each in made.__slots__ if each not in {"notification", "message", "incident"}},
        notification=replace(notification, kind=Kind.PAGE),
        message=message,
        incident=incident,
    )


async def test_only_oneself_and_admins() -> None:
    """A user can neither register a device under another's name nor see theirs: a device gets its person's pages."""
    async with begin_with(load_text(POLICY).policy, **ENVIRON) as receiver:
        service = PushService(receiver.clock.now // 1_000_000, sender_key(KEY).public_key())
        async with service.wire:
            body = form(service, "phone", Browser())
            assert await post(receiver, PAGE, body, "rons") == 403
            assert (await receiver.get(PAGE, headers={"Authorization": "Bearer rons"}))[0] == 403
            assert await post(receiver, PAGE, body, "token") == 303
            assert await post(receiver, "/people/nobody/devices", body, "token") == 404
            (device,) = receiver.store.devices.of("dana")
            assert device.id == identity(device.endpoint)
            wrong = f"device={device.id}".encode()
            assert await post(receiver, "/people/ron/devices/remove", wrong, "rons") == 303
            assert receiver.store.devices.of("dana") == [device]
            assert await post(receiver, f"{PAGE}/remove", wrong) == 303
            assert receiver.store.devices.of("dana") == []


async def test_what_is_no_subscription_is_refused() -> None:
    """Addresses that are none and keys that cannot encrypt are refused before anything is kept."""
    async with begin_with(load_text(POLICY).policy, **ENVIRON) as receiver:
        keys = f"p256dh={Browser().p256dh}&auth={to_base64(b'sixteen octets..')}"
        for body in (
            f"endpoint=javascript:x&{keys}",
            f"endpoint=https://push.example/&{keys}",
            "endpoint=https://push.example/x&p256dh=AAAA&auth=AAAA",
            f"endpoint=https://push.example/x&{keys[:-4]}",
            "",
        ):
            assert await post(receiver, PAGE, body.encode()) == 400, body
        assert receiver.store.devices.of("dana") == []
