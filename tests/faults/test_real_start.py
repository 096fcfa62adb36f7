"""A `tocsin serve` that is started while its database server is away."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from receiver.demo.tools import free_port
from tests.end_to_end.conftest import until
from tests.end_to_end.processes import POLICY
from tests.patience import GIVES_UP


class Starting:
    """The process, and what it said so far."""

    def __init__(self, database: str, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log, self._policy, self._database = folder / "log", folder / "policy.yaml", database

    async def start(self) -> None:
        """Start it."""
        self._policy.write_text(POLICY)
        listen = self.url.removeprefix("http://")
        command = ("-m", "receiver.cli", "serve", str(self._policy), "--listen", listen, "--database", self._database)
        with self._log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env=dict(os.environ), stdout=log, stderr=log
            )

    def said(self) -> str:
        """All of it."""
        return self._log.read_text()

    async def is_healthy(self) -> bool:
        """Whether it answers."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/healthy") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@pytest.fixture
async def starting(server: Any, tmp_path: Path) -> AsyncIterator[Starting]:
    """Started when the server had been stopped; it has noticed."""
    server.stop()
    it = Starting(server.get_uri(), tmp_path)
    await it.start()
    await until(lambda: "trying again" in it.said(), "it said that the database is away")
    yield it
    if it.process.returncode is None:
        it.process.kill()
        await it.process.wait()


async def test_waits_for_its_database(server: Any, starting: Starting) -> None:
    """It says that the database is unavailable, tries again, and serves as soon as the server is there."""
    assert starting.process.returncode is None
    server.start()
    async with asyncio.timeout(GIVES_UP):
        while not await starting.is_healthy():
            await asyncio.sleep(0.1)


async def test_ends_when_told_while_it_waits(starting: Starting) -> None:
    """SIGTERM ends the wait, well and without a traceback."""
    starting.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(GIVES_UP):
        assert await starting.process.wait() == 0
    assert "Traceback" not in starting.said()
