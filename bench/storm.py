"""A storm: a real Alertmanager sends very many groups at once, and among them come emergencies.

How long it takes until Alertmanager has got rid of them all, how many of its attempts failed, and how long an
emergency's page takes meanwhile, from its webhook's first byte to the first byte at a local PagerDuty.
"""

import asyncio
import json
import re
import tempfile
import urllib.request
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import ingest, latency, servers
from bench.load import fire, prepare
from bench.table import Row

GROUPS = 20_000
AT_ONCE = 1000
"""Alerts that Alertmanager is handed in one call."""

EMERGENCIES = 20
APART = 0.25
"""Seconds between two of them."""

GIVE_UP = 600.0
"""Seconds."""

POLICY = ingest.POLICY.replace(
    "  detection:", "    - {name: pagerduty, type: pagerduty, service: ml}\n  detection:"
) + ('      - {name: unsafe, condition: "safety_margin < 0.95", severity: 4, channels: [pagerduty]}\n')
"""The storm's pages go by mail and Slack, in bundles; those of emergencies by PagerDuty alone."""

ROUTES = """
route: {{receiver: tocsin, group_by: ['...'], group_wait: 0s}}
receivers: [{{name: tocsin, webhook_configs: [{{url: "{url}"}}]}}]
"""


def run() -> list[Row]:
    """Into a handler that only reads, and into Tocsin."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> list[Row]:
    with servers.bare() as sink:
        took, failed = await _storm(folder, sink)
    rows = [Row("storm", "bare", "s", (took,)), Row("storm", "bare, failed attempts", "", (failed,))]
    async with latency.receiver(folder, POLICY) as (url, ears):
        pages = asyncio.create_task(_pages(url, ears))
        took_here, failed = await _storm(folder, url)
        pages_took = await pages
    return [
        *rows,
        Row("storm", "tocsin", "s", (took_here,)),
        Row("storm", "tocsin / bare", "ratio", (took_here / took,), "≤ 2.0"),
        Row("storm", "tocsin, failed attempts", "", (failed,), "0"),
        Row("storm", "emergency's page, p50", "ms", (median(pages_took),)),
        Row("storm", "emergency's page, slowest", "ms", (max(pages_took),), "≤ 500"),
    ]


async def _storm(folder: Path, url: str) -> tuple[float, int]:
    """Seconds until Alertmanager has sent them all, and its failed attempts."""
    starting = servers.alertmanager(folder, ROUTES.format(url=url))
    alerts_url = await asyncio.to_thread(starting.__enter__)
    if alerts_url is None:
        raise RuntimeError("prometheus-alertmanager is not installed")
    try:
        alerts = [json.loads(ingest.for_alertmanager(ingest.body(1)))[0] for _ in range(GROUPS)]
        began = perf_counter()
        for first in range(0, GROUPS, AT_ONCE):
            body = json.dumps(alerts[first : first + AT_ONCE]).encode()
            await fire(alerts_url, prepare(alerts_url, [body]), connections=1)
        while True:
            tried, failed = await asyncio.to_thread(_counted, alerts_url)
            if tried - failed >= GROUPS or perf_counter() - began > GIVE_UP:
                return perf_counter() - began, failed
            await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


def _counted(url: str) -> tuple[int, int]:
    """Attempts to send webhooks, and those that failed."""
    with urllib.request.urlopen(url.replace("/api/v2/alerts", "/metrics"), timeout=10) as answer:
        text = answer.read().decode()
    pattern = r'^alertmanager_notification_requests_{}{{integration="webhook"}} (\S+)$'
    tried, failed = (re.search(pattern.format(what), text, re.MULTILINE) for what in ("total", "failed_total"))
    return int(float(tried[1])) if tried else 0, int(float(failed[1])) if failed else 0


async def _pages(url: str, ears: latency.Ears) -> list[float]:
    """Milliseconds that each emergency's page took."""
    sent: dict[str, float] = {}
    heard = ears.heard["pagerduty"]
    for _ in range(EMERGENCIES):
        body = latency.emergency().replace(b'"accuracy_low"', b'"unsafe"')
        sent[json.loads(body)["groupLabels"]["system"].removeprefix("unit-")] = perf_counter()
        await fire(url, prepare(url, [body]), connections=1)
        await asyncio.sleep(APART)
    await ears.wait_for("pagerduty", sent)
    return [(heard[unit] - at) * 1000 for unit, at in sent.items()]
