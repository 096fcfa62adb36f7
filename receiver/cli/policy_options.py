"""The arguments and options of the commands that read a policy; `tocsin compile` needs nothing else of `check`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli.output import fail, print_json
from rules.problems import PolicyError, Problem
from rules.prometheus_versions import VERSIONS
from rules.scraping import Scraping, of_configuration
from rules.whole_files import read_whole

MOST_BYTES = 10_000_000
"""The maximum size of a Prometheus configuration."""

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="POLICY…",
        help="Files, folders or Markdown; -: standard input; left out: the shipped packs.",
        show_default=False,
    ),
]
Prometheus = Annotated[
    str,
    typer.Option(
        "--prometheus",
        metavar="VERSION",
        help=f"The oldest Prometheus that runs the rules: {', '.join(VERSIONS)}; left out, as the policy says.",
        show_default=False,
    ),
]
PrometheusConfig = Annotated[
    Path | None,
    typer.Option(
        "--prometheus-config",
        metavar="FILE",
        help="A Prometheus configuration: ranges, `for` and intervals are held against its scrape intervals.",
        show_default=False,
    ),
]


def scraping_of(command: str, file: Path | None, *, json: bool = False) -> Scraping | None:
    """Returns the scrape intervals of a Prometheus configuration; None: none was named. Exits if it cannot be read."""
    try:
        return None if file is None else of_configuration(read_whole(file, MOST_BYTES).decode())
    except OSError as error:
        fail(f"tocsin {command}: --prometheus-config: {file}: {error.strerror}", 2, json=json)
    except ValueError as error:
        fail(f"tocsin {command}: --prometheus-config: {file} is no Prometheus configuration: {error}", 2, json=json)


def known_version(command: str, version: str, *, json: bool = False) -> str | None:
    """Returns the given version; None: none. Exits if it is unknown."""
    if version and version not in VERSIONS:
        *others, last = VERSIONS
        fail(f"tocsin {command}: --prometheus is {', '.join(others)} or {last}, not {version!r}", 2, json=json)
    return version or None


@contextmanager
def errors_as_json(json: bool) -> Iterator[None]:
    """Prints the problems of a refused policy as JSON, for programs, and exits; without `json` the error passes."""
    try:
        yield
    except PolicyError as error:
        if not json:
            raise
        print_json({"errors": [problem_json(each) for each in error.problems]})
        raise typer.Exit(1) from None


def problem_json(problem: Problem) -> dict[str, Any]:
    """Returns a problem as JSON."""
    place = {"path": problem.path, "line": problem.line, "column": problem.column}
    return {"name": problem.name, "severity": problem.severity, "message": problem.message, **place}
