"""Benchmark figures with median and spread, and their output."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its subject, its unit, each run's value, and its target if it has one."""

    bench: str
    what: str
    unit: str
    values: tuple[float, ...]
    target: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the JSON results."""
        return asdict(self) | {"median": median(self.values), "min": min(self.values), "max": max(self.values)}


def print_rows(rows: list[Row]) -> None:
    """Print one table; the median first, then the spread."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("bench", "what", "median", "min", "max", "unit", "target"):
        table.add_column(column, justify="right" if column in {"median", "min", "max"} else "left")
    for row in rows:
        figures = (median(row.values), min(row.values), max(row.values))
        table.add_row(row.bench, row.what, *(_short(figure) for figure in figures), row.unit, row.target)
    Console().print(table)


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
