"""`make bench`: runs every benchmark, or the named one; prints a table, and writes JSON (bench/results.json)."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench import compile as compile_
from bench import cost, drill, history, ingest, latency, memory, storm, windows
from bench.table import Row, print_rows

BENCHES: dict[str, tuple[Callable[[], list[Row]], int]] = {
    "ingest": (ingest.run, 120),
    "cost": (cost.run, 45),
    "latency": (latency.run, 85),
    "storm": (storm.run, 90),
    "windows": (windows.run, 150),
    "history": (history.run, 480),
    "history-postgresql": (history.run_on_server, 480),
    "compile": (compile_.run, 60),
    "drill": (drill.run, 15),
    "memory": (memory.run, 200),
}
"""Benchmark → seconds after which it is aborted and the next begins: twenty-nine minutes together."""


class GivenUpError(KeyboardInterrupt):
    """A benchmark took too long.

    A KeyboardInterrupt, because an event loop lets no other exception out of a callback, and code that waits for a
    server takes every OSError (TimeoutError too) for a server that has not started.
    """


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raises GivenUpError if the block takes longer."""

    def give_up(*_: object) -> None:
        raise GivenUpError(f"not done within {seconds} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> None:
    """Run the requested benchmarks."""
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    rows: list[Row] = []
    failed: list[str] = []
    for name in wanted:
        run, seconds = BENCHES[name]
        began = perf_counter()
        try:
            with within(seconds):
                rows += run()
        except (Exception, GivenUpError) as error:  # noqa: BLE001 - the results of the others are kept
            failed.append(f"{name} was not measured: {type(error).__name__}: {error}")
        print(f"{name}: {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print_rows(rows)
    print(*failed, sep="\n")
    Path("bench/results.json").write_text(json.dumps([row.as_dict() for row in rows], indent=2) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
