"""A Twilio account that takes messages, and calls; and a Vonage account that takes messages."""

from contextlib import asynccontextmanager

from receiver.channels import vonage
from receiver.channels.sms import SmsSender
from receiver.channels.twilio import Account
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.twilio import TwilioAccount
from tests.channels.servers.vonage import VonageAccount
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def twilio(kind, channel, patience):
    sid, token = "AC" + "5" * 32, "twilio-auth-token-0123456789abcd"
    account = TwilioAccount(sid, token)
    async with account.wire:
        yield Provider(
            kind(Account(sid, token, "+12025550100", account.wire.url, "https://tocsin.example"), timeout=patience),
            outgoing(channel, "+4930123456"),
            (token,),
            over_http(
                account.wire,
                Reply(400, {"code": 21211, "message": f"The 'To' number is not valid {token}", "status": 400}),
                Reply(401, {"code": 20003, "message": f"Authenticate {token}", "status": 401}),
            ),
            lambda: len(account.messages) + len(account.calls),
        )


def provider(patience):
    return twilio(SmsSender, "sms", patience)


@asynccontextmanager
async def by_vonage(patience):
    key, secret, signing = "a1b2c3d4", "vonage-api-secret-0123", "vonage-signature-secret-0123456789"
    account = VonageAccount(key, secret, signing)
    async with account.wire:
        known = vonage.VonageAccount(key, secret, "+12025550100", signing, account.wire.url, "https://tocsin.example")
        yield Provider(
            SmsSender(None, timeout=patience, second=known),
            outgoing("sms", "+4930123456"),
            (secret, signing),
            over_http(
                account.wire,
                Reply(200, {"messages": [{"status": "7", "error-text": f"Number barred {secret}"}]}),
                Reply(200, {"messages": [{"status": "4", "error-text": f"Bad Credentials {secret}"}]}),
            ),
            lambda: len(account.messages),
        )
