"""Working on an incident from a shell: its checklists, and whose it is."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from receiver.cli.incidents import LOCAL, By, Id, Json, NoteText, Token, Url, call, say
from receiver.cli.output import console, print_json, print_table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (steps, tick, handover):
        app.command()(command)


def steps(id: Id, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002 - ID to people
    """What is to do about an incident, and who did what."""
    _say_steps(call("GET", url, token, path_of(id, "checklists")), json)


def tick(
    id: Id,  # noqa: A002
    step: Annotated[str, typer.Argument(metavar="STEP", help="As `tocsin steps` names it: escalation.2")],
    undo: Annotated[bool, typer.Option("--undo", help="It is not done after all.")] = False,
    link: Annotated[str, typer.Option("--link", help="Where the evidence is.", show_default=False)] = "",
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Say that a step is done."""
    body = {"done": not undo, "link": link, "by": by, "note": note}
    _say_steps(call("PUT", url, token, path_of(id, "steps", step), body=body), json)


def handover(
    id: Id,  # noqa: A002
    to: Annotated[str, typer.Argument(metavar="TO", help="Who has it from now on.")],
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Give an incident to another person."""
    say(call("POST", url, token, path_of(id, "handover"), body={"to": to, "by": by, "note": note}), json)


def path_of(id_: str, *parts: str) -> str:
    """The API's path to something of an incident."""
    return "/".join(("/incidents", *(quote(part, safe="") for part in (id_.lstrip("#"), *parts))))


def _say_steps(found: dict[str, Any], json: bool) -> None:
    if json:
        print_json(found)
        return
    for checklist in found["checklists"]:
        rows = (
            ("x" if step["done"] else "", step["id"], step["text"], step["done_by"] or "", step["link"] or step["note"])
            for step in checklist["steps"]
        )
        print_table(["", "step", "what", "who", "evidence"], rows, f"\n{checklist['title']}")
    if not found["checklists"]:
        console.print("No checklists.")
