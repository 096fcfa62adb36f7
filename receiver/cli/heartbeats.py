"""Heartbeats from a shell: list the watched ones, and retire one that has ended."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from receiver.cli.incidents import LOCAL, By, Json, Token, Url, call
from receiver.cli.output import console, or_json, print_table


def heartbeats(url: Url = LOCAL, token: Token = "", json: Json = False) -> None:
    """List the watched heartbeats, and whether they beat."""
    _say(call("GET", url, token, "/heartbeats"), json)


def retire(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `tocsin heartbeats` names it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is gone for good.")],
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Stop expecting a heartbeat. If it is heard again, it is watched again."""
    _say(call("POST", url, token, f"/heartbeats/{quote(key, safe='')}/retire", body={"reason": reason, "by": by}), json)


@or_json
def _say(found: Any) -> None:
    if not found["heartbeats"]:
        console.print("No heartbeat is watched: nobody is told when Prometheus or Alertmanager dies.")
        return
    rows = (
        (
            each["key"],
            each["name"],
            each["source"],
            ", ".join(f"{name}={value}" for name, value in each["labels"].items()),
            each["state"],
            f"{each['age']:.0f} s of {each['within']:.0f} s" if each["evaluated_at"] else "never heard",
        )
        for each in found["heartbeats"]
    )
    print_table(["key", "name", "source", "labels", "state", "age"], rows)
