"""Test messages and canaries go to the people who are on call, not to the words `@primary`."""

import pytest

from receiver.channels.trial import try_channel
from receiver.core.events import Delivered, Rejected
from receiver.core.model import Instant
from receiver.messages import MessageRenderer
from tests.on_call.teams import layered, utc


class Recorder:
    """A provider that takes everything."""

    def __init__(self):
        self.told = []

    async def send(self, outgoing):
        """Takes it."""
        self.told.append(outgoing.notification.recipient)
        return Delivered("1")


@pytest.mark.parametrize(
    ("at", "told", "kind"),
    [("2026-10-06T09:00", ["+4917010000001"], Delivered), ("2026-01-01T09:00", [], Rejected)],
    ids=["in a shift", "in a gap"],
)
async def test_a_test_message_goes_to_who_is_on_call(at, told, kind):
    """In a shift its person gets it; in a gap it is not sent, and the answer says so."""
    policy = layered('{people: [dana, ben], starts: "2026-10-01T09:00", every: 1w}')
    [phone] = [each for each in policy.channels if each.name == "phone"]
    provider = Recorder()
    [tried] = await try_channel(provider, policy, phone, MessageRenderer("http://x"), lambda: Instant(utc(at)))
    assert (provider.told, type(tried.outcome)) == (told, kind)
