"""How the commands print: tables with colour where the terminal has it, JSON for programs."""

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rules.promtool.unproved import Unproved

LEVEL_STYLES = {1: "blue", 2: "yellow", 3: "bold dark_orange", 4: "bold white on red3"}

RECOVERIES = {
    "unreported": "no longer reported",
    "verifying": "recovered, being verified",
    "checking": "recovered, being checked",
    "confirm": "recovered, to be confirmed",
    "unverified": "recovery unverified",
}
"""What a recovery is called behind the state."""

console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
"""Where the commands print. In pipes a line stays a line, however long."""


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong on standard error, and end."""
    print(message, file=sys.stderr)
    sys.exit(code)


def local(at: str) -> str:
    """An RFC 3339 instant in this machine's zone, which it names: ``2026-11-25 03:14:05 CET``."""
    when = datetime.fromisoformat(at).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S %Z}"


def level_words(incident: Mapping[str, Any]) -> Text:
    """The level by number, name and colour."""
    words = f"{incident['level']} {incident['level_name']}"
    return Text(words, LEVEL_STYLES.get(incident["level"], ""))


def state_words(incident: Mapping[str, Any]) -> str:
    """The state, with what is known of a recovery; of what is only in the history, that."""
    if incident.get("recorded_only"):
        return "recorded, nobody is told"
    recovery = RECOVERIES.get(incident.get("recovery", ""), "") if incident["state"] in {"open", "acknowledged"} else ""
    return ", ".join(filter(None, (str(incident["state"]), recovery)))


def print_json(value: Any) -> None:
    """One JSON document, for programs."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def write(file: Path, content: str | bytes, option: str) -> None:
    """A file for people, which `option` names. Ends the program where it cannot be written."""
    try:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        _fail_to_write(option, file, error)


def make_folder(folder: Path, option: str) -> None:
    """A folder to write into, which `option` names. Ends the program where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _fail_to_write(option, folder, error)


def why_not(error: OSError) -> str:
    """Why a file or folder cannot be used, in words for whoever named it."""
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


def _cell(value: object) -> str:
    """What neither ends a line nor a cell."""
    return " ".join(str(value).split())


def _fail_to_write(option: str, place: Path, error: OSError) -> NoReturn:
    fail(f"tocsin: {option}: {place} cannot be written: {why_not(error)}; name another place")


def hanging(head: str, text: str) -> str:
    """`text` after `head`; where a person reads it, wrapped so that what follows hangs below it."""
    if not console.is_terminal:
        return head + text  # one line stays one line for grep
    return textwrap.fill(text, max(40, console.width), initial_indent=head, subsequent_indent=" " * (len(head) + 2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table; cells are plain text (markup in them is harmless). For programs each row is a line, its cells whole and
    between tabs, whatever the width.
    """
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
    """How many rules the unit tests prove, and what they do not, by name and with the reason."""
    console.print(f"{proved}.", markup=False)
    for what in unproved:
        said = "proved in part" if what.partly else "not proved"
        console.print(f"{said}: {what}", style="yellow", markup=False, soft_wrap=True)
