"""SMS by Vonage, and by Vonage where Twilio fails: who is asked, what is said, and what is never sent around."""

import re
from collections.abc import AsyncIterator

import pytest

from receiver.channels import vonage
from receiver.channels.configured import configured_channels
from receiver.channels.sms import ORDER, SmsSender, providers_heard
from receiver.channels.twilio import Account
from receiver.cli.doctor import _places
from receiver.core.events import Delivered, Rejected, Retry
from receiver.errors import SettingsError
from receiver.settings import Settings
from rules.load import load_text
from tests.channels.outgoings import outgoing
from tests.channels.servers.twilio import TwilioAccount
from tests.channels.servers.vonage import VonageAccount
from tests.channels.servers.wire import Reply, reset_read, reset_unread

SID, TOKEN, NUMBER = "AC" + "5" * 32, "twilio-auth-token-0123456789abcd", "+4930123456"
PUBLIC = "https://tocsin.example"


class Both:
    """Accounts at both providers, and a sender that uses them."""

    def __init__(self) -> None:
        self.twilio = TwilioAccount(SID, TOKEN)
        self.made: list[SmsSender] = []
        self.vonage = VonageAccount("a1b2c3d4", "vonage-api-secret", "signing")

    def make(self, order: tuple[str, ...] = ORDER, of_countries: str = "") -> None:
        first = Account(SID, TOKEN, "+12025550100" + of_countries, self.twilio.wire.url, PUBLIC)
        second = vonage.VonageAccount(
            "a1b2c3d4", "vonage-api-secret", "+12025550199" + of_countries, "signing", self.vonage.wire.url, PUBLIC
        )
        self.sender = SmsSender(first, second=second, order=order)
        self.made.append(self.sender)

    async def send(self) -> Delivered | Retry | Rejected:
        return await self.sender.send(outgoing("sms", NUMBER))


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    each = Both()
    async with each.twilio.wire, each.vonage.wire:
        each.make()
        yield each
        for sender in each.made:
            await sender.close()


async def test_the_second_is_not_asked_where_the_first_takes_it(both: Both) -> None:
    """A message that Twilio accepts is not sent by Vonage."""
    assert isinstance(await both.send(), Delivered)
    assert (len(both.twilio.messages), len(both.vonage.messages)) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [
        Reply(503, b"gone"),
        Reply(429, b"slow down", {"Retry-After": "7"}),
        Reply(401, {"code": 20003, "message": "Authenticate", "status": 401}),
        Reply(400, {"code": 21408, "message": "region", "status": 400}),
        reset_unread,
        reset_read,
    ],
    ids=["in trouble", "limited", "credentials", "country barred", "hung up", "cut off"],
)
async def test_the_second_takes_what_the_first_cannot(both: Both, fault: object) -> None:
    """On any fault of Twilio, the page goes out by Vonage in the same try, whole, and asks for a receipt."""
    both.twilio.wire.faults.append(fault)
    assert await both.send() == Delivered("0A00000000000001")
    (sent,) = both.vonage.messages
    assert sent["to"] == NUMBER[1:]
    assert sent["from"] == "12025550199"
    assert sent["text"].startswith("#12 EMERGENCY")
    assert sent["callback"] == f"{PUBLIC}/callbacks/vonage/status"
    assert sent["client-ref"]
    assert sent["ttl"] == "600000"


@pytest.mark.parametrize("code", [21610, 21211, 21614])
async def test_nobody_is_gone_around(both: Both, code: int) -> None:
    """Who answered STOP to our number is not written to from another; nor is a number tried that is none."""
    both.twilio.unreachable[NUMBER] = code
    assert isinstance(await both.send(), Rejected)
    assert not both.vonage.messages


async def test_both_are_told_where_both_fail(both: Both) -> None:
    """The outcome names what each said; it is tried again where one of them may take it then."""
    both.twilio.unreachable[NUMBER] = 20003
    both.vonage.refuses[NUMBER[1:]] = "1"
    outcome = await both.send()
    assert isinstance(outcome, Retry)
    assert "TOCSIN_TWILIO_AUTH_TOKEN" in outcome.reason
    assert "Vonage limits the rate" in outcome.reason
    both.vonage.refuses[NUMBER[1:]] = "9"
    outcome = await both.send()
    assert isinstance(outcome, Rejected)
    assert "credit is used up" in outcome.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"messages": []}', b'{"messages": [{"status": 0}]}', b'{"messages": "x"}', b'{"messages": [1]}'],
)
async def test_an_answer_that_is_none_is_no_delivery(both: Both, body: bytes) -> None:
    """A 200 that holds no status of Vonage's counts as not sent."""
    both.twilio.wire.faults.append(Reply(503, b"gone"))
    both.vonage.wire.faults.append(Reply(200, body))
    assert not isinstance(await both.send(), Delivered)


