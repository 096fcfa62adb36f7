"""A user's own system behind a webhook."""

from contextlib import asynccontextmanager

from receiver.channels.webhook import WebhookSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.webhook import Inbox
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def provider(patience):
    secret, inbox = "webhook-signing-secret", Inbox("webhook-signing-secret")
    async with inbox.wire:
        yield Provider(
            WebhookSender(lambda: 1_795_435_320_000_000, secret, timeout=patience),
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
