"""Every channel type with its provider on this machine, for the contract suite.

A new channel type is a function here that yields a Provider, and a line in PROVIDERS.
"""

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from receiver.channels import Outgoing, Sender
from receiver.channels.email import EmailSender
from receiver.channels.pagerduty import PagerDutySender
from receiver.channels.phone import PhoneSender
from receiver.channels.slack import SlackSender
from receiver.channels.sms import SmsSender
from receiver.channels.twilio import Account
from receiver.channels.webhook import WebhookSender
from tests.channels.outgoings import outgoing
from tests.channels.servers import smtp, wire
from tests.channels.servers.pagerduty import PagerDuty
from tests.channels.servers.slack import SlackWorkspace
from tests.channels.servers.smtp import MailHost
from tests.channels.servers.twilio import TwilioAccount
from tests.channels.servers.webhook import Inbox
from tests.channels.servers.wire import Reply

PATIENCE = 0.7
"""Seconds that senders wait for a provider here."""


class Mishap(StrEnum):
    """What can go wrong at a provider, or on the way there."""

    LIMITED_FOR = "429 with Retry-After: 7"
    LIMITED = "429 without Retry-After"
    UNAVAILABLE = "5xx"
    HANG = "no answer"
    HANG_LATE = "no end of the answer, or none to the message itself"
    RESET_UNREAD = "connection reset before the request was read"
    RESET_READ = "connection reset after the request was read"
    TRICKLE = "an answer of one byte after the other"
    GARBAGE = "an answer that is no answer"
    BROKEN_OFF = "an answer that breaks off"
    REFUSED = "refused for good"
    CREDENTIALS = "credentials refused"


@dataclass
class Provider:
    """One channel type, configured, and ways to upset its provider."""

    sender: Sender
    outgoing: Outgoing
    secrets: tuple[str, ...]
    mishaps: Mapping[Mishap, Callable[[], None]]
    """What sets each mishap up."""
    accepted: Callable[[], int]
    """How many messages people got."""
    says_when: bool = True
    """Whether it can ask for patience."""
    advice: str = "TOCSIN_"
    """What an outcome about credentials names."""


def over_http(server: wire.Wire, refused: Reply, credentials: Reply) -> Mapping[Mishap, Callable[[], None]]:
    """The mishaps of providers that speak HTTP."""
    faults = {
        Mishap.LIMITED_FOR: Reply(429, b"slow down", {"Retry-After": "7"}),
        Mishap.LIMITED: Reply(429, b"slow down"),
        Mishap.UNAVAILABLE: Reply(503, b"<html>upstream is gone</html>"),
        Mishap.HANG: wire.hang,
        Mishap.HANG_LATE: wire.trickle(503),
        Mishap.RESET_UNREAD: wire.reset_unread,
        Mishap.RESET_READ: wire.reset_read,
        Mishap.TRICKLE: wire.trickle_head,
        Mishap.GARBAGE: wire.garbage,
        Mishap.BROKEN_OFF: wire.broken_off(500),
        Mishap.REFUSED: refused,
        Mishap.CREDENTIALS: credentials,
    }
    return {mishap: lambda fault=fault: server.faults.append(fault) for mishap, fault in faults.items()}


