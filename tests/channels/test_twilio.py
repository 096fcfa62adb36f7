"""SMS and calls: what Twilio is sent, how its answers are judged, and whose callbacks are believed."""

import dataclasses
import logging
import xml.etree.ElementTree as ET
from base64 import b64encode

import pytest
from msgspec.structs import replace

from receiver.channels.phone import KEYS, KEYS_OF_SEVERAL, MAX_TWIML, PhoneSender, twiml
from receiver.channels.sms import SmsSender
from receiver.channels.twilio import Account, signature_algorithm, valid_signature
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from receiver.demo.tools import free_port
from receiver.messages.segments import count_segments
from tests.channels import stories
from tests.channels.outgoings import outgoing, until_delivered
from tests.channels.servers import wire
from tests.channels.servers.twilio import TwilioAccount
from tests.channels.servers.wire import Reply
from tests.messages import samples

SID, TOKEN = "AC" + "5" * 32, "twilio-auth-token-0123456789abcd"
BASIC = b64encode(f"{SID}:{TOKEN}".encode()).decode()
NUMBER = "+4930123456"
NASTY = '</Say><Hangup/> & "quotes" \x00\ud800\ufffe <break/>'


@pytest.fixture
async def twilio():
    account = TwilioAccount(SID, TOKEN)
    async with account.wire:
        yield account


@pytest.fixture
async def make(twilio):
    """Makes senders that are closed in the end."""
    made = []

    def make(kind, *, external_url="https://tocsin.example", token=TOKEN, sid=SID, timeout=15.0):
        account = Account(sid, token, "+12025550100", twilio.wire.url, external_url)
        made.append(kind(account, timeout=timeout))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


def sms(**changes):
    return outgoing("sms", NUMBER, **changes)


def call(recipient=NUMBER, **changes):
    return outgoing("phone", recipient, **changes)


async def test_sms_is_short_and_does_not_linger(twilio, make):
    """A page goes out as a text that networks drop after ten minutes, with a callback that names the notification."""
    outcome = await make(SmsSender).send(sms())
    assert outcome == Delivered(f"SM{1:032x}")
    assert twilio.messages == [
        {
            "From": "+12025550100",
            "To": NUMBER,
            "Body": "#12 EMERGENCY safety_critical_failure, flight-control. Acknowledge: https://tocsin.example/i/12",
            "ValidityPeriod": "600",
            "StatusCallback": "https://tocsin.example/callbacks/twilio/status?notification=n1",
        }
    ]


async def test_sms_takes_two_parts_at_most(twilio, make):
    """However long and strange the title, two SMS are paid for."""
    incident = replace(samples.INCIDENT, title="Überdruck 🔥 " * 60 + NASTY)
    await make(SmsSender).send(stories.outgoing("sms", incident=incident, recipient=NUMBER))
    assert count_segments(twilio.messages[0]["Body"]) == 2


async def test_call_offers_keys_twice(twilio, make):
    """A page is spoken twice; one key acknowledges, another escalates, and Twilio is told whom to tell."""
    assert await make(PhoneSender).send(call()) == Delivered(f"CA{1:032x}")
    (form,) = twilio.calls
    gathers = ET.fromstring(form["Twiml"]).findall("Gather")
    assert len(gathers) == 2
    for gather in gathers:
        assert gather.get("action") == "https://tocsin.example/callbacks/twilio/digits?notification=n1"
        assert gather.get("numDigits") == "1"
        assert gather.findtext("Say").startswith("Emergency. Incident 12, safety critical failure")
        assert "Press 1 to acknowledge. Press 2 to escalate." in gather.findtext("Say")
    assert form["StatusCallback"] == "https://tocsin.example/callbacks/twilio/status?notification=n1"
    assert form["StatusCallbackEvent"] == ["initiated", "completed"]


async def test_a_call_about_several_says_what_its_keys_do_to_them(twilio, make):
    """One key acknowledges all of them."""
    one = call()
    await make(PhoneSender).send(dataclasses.replace(one, message=dataclasses.replace(one.message, count=5)))
    assert twilio.calls[0]["Twiml"].count("Press 1 to acknowledge all of these. Press 2 to escalate all of these.") == 2


async def test_call_without_external_url_offers_no_keys(twilio, make):
    """Keys without a receiver of the presses are not offered."""
    await make(PhoneSender, external_url="").send(call())
    (form,) = twilio.calls
    assert "Press 1" not in form["Twiml"]
    assert "Acknowledge it in Tocsin." in form["Twiml"]
    assert "StatusCallback" not in form


