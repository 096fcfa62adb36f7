"""The cost of a webhook: processor time of the service and of its writer (SQLite), compared with the bare handler's.

Processor time depends little on the machine's load and not on its number of cores, so it compares releases where rates
cannot. The load is from this package's generator, whose processor time is not counted.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import ingest, servers
from bench.load import fire, prepare
from bench.table import Row

ROUNDS = 5
REQUESTS = 2000
"""Requests per round."""


def run() -> list[Row]:
    """New incidents with one alert and with ten, and repeats of open ones."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder)
        (path / "policy.yaml").write_text(ingest.POLICY)
        told = stack.enter_context(ingest.providers())
        database = f"sqlite:///{path / 'tocsin.db'}"
        urls = [
            stack.enter_context(servers.bare()),
            stack.enter_context(servers.receiver(database, path / "policy.yaml", told)),
        ]
        known = [ingest.body(1) for _ in range(REQUESTS)]
        asyncio.run(fire(urls[1], prepare(urls[1], known)))
        return [
            *_measure("a new incident", urls, lambda: [ingest.body(1) for _ in range(REQUESTS)]),
            *_measure("a new incident of 10 alerts", urls, lambda: [ingest.body(10) for _ in range(REQUESTS // 4)]),
            *_measure("a repeat", urls, lambda: known),
        ]


def _measure(what: str, urls: Sequence[str], make: Callable[[], list[bytes]]) -> list[Row]:
    """Microseconds of processor time per webhook, by process; measured alternately."""
    processes = servers.measured()
    took: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(ROUNDS):
        bodies = make()
        before = {name: servers.cpu(process) for name, process in processes.items()}
        for url in urls:
            asyncio.run(fire(url, prepare(url, bodies)))
        for name, process in processes.items():
            took[name].append((servers.cpu(process) - before[name]) / len(bodies) * 1e6)
    return [Row("cost", f"{what}, {name}", "µs", tuple(values)) for name, values in took.items()]
