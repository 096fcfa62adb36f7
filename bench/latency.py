"""Page latency: from a webhook's first byte to the first byte at a local Slack, mail server and PagerDuty.

The measured page is of a new level 4 incident; idle, and while another process repeats open incidents at half of the
peak rate measured just before. The stand-ins run in this process, so that one clock measures both times.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from aiohttp import web

from bench import ingest, servers
from bench.load import fire, paced, prepare
from bench.table import Row

PAGES = 150
APART = 0.1
"""Seconds between two pages."""

REPEATED = 200
"""The number of incidents that the load repeats."""

SETTLE = 10.0
"""Seconds until their own pages are sent, so that the peak is that of the repeats."""

POLICY = (
    ingest.POLICY.replace(
        "{name: email, type: email, recipients: [oncall@example.com]}",
        "{name: email, type: email, recipients: [oncall@example.com], rate_limit: 1000/1m}",
    )
    .replace(
        '{name: slack, type: slack, channel: "#incidents"}',
        '{name: slack, type: slack, channel: "#incidents", rate_limit: 1000/1m}\n'
        "    - {name: pagerduty, type: pagerduty, service: ml}",
    )
    .replace("channels: [email, slack]", "channels: [email, slack, pagerduty]")
)


class Ears:
    """Providers that record the arrival of messages by unit."""

    def __init__(self) -> None:
        self.heard: dict[str, dict[str, float]] = {"email": {}, "slack": {}, "pagerduty": {}}
        self._more = asyncio.Event()

    def note(self, channel: str, content: bytes, at: float) -> None:
        """Record an arrival at this time."""
        found = re.search(rb"unit-(\d+)", content)
        if found:
            self.heard[channel].setdefault(found[1].decode(), at)
            self._more.set()

    async def wait_for(self, channel: str, units: Iterable[str]) -> None:
        """Wait until each unit has arrived on that channel."""
        while not self.heard[channel].keys() >= set(units):
            self._more.clear()
            await self._more.wait()

    async def slack(self, request: web.Request) -> web.Response:
        """Accept a message."""
        at = perf_counter()
        self.note("slack", await request.read(), at)
        return web.json_response({"ok": True, "channel": "C1", "ts": f"{at:.6f}"})

    async def pagerduty(self, request: web.Request) -> web.Response:
        """Accept an event."""
        at = perf_counter()
        self.note("pagerduty", await request.read(), at)
        return web.json_response({"status": "success", "dedup_key": "d"}, status=202)

    async def mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One SMTP conversation."""
        at = perf_counter()
        writer.write(b"220 bench\r\n")
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                if line.upper().startswith(b"DATA"):
                    writer.write(b"354 go on\r\n")
                    self.note("email", (await reader.readuntil(b"\r\n.\r\n")).replace(b"=\r\n", b""), at)
                writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 taken\r\n")
        writer.close()


def run() -> list[Row]:
    """Idle, then under half the peak load."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> list[Row]:
    async with receiver(folder) as (url, ears):
        return await _measure(url, ears)


@asynccontextmanager
async def receiver(folder: Path, policy: str = POLICY) -> AsyncIterator[tuple[str, Ears]]:
    """`tocsin serve` on a file; yields its webhook's URL, and its providers in this process."""
    ears = Ears()
    app = web.Application()
    app.router.add_post("/slack/{method}", ears.slack)
    app.router.add_post("/v2/enqueue", ears.pagerduty)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    smtp = await asyncio.start_server(ears.mail, "127.0.0.1", 0)
    environment = {
        "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{smtp.sockets[0].getsockname()[1]}",
        "TOCSIN_EMAIL_FROM": "tocsin@example.com",
        "TOCSIN_SLACK_TOKEN": "xoxb-bench",
        "TOCSIN_SLACK_API_URL": f"http://{host}:{port}/slack/",
        "TOCSIN_PAGERDUTY_ROUTING_KEY": "0" * 32,
        "TOCSIN_PAGERDUTY_API_URL": f"http://{host}:{port}",
    }
    (folder / "policy.yaml").write_text(policy)
    starting = servers.receiver(f"sqlite:///{folder / 'tocsin.db'}", folder / "policy.yaml", environment)
    url = await asyncio.to_thread(starting.__enter__)
    try:
        yield url, ears
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)
        smtp.close()
        await runner.cleanup()


async def _measure(url: str, ears: Ears) -> list[Row]:
    rows = _rows("idle", await _pages(url, ears), "")
    repeated = [ingest.body(1) for _ in range(REPEATED)]
    await fire(url, prepare(url, repeated))
    await asyncio.sleep(SETTLE)
    peak = await asyncio.to_thread(_peak, url, repeated)
    context = get_context("spawn")
    load = context.Process(target=paced, args=(url, repeated, peak / 2, PAGES * APART + 5), daemon=True)
    load.start()
    await asyncio.sleep(2)  # until the load has started
    rows += _rows(f"at {peak / 2:,.0f} webhooks/s", await _pages(url, ears), "≤ 100")
    await asyncio.to_thread(load.join)
    return rows


def _peak(url: str, repeated: list[bytes]) -> float:
    """Webhooks per second, all repeats of open incidents."""
    seconds, _ = asyncio.run(fire(url, prepare(url, repeated * 20)))
    return REPEATED * 20 / seconds


async def _pages(url: str, ears: Ears) -> dict[str, list[float]]:
    """Channel → milliseconds of each page."""
    sent: dict[str, float] = {}
    for _ in range(PAGES):
        body = emergency()
        sent[json.loads(body)["groupLabels"]["system"].removeprefix("unit-")] = perf_counter()
        await fire(url, prepare(url, [body]), connections=1)
        await asyncio.sleep(APART)
    await asyncio.sleep(2)
    took = {
        channel: [(heard[unit] - at) * 1000 for unit, at in sent.items() if unit in heard]
        for channel, heard in ears.heard.items()
    }
    for channel, values in took.items():
        if len(values) < PAGES:
            raise RuntimeError(f"only {len(values)} of {PAGES} pages reached {channel}")
    return took


def emergency() -> bytes:
    """A webhook about a new incident of level 4."""
    return ingest.body(1).replace(b'"severity_level": "3"', b'"severity_level": "4"')


def _rows(when: str, took: dict[str, list[float]], target: str) -> list[Row]:
    rows = []
    for channel, values in took.items():
        percent = quantiles(values, n=100)
        rows.append(Row("latency", f"{channel}, {when}, p50", "ms", (percent[49],)))
        rows.append(Row("latency", f"{channel}, {when}, p99", "ms", (percent[98],), target))
    return rows