async def test_call_with_news_offers_no_keys(twilio, make):
    """The all-clear is read out; there is nothing left to acknowledge."""
    await make(PhoneSender).send(call(kind=Kind.RESOLVED, reason=Reason.ACTION))
    assert "Gather" not in twilio.calls[0]["Twiml"]


@pytest.mark.parametrize("answer_url", ["https://tocsin.example/d?a=1&b=2", ""])
@pytest.mark.parametrize("keys", [KEYS, KEYS_OF_SEVERAL, ""])
@pytest.mark.parametrize("speech", ["", NASTY, "&" * 5000, "Level 4. " * 600, "ж🔥" * 3000])
def test_twiml_is_well_formed_and_fits(answer_url, keys, speech):
    """For any text the document parses, says only that, and is as short as Twilio wants it."""
    document = twiml(speech, answer_url, keys)
    assert len(document) <= MAX_TWIML
    assert {element.tag for element in ET.fromstring(document).iter()} <= {"Response", "Gather", "Say", "Pause"}
    assert len(ET.fromstring(document).findall(".//Say")) == 2


@pytest.mark.parametrize("name", ["Duty manager", "0301234", "+49 30 123", "+4930123456\n", "٣٤٥"])
async def test_who_has_no_number_is_called_by_hand(twilio, make, name):
    """A recipient without a number is refused in words that say what to do, and Twilio is not asked."""
    outcome = await make(PhoneSender).send(call(name))
    assert isinstance(outcome, Rejected)
    assert "call by hand" in outcome.reason
    assert isinstance(await make(SmsSender).send(outgoing("sms", name)), Rejected)
    assert twilio.wire.requests == []


@pytest.mark.parametrize("code", [21211, 21408, 21608, 21610, 21614, 21617])
async def test_unreachable_numbers_are_not_tried_again(twilio, make, code):
    """What Twilio will never deliver is rejected, with its code."""
    twilio.unreachable[NUMBER] = code
    outcome = await make(SmsSender).send(sms())
    assert isinstance(outcome, Rejected)
    assert str(code) in outcome.reason


async def test_who_sent_stop_is_told_how_to_come_back(twilio, make):
    """After STOP an SMS is rejected for good, and the reason says what only the recipient can do."""
    twilio.unreachable[NUMBER] = 21610
    outcome = await make(SmsSender).send(sms())
    assert isinstance(outcome, Rejected)
    assert "(STOP)" in outcome.reason
    assert "answer START" in outcome.reason


@pytest.mark.parametrize("account", [{"token": "wrong" * 6}, {"sid": "AC" + "6" * 32}])
async def test_wrong_credentials_are_said(twilio, make, account):
    """A wrong SID or token is a matter of settings: rejected, in words, without the token."""
    outcome = await make(SmsSender, **account).send(sms())
    assert isinstance(outcome, Rejected)
    assert "TOCSIN_TWILIO_ACCOUNT_SID" in outcome.reason
    assert "wrong" not in outcome.reason


ANSWERS = [
    (Reply(429), Retry, None, "nothing was sent"),
    (Reply(429, headers={"Retry-After": "3"}), Retry, 3_000_000, "nothing was sent"),
    (Reply(400, {"code": 20429, "message": "slow down", "status": 400}), Retry, None, "nothing was sent"),
    (Reply(500), Retry, None, "may have been sent"),
    (Reply(503, b"<html>", {"Retry-After": "7"}), Retry, 7_000_000, "may have been sent"),
    (Reply(200, b"<html>log in"), Retry, None, "may have been sent"),
    (Reply(201, b"[]"), Retry, None, "may have been sent"),
    (Reply(201, {"sid": 7}), Retry, None, "may have been sent"),
    (Reply(301, headers={"Location": "http://127.0.0.1:1/"}), Rejected, None, "redirect"),
    (Reply(400, {"code": 99999, "message": f"odd {TOKEN} {BASIC}\r\nX: y"}), Rejected, None, "odd … … X: y"),
    (Reply(400, b"\xff\xfe\x00"), Rejected, None, "400"),
    (Reply(401, b""), Rejected, None, "TOCSIN_TWILIO_AUTH_TOKEN"),
    (Reply(403, b""), Rejected, None, "TOCSIN_TWILIO_AUTH_TOKEN"),
    (Reply(404, b""), Rejected, None, "TOCSIN_TWILIO_ACCOUNT_SID"),
    (wire.hang, Retry, None, "may have been sent"),
    (wire.reset_unread, Retry, None, "may have been sent"),
    (wire.reset_read, Retry, None, "may have been sent"),
    (wire.garbage, Retry, None, "may have been sent"),
    (wire.trickle_head, Retry, None, "may have been sent"),
    (wire.broken_off(201), Delivered, None, ""),
    (wire.trickle(201), Delivered, None, ""),
    (wire.endless(201), Delivered, None, ""),
    (wire.broken_off(400), Rejected, None, "400"),
    (wire.broken_off(503), Retry, None, "may have been sent"),
]


