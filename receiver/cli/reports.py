"""`tocsin report`: the report of an incident or a period."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli.incidents import LOCAL, By, Id, Token, Url, call, path_of
from receiver.cli.output import console, fail, hanging, make_folder, write

FORMATS = ("md", "html", "json")


def report(
    id: Annotated[  # noqa: A002 - ID to people
        str | None, typer.Argument(metavar="ID", help="The incident's number (12 or #12) or id.", show_default=False)
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Instead of one incident: how far back, such as 30d.", show_default=False)
    ] = None,
    drills: Annotated[
        bool, typer.Option("--drills", help="Instead: live drills, who took part, when, how long they took.")
    ] = False,
    as_test: Annotated[
        Path | None,
        typer.Option(
            "--as-test",
            metavar="DIR",
            help="Write the incident as a promtool test and a drill script.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", help="md, html (prints well) or json.")] = "md",  # noqa: A002
    version: Annotated[
        int | None,
        typer.Option(help="Of one incident: a version that was approved; left out, the newest.", show_default=False),
    ] = None,
    url: Url = LOCAL,
    token: Token = "",
) -> None:
    """Print an incident's report, or (with --period) response times and kept deadlines of a period."""
    if id is not None and (period or drills):
        fail("tocsin report: one incident, or --period, or --drills", 2)
    if id is None and not (period or drills or as_test):
        fail("tocsin report: say which: an incident's number, --period 30d, or --drills", 2)
    if version is not None and id is None:
        fail("tocsin report: --version is of one incident: say its number", 2)
    if format not in FORMATS:
        fail(f"tocsin report: --format is one of {', '.join(FORMATS)}", 2)
    if as_test is not None:
        if id is None:
            fail("tocsin report: --as-test is about one incident: say its number", 2)
        _write_test(call("GET", url, token, path_of(id, "test")), as_test)
        return
    query = {"format": format} | ({"period": period} if period else {})
    query |= {"version": str(version)} if version is not None else {}
    many = "/drills" if drills else "/report"
    path = many if id is None else path_of(id, "report")
    sys.stdout.write(call("GET", url, token, path, query=query, text=True))


def approve_report(
    id: Id,  # noqa: A002 - ID to people
    hash: Annotated[  # noqa: A002 - as the option is called
        str, typer.Option("--hash", help="SHA-256 of the report that was read.", show_default=False)
    ] = "",
    prepared_by: Annotated[
        str, typer.Option("--prepared-by", help="Who prepared it; left out, the approver.", show_default=False)
    ] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
) -> None:
    """Approve an incident's report: that version is kept. Without --hash it is shown first, and must be confirmed."""
    path = path_of(id, "report")
    if not hash:
        hash = call("GET", url, token, path, query={"format": "json"})["sha256"]  # noqa: A001
        text = call("GET", url, token, path, query={"format": "md"}, text=True)
        sys.stdout.write(text)
        if hash not in text:
            fail("tocsin approve-report: the report changed while it was read; read it again")
        if not typer.confirm("Approve exactly this?"):
            raise typer.Exit(1)
    body = {"hash": hash, "prepared_by": prepared_by, "by": by}
    found = call("POST", url, token, f"{path}/approve", body=body)
    cover = found["cover"]
    said = f"Version {found['version']} is approved by {cover['approved_by']}, {cover['approved_at']}."
    console.print(f"{said}\nSHA-256 {found['sha256']}", markup=False, soft_wrap=True)


def _write_test(found: dict[str, Any], folder: Path) -> None:
    make_folder(folder, "--as-test")
    for name, content in found["files"].items():
        write(folder / Path(name).name, content, "--as-test")
        console.print(f"wrote {folder / Path(name).name}", markup=False, soft_wrap=True)
    for note in found["notes"]:
        console.print(hanging("  ", note), markup=False, soft_wrap=True)
