"""Memory: what the receiver's processes hold after a million webhooks, and after ten thousand (SQLite).

Ten thousand open an incident each; the others repeat those, as Alertmanager does every `repeat_interval`.
"""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import ingest, servers
from bench.filled import memory
from bench.load import fire, prepare
from bench.table import Row

FIRST, ALL = 10_000, 1_000_000


def run() -> list[Row]:
    """Resident memory of service and writer together."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder)
        (path / "policy.yaml").write_text(ingest.POLICY)
        providers = stack.enter_context(ingest.providers())
        url = stack.enter_context(servers.receiver(f"sqlite:///{path / 'tocsin.db'}", path / "policy.yaml", providers))
        requests = prepare(url, [ingest.body(1) for _ in range(FIRST)])
        held = []
        for times in (1, ALL // FIRST - 1):
            for _ in range(times):
                asyncio.run(fire(url, requests))
            held.append(sum(memory(process) for process in servers.measured().values()))
    return [
        Row("memory", f"after {FIRST:,} webhooks", "MB", (held[0],)),
        Row("memory", f"after {ALL:,} webhooks", "MB", (held[1],)),
        Row("memory", f"after {ALL:,} / after {FIRST:,}", "ratio", (held[1] / held[0],), "≤ 1.2"),
    ]
