"""Webhooks to other systems: a stable document, a signature, and no way to where no webhook belongs."""

import asyncio
import json
import logging
import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from receiver.channels.posting import Poster, Unsendable
from receiver.channels.webhook import WebhookSender, _guarded_socket
from receiver.core.events import Delivered, Rejected, Retry
from receiver.demo.tools import free_port
from tests.channels.outgoings import OPENED_AT, outgoing, until_delivered
from tests.channels.servers import wire
from tests.channels.servers.webhook import Inbox
from tests.channels.servers.wire import Reply, Wire

SECRET = "signing-secret-9f2c"
PASSWORD = "Bearer s3cr3t-of-the-policy"


@pytest.fixture
async def inbox():
    inbox = Inbox(SECRET)
    async with inbox.wire:
        yield inbox


@pytest.fixture
async def sender():
    sender = WebhookSender(lambda: OPENED_AT, SECRET)
    yield sender
    await sender.close()


@pytest.fixture
async def make():
    """Makes senders that wait so many seconds for an answer; they are closed in the end."""
    made = []

    def make(patience):
        made.append(WebhookSender(lambda: OPENED_AT, SECRET, timeout=patience))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


def to(inbox, path="/hook", **changes):
    return outgoing("webhook", inbox.wire.url + path, headers=(("Authorization", PASSWORD),), **changes)


async def test_document_is_stable(inbox, sender):
    """The document's fields, its times and the incident are as documented."""
    assert await sender.send(to(inbox)) == Delivered()
    assert inbox.messages["install-n1"] == {
        "version": 1,
        "key": "install-n1",
        "kind": "page",
        "reason": "opened",
        "page": 1,
        "channel": "webhook",
        "incident": {
            "id": "0198c0de",
            "number": 12,
            "type": "safety_critical_failure",
            "level": 4,
            "state": "open",
            "title": "safety_margin below 0.95 (flight-control)",
            "labels": {"system": "flight-control", "signal": "safety_margin"},
            "opened_at": "2023-11-14T22:13:20.123Z",
            "acknowledged_at": None,
            "acknowledged_by": None,
            "resolved_at": None,
            "recurrences": 0,
            "exercise": False,
        },
        "firing": {
            "count": 1,
            "since": "2023-11-14T22:13:00.000Z",
            "labels": {"system": "flight-control"},
            "alerts": [{"title": "safety_margin below 0.95", "unit": "", "value": "0.91"}],
        },
        "message": {
            "subject": "[EMERGENCY] #12 safety_critical_failure",
            "text": "Safety margin is 0.91.\nAcknowledge by 14:28 UTC: https://tocsin.example/incidents/12",
        },
        "links": [
            {"label": "Incident", "url": "https://tocsin.example/incidents/12"},
            {"label": "Runbook", "url": "https://runbooks.example/safety"},
        ],
    }


async def test_headers_say_what_when_and_from_whom(inbox, sender):
    """The key, the time and the channel's own headers are sent; a channel cannot put its own signature in place."""
    message = outgoing(
        "webhook", inbox.wire.url + "/hook", headers=(("X-Team", "flight"), ("x-tocsin-signature", "v1=forged"))
    )
    assert await sender.send(message) == Delivered()
    headers = inbox.wire.requests[0].headers
    assert headers["x-team"] == "flight"
    assert headers["x-tocsin-timestamp"] == "1700000000"
    assert headers["content-type"] == "application/json"
    assert headers["x-tocsin-signature"].startswith("v1=")


async def test_wrong_secret_is_refused_by_the_receiver(inbox):
    """The signature depends on the secret: a receiver can tell."""
    sender = WebhookSender(lambda: OPENED_AT, "another secret")
    assert await sender.send(to(inbox)) == Rejected("the webhook's receiver refuses it (401): bad signature")
    await sender.close()


