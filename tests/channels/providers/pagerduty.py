"""A PagerDuty account."""

from contextlib import asynccontextmanager

from receiver.channels.pagerduty import PagerDutySender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.pagerduty import PagerDuty
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def provider(patience):
    key = "R0UTINGKEY0123456789abcdefWXYZ98"
    account = PagerDuty(key)
    async with account.wire:
        sender = PagerDutySender(
            lambda service: key, api_url=account.wire.url, timeout=(patience, patience), deadline=2 * patience
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
