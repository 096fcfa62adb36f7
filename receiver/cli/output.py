"""Output of the commands: tables, with colour in terminals that have it, and JSON for programs."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rules.problems import Problem
from rules.promtool.unproved import Unproved

LEVEL_STYLES = {1: "blue", 2: "yellow", 3: "bold dark_orange", 4: "bold white on red3"}

RECOVERIES = {
    "unreported": "no longer reported",
    "verifying": "recovered, being verified",
    "checking": "recovered, being checked",
    "confirm": "recovered, to be confirmed",
    "unverified": "recovery unverified",
}
"""Words for a recovery, after the state."""

console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
"""The commands' console. In pipes lines are not wrapped."""


def asks_json() -> bool:
    """Whether the command line has `--json`: then every outcome is JSON on standard output, wrong usage too."""
    return "--json" in sys.argv[1:]


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints the message on standard error, for programs as JSON on standard output, and exits."""
    if asks_json():
        print_json({"errors": [problem_json(Problem("", 0, 0, message))]})
    else:
        print(message, file=sys.stderr)
    sys.exit(code)


def refuse(problems: Iterable[Problem]) -> NoReturn:
    """As `fail`, for a policy's problems; each has its place."""
    if asks_json():
        print_json({"errors": [problem_json(each) for each in problems]})
        sys.exit(1)
    fail("\n".join(map(str, problems)))


def problem_json(problem: Problem) -> dict[str, Any]:
    """Returns a problem as JSON."""
    place = {"path": problem.path, "line": problem.line, "column": problem.column}
    return {"name": problem.name, "severity": problem.severity, "message": problem.message, **place}


def local(at: str) -> str:
    """Returns an RFC 3339 instant in this machine's zone: ``2026-11-25 03:14:05 CET``."""
    when = datetime.fromisoformat(at).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S %Z}"


def level_words(incident: Mapping[str, Any]) -> Text:
    """Returns the level's number and name, in its colour."""
    words = f"{incident['level']} {incident['level_name']}"
    return Text(words, LEVEL_STYLES.get(incident["level"], ""))


def state_words(incident: Mapping[str, Any]) -> str:
    """Returns the state, with the recovery; of an incident that is only recorded, that."""
    if incident.get("recorded_only"):
        return "recorded, nobody is told"
    recovery = RECOVERIES.get(incident.get("recovery", ""), "") if incident["state"] in {"open", "acknowledged"} else ""
    return ", ".join(filter(None, (str(incident["state"]), recovery)))


def print_json(value: Any) -> None:
    """Prints one JSON document, for programs."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def or_json(show: Callable[[Any], None]) -> Callable[[Any, bool], None]:
    """Returns a printer of an answer that is told whether to print it as JSON, for programs, or as `show` does."""
    return lambda found, json: print_json(found) if json else show(found)


def write(file: Path, content: str | bytes, option: str) -> None:
    """Writes a file that `option` names. Exits if it cannot be written."""
    try:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        _fail_to_write(option, file, error)


def make_folder(folder: Path, option: str) -> None:
    """Creates a folder that `option` names. Exits if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _fail_to_write(option, folder, error)


def why_not(error: OSError) -> str:
    """Returns why a file or folder cannot be used, in words for the user."""
    match error:
        case PermissionError():
            return "you may not write there"
        case FileExistsError() | NotADirectoryError():
            return "a file stands where a folder is needed"
        case IsADirectoryError():
            return "it is a folder, and a file is needed"
        case FileNotFoundError():
            return "there is no such folder"
        case _:
            return error.strerror or type(error).__name__


def why_unread(error: OSError) -> str:
    """Returns why a file cannot be read, in words for the user."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "it is a folder, and a file is needed"
        case PermissionError():
            return "you may not read it"
        case _:
            return error.strerror or type(error).__name__


def _cell(value: object) -> str:
    """Returns the value on one line, without tabs."""
    return " ".join(str(value).split())


def _fail_to_write(option: str, place: Path, error: OSError) -> NoReturn:
    fail(f"tocsin: {option}: {place} cannot be written: {why_not(error)}; name another place")


def hanging(head: str, text: str) -> str:
    """Returns `text` after `head`; in a terminal wrapped, with following lines indented below it."""
    if not console.is_terminal:
        return head + text  # no line breaks, for grep
    return textwrap.fill(text, max(40, console.width), initial_indent=head, subsequent_indent=" " * (len(head) + 2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Prints a table; markup in cells is escaped. In pipes each row is a line of uncut cells separated by tabs."""
    if not console.is_terminal:
        print(*([title] if title else []), *("\t".join(map(_cell, row)) for row in (columns, *rows)), sep="\n")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else escape(str(cell)) for cell in row))
    console.print(table)


def show_proofs(proved: str, unproved: Iterable[Unproved]) -> None:
    """Prints the number of rules that the unit tests prove, and the others with the reason."""
    console.print(f"{proved}.", markup=False)
    for what in unproved:
        said = "proved in part" if what.partly else "not proved"
        console.print(f"{said}: {what}", style="yellow", markup=False, soft_wrap=True)
