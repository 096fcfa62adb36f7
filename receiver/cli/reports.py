"""`tocsin report`: what an incident, or a period's incidents, came to."""

import sys
from typing import Annotated
from urllib.parse import quote

import typer

from receiver.cli.incidents import LOCAL, Token, Url, call
from receiver.cli.output import fail

FORMATS = ("md", "html", "json")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(report)


def report(
    id: Annotated[  # noqa: A002 - ID to people
        str | None, typer.Argument(metavar="ID", help="The incident's number (12 or #12) or id.", show_default=False)
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Instead of one incident: how far back, such as 30d.", show_default=False)
    ] = None,
    format: Annotated[str, typer.Option("--format", help="md, html (prints well) or json.")] = "md",  # noqa: A002
    url: Url = LOCAL,
    token: Token = "",
) -> None:
    """An incident's report, or (with --period) how soon incidents were answered and which deadlines were kept."""
    if (id is None) is (period is None):
        fail("tocsin report: say which: an incident's number, or --period 30d", 2)
    if format not in FORMATS:
        fail(f"tocsin report: --format is one of {', '.join(FORMATS)}", 2)
    query = {"format": format} | ({"period": period} if period else {})
    path = "/report" if id is None else f"/incidents/{quote(id.lstrip('#'))}/report"
    sys.stdout.write(call("GET", url, token, path, query=query, text=True))
