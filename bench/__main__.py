"""`make bench`: every benchmark, or the one named; a table for people, JSON for programs (bench/results.json)."""

import json
import sys
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


def main() -> None:
    """Run what is asked for."""
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    rows: list[Row] = []
    for name in wanted:
        rows += BENCHES[name]()
    print_rows(rows)
    Path("bench/results.json").write_text(json.dumps([row.as_dict() for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
