"""`tocsin override`, `tocsin overrides`: a person is on call for a time instead of the scheduled person."""

from typing import Annotated, Any

import typer

from receiver.cli import completion
from receiver.cli.incidents import LOCAL, By, Json, Token, Url, call
from receiver.cli.output import console, or_json, print_table
from receiver.core.model import Instant
from receiver.messages.times import in_both_zones
from receiver.on_call.wall_time import read
from rules.time_zones import time_zone


def override(
    schedule: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="As the policy names it.", autocompletion=completion.schedules)
    ],
    who: Annotated[
        str,
        typer.Option("--who", metavar="PERSON", help="One of the policy's people.", autocompletion=completion.people),
    ],
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Local time of the schedule, where it has no offset.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, for everybody who asks later.")],
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="From then; left out: now.")] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Put a person on call for a time. If two overrides overlap, the latest wins."""
    body = {"schedule": schedule, "person": who, "starts": from_, "ends": until, "reason": reason, "by": by}
    _say(call("POST", url, token, "/overrides", body=body), json)


def overrides(
    cancel: Annotated[
        int | None, typer.Option("--cancel", metavar="NUMBER", help="End this one.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is cancelled.")] = "",
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """List present and future overrides; --cancel ends one."""
    if cancel is None:
        _say(call("GET", url, token, "/overrides"), json)
    else:
        _say(call("POST", url, token, f"/overrides/{cancel}/cancel", body={"reason": reason, "by": by}), json)


@or_json
def _say(found: Any) -> None:
    if not found["overrides"]:
        console.print("No override is in effect, and none is to come.")
    else:
        rows = (
            (
                str(each["number"]),
                each["schedule"],
                each["person"],
                _told(each["starts"], each),
                _told(each["ends"], each),
                each["by"],
                _why(each),
            )
            for each in found["overrides"]
        )
        print_table(["number", "schedule", "person", "from", "until", "by", "reason"], rows)


def _told(at: str, each: Any) -> str:
    """Returns the time in the schedule's zone and in UTC; receivers of older versions do not name the zone."""
    return in_both_zones(Instant(read(at, "UTC")), time_zone(each.get("time_zone", "UTC")))


def _why(each: Any) -> str:
    return f"VOID, nobody is on call by it: {each['void']}" if each["void"] else str(each["reason"])
