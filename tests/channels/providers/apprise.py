"""A server of ntfy, by way of Apprise."""

from contextlib import asynccontextmanager

from receiver.channels.apprise import AppriseSender, make_service
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.push import Ntfy
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def provider(patience):
    token = "tk_0123456789abcdefghijklmnopqrs"
    ntfy = Ntfy(token)
    async with ntfy.wire:
        make_service("TOCSIN_APPRISE_URL_NTFY", ntfy.url)  # loads Apprise, which takes longer than the patience here
        yield Provider(
            AppriseSender({"TOCSIN_APPRISE_URL_NTFY": ntfy.url}, deadline=patience),
            outgoing("apprise", "ntfy"),
            (token,),
            over_http(
                ntfy.wire,
                Reply(400, {"code": 40009, "http": 400, "error": f"invalid topic {token}"}),
                Reply(403, {"code": 40301, "http": 403, "error": f"forbidden {token}"}),
            ),
            lambda: len(ntfy.messages),
            says_when=False,
            advice="TOCSIN_APPRISE_URL_NTFY",
        )
