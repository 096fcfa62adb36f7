"""Any callback, signed by a provider or not, is 2xx or 4xx; the receiver lives on."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from receiver.web.auth.message_tokens import ANSWERS, MessageTokens
from receiver.web.auth.signing import Signing
from tests.web.conftest import Running
from tests.web.test_callbacks_pagerduty import PATH as PAGERDUTY
from tests.web.test_callbacks_slack import ACTIONS, COMMANDS
from tests.web.test_callbacks_twilio import DIGITS, ENVIRON, PUBLIC, SMS, STATUS, TOKEN
from tests.web.test_fuzz import ANY_JSON, FEW, TEXT, dump

SOME = settings(FEW, max_examples=30)
SECRET = "a-secret-of-all-three"
MAIL = {
    "TOCSIN_SMTP_URL": "smtp://127.0.0.1:1",
    "TOCSIN_EMAIL_FROM": "tocsin@example.test",
    "TOCSIN_EMAIL_REPLY_TO": "acks@example.test",
    "TOCSIN_EMAIL_INBOUND_TOKEN": SECRET,
}
SETTINGS = {**ENVIRON, **MAIL, "TOCSIN_SLACK_SIGNING_SECRET": SECRET, "TOCSIN_PAGERDUTY_WEBHOOK_SECRET": SECRET}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
HEADER = st.text("abcé v0:=,'\"\t12", max_size=30).map(str.strip)


def near(names: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    """A form with the fields that are looked at, and others."""
    return st.dictionaries(st.sampled_from(names) | TEXT, values | TEXT, max_size=6)


PRESSED = st.fixed_dictionaries(
    {"actions": st.lists(st.fixed_dictionaries(
        {"action_id": st.sampled_from(["acknowledge", "escalate", "resolve", "other"]), "value": st.just("ID") | TEXT},
        optional={"block_id": st.sampled_from(["state:open", "state:closed:1", "x"]) | TEXT | ANY_JSON},
    ), max_size=2)},
    optional={"user": ANY_JSON | st.fixed_dictionaries({"id": ANY_JSON, "username": ANY_JSON}),
              "response_url": TEXT | st.just("https://hooks.slack.com.evil.test/")},
)  # fmt: skip
SLACK = st.binary(max_size=60) | (PRESSED | ANY_JSON).map(lambda what: urlencode({"payload": dump(what)}).encode())
TYPED = near(
    ["text", "user_id", "user_name"], st.sampled_from(["ack 1", "ack #9999999999", "declare x y", "incidents"])
)
TWILIO = near(
    ["MessageStatus", "CallStatus", "ErrorCode", "Digits", "To", "From", "Body", "CallSid", "MessageSid"],
    st.sampled_from(["failed", "1", "2", "+12025550143", "ACK 1", "RESOLVE 1", "ESC 999999999", ""]),
)
MAILS = st.lists(
    st.sampled_from(
        [b"\n", b"\n\n", b"\n--b\n", b"\0", b"\xff", b"<![x", b"ack", b"From: <d@example.test>\n", b"From: \xff<>\n"]
    )
    | st.sampled_from(
        [b"To: acks+TOKEN@example.test\n", b"Message-ID: <<>\n", b"Message-ID: <\xff@\0>\n", b"Subject: =?x?b?=\n"]
    )
    | st.sampled_from(
        [b"Content-Type: text/html; charset=", b"utf-8", b"u\0", b"Content-Type: text/plain\n", b"Action: failed\n"]
    )
    | st.sampled_from([b"Content-Type: multipart/report; boundary=b\n", b"Content-Type: message/delivery-status\n"])
    | st.sampled_from([b"Content-Type: text/rfc822-headers\n", b"Content-Transfer-Encoding: base64\n", b"Status: 5\n"])
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)
EVENT = st.fixed_dictionaries(
    {"event": st.fixed_dictionaries(
        {"event_type": st.sampled_from(["incident.acknowledged", "incident.resolved"]) | ANY_JSON},
        optional={"id": ANY_JSON, "agent": ANY_JSON | st.fixed_dictionaries(
            {"type": st.just("user_reference")}, optional={"id": ANY_JSON, "summary": ANY_JSON}),
            "data": ANY_JSON | st.fixed_dictionaries({"incident_key": st.just("KEY") | ANY_JSON})},
    )})  # fmt: skip


@pytest.fixture
async def called(start: Callable[..., Any]) -> Running:
    """A receiver that all three can reach, with an incident."""
    receiver = await start(**SETTINGS)
    await receiver.send("single_firing")
    return receiver


async def lives(receiver: Running) -> None:
    """It can still show what it has."""
    assert (await receiver.get("/api/v1/incidents/1/timeline"))[0] == 200
    assert receiver.store.verify_audit()


def by_slack(receiver: Running, body: bytes) -> dict[str, str]:
    """Slack's headers."""
    stamp = str(receiver.clock.now // 1_000_000)
    mark = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + body, sha256).hexdigest()
    return {**FORM_TYPE, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}"}


