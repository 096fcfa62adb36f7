"""`make pair`: ten cycles of an emergency behind a real pair of Alertmanagers, in real time; half an hour.

With the installed programs and the newest, at the group interval of old routes and at twice that. Prints one line per
cycle; exits 1 after a false page or a missed one.
"""

import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.clustered import installed, newest
from bench.night import REAL, Night, Outcome

CYCLES = 10
TEXT = ("programs", "cycle", "echoes, s after the end")


def show(outcomes: list[Outcome]) -> None:
    """Print one line per cycle, and one for their sum."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "programs",
        "interval",
        "cycle",
        "echoes, s after the end",
        "turns",
        "pages",
        "voided",
        "stuck",
        "missed",
    ):
        table.add_column(column, justify="left" if column in TEXT else "right", no_wrap=True)
    for outcome in outcomes:
        head = outcome.programs, f"{outcome.group_interval:g} s"
        for each in outcome.cycles:
            late = ", ".join(f"{seconds:.1f}" for seconds in each.echoes) or "none"
            table.add_row(*head, each.what, late, *map(str, (each.turns, *each.faults)))
        table.add_row(
            *head, "all", str(sum(len(each.echoes) for each in outcome.cycles)), *_sums(outcome), style="bold"
        )
    Console(width=120).print(table)


def _sums(outcome: Outcome) -> list[str]:
    return [str(sum(column)) for column in zip(*((each.turns, *each.faults) for each in outcome.cycles), strict=True)]


async def _all(cycles: int, folder: Path) -> list[Outcome]:
    """Run all at once, because they mostly wait; print each when it ends."""
    nights = []
    for programs in filter(None, (installed(), newest())):
        for times in (1, 2):
            pace = replace(REAL, group_interval=times * REAL.group_interval)
            place = folder / f"{programs.name}-{pace.group_interval:g}"
            place.mkdir()
            nights.append(Night(programs, pace, place).run(lambda done: len(done) >= cycles))
    outcomes = []
    for night in asyncio.as_completed(nights):
        outcomes.append(await night)
        show(outcomes[-1:])
    return outcomes


def main() -> None:
    """Run with CYCLES cycles."""
    with tempfile.TemporaryDirectory(prefix="tocsin-pair-") as folder:
        outcomes = asyncio.run(_all(int(os.environ.get("CYCLES", CYCLES)), Path(folder)))
    if not outcomes:
        sys.exit("there is no Prometheus with an Alertmanager here: run tests/install-tools")
    if any(any(each.faults) for outcome in outcomes for each in outcome.cycles):
        sys.exit("a person was woken for nothing, or was not told")


if __name__ == "__main__":
    main()
