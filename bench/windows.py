"""Windows: the cost of 10,000, 100,000 and 1,000,000 pending escalation windows: firing one, storage, start.

Firing one is `Engine.fire_due` on the SQLite file, commit included; a start opens the store and queries the next due
window.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import filled
from bench.table import Row
from receiver.core.model import Instant
from receiver.engine.engine import Engine
from receiver.store import open_store
from rules.policy import HOUR, SECOND

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FIRED = 60


def run() -> list[Row]:
    """Each size in its own database; ratios are relative to the smallest."""
    fired: dict[int, tuple[float, ...]] = {}
    rows: list[Row] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            fired[size], more = _measure(Path(folder), size)
        rows += [Row("windows", f"fire one of {size:,}", "ms", fired[size]), *more]
    ratio = median(fired[SIZES[-1]]) / median(fired[SIZES[0]])
    return [*rows, Row("windows", f"fire one of {SIZES[-1]:,} / of {SIZES[0]:,}", "ratio", (ratio,), "≤ 2")]


def _measure(folder: Path, size: int) -> tuple[tuple[float, ...], list[Row]]:
    begin = Instant(filled.first(folder).opened_at + HOUR)
    filled.pending(folder, size, begin, SECOND)
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # a new process, so that its memory is measured alone
        return fresh.submit(_look, folder, size, begin).result()


def _look(folder: Path, size: int, begin: Instant) -> tuple[tuple[float, ...], list[Row]]:
    before, began = filled.memory(), perf_counter()
    store = open_store(filled.url(folder))
    if store.next_due() != begin:
        raise RuntimeError("the first window is not the one that was written")
    start = (perf_counter() - began) * 1000
    engine = filled.engine(folder, begin)
    fired = tuple(_fire(engine, Instant(begin + number * SECOND)) for number in range(FIRED))
    took = filled.memory() - before
    store.close()
    return fired, [
        Row("windows", f"start with {size:,}", "ms", (start,)),
        Row("windows", f"memory more with {size:,}", "MB", (took,)),
    ]


def _fire(engine: Engine, now: Instant) -> float:
    began = perf_counter()
    if engine.fire_due(now) != 1:
        raise RuntimeError("not exactly one window was due")
    return (perf_counter() - began) * 1000
