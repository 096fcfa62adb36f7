"""The real receiver beside real peers: local servers that keep what they were told, and awaited conditions."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from receiver.demo.stand_ins import Providers, start_mailbox, start_web
from tests.patience import GIVES_UP


class Told:
    """What people would have got: (medium, to whom, headline, text), in order of arrival."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, str, str]] = []

    def show(self, medium: str, to: str, headline: str, text: str) -> None:
        self.messages.append((medium, to, headline, text))

    def on(self, medium: str, word: str = "") -> list[tuple[str, str, str, str]]:
        return [each for each in self.messages if each[0] == medium and word in f"{each[1]} {each[2]} {each[3]}"]


async def until(condition: Callable[[], object], what: str = "", *, within: float = GIVES_UP) -> None:
    """Wait for a condition; say which one never came true. `within`: seconds, where they are promised."""
    async with asyncio.timeout(within):
        try:
            while not condition():
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            print(f"never came true: {what}")
            raise


def need(*tools: str) -> None:
    """Skip with a plain reason where a tool is not installed; never in CI."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}; tests/install-tools should have done it")
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def environment(told: Told, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Settings for a receiver whose providers are local servers that fill `told`."""
    mailbox, smtp_url = await start_mailbox(told.show)
    runner, providers = await start_web(Providers(told.show).app)
    yield {
        "TOCSIN_LISTEN": "127.0.0.1:0",
        "TOCSIN_DATABASE": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "TOCSIN_SMTP_URL": smtp_url,
        "TOCSIN_EMAIL_FROM": "tocsin@example.test",
        "TOCSIN_SLACK_TOKEN": "xoxb-test",
        "TOCSIN_SLACK_API_URL": f"{providers}/slack/api/",
        "TOCSIN_PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
        "TOCSIN_PAGERDUTY_API_URL": f"{providers}/pagerduty",
        "TOCSIN_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
        "TOCSIN_TWILIO_AUTH_TOKEN": "test",
        "TOCSIN_TWILIO_FROM": "+15550100",
        "TOCSIN_TWILIO_API_URL": f"{providers}/twilio",
    }
    mailbox.close()
    await mailbox.wait_closed()
    await runner.cleanup()
