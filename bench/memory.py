"""Memory: the receiver's processes before, during and after a storm of new incidents (SQLite)."""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import sleep

from bench import ingest, servers
from bench.filled import memory
from bench.load import fire, prepare
from bench.table import Row

FIRST, STORM = 1_000, 100_000
PART = 5_000
"""Webhooks between two measurements."""

REST = 15.0
"""Seconds of waiting after the storm: garbage is collected every ten."""


def run() -> list[Row]:
    """Resident memory of service and writer together."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder)
        (path / "policy.yaml").write_text(ingest.POLICY)
        providers = stack.enter_context(ingest.providers())
        url = stack.enter_context(servers.receiver(f"sqlite:///{path / 'tocsin.db'}", path / "policy.yaml", providers))
        before = _after(url, FIRST)
        most = max(_after(url, PART) for _ in range(STORM // PART))
        sleep(REST)
        after = _held()
    return [
        Row("memory", f"after {FIRST:,} incidents", "MB", (before,)),
        Row("memory", f"in a storm of {STORM:,}, the most", "MB", (most,)),
        Row("memory", f"{REST:.0f} s after it", "MB", (after,)),
        Row("memory", "after / before", "ratio", (after / before,), "≤ 1.3"),
    ]


def _after(url: str, webhooks: int) -> float:
    asyncio.run(fire(url, prepare(url, [ingest.body(1) for _ in range(webhooks)])))
    return _held()


def _held() -> float:
    return sum(map(memory, servers.measured().values()))