async def test_the_order_can_be_chosen(both: Both) -> None:
    """Vonage may be the first: then Twilio takes what Vonage cannot, and who answered STOP there is not gone around."""
    both.make(("vonage", "twilio"))
    assert await both.send() == Delivered("0A00000000000001")
    assert not both.twilio.messages
    both.vonage.refuses[NUMBER[1:]] = "9"
    assert isinstance(await both.send(), Delivered)
    assert len(both.twilio.messages) == 1
    both.twilio.unreachable[NUMBER] = 21610
    outcome = await both.send()
    assert isinstance(outcome, Rejected)
    assert "credit is used up" in outcome.reason


async def test_one_provider_may_be_left_out(both: Both) -> None:
    """With an account at Twilio for calls, SMS may go by Vonage alone."""
    both.make(("vonage",))
    both.vonage.refuses[NUMBER[1:]] = "9"
    assert isinstance(await both.send(), Rejected)
    assert not both.twilio.wire.requests


@pytest.mark.parametrize(
    ("of_countries", "sender"),
    [
        ("", "+12025550100"),
        (", +44=+442055501", "+12025550100"),
        (", +4=+4", "+4"),
        (", +4=+4, +49=Tocsin, +491=+491", "Tocsin"),
    ],
)
async def test_a_country_may_have_a_sender_of_its_own(both: Both, of_countries: str, sender: str) -> None:
    """The longest prefix counts; all other countries have the first sender. At both providers."""
    both.make(of_countries=of_countries)
    await both.send()
    assert both.twilio.messages[0]["From"] == sender
    both.make(("vonage",), of_countries)
    await both.send()
    assert both.vonage.messages[0]["from"] == sender.replace("0100", "0199").removeprefix("+")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"TOCSIN_SMS_PROVIDERS": "vonage, twillio"}, "TOCSIN_SMS_PROVIDERS: 'twillio' is none of twilio, vonage"),
        ({"TOCSIN_SMS_PROVIDERS": "vonage"}, "names vonage, of which the settings have no account"),
        ({"TOCSIN_TWILIO_FROM": "+49=+4930123456"}, "TOCSIN_TWILIO_FROM: name one sender without a country"),
        ({"TOCSIN_TWILIO_FROM": "+1, +2"}, "TOCSIN_TWILIO_FROM: name one sender without a country"),
        ({"TOCSIN_TWILIO_FROM": "+1, de=+4930"}, "TOCSIN_TWILIO_FROM: write a sender, then those of countries"),
        ({"TOCSIN_TWILIO_FROM": "+1, +49="}, "TOCSIN_TWILIO_FROM: write a sender, then those of countries"),
    ],
)
def test_a_wrong_order_or_sender_is_refused(given: dict[str, str], words: str) -> None:
    """At the start, with the setting's name and what to write."""
    with pytest.raises(SettingsError, match=re.escape(words)):
        configured_channels(load_text(POLICY).policy, Settings.read(TWILIO | given))


TWILIO = {"TOCSIN_TWILIO_ACCOUNT_SID": SID, "TOCSIN_TWILIO_AUTH_TOKEN": TOKEN, "TOCSIN_TWILIO_FROM": "+12025550100"}
VONAGE = {"TOCSIN_VONAGE_API_KEY": "k", "TOCSIN_VONAGE_API_SECRET": "s", "TOCSIN_VONAGE_FROM": "+12025550199"}
SIGNED = {"TOCSIN_VONAGE_SIGNATURE_SECRET": "x"}
POLICY = """
incident_response:
  alert_channels: [{name: sms, type: sms, recipients: ["+4930123456"]}]
"""


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        (TWILIO, [False]),
        (TWILIO | {"TOCSIN_EXTERNAL_URL": PUBLIC}, [True]),
        (VONAGE | SIGNED, [False]),
        (VONAGE | SIGNED | {"TOCSIN_EXTERNAL_URL": PUBLIC}, [True]),
        (TWILIO | VONAGE | {"TOCSIN_EXTERNAL_URL": PUBLIC}, [True, False]),
    ],
)
def test_either_configures_the_channel(given: dict[str, str], heard: list[bool]) -> None:
    """SMS needs one of both; a provider is heard where it knows where we are, and can prove who it is."""
    settings = Settings.read(given | {"TOCSIN_API_TOKENS": "dana:admin:anns-token-of-sixteen"})
    assert configured_channels(load_text(POLICY).policy, settings) == {"sms"}
    assert providers_heard(settings) == heard


def test_the_doctor_asks_those_that_there_is_an_account_at() -> None:
    """`tocsin doctor` looks whether each provider of SMS can be reached that is configured, and no other."""
    asked = [list(_places(Settings.read(given), "sms", [NUMBER])) for given in (TWILIO, VONAGE, TWILIO | VONAGE)]
    assert asked == [
        ["https://api.twilio.com"],
        ["https://rest.nexmo.com"],
        ["https://api.twilio.com", "https://rest.nexmo.com"],
    ]