@pytest.mark.parametrize("kind", [SmsSender, PhoneSender])
@pytest.mark.parametrize("case", ANSWERS, ids=range(len(ANSWERS)))
async def test_answers_are_judged(twilio, make, kind, case, caplog):
    """Doubt is said and tried again; a 429 was certainly not sent; a 201 was, though its receipt broke off."""
    reply, expected, after, words = case
    caplog.set_level(logging.DEBUG)
    sender = make(kind, timeout=wire.patience(reply))
    twilio.wire.faults.append(reply)
    message = sms() if kind is SmsSender else call()
    outcome = await sender.send(message)
    assert isinstance(outcome, expected)
    if isinstance(outcome, Retry):
        assert outcome.after == after
    if words:
        assert words in outcome.reason
    shown = f"{outcome!r}{sender!r}{sender._twilio.account!r}{caplog.text}"
    assert TOKEN not in shown
    assert BASIC not in shown
    assert len(twilio.wire.requests) <= 1
    await until_delivered(sender, message)


async def test_nobody_there():
    """A Twilio that cannot be reached means trying again, and certainly nothing was sent."""
    for url in (f"http://127.0.0.1:{free_port()}", "http://nowhere.invalid"):
        sender = SmsSender(Account(SID, TOKEN, "+12025550100", url))
        outcome = await sender.send(sms())
        await sender.close()
        assert isinstance(outcome, Retry)
        assert "may have been sent" not in outcome.reason


async def test_closing_twice_or_unused_does_no_harm(twilio, make):
    """A sender that never sent can be closed, and closed again."""
    sender = make(SmsSender)
    await sender.close()
    await sender.close()


KINDS = pytest.mark.parametrize(("kind", "message"), [(SmsSender, sms), (PhoneSender, call)])


def went_out(twilio):
    return len(twilio.messages) + len(twilio.calls)


async def test_sms_whose_answer_was_lost_is_not_sent_twice(twilio, make):
    """Before a second try Twilio's list is read; what stands there is delivered, though its words have changed since."""
    sender = make(SmsSender)
    twilio.wire.faults.append(wire.lose_answer)
    short = "T#12 EMERGENCY: margin. Ack by 14:28 UTC"
    assert isinstance(await sender.send(sms(message={"short": short})), Retry)
    short = "T#12 EMERGENCY: margin. Ack now (due 14:28 UTC)"
    outcome = await sender.send(sms(message={"short": short}, attempts=1))
    assert (outcome, went_out(twilio)) == (Delivered(f"SM{1:032x}"), 1)


@pytest.mark.parametrize(
    ("other", "clock", "status"),
    [
        ("T#12 ESCALATED EMERGENCY: margin", 0, "queued"),
        ("T#13 EMERGENCY: margin", 0, "queued"),
        ("T#12 EMERGENCY: margin", -7, "sent"),
        ("T#12 EMERGENCY: margin", 0, "undelivered"),
    ],
    ids=["another message of the incident", "another incident", "an older one", "one that never arrived"],
)
async def test_another_sms_is_not_taken_for_ours(twilio, make, other, clock, status):
    """What is not certainly this message does not keep it from being sent."""
    sender = make(SmsSender)
    await sender.send(sms(message={"short": other}))
    twilio.clock, twilio.status = twilio.clock + clock, status
    outcome = await sender.send(sms(message={"short": "T#12 EMERGENCY: margin"}, attempts=9))
    assert (outcome, went_out(twilio)) == (Delivered(f"SM{2:032x}"), 2)


@KINDS
async def test_nothing_there_means_sending(twilio, make, kind, message):
    """A list without it proves that the last try did nothing, however many there were."""
    assert isinstance(await make(kind).send(message(attempts=9)), Delivered)
    assert went_out(twilio) == 1


