"""Mail that comes back to Tocsin: replies that acknowledge, and bounces. The mail server posts it with curl, as documented."""

import asyncio
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

import aiohttp
import pytest

from receiver.channels.email import RETURN_HEADER
from receiver.core.model import Instant
from receiver.errors import SettingsError
from receiver.service import Service
from receiver.settings import Settings
from receiver.web.auth.message_tokens import ANSWERS, LASTS, MessageTokens
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.inbound_mail import IgnoredMail, MailReply, Undelivered, read_mail
from rules.addresses import parse_address
from rules.load import load_text
from tests.channels.servers.smtp import MailHost
from tests.end_to_end.conftest import until
from tests.web.test_several import ALONE, BEYOND, Night, numbers

TOKEN = "the-mail-servers-own-token-of-40-letters"
BOX = parse_address("acks@ops.example.org")
POLICY = """\
incident_response:
  alert_channels:
    - {name: mail, type: email, recipients: [dana@example.org]}
  detection:
    rules: [{name: margin, condition: "margin < 0.95", severity: 4, channels: [mail]}]
people: [{name: dana, contacts: {email: dana@example.org}}]
"""


class Office:
    """A receiver, its mail host, and a mail server that passes on what is written to the reply address."""

    def __init__(self, service: Service, host: MailHost) -> None:
        self.service, self.host = service, host

    async def page(self, number: int = 1) -> EmailMessage:
        """Open an incident of level 4; its first mail."""
        async with aiohttp.ClientSession() as http:
            body = {"type": "margin", "level": 4, "by": "test"}
            async with http.post(f"{self.service.address}/api/v1/incidents", json=body) as answer:
                assert answer.status == 201
        return await self.mail(lambda mail: mail["Reply-To"] and f"#{number} " in mail["Subject"])

    async def mail(self, fits: Callable[[Any], object]) -> Any:
        """Wait for a mail that was not read yet."""
        await until(lambda: any(fits(each) for each in self.host.mails), "a mail that fits")
        found = next(each for each in self.host.mails if fits(each))
        self.host.mails.remove(found)
        return found

    async def pass_on(self, mail: bytes, token: str = TOKEN) -> int:
        """Post a mail as a mail server's pipe does; the HTTP status."""
        command = [*("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}")]
        command += ["--data-binary", "@-", "-H", "Content-Type: message/rfc822"]
        curl = await asyncio.create_subprocess_exec(
            *command, f"{self.service.address}/callbacks/email", stdin=-1, stdout=-1
        )
        said, _ = await curl.communicate(mail)
        return int(said)

    async def get(self, path: str) -> Any:
        """What the API answers about incident 1."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.service.address}/api/v1/incidents/1{path}") as answer,
        ):
            return await answer.json()

    async def stands(self) -> tuple[str, str | None]:
        """The incident's state, and who has it."""
        found = await self.get("")
        return found["state"], found["acknowledged_by"]


def mailing(host: MailHost) -> dict[str, str]:
    """The settings for mail both ways."""
    return {
        "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{host.port}",
        "TOCSIN_EMAIL_FROM": "tocsin@example.org",
        "TOCSIN_EMAIL_REPLY_TO": str(BOX),
        "TOCSIN_EMAIL_INBOUND_TOKEN": TOKEN,
    }


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with MailHost(tls="none") as host:
        own = {"TOCSIN_LISTEN": "127.0.0.1:0", "TOCSIN_DATABASE": "sqlite://"}
        settings = Settings.read(own | mailing(host))
        async with Service(settings, [], load_text(POLICY).policy) as service:
            yield Office(service, host)


def reply(page: Any, text: str, to: str = "", **headers: str) -> bytes:
    """The answer that a mail program writes, below it the quoted mail."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Dana <dana@example.org>", to or page["Reply-To"]
    mail["Subject"], mail["Message-ID"] = f"Re: {page['Subject']}", headers.pop("message_id", "<1@example.org>")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    quoted = "".join(f"> {each}\n" for each in page.get_body(("plain",)).get_content().splitlines())
    mail.set_content(f"{text}\n\nOn Friday Tocsin wrote:\n{quoted}")
    return mail.as_bytes()


def report(to: str, action: str = "failed", returned: str = "", status: str = "5.1.1") -> bytes:
    """A delivery report as Postfix writes it."""
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mail.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="4F7K2.1795/mail.example"

--4F7K2.1795/mail.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example. I'm sorry to have to inform you
that your message could not be delivered to one or more recipients.

--4F7K2.1795/mail.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
X-Postfix-Queue-ID: 4F7K2
Arrival-Date: Fri, 27 Nov 2026 11:00:00 +0000 (UTC)

Final-Recipient: rfc822; dana@example.org
Original-Recipient: rfc822;dana@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 <dana@example.org>: Recipient address
    rejected: User unknown

--4F7K2.1795/mail.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Received: by mail.example (Postfix) id 4F7K2
Subject: #1 margin
{returned}

--4F7K2.1795/mail.example--
""".encode()


