"""A Slack workspace."""

from contextlib import asynccontextmanager

from receiver.channels.slack import SlackSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.slack import SlackWorkspace
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def provider(patience):
    token = "xoxb-1234-secret-of-the-bot"
    workspace = SlackWorkspace(token)
    async with workspace.wire:
        yield Provider(
            SlackSender(token, f"{workspace.wire.url}/api", patience),
            outgoing("slack", "#incident-response"),
            (token,),
            over_http(
                workspace.wire,
                Reply(200, {"ok": False, "error": "is_archived", "detail": token}),
                Reply(200, {"ok": False, "error": "invalid_auth", "detail": token}),
            ),
            lambda: len(workspace.messages),
        )
