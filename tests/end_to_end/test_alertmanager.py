"""From a real Alertmanager to mail and Slack, through the whole life of an incident, with shortened windows."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from receiver.demo import tools
from receiver.service import Service
from receiver.settings import Settings
from rules.load import load
from rules.outputs import Options, alertmanager_config
from rules.time_scale import faster
from tests.end_to_end.conftest import Told, need, until
from tests.patience import GIVES_UP

FACTOR = 150
"""The policy's level 4 escalates after 2 s here and is breached after 6 s."""

LABELS = {
    "alertname": "SafetyMarginViolation",
    "section": "safety_incident_response",
    "rule": "safety_margin_violation",
    "incident_type": "safety_margin_violation",
    "severity": "emergency",
    "severity_level": "4",
    "immediate": "true",
    "signal": "safety_margin",
    "system": "landing-7",
}


@pytest.fixture
async def service(environment: dict[str, str]) -> AsyncIterator[Service]:
    async with Service(Settings.read(environment), [], faster(load(), FACTOR)) as running:
        yield running


@pytest.fixture
async def real_alertmanager(service: Service, tmp_path: Path) -> AsyncIterator[str]:
    need("prometheus-alertmanager")
    options = Options(receiver_url=f"{service.address}/webhook/alertmanager")
    tool = await tools.start_alertmanager(tmp_path, alertmanager_config.render(load(), options), FACTOR)
    yield tool.url
    await tool.stop()


async def push(url: str, *, firing: bool) -> None:
    """Tell Alertmanager what Prometheus would."""
    now = datetime.now(UTC)
    alert = {
        "labels": LABELS,
        "annotations": {
            "summary": "safety_margin_violation: safety_margin < 0.95",
            "description": "safety_margin is 0.93.",
        },
        "startsAt": (now - timedelta(seconds=1)).isoformat(),
        "endsAt": (now + timedelta(hours=1) if firing else now).isoformat(),
    }
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v2/alerts", json=[alert]) as response:
        assert response.status == 200


async def act(service: Service, action: str, body: dict[str, Any]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{service.address}/api/v1/incidents/1/{action}", json=body) as response,
    ):
        return response.status


async def get(service: Service, path: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{service.address}/api/v1/incidents/1{path}") as response,
    ):
        return dict(await response.json())


async def test_an_alert_becomes_pages_escalates_is_breached_acknowledged_and_resolved(
    service: Service, real_alertmanager: str, told: Told
) -> None:
    """Mail and Slack at once, escalation at E, breach at R, quiet when acknowledged, the all-clear to all who were paged."""
    await push(real_alertmanager, firing=True)
    await until(lambda: told.on("email") and told.on("slack") and told.on("pagerduty") and told.on("sms"), what="pages")
    incident = await get(service, "")
    assert (incident["level"], incident["state"], incident["type"]) == (4, "open", "safety_margin_violation")

    await until(lambda: len(told.on("sms")) >= 2, what="the escalation pages again")
    await until(lambda: told.on("email", "management@company.com"), what="the breach reaches the stakeholders")
    facts = [entry["fact"] for entry in (await get(service, "/timeline"))["timeline"]]
    assert facts.index("opened") < facts.index("escalated") < facts.index("breached")

    assert await act(service, "acknowledge", {"by": "Dana"}) == 200
    quiet_at = (await get(service, ""))["escalation"]["next_at"]
    assert quiet_at is None

    await push(real_alertmanager, firing=False)
    await until_recovery(service)
    assert await act(service, "resolve", {"by": "Dana", "note": "margin verified"}) == 200
    paged = {each[:2] for each in told.messages if each[0] in {"email", "sms"} and "management" not in each[1]}
    await until(lambda: all(told.on(medium, "RESOLVED") for medium, _ in paged), what="the all-clear")
    assert (await get(service, ""))["state"] == "resolved"


async def until_recovery(service: Service) -> None:
    async with asyncio.timeout(GIVES_UP):
        while (await get(service, ""))["recovery"] != "confirm":
            await asyncio.sleep(0.05)