async def test_without_secret_nothing_is_signed(inbox):
    """No secret, no signature: none is better than one made of nothing."""
    sender = WebhookSender(lambda: OPENED_AT)
    await sender.send(to(inbox))
    await sender.close()
    assert "x-tocsin-signature" not in inbox.wire.requests[0].headers


async def test_repeats_carry_the_same_key(inbox, sender):
    """A message sent again can be recognised."""
    inbox.wire.faults.append(wire.reset_read)
    assert isinstance(await sender.send(to(inbox)), Retry)
    assert await sender.send(to(inbox)) == Delivered()
    assert {request.headers["x-tocsin-key"] for request in inbox.wire.requests} == {"install-n1"}


async def test_strange_characters_arrive(inbox, sender):
    """Lone surrogates, control characters and emojis neither raise nor break the signature."""
    assert await sender.send(to(inbox, message={"text": "\ud800 \x00 🔥 \u2028"})) == Delivered()
    assert "🔥" in inbox.messages["install-n1"]["message"]["text"]


ANSWERS = [
    (Reply(204), Delivered, None),
    (Reply(299), Delivered, None),
    (Reply(429), Retry, None),
    (Reply(429, headers={"Retry-After": "90"}), Retry, 90_000_000),
    (Reply(503, headers={"Retry-After": "99999999999999999999"}), Retry, 3_600_000_000),
    (Reply(503, headers={"Retry-After": "-5"}), Retry, None),
    (Reply(503, headers={"Retry-After": "Mon, 02 Jan 2023 10:00:30 GMT"}), Retry, None),
    (
        Reply(
            503,
            headers={"Date": "Mon, 02 Jan 2023 10:00:00 GMT", "Retry-After": "Mon, 02 Jan 2023 10:00:30 GMT"},
        ),
        Retry,
        30_000_000,
    ),
    (
        Reply(
            503,
            headers={"Date": "Mon, 02 Jan 2023 10:00:00 GMT", "Retry-After": "Mon, 02 Jan 2023 09:00:00 GMT"},
        ),
        Retry,
        0,
    ),
    (Reply(500), Retry, None),
    (Reply(408), Retry, None),
    (Reply(400, f"no: {SECRET} {PASSWORD} \x1b[31m".encode()), Rejected, None),
    (Reply(401), Rejected, None),
    (Reply(404, b"\xff\xfe\x00"), Rejected, None),
    (Reply(410), Rejected, None),
    (wire.hang, Retry, None),
    (wire.reset_unread, Retry, None),
    (wire.reset_read, Retry, None),
    (wire.garbage, Retry, None),
    (wire.trickle_head, Retry, None),
    (wire.trickle(200), Delivered, None),
    (wire.trickle(503), Retry, None),
    (wire.endless(200), Delivered, None),
    (wire.broken_off(200), Delivered, None),
    (wire.broken_off(400), Rejected, None),
]


@pytest.mark.parametrize(("reply", "expected", "after"), ANSWERS, ids=range(len(ANSWERS)))
async def test_answers_are_judged(inbox, make, reply, expected, after, caplog):
    """2xx is delivered despite a broken body; trouble is retried, after Retry-After; refusals are final; no secret."""
    caplog.set_level(logging.DEBUG)
    inbox.wire.faults.append(reply)
    sender = make(wire.patience(reply))
    outcome = await sender.send(to(inbox))
    assert isinstance(outcome, expected)
    if isinstance(outcome, Retry):
        assert outcome.after == after
    shown = f"{outcome!r}{sender!r}{caplog.text}"
    assert SECRET not in shown
    assert PASSWORD not in shown
    assert "\x1b" not in getattr(outcome, "reason", "")
    await until_delivered(sender, to(inbox))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender, status):
    """A redirect is refused: the message and its credentials go only where the policy says."""
    async with (
        Wire(lambda request: Reply(200)) as elsewhere,
        Wire(lambda request: Reply(status, headers={"Location": elsewhere.url})) as here,
    ):
        outcome = await sender.send(outgoing("webhook", here.url))
        assert isinstance(outcome, Rejected)
        assert "redirects are not followed" in outcome.reason
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fe80::1%25lo]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[::169.254.169.254]/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://100.100.100.200/latest/meta-data/",
    ],
)
async def test_link_local_addresses_are_refused(sender, url):
    """Where cloud machines keep their credentials no webhook is sent."""
    outcome = await sender.send(outgoing("webhook", url))
    assert isinstance(outcome, Rejected)
    assert "link-local" in outcome.reason