@asynccontextmanager
async def email():
    password = "pa55-w0rd-of-the-relay"
    async with MailHost("tocsin", password) as host:

        def answer(**answers):
            return lambda: host.answers.update(answers)

        def raw(behaviour):
            return lambda: setattr(host, "raw", behaviour)

        def after_data(behaviour):
            return lambda: setattr(host, "after_data", behaviour)

        yield Provider(
            EmailSender(
                f"smtp://tocsin:{password}@localhost:{host.port}",
                "tocsin@example.org",
                PATIENCE,
                tls_context=host.trust,
            ),
            outgoing("email", "ada@example.org"),
            (password,),
            {
                Mishap.LIMITED_FOR: answer(RCPT="450 4.7.0 Try again in 7 seconds"),
                Mishap.LIMITED: answer(RCPT="451 4.7.1 Greylisted, come back in 5 minutes"),
                Mishap.UNAVAILABLE: answer(DATA="452 4.3.1 Insufficient system storage"),
                Mishap.HANG: raw(smtp.hang),
                Mishap.HANG_LATE: after_data(smtp.hang_after_data),
                Mishap.RESET_UNREAD: raw(smtp.reset),
                Mishap.RESET_READ: after_data(smtp.cut_off_after_data),
                Mishap.TRICKLE: raw(smtp.trickle),
                Mishap.GARBAGE: raw(smtp.garbage),
                Mishap.BROKEN_OFF: raw(smtp.break_off),
                Mishap.REFUSED: answer(RCPT=f"550 5.1.1 No such user here ({password})"),
                Mishap.CREDENTIALS: lambda: setattr(host, "_login", None),
            },
            lambda: len(host.mails),
            says_when=False,
        )


@asynccontextmanager
async def slack():
    token = "xoxb-1234-secret-of-the-bot"
    workspace = SlackWorkspace(token)
    async with workspace.wire:
        yield Provider(
            SlackSender(token, f"{workspace.wire.url}/api", PATIENCE),
            outgoing("slack", "#incident-response"),
            (token,),
            over_http(
                workspace.wire,
                Reply(200, {"ok": False, "error": "is_archived", "detail": token}),
                Reply(200, {"ok": False, "error": "invalid_auth", "detail": token}),
            ),
            lambda: len(workspace.messages),
        )


@asynccontextmanager
async def pagerduty():
    key = "R0UTINGKEY0123456789abcdefWXYZ98"
    account = PagerDuty(key)
    async with account.wire:
        sender = PagerDutySender(
            lambda service: key, api_url=account.wire.url, timeout=(PATIENCE, PATIENCE), deadline=2 * PATIENCE
        )
        yield Provider(
            sender,
            outgoing("pagerduty", "ml-systems"),
            (key, key[-4:]),
            over_http(
                account.wire,
                Reply(400, {"status": "invalid event", "message": "no", "errors": [f"'payload' is odd {key}"]}),
                Reply(401, {"message": f"routing key ending in {key[-4:]} is unknown"}),
            ),
            lambda: len(account.opened),
            advice="routing key",
        )


@asynccontextmanager
async def _twilio(kind, channel):
    sid, token = "AC" + "5" * 32, "twilio-auth-token-0123456789abcd"
    account = TwilioAccount(sid, token)
    async with account.wire:
        yield Provider(
            kind(Account(sid, token, "+12025550100", account.wire.url, "https://tocsin.example"), timeout=PATIENCE),
            outgoing(channel, "+4930123456"),
            (token,),
            over_http(
                account.wire,
                Reply(400, {"code": 21211, "message": f"The 'To' number is not valid {token}", "status": 400}),
                Reply(401, {"code": 20003, "message": f"Authenticate {token}", "status": 401}),
            ),
            lambda: len(account.messages) + len(account.calls),
        )


def sms():
    return _twilio(SmsSender, "sms")


def phone():
    return _twilio(PhoneSender, "phone")


@asynccontextmanager
async def webhook():
    secret, inbox = "webhook-signing-secret", Inbox("webhook-signing-secret")
    async with inbox.wire:
        yield Provider(
            WebhookSender(lambda: 1_795_435_320_000_000, secret, timeout=PATIENCE),
            outgoing(
                "webhook", f"{inbox.wire.url}/in?key=query-secret", headers=(("Authorization", "Bearer header-secret"),)
            ),
            (secret, "query-secret", "header-secret"),
            over_http(
                inbox.wire,
                Reply(410, b"gone: query-secret header-secret"),
                Reply(401, b"bad: query-secret header-secret"),
            ),
            lambda: len(inbox.messages),
            advice="401",
        )


PROVIDERS = {
    "email": email,
    "slack": slack,
    "pagerduty": pagerduty,
    "sms": sms,
    "phone": phone,
    "webhook": webhook,
}
