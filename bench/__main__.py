"""`make bench`: every benchmark, or the one named; a table for people, JSON for programs (bench/results.json)."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import compile as compile_
from bench import cost, drill, history, ingest, latency, memory, storm, windows
from bench.table import Row, print_rows

BENCHES = {
    "ingest": ingest.run,
    "cost": cost.run,
    "latency": latency.run,
    "storm": storm.run,
    "windows": windows.run,
    "history": history.run,
    "compile": compile_.run,
    "drill": drill.run,
    "memory": memory.run,
}


LIMIT = 180
"""Seconds after which a benchmark is given up, and the next begins."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raises TimeoutError within the block when it takes longer."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"not done within {seconds} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> None:
    """Run what is asked for."""
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    rows: list[Row] = []
    failed: list[str] = []
    for name in wanted:
        try:
            with within(LIMIT):
                rows += BENCHES[name]()
        except Exception as error:  # noqa: BLE001 - what the others measure is kept
            failed.append(f"{name} was not measured: {type(error).__name__}: {error}")
    print_rows(rows)
    print(*failed, sep="\n")
    Path("bench/results.json").write_text(json.dumps([row.as_dict() for row in rows], indent=2) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
