"""Vonage's callbacks: the fate of messages, and answers to SMS."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from receiver.core.events import Delivered
from receiver.core.model import Notification
from receiver.engine.commands import OutcomeReport
from tests.channels.servers.vonage import VonageAccount
from tests.web.conftest import Running

STATUS, SMS = "/callbacks/vonage/status", "/callbacks/vonage/sms"


class Vonage:
    """Vonage as it calls a receiver with one incident of level 4."""

    def __init__(self, receiver: Running, account: VonageAccount) -> None:
        self.receiver, self.account = receiver, account
        self.sent = 0

    async def post(self, path: str, params: dict[str, str], kind: str = "form") -> int:
        """The callback as the account may have it made."""
        if kind == "query":
            status, _ = await self.receiver.get(f"{path}?{urlencode(params)}")
            return int(status)
        is_json = kind == "json"
        headers = {"Content-Type": "application/json" if is_json else "application/x-www-form-urlencoded"}
        body = (json.dumps(params) if is_json else urlencode(params)).encode()
        status, _ = await self.receiver.post(path, body, headers=headers)
        return int(status)

    async def page(self) -> Notification:
        """Deliver everything; the page by SMS."""
        queue, engine = self.receiver.queue, self.receiver.engine
        deliveries = await queue.run(engine.claim, self.receiver.clock(), "me", frozenset())
        claimed = [notification for delivery in deliveries for notification, _ in delivery.items]
        reports = [OutcomeReport(each, Delivered("0A1")) for each in claimed]
        await queue.run(engine.report, reports, self.receiver.clock())
        return next(each for each in claimed if each.channel == "sms")

    async def message(self, page: Notification) -> dict[str, Any]:
        """How the API shows it."""
        _, found = await self.receiver.get("/api/v1/incidents/1/notifications")
        [shown] = [each for each in found["notifications"] if each["id"] == page.id]
        return dict(shown)

    async def answer(self, text: str, sender: str, message: str = "") -> list[str]:
        """Answer an SMS; what comes back as SMS."""
        self.sent += 1
        before = len(self.account.messages)
        params = {"msisdn": sender.removeprefix("+"), "to": "12025550199", "text": text, "type": "text"}
        assert await self.post(SMS, self.account.signed(**params, messageId=message or f"0B{self.sent}")) == 204
        new = self.account.messages[before:]
        assert {each["to"] for each in new} <= {sender.removeprefix("+")}
        return [each["text"] for each in new]

    async def state(self) -> str:
        return str((await self.receiver.get("/api/v1/incidents/1"))[1]["state"])


@pytest.fixture
async def vonage(start: Callable[..., Any]) -> AsyncIterator[Vonage]:
    """A receiver that Vonage can reach, with one incident of level 4."""
    account = VonageAccount("a1b2c3d4", "vonage-api-secret", "the-signature-secret")
    async with account.wire:
        receiver = await start(
            token="anns-token",
            TOCSIN_API_TOKENS="ann:admin:anns-token",
            TOCSIN_EXTERNAL_URL="https://tocsin.example.test",
            TOCSIN_VONAGE_API_KEY="a1b2c3d4",
            TOCSIN_VONAGE_API_SECRET="vonage-api-secret",
            TOCSIN_VONAGE_FROM="+12025550199",
            TOCSIN_VONAGE_SIGNATURE_SECRET="the-signature-secret",
            TOCSIN_VONAGE_API_URL=account.wire.url,
        )
        status, _ = await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4})
        assert status == 201
        yield Vonage(receiver, account)


@pytest.mark.parametrize("kind", ["form", "json", "query"])
async def test_a_receipt_says_that_it_arrived(vonage: Vonage, kind: str) -> None:
    """A delivery receipt, in each form in which an account may have it sent, makes the message delivered."""
    page = await vonage.page()
    signed = vonage.account.signed(
        **{"client-ref": page.id, "messageId": "0A1", "status": "delivered", "err-code": "0"}
    )
    assert await vonage.post(STATUS, signed, kind) == 204
    assert (await vonage.message(page))["status"] == "delivered"


@pytest.mark.parametrize("state", ["failed", "rejected", "expired"])
async def test_bad_news_counts(vonage: Vonage, state: str) -> None:
    """A message that Vonage reports as undelivered has failed, with Vonage's number of the error."""
    page = await vonage.page()
    signed = vonage.account.signed(**{"client-ref": page.id, "messageId": "0A1", "status": state, "err-code": "6"})
    assert await vonage.post(STATUS, signed) == 204
    shown = await vonage.message(page)
    assert shown["status"] not in {"accepted", "delivered"}
    assert f"Vonage says later: {state} (error 6)" in json.dumps(shown)


async def test_only_what_vonage_signed_is_believed(vonage: Vonage) -> None:
    """A parameter that was changed, a signature that is missing or another's: 401, and nothing happens."""
    page = await vonage.page()
    account = vonage.account
    signed = account.signed(text=f"ACK {1}", msisdn=page.recipient[1:], messageId="0B1")
    account.signature_secret = "another"
    forged = account.signed(text="ACK 1", msisdn=page.recipient[1:], messageId="0B1")
    for spoilt in ({**signed, "text": "RESOLVE 1"}, {**signed, "sig": ""}, {**signed, "extra": "1"}, forged, {}):
        assert await vonage.post(SMS, spoilt) == 401
    assert await vonage.state() == "open"


async def test_an_answer_acknowledges_and_is_answered(vonage: Vonage) -> None:
    """ACK with the number takes the incident; how it stands comes back as an SMS; the same answer twice is one."""
    page = await vonage.page()
    (said,) = await vonage.answer("ack 1", page.recipient, "0B7")
    assert "is acknowledged" in said
    assert await vonage.state() == "acknowledged"
    await vonage.answer("ack 1", page.recipient, "0B7")
    _, answer = await vonage.receiver.get("/api/v1/incidents/1/timeline")
    assert [entry["fact"] for entry in answer["timeline"]].count("acknowledged") == 1
    (help_text,) = await vonage.answer("on my way", page.recipient)
    assert "Answer ACK 12" in help_text


async def test_strangers_and_opt_outs_get_no_answer(vonage: Vonage) -> None:
    """Numbers that the policy does not name, and STOP, cost no SMS."""
    page = await vonage.page()
    assert await vonage.answer("ACK 1", "+4999999999") == []
    assert await vonage.answer("STOP", page.recipient) == []
    assert await vonage.state() == "open"
