"""The arguments and options of the commands that read a policy; `tocsin compile` needs nothing else of `check`."""

from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.output import fail
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


def scraping_of(command: str, file: Path | None) -> Scraping | None:
    """Returns the scrape intervals of a Prometheus configuration; None: none was named. Exits if it cannot be read."""
    try:
        return None if file is None else of_configuration(read_whole(file, MOST_BYTES).decode())
    except OSError as error:
        fail(f"tocsin {command}: --prometheus-config: {file}: {error.strerror}", 2)
    except ValueError as error:
        fail(f"tocsin {command}: --prometheus-config: {file} is no Prometheus configuration: {error}", 2)


def known_version(command: str, version: str) -> str | None:
    """Returns the given version; None: none. Exits if it is unknown."""
    if version and version not in VERSIONS:
        *others, last = VERSIONS
        fail(f"tocsin {command}: --prometheus is {', '.join(others)} or {last}, not {version!r}", 2)
    return version or None