async def test_a_reply_acknowledges_and_is_answered(office: Office) -> None:
    """A mail says how to reply; ``Ack`` on the first line acknowledges in the recipient's name, once, and is answered."""
    page = await office.page()
    assert "To acknowledge by mail: reply with ack as the first line, alone." in page.get_body(("plain",)).get_content()
    assert "reply with ack as the first line" in page.get_body(("html",)).get_content()
    assert await office.pass_on(reply(page, "\n Ack ")) == 204
    assert await office.stands() == ("acknowledged", "dana")
    answer = await office.mail(lambda mail: mail["In-Reply-To"] == "<1@example.org>")
    assert answer.get_content().strip() == "Acknowledged: #1."
    assert (answer["To"], answer["Auto-Submitted"]) == ("dana@example.org", "auto-replied")
    assert await office.pass_on(reply(page, "ack")) == 204
    timeline = (await office.get("/timeline"))["timeline"]
    assert [entry["fact"] for entry in timeline].count("acknowledged") == 1


async def test_only_the_exact_word_of_a_person_acts(office: Office) -> None:
    """A sentence changes nothing and is told so; a machine's mail, a forged or missing address and a wrong token do nothing."""
    page = await office.page()
    assert await office.pass_on(reply(page, "ack, I am on my way")) == 204
    answer = await office.mail(lambda mail: mail["In-Reply-To"] == "<1@example.org>")
    assert answer.get_content().startswith("Nothing was done. #1 is open.")
    assert await office.pass_on(reply(page, "ack", Auto_Submitted="auto-replied (vacation)")) == 204
    forged = page["Reply-To"].replace("+1-1-", "+1-2-")
    assert forged != page["Reply-To"]
    for to in (forged, str(BOX), "acks@ops.example.org.evil.example"):
        assert await office.pass_on(reply(page, "ack", to)) == 204
    assert await office.pass_on(reply(page, "ack"), "another") == 401
    bounced_to = office.host.returns[0]
    assert await office.pass_on(reply(page, "ack", bounced_to)) == 204
    assert await office.stands() == ("open", None)


async def test_a_reply_answers_a_bundle_for_a_day(start: Callable[..., Any]) -> None:
    """A reply to a mail about several incidents acknowledges exactly those; after a day it does nothing, and is told so."""
    async with MailHost(tls="none") as host:
        night = Night(await start(**mailing(host)))
        await night.storm(ALONE + BEYOND)
        bundle = await night.bundle("email")
        await night.storm(1)
        receiver = night.receiver
        tokens = MessageTokens(Signing(receiver.store.key, receiver.clock), receiver.store.installation, ANSWERS)
        to = f"{BOX.local}+{tokens.make(bundle.items[0][1], bundle.name)}@{BOX.domain}"
        headers, sent_at = {"Authorization": f"Bearer {TOKEN}"}, bundle.items[0][0].created_at
        for after, says in ((LASTS, "Nothing was done, because that mail is older"), (LASTS - 1, "Acknowledged: #")):
            assert await night.acknowledged() == set()
            receiver.clock.now = Instant(sent_at + after)
            mail = f"From: dana@example.org\nTo: {to}\nSubject: Re: many\n\nack\n".encode()
            assert (await receiver.post("/callbacks/email", mail, headers=headers))[0] == 204
            assert host.mails.pop().get_content().startswith(says)
        assert await night.acknowledged() == numbers(bundle)


async def test_an_old_reply_is_void(office: Office) -> None:
    """A reply to the first page does not acknowledge the newer alarm, and is told so."""
    page = await office.page()
    async with aiohttp.ClientSession() as http:
        for action in ("acknowledge", "give-back"):
            url = f"{office.service.address}/api/v1/incidents/1/{action}"
            async with http.post(url, json={"by": "test"}) as done:
                assert done.status == 200, await done.text()
    again = await office.mail(lambda mail: mail["Reply-To"] not in {None, page["Reply-To"]})
    assert await office.pass_on(reply(page, "ack")) == 204
    assert await office.stands() == ("open", None)
    answer = await office.mail(lambda mail: mail["In-Reply-To"] == "<1@example.org>")
    assert answer.get_content().startswith("Acknowledged: none. Not changed: #1 (")
    assert await office.pass_on(reply(again, "ack", message_id="<2@example.org>")) == 204
    assert await office.stands() == ("acknowledged", "dana")