@pytest.mark.parametrize("url", ["http://2852039166/", "http://0xa9fea9fe/", "http://169.16689662/"])
async def test_odd_spellings_of_link_local_addresses_lead_nowhere(sender, url):
    """Other spellings of the same address are refused as well, or are no address at all."""
    outcome = await sender.send(outgoing("webhook", url))
    assert not isinstance(outcome, Delivered)
    assert "in time" not in outcome.reason
    assert "within" not in outcome.reason


async def test_link_local_addresses_can_be_allowed():
    """Who needs one can have it: then it is tried like any other."""
    sender = WebhookSender(lambda: OPENED_AT, timeout=0.2, allow_link_local=True)
    outcome = await sender.send(outgoing("webhook", "http://[fe80::1%25lo]:9/"))
    await sender.close()
    assert "link-local" not in outcome.reason


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("not a url", ()),
        ("ftp://files.example/", ()),
        ("http://", ()),
        ("http://[::1/", ()),
        ("http://127.0.0.1:99999/", ()),
        ("http://INBOX/", (("X-Note", f"two\r\nlines {SECRET}"),)),
        ("http://user:pw@INBOX/", (("Authorization", PASSWORD),)),
    ],
)
async def test_what_cannot_be_sent_is_rejected(inbox, sender, url, headers):
    """A URL or a header that makes no sense is refused in words, without its value."""
    url = url.replace("INBOX", f"127.0.0.1:{inbox.wire.port}")
    outcome = await sender.send(outgoing("webhook", url, headers=headers))
    assert isinstance(outcome, Rejected)
    assert SECRET not in outcome.reason
    assert PASSWORD not in outcome.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
async def test_nobody_there(sender, host):
    """A receiver that cannot be reached means trying again; the reason names the host, not what follows it."""
    outcome = await sender.send(outgoing("webhook", f"http://{host}:{free_port()}/?token={SECRET}"))
    assert isinstance(outcome, Retry)
    assert host in outcome.reason
    assert SECRET not in outcome.reason


async def test_one_that_hangs_does_not_hold_up_another(inbox, sender, make):
    """Messages to other receivers go out while one does not answer."""
    async with Wire(lambda request: Reply(200)) as silent:
        silent.faults.append(wire.hang)
        stuck = asyncio.create_task(make(wire.patience(wire.hang)).send(outgoing("webhook", silent.url)))
        await silent.arrived.wait()
        assert await sender.send(to(inbox)) == Delivered()
        assert isinstance(await stuck, Retry)


async def test_body_is_ascii_json(inbox, sender):
    """The body is plain ASCII JSON, which every language reads alike."""
    await sender.send(to(inbox, message={"text": "Überdruck"}))
    assert json.loads(inbox.wire.requests[0].body.decode("ascii"))["message"]["text"] == "Überdruck"


class Liar(AbstractResolver):
    """A name server that leads everybody to the cloud's credentials."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        where = {"hostname": host, "host": "169.254.169.254", "port": port}
        return [{**where, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def test_names_that_lead_to_link_local_addresses_are_refused():
    """It is the address that counts, not the name that stands in the policy."""
    poster = Poster(2, connector=lambda **_: aiohttp.TCPConnector(resolver=Liar(), socket_factory=_guarded_socket))
    answer = await poster.post("http://harmless.example/", b"{}", {})
    await poster.close()
    assert isinstance(answer, Unsendable)
    assert "link-local" in answer.reason
