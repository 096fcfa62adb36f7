"""Web Push: what browsers are pushed, and what push services answer. What all channels promise: test_contract."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.channels.push_encryption import Subscription, encrypt, from_base64, sender_key, to_base64
from receiver.channels.webpush import KnownDevices, WebPushSender, payload
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from tests.channels.outgoings import OPENED_AT, outgoing
from tests.channels.providers.webpush import KEY, device, make_sender
from tests.channels.servers.push_service import Browser, PushService
from tests.channels.servers.wire import Reply

LINK = "https://tocsin.example/act/12-1-q3f7k2m5axw4cabcd"


async def push(sender, message):
    try:
        return await sender.send(message)
    finally:
        await sender.close()


@pytest.fixture
async def service():
    service = PushService(OPENED_AT // 1_000_000, KEY.public_key())
    async with service.wire:
        yield service


def test_it_encrypts_as_the_rfc_does():
    """RFC 8291, section 5, octet by octet."""
    private = from_base64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    own = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    p256dh = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    to = Subscription.parse(p256dh, "BTBZMqHH6r4Tts7J_aSIgg")
    made = encrypt(b"When I grow up, I want to be a watermelon", to, own, from_base64("DGv6ra1nlYgDCS1FRnbzlw"))
    assert to_base64(made) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_every_replica_has_the_same_key():
    """Push services know Tocsin by a key that is made of the one that signs sessions, and of nothing else."""
    assert sender_key("a").private_numbers() == sender_key("a").private_numbers()
    assert sender_key("a").private_numbers() != sender_key("b").private_numbers()


async def test_every_device_shows_a_page(service):
    """A page of level 4 comes to all devices at once, urgently, with what happened and where to acknowledge and look."""
    phone, laptop = Browser(), Browser()
    sender = make_sender([device(service, "phone", phone), device(service, "laptop", laptop)], [])
    page = outgoing("webpush", "dana", message={"acknowledge": LINK, "lead": "Opened.", "actions": ("Brake", "Call")})
    assert await push(sender, page) == Delivered()
    assert phone.shown == laptop.shown
    (shown,) = phone.shown
    assert (shown["title"], shown["body"]) == (page.message.headline, "Opened.\nBrake")
    assert (shown["acknowledge"], shown["open"]) == (LINK, "https://tocsin.example/incidents/12")
    assert shown["urgent"]
    assert {each["urgency"] for each in service.headers} == {"high"}


async def test_an_all_clear_is_not_urgent_and_takes_its_place(service):
    """News is of normal urgency; messages of one incident share a topic and tag, which do not reveal it."""
    browser = Browser()
    sender = make_sender([device(service, "phone", browser)], [])
    for message in (
        outgoing("webpush", "dana"),
        outgoing("webpush", "dana", kind=Kind.RESOLVED, reason=Reason.ACTION, message={"live": False}),
    ):
        assert await push(sender, message) == Delivered()
    assert [each["urgency"] for each in service.headers] == ["high", "normal"]
    (topic,) = {each["topic"] for each in service.headers}
    assert len(topic) == 32
    assert "0198c0de" not in topic
    assert len({each["tag"] for each in browser.shown}) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_is_gone_is_told_and_left_out(service, status):
    """A push service that knows a device no more is believed: it is marked; another device is enough."""
    gone, there = device(service, "old phone", Browser()), Browser()
    lost: list = []
    service.wire.faults.append(Reply(status))
    outcome = await push(make_sender([gone], lost), outgoing("webpush", "dana"))
    assert isinstance(outcome, Rejected)
    assert "Firefox on old phone: its push service knows it no more" in outcome.reason
    assert lost == [gone]
    del service.browsers["old phone"]
    both = make_sender([gone, device(service, "phone", there)], lost)
    assert await push(both, outgoing("webpush", "dana")) == Delivered()
    assert len(there.shown) == 1


async def test_a_device_whose_service_is_down_is_tried_again(service):
    """Where no device has it, and one may still get it, the message is tried again as that service asks."""
    devices = [device(service, "phone", Browser())]
    service.wire.faults.append(Reply(429, b"", {"Retry-After": "40"}))
    outcome = await push(make_sender(devices, []), outgoing("webpush", "dana"))
    assert isinstance(outcome, Retry)
    assert outcome.after == 40_000_000


async def test_nobody_without_a_device():
    """A person without a device is rejected in words, so that the next way is told at once."""
    outcome = await make_sender([], []).send(outgoing("webpush", "dana"))
    assert isinstance(outcome, Rejected)
    assert "dana has no device" in outcome.reason
    bare = await WebPushSender("https://x.example", lambda: OPENED_AT, KnownDevices()).send(outgoing("webpush", "dana"))
    assert "running Tocsin" in bare.reason


@pytest.mark.parametrize("sign", ["x", "ü", "\U0001f525"])
def test_a_long_message_fits(sign):
    """Push services take a message of any length."""
    long = {"headline": sign * 5000, "lead": sign * 5000, "actions": (sign * 5000,), "acknowledge": LINK}
    assert len(payload(outgoing("webpush", "dana", message=long))) <= 3000
