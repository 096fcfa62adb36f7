"""A real `tocsin serve` in a process of its own, and what tests do to it and ask it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from receiver.demo.tools import free_port
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import POLICY, serving
from tests.patience import GIVES_UP


@dataclass
class Machine:
    """A receiver in a process of its own."""

    process: asyncio.subprocess.Process
    base: str
    database: Path
    told: Told

    async def hears_of(self, *serials: int) -> None:
        """Everybody is told of these, on both channels."""
        for serial in serials:
            name = f"unit-{serial}"
            await until(lambda: self.told.on("email", name) and self.told.on("slack", name), name)  # noqa: B023

    def writer(self) -> int:
        """The process that writes to the database."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    def descriptors(self) -> int:
        """How many the process has open."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    async def ready(self) -> str:
        """What `/-/ready` says."""
        return await self.get("/-/ready")

    async def get(self, path: str) -> str:
        """What it says there."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.base}{path}") as response:
            return await response.text()

    async def figure(self, name: str) -> float:
        """One of its metrics."""
        (found,) = [line for line in (await self.get("/metrics")).splitlines() if line.startswith(f"{name} ")]
        return float(found.split()[1])

    async def comes_to(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until it does."""
        try:
            async with asyncio.timeout(GIVES_UP):
                while not await condition():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"never came true: {what}")

    async def is_down(self) -> bool:
        """Whether it says that the database takes no writes, both ways."""
        return await self.figure("tocsin_store_up") == 0 and "not ready" in await self.ready()

    async def is_up(self) -> bool:
        """Whether it says that it does."""
        return await self.figure("tocsin_store_up") == 1 and "not ready" not in await self.ready()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml"


@pytest.fixture
async def machine(environment: dict[str, str], told: Told, policy: Path, tmp_path: Path) -> AsyncIterator[Machine]:
    port = free_port()
    async with serving(policy, environment, port) as process:
        yield Machine(process, f"http://127.0.0.1:{port}", tmp_path / "tocsin.db", told)