@KINDS
@pytest.mark.parametrize("trouble", [Reply(503), Reply(404), Reply(200, b"[]"), Reply(200, {}), wire.hang])
async def test_where_nobody_can_tell_three_tries_are_made(twilio, make, kind, message, trouble):
    """Without an answer to the question it goes out again, three times at most; then only the question is asked."""
    for attempts, sent in ((1, 1), (2, 2), (3, 2), (4, 2)):
        twilio.wire.faults.append(trouble)
        outcome = await make(kind, timeout=wire.patience(trouble)).send(message(attempts=attempts))
        assert isinstance(outcome, Delivered if attempts < 3 else Retry)
        assert went_out(twilio) == sent
    assert "may have been sent" in outcome.reason


async def test_a_call_to_that_number_may_be_ours(twilio, make):
    """A list of calls says nothing of what was spoken: in doubt it rings again, three times at most."""
    sender = make(PhoneSender)
    twilio.wire.faults.append(wire.lose_answer)
    await sender.send(call())
    assert isinstance(await sender.send(call(attempts=2)), Delivered)
    assert isinstance(await sender.send(call(attempts=3)), Retry)
    twilio.status = "no-answer"
    assert isinstance(await sender.send(call(attempts=3)), Delivered)
    assert went_out(twilio) == 3


URL = "https://example.com/myapp.php?foo=1&bar=2"
FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675310"),
    ("Digits", "1234"),
    ("From", "+14158675310"),
    ("To", "+18005551212"),
]


def test_signature_of_the_documentation_is_valid():
    """The example in Twilio's documentation (token 12345) is valid, in any order of the form."""
    assert valid_signature("12345", URL, FORM, "L/OH5YylLD5NRKLltdqwSvS0BnU=")
    assert valid_signature("12345", URL, reversed(FORM), "L/OH5YylLD5NRKLltdqwSvS0BnU=")


@pytest.mark.parametrize(
    ("token", "url", "form", "signature"),
    [
        ("12346", URL, FORM, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("12345", URL + "&x=1", FORM, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("12345", URL, [*FORM, ("Digits", "2")], "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("12345", URL, FORM, ""),
        ("12345", URL, FORM, "\udcff é"),
        ("12345", URL, [("a", "\udcff")], "x"),
    ],
)
def test_other_signatures_are_not(token, url, form, signature):
    """Anything else is not believed, and nothing that a stranger sends raises an error."""
    assert not valid_signature(token, url, form, signature)


PORTED = "https://example.com:443/myapp.php?foo=1&bar=2"
VECTORS = {  # made with Twilio's own RequestValidator (twilio-python 9.13.0)
    "without the port": (URL, "HMAC_SHA1", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
    "with the port, which the URL does not have": (URL, "HMAC_SHA1", "nbjTKFXyL7SOTAXZi6MWqyIuq40="),
    "without the port, which the URL has": (PORTED, "HMAC_SHA1", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
    "another port": ("https://example.com:8443/a", "HMAC_SHA1", "UJ7EfpLbLONJOtmQZAX+q3KuAx8="),
    "another port, left out": ("https://example.com:8443/a", "HMAC_SHA1", "WG6eawmy/HIxyj7iACis9oPGRH4="),
    "http": ("http://example.com/a?b=c", "HMAC_SHA1", "tRNYAUhx3VaNV6xFYCvv+HHOYT4="),
    "http, with the port": ("http://example.com/a?b=c", "HMAC_SHA1", "ySvi9L139O1G/TYGXtvg74LD58o="),
    "SHA-256": (URL, "HMAC_SHA256", "qMztBq0IANMH/q0K9sCfKQJLylezvRdRzRS647SAVow="),
    "SHA-256, with the port": (URL, "hmac_sha256", "tyH2Zk9Iyg0pEgYvedzhgtzLF3Du2K1mB2NGhXNNPvI="),
}


@pytest.mark.parametrize(("url", "algorithm", "signature"), VECTORS.values(), ids=VECTORS.keys())
def test_what_their_validator_takes(url, algorithm, signature):
    """What Twilio's own validator takes is taken: the URL with its port or without, signed by SHA-1 or by SHA-256."""
    assert valid_signature("12345", url, FORM, signature, algorithm)
    assert not valid_signature("12345", url, FORM, signature, "HMAC_MD5")
    assert not valid_signature("12345", url.replace("example", "other"), FORM, signature, algorithm)


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        ("", "HMAC_SHA1"),
        ("key=k1", "HMAC_SHA1"),
        ("key=k1, algorithm= HMAC_SHA256 ", "HMAC_SHA256"),
        ("algorithm=,x", "HMAC_SHA1"),
        ("algorithm=MD5", "MD5"),
    ],
)
def test_algorithm(header, algorithm):
    """The header of a Webhooks Rule names the algorithm; without a name it is SHA-1."""
    assert signature_algorithm(header) == algorithm
