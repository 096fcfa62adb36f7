"""`tocsin serve` as a process of its own, and webhooks for it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from rules.reserved import MARK
from tests.patience import GIVES_UP

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
      - {name: accuracy_low, condition: "accuracy < 0.9", severity: 3, channels: [email, slack]}
"""


@asynccontextmanager
async def serving(
    policy: Path, environment: Mapping[str, str], port: int, *, scheme: str = "http"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tocsin serve`, ready; killed at the end of the block, where the caller has not done so."""
    settings = {**os.environ, **environment, "TOCSIN_LISTEN": f"127.0.0.1:{port}"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "serve", str(policy), env=settings,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(GIVES_UP):
            while True:
                try:
                    async with session.get(f"{scheme}://127.0.0.1:{port}/-/healthy", ssl=False) as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


def webhook(serial: int, level: int = 4) -> dict[str, Any]:
    """Alertmanager's words about a unit never heard of before."""
    rule, name = ("safety_margin_low", "SafetyMarginLow") if level == 4 else ("accuracy_low", "AccuracyLow")
    labels = {"alertname": name, "section": "incident_response", "rule": rule}
    labels |= {"severity_level": str(level), "signal": "safety_margin", "system": f"unit-{serial}"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"margin low on unit-{serial}", MARK: "1"},
        "startsAt": "2026-11-23T02:28:11.821Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{serial:016x}",
    }
    return {"status": "firing", "alerts": [alert], "groupLabels": {"system": f"unit-{serial}"}, "version": "4"}


async def post(base: str, serial: int, level: int = 4) -> int:
    """One webhook; the status, 0 where there was no answer."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.post(f"{base}/webhook/alertmanager", json=webhook(serial, level)) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


async def post_until_accepted(base: str, serial: int, level: int = 4) -> None:
    """As Alertmanager does: again, until it is taken."""
    async with asyncio.timeout(GIVES_UP):
        while await post(base, serial, level) != 200:
            await asyncio.sleep(0.1)
