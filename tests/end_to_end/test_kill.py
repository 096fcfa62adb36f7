"""Killed at any moment and started again: no accepted webhook, no window and no notification is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import aiohttp

from receiver.demo.tools import free_port
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import POLICY, serving, webhook
from tests.patience import GIVES_UP


async def send_until_it_dies(url: str, serials: AsyncIterator[int], accepted: set[int]) -> None:
    """Post one webhook after the other; keep those that were answered 200."""
    async with aiohttp.ClientSession() as session:
        async for serial in serials:
            try:
                async with session.post(url, json=webhook(serial)) as response:
                    if response.status == 200:
                        accepted.add(serial)
            except aiohttp.ClientError:
                return


async def test_nothing_accepted_is_lost_when_the_process_is_killed(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """After kills at random moments under load, every accepted webhook has its incident, its pages and its escalation."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    accepted: set[int] = set()
    dice = Random(20261123)

    async def numbers(start: int) -> AsyncIterator[int]:
        for serial in range(start, start + 30):
            yield serial

    for life in range(4):
        async with serving(policy, environment, port) as process:
            sender = asyncio.create_task(
                send_until_it_dies(f"{base}/webhook/alertmanager", numbers(life * 30), accepted)
            )
            await until(lambda goal=life * 5 + 1: len(accepted) >= goal, what="some webhooks were accepted")
            await asyncio.sleep(dice.uniform(0.0, 0.4))
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await sender
    assert accepted
    async with serving(policy, environment, port):
        for serial in accepted:
            name = f"unit-{serial}"
            await until(lambda: told.on("email", name) and told.on("slack", name), f"{name} was told")  # noqa: B023
        await every_incident_escalated(base, accepted)


async def every_incident_escalated(base: str, accepted: set[int]) -> None:
    """The escalation window (2 s) of every incident has been carried out."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(GIVES_UP):
        while True:
            async with session.get(f"{base}/api/v1/incidents", params={"limit": "200"}) as response:
                found = (await response.json())["incidents"]
            systems = {each["labels"]["system"] for each in found}
            assert {f"unit-{serial}" for serial in accepted} <= systems
            if all(each["escalation"]["step"] >= 1 for each in found):
                return
            await asyncio.sleep(0.2)