@pytest.mark.parametrize("by", ["envelope", "header"])
async def test_a_bounce_is_a_failure(office: Office, by: str) -> None:
    """A report that a mail failed makes it failed, with the server's words and no address; a delay changes nothing.

    The message is known by the envelope's sender, and by the returned headers where a server replaced that.
    """
    page = await office.page()
    [back] = office.host.returns
    assert back.startswith("acks+1-1-")
    assert back != page["Reply-To"]
    token = page[RETURN_HEADER]
    to, returned = (back, "") if by == "envelope" else ("tocsin@example.org", f"{RETURN_HEADER}: {token}")
    await until_accepted(office)
    assert await office.pass_on(report(to, "delayed", returned, "4.4.1")) == 204
    [shown] = (await office.get("/notifications"))["notifications"]
    assert shown["status"] == "accepted"
    assert await office.pass_on(report(to, "failed", returned)) == 204
    [shown] = (await office.get("/notifications"))["notifications"]
    assert shown["status"] == "gave_up"
    assert shown["detail"].startswith(
        "the mail came back: 5.1.1: 550 5.1.1 <d…@example.org>: Recipient address rejected"
    )
    assert await office.pass_on(report(to, "failed", returned)) == 204, "a second report"
    timeline = (await office.get("/timeline"))["timeline"]
    assert [entry["fact"] for entry in timeline].count("gave_up") == 1


async def until_accepted(office: Office) -> None:
    """Wait until the sender has reported the page."""
    while (await office.get("/notifications"))["notifications"][0]["status"] != "accepted":
        await asyncio.sleep(0.02)


async def test_a_server_that_accepts_only_its_own_account_gets_the_page(office: Office) -> None:
    """Where the envelope's sender with a token is refused, the page goes out with the account's, at once."""
    office.host.answers["MAIL"] = "550 5.7.60 Client does not have permissions to send as this sender"
    page = await office.page()
    assert office.host.returns == ["tocsin@example.org"]
    assert await office.pass_on(reply(page, "ack")) == 204
    assert await office.stands() == ("acknowledged", "dana")


@pytest.mark.parametrize(
    ("mail", "line"),
    [
        (b"Content-Type: text/html\n\n<html><head><title>x</title></head><body><div>ack</div><p>more", "ack"),
        (b"Content-Type: text/plain; charset=klingon\nContent-Transfer-Encoding: base64\n\nQUNLCg==", "ACK"),
        (b"Content-Type: text/plain; charset=utf-16\n\n\xff\xfea\x00c\x00k\x00", "ack"),
        (b"Content-Type: text/plain\n\n> ack\nack", "> ack"),
        (b"Content-Type: multipart/mixed\n\nack", ""),
        (b"Content-Type: text/html\n\n<![if !supportLists]><p>ack<![x[", "ack"),
        (b"Content-Type: text/plain; charset=u\0\n\nack", "ack"),
        (b"From: =?broken?=\nTo: <<\xc3\xa4\nContent-Type: ;;;\nAuto-Submitted: no\n\nack", "ack"),
    ],
)
def test_first_lines(mail: bytes, line: str) -> None:
    """The first line of text or HTML counts, in any encoding; malformed mails raise nothing."""
    read_mail(b"\xff: \xfe\nTo" + mail[:20], BOX)
    found = read_mail(mail, BOX)
    assert isinstance(found, MailReply)
    assert found.first_line == line


def test_reports_that_say_nothing() -> None:
    """A report that something was read, or one without its parts, is no failure."""
    for source in (report("x", "relayed"), b"Content-Type: multipart/report; boundary=x\n\n--x\n\n--x--"):
        assert isinstance(read_mail(source, BOX), IgnoredMail)
    found = read_mail(report(f"ACKS+1-1-AB2@{BOX.domain}"), BOX)
    assert isinstance(found, Undelivered)
    assert found.token == "1-1-ab2"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"TOCSIN_EMAIL_INBOUND_TOKEN": ""},
            "TOCSIN_EMAIL_INBOUND_TOKEN: is needed where TOCSIN_EMAIL_REPLY_TO is set",
        ),
        ({"TOCSIN_EMAIL_REPLY_TO": ""}, "TOCSIN_EMAIL_REPLY_TO: is needed where TOCSIN_EMAIL_INBOUND_TOKEN is set"),
        ({"TOCSIN_SMTP_URL": ""}, "TOCSIN_SMTP_URL: is needed where TOCSIN_EMAIL_REPLY_TO is set"),
    ],
)
def test_settings_belong_together(changes: dict[str, str], said: str) -> None:
    """A reply address without its token, or the reverse, is refused at the start."""
    environ = {
        "TOCSIN_SMTP_URL": "smtp://127.0.0.1",
        "TOCSIN_EMAIL_FROM": "tocsin@example.org",
        "TOCSIN_EMAIL_REPLY_TO": str(BOX),
        "TOCSIN_EMAIL_INBOUND_TOKEN": TOKEN,
    }
    with pytest.raises(SettingsError, match=said):
        Settings.read(environ | changes)
