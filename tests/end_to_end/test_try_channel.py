"""`tocsin test-channel`: the way to the provider, tried before the night."""

import asyncio
import os
import sys

import pytest

from tests.end_to_end.conftest import Told
from tests.patience import GIVES_UP


async def run(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "test-channel", *arguments, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), GIVES_UP)
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize("channel", ["email", "slack", "pagerduty", "sms"])
async def test_a_test_message_arrives_and_says_that_it_is_one(
    environment: dict[str, str], told: Told, channel: str
) -> None:
    """The message is marked as a test, and the command says that the provider took it."""
    code, output = await run(environment, channel)
    assert code == 0, output
    assert "accepted" in output
    (first, *_) = told.on(channel)
    assert "Test message: nothing is wrong" in f"{first[2]} {first[3]}"
    assert "EXERCISE" in f"{first[2]} {first[3]}"


async def test_what_the_provider_refuses_is_said(environment: dict[str, str]) -> None:
    """A provider that says no: its words, exit code 1, no secret."""
    environment["TOCSIN_SLACK_API_URL"] = environment["TOCSIN_TWILIO_API_URL"]
    code, output = await run(environment, "slack")
    assert code == 1
    assert "slack → #incident-response: " in output
    assert environment["TOCSIN_SLACK_TOKEN"] not in output


async def test_an_unknown_and_an_unconfigured_channel_are_told_apart() -> None:
    """A name that the policy lacks is wrong usage; a channel without settings names the page that helps."""
    code, output = await run({}, "fax")
    assert (code, "it has: email" in output) == (2, True)
    code, output = await run({}, "sms")
    assert (code, "docs/channels/sms.md" in output) == (1, True)
