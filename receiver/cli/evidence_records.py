"""`tocsin evidence` and `tocsin hold`: an incident's evidence files and legal holds, from a shell."""

import asyncio
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli import completion
from receiver.cli.incidents import LOCAL, By, Id, Json, NoteText, Token, Url, call, path_of, save_file, send_file
from receiver.cli.output import console, fail, local, or_json, why_unread

evidence = typer.Typer(help="Files that are kept with an incident as evidence.", no_args_is_help=True)
hold = typer.Typer(help="Legal holds: nothing of an incident is deleted.", no_args_is_help=True)

FileId = Annotated[
    str,
    typer.Argument(metavar="EVIDENCE", help="As `tocsin evidence list` names it: e1", autocompletion=completion.files),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, and who asked for it.")]


@evidence.command()
def add(
    id: Id,  # noqa: A002 - ID to people
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to keep; it is read once, and stays here too.")],
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Attach a file to an incident. The SHA-256 that Tocsin computes is compared with the local file's."""
    say_evidence(attach(id, file, {"by": by, "note": note}, url, token), json)


def attach(id_: str, file: Path, said: dict[str, str], url: str, token: str) -> dict[str, Any]:
    """Sends a file and compares the stored SHA-256 with the local one. Exits if they differ."""
    here = digest(file)
    path = path_of(id_, "evidence")
    found: dict[str, Any] = asyncio.run(send_file(url, token, path, file, {k: v for k, v in said.items() if v}))
    kept = found["files"][-1]
    if here not in [each["sha256"] for each in found["files"]]:
        fail(f"tocsin: {file} changed while it was sent: its SHA-256 was {here}, and {kept['sha256']} was kept")
    return found


def digest(file: Path) -> str:
    """Returns a file's SHA-256. Exits if the file cannot be read."""
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        fail(f"tocsin: {file} cannot be read: {why_unread(error)}", 2)


@evidence.command(name="list")
def list_(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """List an incident's evidence files and legal holds."""
    say_evidence(call("GET", url, token, path_of(id, "evidence")), json)


@evidence.command()
def get(
    id: Id,  # noqa: A002
    file: FileId,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Where it goes; left out, its own name, here. Nothing is overwritten."),
    ] = None,
    url: Url = LOCAL,
    token: Token = "",
) -> None:
    """Fetch an evidence file, and verify its recorded SHA-256."""
    known = call("GET", url, token, path_of(id, "evidence"))["files"]
    found = next((each for each in known if each["id"] == file), None)
    if found is None:
        has = ", ".join(each["id"] for each in known) or "none"
        fail(f"tocsin evidence get: the incident has no evidence file {file}; it has {has}")
    target = to or Path(Path(found["name"]).name)
    if target.exists():
        fail(f"tocsin evidence get: {target} is there already; name another place with --to", 2)
    asyncio.run(save_file(url, token, path_of(id, "evidence", file), target, found["sha256"]))
    console.print(f"{target}: {found['size']} bytes, SHA-256 {found['sha256']}", markup=False, soft_wrap=True)


@evidence.command()
def redact(
    id: Id,  # noqa: A002
    file: FileId,
    reason: Reason,
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Remove the content of an evidence file permanently; its record stays, with the person and the reason."""
    body = {"reason": reason, "by": by}
    say_evidence(call("POST", url, token, path_of(id, "evidence", file, "redact"), body=body), json)


@hold.command()
def place(
    id: Id,  # noqa: A002
    reason: Reason,
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Put an incident under legal hold: none of its data is deleted, regardless of the policy's retention."""
    say_evidence(call("POST", url, token, path_of(id, "holds"), body={"reason": reason, "by": by}), json)


@hold.command()
def release(
    id: Id,  # noqa: A002
    which: Annotated[
        str,
        typer.Argument(
            metavar="HOLD", help="As `tocsin evidence list` names it: h1", autocompletion=completion.legal_holds
        ),
    ],
    reason: Reason,
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Release a legal hold; the others stay in force."""
    body = {"reason": reason, "by": by}
    say_evidence(call("POST", url, token, path_of(id, "holds", which, "release"), body=body), json)


@or_json
def say_evidence(found: dict[str, Any]) -> None:
    """Prints evidence files and legal holds."""
    for each in found["files"]:
        note = f": {each['note']}" if each["note"] else ""
        attached = f"{each['size']} bytes, attached {local(each['attached_at'])} by {each['attached_by']}{note}"
        console.print(f"{each['id']}: {each['name']}, {attached}", markup=False, soft_wrap=True)
        console.print(f"  SHA-256 {each['sha256']}", markup=False, soft_wrap=True)
        if each["redacted_by"]:
            removed = f"{local(each['redacted_at'])} by {each['redacted_by']}: {each['redacted_why']}"
            console.print(f"  content removed {removed}", markup=False, soft_wrap=True)
    for each in found["holds"]:
        standing = "in force"
        if each["released_by"]:
            standing = f"released {local(each['released_at'])} by {each['released_by']}: {each['released_why']}"
        placed = f"placed {local(each['placed_at'])} by {each['placed_by']}: {each['reason']}"
        console.print(f"legal hold {each['id']}, {standing}; {placed}", markup=False, soft_wrap=True)
    if not (found["files"] or found["holds"]):
        console.print("The incident has no evidence files, and is under no legal hold.")
