"""What every channel promises, for all answers of its provider. `providers.PROVIDERS` lists the channels."""

import asyncio
import logging

import pytest

from receiver.channels import SEND_TIMEOUT
from receiver.core.events import Delivered, Rejected, Retry
from rules.policy import CHANNEL_TYPES
from tests.channels.providers import PROVIDERS, Mishap

PASSING = [
    Mishap.LIMITED,
    Mishap.UNAVAILABLE,
    Mishap.HANG,
    Mishap.HANG_LATE,
    Mishap.RESET_UNREAD,
    Mishap.RESET_READ,
    Mishap.TRICKLE,
    Mishap.GARBAGE,
    Mishap.BROKEN_OFF,
]
LASTING = [Mishap.REFUSED, Mishap.CREDENTIALS]
NEVER_ENDING = {Mishap.HANG, Mishap.HANG_LATE, Mishap.TRICKLE}
IMPATIENT = 0.3
"""Seconds after which an answer that never ends is given up here; every other answer comes, however busy the machine is."""


@pytest.fixture(params=PROVIDERS)
async def provider(request):
    never_ends = request.node.callspec.params.get("mishap") in NEVER_ENDING
    async with PROVIDERS[request.param](IMPATIENT if never_ends else SEND_TIMEOUT) as provider:
        yield provider
        await provider.sender.close()


@pytest.fixture
def send_after(provider, caplog):
    """Sends while a mishap is on, and holds what is then said and logged against the secrets."""
    caplog.set_level(logging.DEBUG)

    async def send(mishap):
        provider.mishaps[mishap]()
        outcome = await asyncio.wait_for(provider.sender.send(provider.outgoing), SEND_TIMEOUT)
        # The mail host of the tests logs what it speaks.
        logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
        for secret in provider.secrets:
            assert secret not in f"{outcome!r} {provider.sender!r} {logged}"
        return outcome

    return send


def test_every_channel_type_is_held_to_the_contract():
    """No channel type is left out of this suite."""
    assert set(CHANNEL_TYPES) <= set(PROVIDERS)


async def test_message_arrives_once(provider):
    """A message that is taken is Delivered, with a name for it that can be stored, and people get it once."""
    outcome = await provider.sender.send(provider.outgoing)
    assert isinstance(outcome, Delivered)
    assert type(outcome.reference) is str
    assert provider.accepted() == 1


async def test_provider_may_ask_for_patience(provider, send_after):
    """A provider that says how long to wait is not asked again before."""
    outcome = await send_after(Mishap.LIMITED_FOR)
    assert isinstance(outcome, Retry)
    assert (outcome.after or 0) >= (7_000_000 if provider.says_when else 0)


@pytest.mark.parametrize("mishap", PASSING)
async def test_what_passes_is_tried_again(send_after, mishap):
    """Limits, outages, silence, cut connections and nonsense mean Retry, in words that show no secret."""
    outcome = await send_after(mishap)
    assert isinstance(outcome, Retry)
    assert outcome.reason


@pytest.mark.parametrize("mishap", LASTING)
async def test_what_lasts_is_rejected(provider, send_after, mishap):
    """A refusal is Rejected, so that a fallback is told at once; wrong credentials name what to set, and show none of it."""
    outcome = await send_after(mishap)
    assert isinstance(outcome, Rejected)
    if mishap is Mishap.CREDENTIALS:
        assert provider.advice in outcome.reason


@pytest.mark.parametrize("mishap", [Mishap.HANG])
async def test_silent_provider_holds_up_nobody(provider, mishap):
    """While a provider is silent, the loop goes on, until the channel's own time is up."""
    provider.mishaps[mishap]()
    waiting = asyncio.create_task(provider.sender.send(provider.outgoing))
    turns = 0
    while not waiting.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert isinstance(waiting.result(), Retry)
    assert turns > 1


async def test_close_does_not_wait_for_silence(provider):
    """A sender lets go within two seconds, although a message is still under way."""
    provider.mishaps[Mishap.HANG]()
    waiting = asyncio.create_task(provider.sender.send(provider.outgoing))
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await provider.sender.close()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_cancelled_send_leaves_nothing_behind(provider):
    """A send that is cut off ends at once, and the sender works on."""
    provider.mishaps[Mishap.HANG]()
    waiting = asyncio.create_task(provider.sender.send(provider.outgoing))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
