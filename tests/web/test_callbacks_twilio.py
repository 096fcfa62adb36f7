"""Twilio's callbacks: the fate of messages, keys pressed, and answers to SMS."""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Notification
from receiver.engine.commands import OutcomeReport
from receiver.service import Service
from receiver.settings import Settings
from rules.channel_types import ends_of
from rules.load import load
from rules.policy import MINUTE
from tests.web.conftest import Running

TOKEN, PUBLIC = "auth-token", "https://tocsin.example.test/base"
STATUS, DIGITS, SMS = (f"/callbacks/twilio/{name}" for name in ("status", "digits", "sms"))
ENVIRON = {
    "token": "anns-token",
    "TOCSIN_API_TOKENS": "ann:admin:anns-token",
    "TOCSIN_EXTERNAL_URL": PUBLIC,
    "TOCSIN_TWILIO_ACCOUNT_SID": "AC1",
    "TOCSIN_TWILIO_AUTH_TOKEN": TOKEN,
    "TOCSIN_TWILIO_FROM": "+12025550100",
}


class Twilio:
    """Twilio as it calls a receiver with one incident of level 4."""

    def __init__(self, receiver: Running) -> None:
        self.receiver = receiver
        self.calls = 0

    async def post(self, path: str, form: dict[str, str], **changes: Any) -> tuple[int, str]:
        """A signed callback; `changes` spoil it."""
        signed = changes.get("url", PUBLIC + path) + "".join(name + form[name] for name in sorted(form))
        hashed = changes.get("hash", sha1)
        mark = b64encode(hmac.new(changes.get("token", TOKEN).encode(), signed.encode(), hashed).digest()).decode()
        body = urlencode(changes.get("sent", form)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": changes.get("mark", mark)}
        headers |= changes.get("headers", {})
        return await self.receiver.post(path, body, headers=headers)

    async def claim(self) -> list[Notification]:
        """Messages on their way."""
        queue = self.receiver.queue
        deliveries = await queue.run(self.receiver.engine.claim, self.receiver.clock(), "me", frozenset())
        return [notification for delivery in deliveries for notification, _ in delivery.items]

    async def report(self, notifications: list[Notification], outcome: Any = None) -> None:
        reports = [OutcomeReport(each, outcome or Delivered("SM1")) for each in notifications]
        await self.receiver.queue.run(self.receiver.engine.report, reports, self.receiver.clock())

    async def page(self, channel: str) -> Notification:
        """Deliver everything; the page on that channel."""
        claimed = await self.claim()
        await self.report(claimed)
        return next(each for each in claimed if each.channel == channel)

    async def call(self) -> Notification:
        """A page by way of Twilio: its callbacks are alike for both."""
        return await self.page("sms")

    async def message(self, page: Notification) -> dict[str, Any]:
        """How the API shows it."""
        _, found = await self.receiver.get("/api/v1/incidents/1/notifications")
        [shown] = [each for each in found["notifications"] if each["id"] == page.id]
        return dict(shown)

    async def press(self, digits: str, page: Notification, call: str = "") -> str:
        """Press a key during the call; what is said then."""
        self.calls += 1
        form = {"CallSid": call or f"CA{self.calls}", "Digits": digits, "To": page.recipient}
        status, answer = await self.post(f"{DIGITS}?notification={page.id}", form)
        assert status == 200
        return "".join(ET.fromstring(answer).itertext())

    async def answer(self, text: str, sender: str, message: str = "") -> str:
        """Answer an SMS; what comes back."""
        self.calls += 1
        form = {"MessageSid": message or f"SM{self.calls}", "Body": text, "From": sender, "To": "+12025550100"}
        status, answer = await self.post(SMS, form)
        assert status == 200
        return "".join(ET.fromstring(answer).itertext())

    async def incident(self) -> dict[str, Any]:
        return (await self.receiver.get("/api/v1/incidents/1"))[1]

    async def facts(self) -> list[str]:
        _, answer = await self.receiver.get("/api/v1/incidents/1/timeline")
        return [entry["fact"] for entry in answer["timeline"]]


@pytest.fixture
async def twilio(start: Callable[..., Any]) -> Twilio:
    """A receiver that Twilio can reach, with one incident of level 4."""
    receiver = await start(**ENVIRON)
    status, _ = await receiver.post(
        "/api/v1/incidents", {"type": "engine_failure", "level": 4}, headers={"Host": "localhost"}
    )
    assert status == 201
    return Twilio(receiver)


async def test_answer_was_lost(twilio: Twilio) -> None:
    """A page whose sending ended in doubt is accepted as soon as Twilio tells of it, and is not sent again."""
    claimed = await twilio.claim()
    await twilio.report(claimed, Retry("it may have been sent all the same"))
    page = next(each for each in claimed if each.channel == "sms")
    path = f"{STATUS}?notification={page.id}"
    assert (await twilio.post(path, {"MessageSid": "SM7", "MessageStatus": "queued"}, token="wrong"))[0] == 401
    assert "accepted" not in await twilio.facts()
    assert (await twilio.post(path, {"MessageSid": "SM7", "MessageStatus": "queued"}))[0] == 204
    facts = await twilio.facts()
    assert (facts.count("accepted"), facts.count("delivered")) == (1, 0)
    await twilio.receiver.pass_time(MINUTE)
    assert "sms" not in {each.channel for each in await twilio.claim() if each.page == page.page}


async def test_stop_that_is_told_later(twilio: Twilio) -> None:
    """That the recipient sent STOP (21610) is told in words, in the timeline too, and the next fallback is told at once."""
    page = await twilio.page("sms")
    lost = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610"}
    assert (await twilio.post(f"{STATUS}?notification={page.id}", lost))[0] == 204
    facts = await twilio.facts()
    assert facts.count("fallback") + facts.count("fallback_exhausted") == 1
    assert "has opted out of SMS from our number (STOP)" in (await twilio.message(page))["detail"]
    _, answer = await twilio.receiver.get("/api/v1/incidents/1/timeline")
    assert "only their own answer START" in str(answer["timeline"])


async def test_undelivered(twilio: Twilio) -> None:
    """An SMS that Twilio took and then lost is given up, and its fallback told; the same news again changes nothing."""
    page = await twilio.page("sms")
    path = f"{STATUS}?notification={page.id}"
    for status in ("queued", "sending", "sent"):
        assert (await twilio.post(path, {"MessageSid": "SM1", "MessageStatus": status}))[0] == 204
    assert "gave_up" not in await twilio.facts()
    lost = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"}
    for _ in range(2):
        assert (await twilio.post(path, lost))[0] == 204
    facts = await twilio.facts()
    assert (facts.count("gave_up"), facts.count("fallback") + facts.count("fallback_exhausted")) == (1, 1)
    _, found = await twilio.receiver.get("/api/v1/incidents/1/notifications")
    [told] = [each["detail"] for each in found["notifications"] if each["id"] == page.id]
    assert "30003" in told


async def test_delivered_is_what_the_receipt_says(twilio: Twilio) -> None:
    """Queued is accepted; delivered comes with the receipt, once, and is said in timeline, messages and report."""
    page = await twilio.page("sms")
    path = f"{STATUS}?notification={page.id}"
    for status in ("queued", "sent", "delivered", "delivered"):
        stands = "delivered" if status == "delivered" else "accepted"
        assert (await twilio.post(path, {"MessageSid": "SM1", "MessageStatus": status}))[0] == 204
        assert (await twilio.message(page))["status"] == stands
        assert ((await twilio.message(page))["reached_at"] is not None) is (stands == "delivered")
    _, timeline = await twilio.receiver.get("/api/v1/incidents/1/timeline")
    shown = ends_of(page.recipient)
    said = [entry["text"] for entry in timeline["timeline"] if shown in entry["text"]]
    assert said == [
        f"page to {shown} accepted by sms",
        f"page to {shown} delivered by sms: its receipt says delivered",
    ]
    _, report = await twilio.receiver.get("/api/v1/incidents/1/report")
    [details] = [each for each in report["sections"] if each["name"] == "incident_details"]
    assert "accepted; reached somebody" in str(details), "PagerDuty"
    assert "delivered; reached somebody" in str(details), "SMS"
    assert "'accepted'" in str(details), "Slack and e-mail"


async def test_a_receipt_may_come_first(twilio: Twilio) -> None:
    """A receipt that is quicker than our own sender's report is not lost."""
    claimed = await twilio.claim()
    page = next(each for each in claimed if each.channel == "sms")
    news = twilio.post(f"{STATUS}?notification={page.id}", {"MessageSid": "SM1", "MessageStatus": "delivered"})
    task = asyncio.create_task(news)
    await twilio.report(claimed)
    assert (await task)[0] == 204
    assert (await twilio.message(page))["status"] == "delivered"


CALLS = {
    "it has the call": ({"CallStatus": "initiated"}, "accepted"),
    "nobody knows who answered": ({"CallStatus": "completed"}, "accepted"),
    "nobody could tell": ({"CallStatus": "completed", "AnsweredBy": "unknown"}, "accepted"),
    "a person": ({"AnsweredBy": "human"}, "delivered"),
    "a person, told at the end": ({"CallStatus": "completed", "AnsweredBy": "human"}, "delivered"),
    "a machine": ({"AnsweredBy": "machine_start"}, "gave_up"),
    "a machine's beep": ({"CallStatus": "completed", "AnsweredBy": "machine_end_beep"}, "gave_up"),
    "a fax": ({"AnsweredBy": "fax"}, "gave_up"),
    "nobody": ({"CallStatus": "no-answer"}, "gave_up"),
}


@pytest.mark.parametrize(("form", "stands"), CALLS.values(), ids=CALLS.keys())
async def test_who_answered_a_call(twilio: Twilio, form: dict[str, str], stands: str) -> None:
    """A call is delivered where a person answered it; a machine, or no answer, tells the next fallback."""
    page = await twilio.call()
    facts = (await twilio.facts()).count("fallback") + (await twilio.facts()).count("fallback_exhausted")
    assert (await twilio.post(f"{STATUS}?notification={page.id}", {"CallSid": "CA1", **form}))[0] == 204
    assert (await twilio.message(page))["status"] == stands
    more = (await twilio.facts()).count("fallback") + (await twilio.facts()).count("fallback_exhausted")
    assert more - facts == (stands == "gave_up")


async def test_whoever_presses_a_key_is_a_person(twilio: Twilio) -> None:
    """A key that means nothing still says that a person answered, also where a machine was heard before."""
    page = await twilio.call()
    await twilio.post(f"{STATUS}?notification={page.id}", {"CallSid": "CA1", "AnsweredBy": "machine_start"})
    await twilio.press("7", page)
    assert (await twilio.message(page))["status"] == "delivered"


async def test_bad_news_may_come_first(twilio: Twilio) -> None:
    """A provider that is quicker than our own sender's report is waited for."""
    claimed = await twilio.claim()
    page = next(each for each in claimed if each.channel == "sms")
    news = twilio.post(f"{STATUS}?notification={page.id}", {"MessageSid": "SM1", "MessageStatus": "failed"})
    task = asyncio.create_task(news)
    await twilio.report(claimed)
    assert (await task)[0] == 204
    assert "gave_up" in await twilio.facts()


async def test_news_of_nothing(twilio: Twilio) -> None:
    """News of messages that we do not know, or that were given up anyway, is taken without a word."""
    claimed = await twilio.claim()
    page = next(each for each in claimed if each.channel == "sms")
    await twilio.report([page], Rejected("no"))
    for name in (page.id, "x", "", "a-b", "../x", "%00"):
        status, _ = await twilio.post(f"{STATUS}?notification={name}", {"MessageStatus": "failed"})
        assert status == 204, name
    assert (await twilio.facts()).count("gave_up") == 1


async def test_key_1(twilio: Twilio) -> None:
    """Key 1 acknowledges in the name of the number that was called; a second one says who has it."""
    page = await twilio.page("sms")
    assert await twilio.press("1", page) == f"Incident 1 is acknowledged by {page.recipient}. Thank you. Goodbye."
    assert (await twilio.incident())["acknowledged_by"] == page.recipient
    assert "acknowledged by" in await twilio.press("1", page)
    assert (await twilio.facts()).count("acknowledged") == 1


async def test_key_2_and_others(twilio: Twilio) -> None:
    """Key 2 escalates, once per call; other keys do nothing."""
    page = await twilio.page("sms")
    assert await twilio.press("2", page, call="CA") == "Escalated. Goodbye."
    assert "changed nothing" in await twilio.press("2", page, call="CA")
    for key in ("", "3", "*", "12"):
        assert "nothing" in await twilio.press(key, page)
    assert (await twilio.incident())["escalation"]["step"] == 1


async def test_key_of_an_old_call(twilio: Twilio) -> None:
    """A key that answers a page from before the acknowledgement expired acknowledges nothing."""
    page = await twilio.page("sms")
    await twilio.press("1", page)
    await twilio.receiver.pass_time(16 * 60 * 1_000_000)
    assert (await twilio.incident())["state"] == "open"
    assert "changed nothing" in await twilio.press("1", page)
    assert (await twilio.incident())["state"] == "open"


async def test_answers_by_sms(twilio: Twilio) -> None:
    """ACK, ESC and RESOLVE with the number do what they say, however they are written."""
    sender = (await twilio.page("sms")).recipient
    assert await twilio.answer(" ack T#1 ", sender) == f"T#1 is acknowledged by {sender}."
    assert "acknowledged by" in await twilio.answer("Acknowledge 1", sender)
    assert await twilio.answer("RESOLVED 1", sender) == f"T#1 is resolved by {sender}."
    assert "Nothing was done" in await twilio.answer("ESC 1", sender)
    for text in ("", "ack", "hello", "ACK 99", "ack " + "9" * 40):
        assert "ACK 12" in await twilio.answer(text, sender)


async def test_help_by_sms(twilio: Twilio) -> None:
    """ESC by who has it keeps it theirs; ACK ALL of another number that was paged answers; BACK opens it."""
    page = await twilio.page("sms")
    await twilio.receiver.post("/api/v1/incidents/1/acknowledge", {"by": page.recipient})
    asked = await twilio.answer("ESC 1", page.recipient)
    assert (
        asked
        == f"T#1 is acknowledged by {page.recipient}; {page.recipient} asked for help, which nobody has answered yet."
    )
    assert (await twilio.incident())["owner"] == page.recipient
    assert await twilio.press("2", page, call="CA2") == "Escalated. Goodbye."
    assert await twilio.answer("WITHDRAW 1", page.recipient) == f"T#1 is acknowledged by {page.recipient}."
    await twilio.answer("ESC 1", page.recipient)
    await twilio.receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ben"})
    assert (await twilio.incident())["help_asked_by"] == []
    assert await twilio.answer("BACK 1", page.recipient) == "T#1 is open."


NO_COMMANDS = (
    "Responding 1", "Rescheduled 3", "Res 1", "Resolving 1", "Resolve 1 now", "Resolve 1 2", "Escaping 1", "Escort 1",
    "Ackn 1", "Acknowledged 1", "ack 1 please", "not ack 1", "ack1", "1 ack", "resolve all", "escalate all", "ack \u0661",
    "ack", "ack all of them", "resolve -1", "resolve 1.5", "r\u00e9solve 1", "\uff52esolve 1", "re\u017folve 1", "erledigt 1",
    "\u0440\u0435\u0448\u0435\u043d\u043e 1", "resolve one", "resolve1", "resolve 1!", "unresolve 1", "resolver 1",
    "resolve 1\nACK ALL", "ack 1 " + "0" * 3000, "ack 1" + " " * 2000 + "resolve 1",
)  # fmt: skip


async def test_only_exact_words_are_commands(twilio: Twilio) -> None:
    """What only looks like a command gets the help text and changes nothing."""
    sender = (await twilio.page("sms")).recipient
    before = await twilio.incident()
    for text in NO_COMMANDS:
        assert "ACK ALL" in await twilio.answer(text, sender), text
    assert await twilio.incident() == before


@pytest.mark.parametrize("form", [{"Body": " stop "}, {"Body": "START"}, {"Body": "Arret", "OptOutType": "STOP"}])
async def test_twilios_own_keywords(twilio: Twilio, form: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """STOP and START are for Twilio, which answers them: after STOP, our answer would be refused. The log says who."""
    sender = (await twilio.page("sms")).recipient
    sent = {"MessageSid": "SM7", "From": sender, "To": "+12025550100", **form}
    status, answer = await twilio.post(SMS, sent)
    assert (status, "".join(ET.fromstring(answer).itertext())) == (200, "")
    said = next(
        each for each in capsys.readouterr().out.splitlines() if "keyword that the provider itself obeys" in each
    )
    assert ends_of(sender) in said
    assert sender not in said
    assert (await twilio.incident())["state"] == "open"


async def test_replayed_sms(twilio: Twilio) -> None:
    """The same message delivered twice is carried out once, even if it would fit again."""
    sender = (await twilio.page("sms")).recipient
    for _ in range(2):
        await twilio.answer("ESC 1", sender, message="SM-same")
    assert (await twilio.incident())["escalation"]["step"] == 1


async def test_strangers_by_sms(twilio: Twilio) -> None:
    """A number that the policy does not name does nothing, and gets no answer."""
    assert await twilio.answer("ACK 1", "+15550001111") == ""
    assert (await twilio.incident())["state"] == "open"


async def test_bad_signatures(twilio: Twilio) -> None:
    """What Twilio did not sign, for exactly this address and form, is refused and does nothing."""
    page = await twilio.page("sms")
    paths = {
        f"{STATUS}?notification={page.id}": {"MessageStatus": "failed"},
        f"{DIGITS}?notification={page.id}": {"Digits": "1"},
        SMS: {"Body": "ACK 1", "From": page.recipient},
    }
    for path, form in paths.items():
        spoilt = [{"token": "other"}, {"url": PUBLIC + "/x"}, {"sent": {**form, "x": "1"}}, {"mark": ""}]
        for changes in [*spoilt, {"mark": "é"}, {"url": f"http://elsewhere.test{path}"}]:
            assert (await twilio.post(path, form, **changes))[0] == 401, (path, changes)
    assert (await twilio.incident())["state"] == "open"
    assert "gave_up" not in await twilio.facts()


@pytest.mark.parametrize("lacks", [name for name in ENVIRON if "TWILIO" in name or "URL" in name])
async def test_without_settings(start: Callable[..., Any], lacks: str) -> None:
    """Without Twilio's settings or a public address there are no such callbacks."""
    receiver = await start(**{**ENVIRON, lacks: ""})
    assert (await receiver.post(SMS, b"Body=x"))[0] == 404
    assert not Settings.read({**ENVIRON, lacks: ""}).hears_twilio


async def test_sms_asks_for_an_answer_where_one_is_heard() -> None:
    """With Twilio's settings and an external URL, the service's SMS say "reply ACK"."""
    for environ, said in ((ENVIRON, True), ({**ENVIRON, "TOCSIN_EXTERNAL_URL": ""}, False)):
        settings = Settings.read({"TOCSIN_DATABASE": "sqlite://", "TOCSIN_LISTEN": "127.0.0.1:0", **environ})
        async with Service(settings, [], load()) as service:
            assert service.dispatcher._renderer.sms_replies is said


RULE = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"url": PUBLIC.replace(".test", ".test:443") + STATUS}, 204),
        ({"token": "shared", "hash": sha256, "headers": RULE}, 204),
        ({"token": TOKEN, "hash": sha256, "headers": RULE}, 401),
        ({"token": "shared", "hash": sha256}, 401),
        ({"token": "", "hash": sha256, "headers": RULE}, 401),
    ],
)
async def test_signed_another_way(start: Callable[..., Any], changes: dict[str, Any], status: int) -> None:
    """The port may be in the signed URL or not; a Webhooks Rule's SharedKey counts where its header is, and only there."""
    receiver = await start(**ENVIRON, TOCSIN_TWILIO_SHARED_KEY="shared")
    twilio = Twilio(receiver)
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert (await twilio.post(STATUS, form, **changes))[0] == status


async def test_unset_shared_key_believes_nobody(start: Callable[..., Any]) -> None:
    """Without TOCSIN_TWILIO_SHARED_KEY nothing that is signed by one is believed, nor by an empty one."""
    twilio = Twilio(await start(**ENVIRON))
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert (await twilio.post(STATUS, form, token="", hash=sha256, headers=RULE))[0] == 401
