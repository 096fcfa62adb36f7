"""A storm: a real Alertmanager sends very many groups at once, with emergencies among them.

Measures how long Alertmanager needs to send all, and its failed attempts; the latency of an emergency's page in the
meantime, from its webhook's first byte to the first byte at a local PagerDuty; the latency of acknowledgements by the
API; and processor time and memory. $ALERTMANAGER may name the path of another Alertmanager than the machine's own.
"""

import asyncio
import json
import re
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from aiohttp import ClientSession, TCPConnector

from bench import filled, ingest, latency, servers
from bench.load import fire, prepare
from bench.table import Row

GROUPS = 20_000
AT_ONCE = 1000
"""Alerts in one call of Alertmanager's API."""

EMERGENCIES = 20
APART = 0.25
"""Seconds between two emergencies."""

ACKNOWLEDGED = 5
"""Incidents of the storm that are acknowledged after each emergency."""

GIVE_UP = 120.0
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
    """Send to a handler that only reads, and to Tocsin; from each available Alertmanager."""
    with tempfile.TemporaryDirectory() as folder:
        rows: list[Row] = []
        for name in servers.alertmanagers():
            (own := Path(folder) / name).mkdir()
            rows += asyncio.run(_run(own, name))
        return rows


async def _run(folder: Path, program: str) -> list[Row]:
    what = f"storm, {program}"
    with servers.bare() as sink:
        took, failed = await _storm(folder, program, sink)
    rows = [Row(what, "bare", "s", (took,)), Row(what, "bare, failed attempts", "", (failed,))]
    async with latency.receiver(folder, POLICY) as (url, ears):
        watching = asyncio.create_task(_watch())
        people = asyncio.create_task(_people(url, ears))
        took_here, failed = await _storm(folder, program, url)
        try:
            pages, answers = await people
        finally:
            watching.cancel()
            seconds, memory = await watching
    return [
        *rows,
        Row(what, "tocsin", "s", (took_here,)),
        Row(what, "tocsin / bare", "ratio", (took_here / took,), "≤ 2.0"),
        Row(what, "tocsin, failed attempts", "", (failed,), "0"),
        Row(what, "emergency's page, p50", "ms", (median(pages),)),
        Row(what, "emergency's page, slowest", "ms", (max(pages),), "≤ 500"),
        Row(what, "acknowledge by the API, p50", "ms", (median(answers),)),
        Row(what, "acknowledge by the API, p99", "ms", (quantiles(answers, n=100)[98],), "≤ 150"),
        *(Row(what, f"processor time, {name}", "s", (each,)) for name, each in seconds.items()),
        Row(what, "memory before", "MB", (memory[0],)),
        Row(what, "memory, the most", "MB", (max(memory),)),
    ]


async def _watch() -> tuple[dict[str, float], list[float]]:
    """Measure until cancelled: seconds of processor time by process, and total megabytes per sample."""
    processes, memory = servers.measured(), list[float]()
    before = {name: servers.cpu(process) for name, process in processes.items()}
    with suppress(asyncio.CancelledError):
        while True:
            memory.append(sum(map(filled.memory, processes.values())))
            await asyncio.sleep(0.2)
    return {name: servers.cpu(process) - before[name] for name, process in processes.items()}, memory


async def _storm(folder: Path, program: str, url: str) -> tuple[float, int]:
    """Seconds until Alertmanager has sent all, and its failed attempts."""
    starting = servers.alertmanager(folder, ROUTES.format(url=url), program)
    alerts_url = await asyncio.to_thread(starting.__enter__)
    assert alerts_url is not None, "it is there"
    try:
        alerts = [json.loads(ingest.for_alertmanager(ingest.body(1)))[0] for _ in range(GROUPS)]
        tried = failed = 0
        began = perf_counter()
        for first in range(0, GROUPS, AT_ONCE):
            body = json.dumps(alerts[first : first + AT_ONCE]).encode()
            await fire(alerts_url, prepare(alerts_url, [body]), connections=1)
        while True:
            with suppress(OSError):  # it is busy and does not answer
                tried, failed = await asyncio.to_thread(_counted, alerts_url)
            if tried - failed >= GROUPS or perf_counter() - began > GIVE_UP:
                return perf_counter() - began, failed
            await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


def _counted(url: str) -> tuple[int, int]:
    """The numbers of attempted and of failed webhooks."""
    with urllib.request.urlopen(url.replace("/api/v2/alerts", "/metrics"), timeout=10) as answer:
        text = answer.read().decode()
    pattern = r'^alertmanager_notification_requests_{}{{integration="webhook"}} (\S+)$'
    tried, failed = (re.search(pattern.format(what), text, re.MULTILINE) for what in ("total", "failed_total"))
    return int(float(tried[1])) if tried else 0, int(float(failed[1])) if failed else 0


async def _people(url: str, ears: latency.Ears) -> tuple[list[float], list[float]]:
    """The latencies in milliseconds of each emergency's page, and of each acknowledgement of a storm's incident."""
    sent: dict[str, float] = {}
    answers: list[float] = []
    seen, open_ = 0, set[int]()
    """The number of the latest emergency; and the incidents before it, which are acknowledged so that no page of
    theirs is sent."""
    async with ClientSession() as session, ClientSession(connector=TCPConnector(force_close=True)) as sender:
        for _ in range(EMERGENCIES):
            body = latency.emergency().replace(b'"accuracy_low"', b'"unsafe"')
            sent[json.loads(body)["groupLabels"]["system"].removeprefix("unit-")] = perf_counter()
            async with sender.post(url, data=body) as answer:
                (number,) = (await answer.json())["incidents"]
            open_.update(range(seen + 1, number))
            seen = number
            taken = [open_.pop() for _ in range(min(ACKNOWLEDGED, len(open_)))]
            answers += [await _acknowledge(session, url, each) for each in taken]
            await asyncio.sleep(APART)
    await ears.wait_for("pagerduty", sent)
    return [(ears.heard["pagerduty"][unit] - at) * 1000 for unit, at in sent.items()], answers


async def _acknowledge(session: ClientSession, url: str, number: int) -> float:
    """Milliseconds until it is stored."""
    began = perf_counter()
    base = url.removesuffix("/webhook/alertmanager")
    async with session.post(f"{base}/api/v1/incidents/{number}/acknowledge", json={}) as answer:
        answer.raise_for_status()
    return (perf_counter() - began) * 1000
