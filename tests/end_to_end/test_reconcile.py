"""Reconciliation with a real Alertmanager: what its webhook never told is found by asking it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from receiver.core.reconcile import Terms
from receiver.demo import tools
from receiver.reconcile import Reconciliation
from receiver.service import Service
from receiver.settings import Settings
from receiver.store import open_store
from rules.load import load
from tests.end_to_end.conftest import Told, need, until

SILENT = b"""
route: {receiver: tocsin, group_by: [system, signal]}
receivers: [{name: tocsin}]
"""
"""Routes to our receiver, which has no webhook: none will ever come."""

LABELS = {
    "alertname": "SafetyMarginViolation",
    "section": "safety_incident_response",
    "rule": "safety_margin_violation",
    "severity_level": "4",
    "signal": "safety_margin",
    "system": "landing-7",
}


async def push(url: str, labels: dict[str, str], *, firing: bool) -> None:
    """Tell Alertmanager what Prometheus would, of an alert that began three minutes ago."""
    now = datetime.now(UTC)
    alert = {
        "labels": labels,
        "annotations": {"summary": "margin low"},
        "startsAt": (now - timedelta(minutes=3)).isoformat(),
        "endsAt": (now + timedelta(hours=1) if firing else now).isoformat(),
    }
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v2/alerts", json=[alert]) as response:
        assert response.status == 200


async def get(service: Service, path: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}/api/v1/incidents{path}") as response:
        return dict(await response.json())


async def listed(url: str) -> list[Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/alerts") as response:
        return list(await response.json())


async def test_a_webhook_that_never_came_is_taken_in_and_its_end_is_noticed(
    environment: dict[str, str], told: Told, tmp_path: Path
) -> None:
    """Listed but never told: paged within a look. Listed no more and never resolved: recovered, and said so."""
    need("prometheus-alertmanager")
    alertmanager = await tools.start_alertmanager(tmp_path, SILENT, 1)
    try:
        await push(alertmanager.url, LABELS, firing=True)
        await push(alertmanager.url, {"alertname": "Strange", "severity": "critical"}, firing=True)
        environment |= {"TOCSIN_ALERTMANAGER_URL": f"{alertmanager.url}/"}
        async with Service(Settings.read(environment), [], load()) as service:
            await until(lambda: told.on("sms"), 15, "the alert that no webhook told is paged")
            (incident,) = (await get(service, ""))["incidents"]
            assert (incident["level"], incident["type"]) == (4, "safety_margin_violation")
            said = [entry["fact"] for entry in (await get(service, "/1/timeline"))["timeline"]]
            assert said[:2] == ["opened", "reconciled"]

            await push(alertmanager.url, LABELS, firing=False)
            async with asyncio.timeout(10):
                while len(await listed(alertmanager.url)) > 1:
                    await asyncio.sleep(0.1)
            store = open_store(environment["TOCSIN_DATABASE"])
            impatient = Reconciliation(
                service.desk, store.reads(), service.metrics, [alertmanager.url], Terms(gone=0, settled=0)
            )
            await impatient.look()
            assert (await get(service, "/1"))["recovery"] == ""  # one look proves nothing
            await impatient.look()
            assert (await get(service, "/1"))["recovery"] == "verifying"
            store.close()
    finally:
        await alertmanager.stop()
