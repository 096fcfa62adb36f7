"""Killed at any moment and started again: no accepted webhook, no window and no notification is lost."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from receiver.demo.tools import free_port
from tests.end_to_end.conftest import Told, until

POLICY = """
incident_response:
  classification:
    severity_levels:
      - {level: 1, name: informational, response_time: 24h, escalation_time: 12h}
      - {level: 2, name: warning, response_time: 4h, escalation_time: 2h}
      - {level: 3, name: critical, response_time: 1h, escalation_time: 30m}
      - {level: 4, name: emergency, response_time: 15m, escalation_time: 2s}
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.com], rate_limit: 1000/1m}
    - {name: slack, type: slack, channel: "#incidents", rate_limit: 1000/1m}
  detection:
    rules:
      - {name: safety_margin_low, condition: "safety_margin < 0.95", severity: 4, channels: [email, slack]}
"""


@asynccontextmanager
async def serving(policy: Path, environment: dict[str, str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tocsin serve`, ready; whoever leaves the block has killed it, or it is killed now."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "serve", str(policy), env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/-/healthy") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


def webhook(serial: int) -> dict[str, Any]:
    labels = {"alertname": "SafetyMarginLow", "section": "incident_response", "rule": "safety_margin_low"}
    labels |= {"severity_level": "4", "signal": "safety_margin", "system": f"unit-{serial}"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"margin low on unit-{serial}"},
        "startsAt": "2026-11-23T02:28:11.821Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{serial:016x}",
    }
    return {"status": "firing", "alerts": [alert], "groupLabels": {"system": f"unit-{serial}"}, "version": "4"}


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
    environment |= {"TOCSIN_LISTEN": f"127.0.0.1:{port}"}
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
            await until(lambda: told.on("email", name) and told.on("slack", name), 60, f"{name} was told")  # noqa: B023
        await every_incident_escalated(base, accepted)
    (tmp_path / "accepted.json").write_text(json.dumps(sorted(accepted)))


async def every_incident_escalated(base: str, accepted: set[int]) -> None:
    """The escalation window (2 s) of every incident has been carried out."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(f"{base}/api/v1/incidents", params={"limit": "200"}) as response:
                found = (await response.json())["incidents"]
            systems = {each["labels"]["system"] for each in found}
            assert {f"unit-{serial}" for serial in accepted} <= systems
            if all(each["escalation"]["step"] >= 1 for each in found):
                return
            await asyncio.sleep(0.2)