@SOME
@given(body=SLACK, path=st.sampled_from([ACTIONS, COMMANDS]), typed=TYPED)
async def test_slack(called: Running, body: bytes, path: str, typed: dict[str, str]) -> None:
    """Signed nonsense and near misses from Slack make no 500."""
    incident_id = called.store.reads().by_number(1).id
    for sent in (body.replace(b"ID", incident_id.encode()), urlencode(typed).encode()):
        status, _ = await called.post(path, sent, headers=by_slack(called, sent))
        assert status in {200, 400, 401}, sent  # 401: slack-sdk reads the body as text to check it
    await lives(called)


@SOME
@given(body=MAILS)
async def test_mail(called: Running, body: bytes) -> None:
    """Malformed mails make no 500, also as replies to a real message: a mail server would post them for days."""
    incident = called.store.reads().by_number(1)
    token = MessageTokens(Signing(called.store.key, called.clock), called.store.installation, ANSWERS).make(
        incident, f"{incident.id}-1"
    )
    for sent in (body.replace(b"TOKEN", token.encode()), b"To: acks+%s@example.test\n" % token.encode() + body):
        assert await called.post("/callbacks/email", sent, headers={"Authorization": f"Bearer {SECRET}"}) == (204, "")
    await lives(called)


@SOME
@given(form=TWILIO, path=st.sampled_from([STATUS, DIGITS, SMS]), notification=TEXT, real=st.booleans())
async def test_twilio(called: Running, form: dict[str, str], path: str, notification: str, *, real: bool) -> None:
    """Signed nonsense and near misses from Twilio make no 500."""
    incident = called.store.reads().by_number(1)
    named = f"{incident.id}-1" if real else notification
    if path == STATUS and real:  # bad news of a message that is not sent yet waits for its sender
        named += "0"
    public = URL(f"{PUBLIC}{path}").with_query(notification=named)
    signed = str(public) + "".join(name + value for name, value in sorted(form.items()))
    mark = b64encode(hmac.new(TOKEN.encode(), signed.encode(), sha1).digest()).decode()
    headers = {**FORM_TYPE, "X-Twilio-Signature": mark}
    status, _ = await called.post(f"{path}?{public.raw_query_string}", urlencode(form).encode(), headers=headers)
    assert status in {200, 204}
    await lives(called)


@SOME
@given(body=st.binary(max_size=60) | (EVENT | ANY_JSON).map(dump))
async def test_pagerduty(called: Running, body: bytes) -> None:
    """Signed nonsense and near misses from PagerDuty make no 500."""
    incident = called.store.reads().by_number(1)
    sent = body.replace(b"KEY", f"{called.store.installation}-{incident.id}-1".encode())
    mark = hmac.new(SECRET.encode(), sent, sha256).hexdigest()
    status, _ = await called.post(PAGERDUTY, sent, headers={"X-PagerDuty-Signature": f"v1={mark}"})
    assert status in {204, 400}
    await lives(called)


@SOME
@given(
    path=st.sampled_from([ACTIONS, COMMANDS, STATUS, DIGITS, SMS, PAGERDUTY]), body=st.binary(max_size=60), mark=HEADER
)
async def test_unsigned(called: Running, path: str, body: bytes, mark: str) -> None:
    """An unsigned body is 401 (400 where it is no form), and nothing happens."""
    names = ("X-Slack-Signature", "X-Slack-Request-Timestamp", "X-Twilio-Signature", "X-PagerDuty-Signature")
    status, _ = await called.post(path, body, headers={**FORM_TYPE, **dict.fromkeys(names, mark)})
    assert status in {400, 401}
    assert called.store.newest_audits(1) == []
