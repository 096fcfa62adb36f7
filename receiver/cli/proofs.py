"""`tocsin explain`, `replay`, `diff`, `schema`: test a policy before it is used."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from receiver.cli.calendar_copies import Calendars, Fetch, with_calendars
from receiver.cli.drills import LARGEST, after
from receiver.cli.output import console, fail, hanging, print_json, print_table, why_unread
from receiver.clients.alert_payload import Payload, parse
from receiver.clock import wall_clock
from receiver.core.classify import Received
from receiver.core.model import Instant
from receiver.core.shared_fingerprints import fingerprint
from receiver.drill import explained
from receiver.drill.differences import DifferenceTable, as_markdown, differences, replayed
from receiver.drill.differences import as_json as as_rows
from receiver.drill.first_pages import replay
from receiver.drill.simulator import START, World, begins_at
from receiver.settings import Settings
from receiver.web.recorder import read
from rules.document import json_schema
from rules.load import load
from rules.policy import HOUR, MINUTE, Policy
from rules.whole_files import read_whole


def explain_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[POLICY…] LABEL=VALUE…", help="The alert's labels, after the policy's files.", show_default=False
        ),
    ] = None,
    alert: Annotated[
        Path | None, typer.Option("--alert", metavar="FILE", help="Alertmanager's webhook body instead of labels.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The `?source=` of the webhook that tells of it.")] = "",
    calendar: Calendars = None,
    fetch: Fetch = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Only channels that the environment configures; else all of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Explain one alert: rule, level, reason, who is told when. Exits with 1 if no person would be reached."""
    labels = dict(word.split("=", 1) for word in words or () if "=" in word and not Path(word).exists())
    for name in labels:
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name):
            fail(f"tocsin explain: {name!r} is no label's name: letters, digits and _, such as severity=warning", 2)
    loaded = load([Path(word) for word in words or () if "=" not in word or Path(word).exists()])
    (policy,) = with_calendars(loaded, given=calendar, fetch=fetch)
    now = begins_at(policy, Instant(wall_clock()))
    payload = _payload(labels, alert)
    configured = _configured(policy) if settings else None
    worlds = ((World(policy, configured=configured, now=now), each) for each in payload.alerts)
    found = [explained.explain(world, each, dict(payload.group_labels), source) for world, each in worlds]
    if json:
        print_json({"alerts": [explained.as_json(each) for each in found]})
    else:
        for each in {
            (each.ignored, explained.as_json(each).get("key"), str(each.told)): each for each in found
        }.values():
            _print_explained(each)
    firing = [each for each in found if each.alert.ended_at is None]
    if not firing or not all(each.reaches_somebody for each in firing):
        raise typer.Exit(1)


def _configured(policy: Policy) -> frozenset[str]:
    from receiver.channels.configured import configured_channels

    return configured_channels(policy, Settings.read(os.environ))


def _payload(labels: dict[str, str], file: Path | None) -> Payload:
    """Returns the alerts to explain. Exits unless either labels or a file is given."""
    if bool(labels) == (file is not None):
        fail("tocsin explain: say the alert's labels (alertname=HighLoad severity=warning), or --alert FILE", 2)
    if file is None:
        return Payload((Received(labels, {}, fingerprint(labels), START),), {}, 0)
    payload = _read(file)
    if not (payload.alerts or payload.unreadable):
        print(f"tocsin explain: {file} lists no alert: nobody would be reached", file=sys.stderr)
    for each in payload.unreadable:
        print(f"tocsin explain: {file}: alert {each.index} cannot be read: {each.reason}", file=sys.stderr)
    if payload.unreadable and not payload.alerts:
        fail(f"tocsin explain: {file} has no alert that can be read", 2)
    return payload


def _read(file: Path) -> Payload:
    try:
        return parse(read_whole(file, LARGEST), wall_clock())
    except OSError as error:
        fail(f"tocsin explain: --alert: {file}: {why_unread(error)}", 2)
    except ValidationError as error:
        first = error.errors()[0]
        said = ": ".join(filter(None, (".".join(str(step) for step in first["loc"]), first["msg"])))
        fail(f"tocsin explain: --alert: {file} is no body of Alertmanager's webhook: {said}", 2)


def _print_explained(found: explained.Explained) -> None:
    name = found.alert.labels.get("alertname", "alert")
    console.print(f"{name}", style="bold", markup=False)
    for label, text in explained.facts(found):
        console.print(hanging("  ", f"{label}: {text}"), markup=False, soft_wrap=True)
    if found.ignored:
        return
    print_table(["when", "what", "channel", "to whom"], explained.rows(found), "\nIf nobody acknowledges")
    if not found.reaches_somebody:
        console.print("Nobody would be reached.", style="bold red")


Format = Annotated[
    Literal["text", "markdown"], typer.Option("--format", help="`markdown`: for a pull request's comment.")
]


def replay_(
    recordings: Annotated[list[Path], typer.Argument(metavar="FILE…", help="What `tocsin serve --record` kept.")],
    new: Annotated[list[Path], typer.Option("--new", metavar="POLICY", help="The policy to try; may be repeated.")],
    old: Annotated[
        list[Path] | None,
        typer.Option("--old", metavar="POLICY", help="What it is compared with; left out: the shipped packs."),
    ] = None,
    lasts: Annotated[int | None, after("--for", "How long to watch after the last webhook; left out, 24h.")] = None,
    calendar: Calendars = None,
    fetch: Fetch = False,
    form: Format = "text",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Replay recorded webhooks with another policy: who would have been told earlier, later, or not at all."""
    try:
        heard = [each for path in recordings for each in read(path)]
    except OSError as error:
        fail(f"tocsin replay: {error.filename}: {why_unread(error)}", 2)
    except ValueError as error:
        fail(f"tocsin replay: {error}", 2)
    lasting = 24 * HOUR if lasts is None else lasts
    before, after = with_calendars(load(old or []), load(new), given=calendar, fetch=fetch)
    tables = replayed(before, after, replay(before, heard, lasting), replay(after, heard, lasting))
    same = f"{len(heard)} webhooks: both policies would have told everybody the same."
    _print_tables(tables, "json" if json else form, same)


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A policy: file, folder or Markdown.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one.")],
    form: Format = "text",
    calendar: Calendars = None,
    fetch: Fetch = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare the meaning of two policies: rules, levels, windows, who is reached when."""
    before, after = with_calendars(load([old]), load([new]), given=calendar, fetch=fetch)
    tables = differences(before, after, Instant(wall_clock() // MINUTE * MINUTE))
    _print_tables(tables, "json" if json else form, "The policies mean the same.")


def _print_tables(tables: list[DifferenceTable], form: str, none: str) -> None:
    if form == "json":
        print_json(as_rows(tables))
    elif not tables:
        console.print(none)
    elif form == "markdown":
        print(as_markdown(tables))
    else:
        for table in tables:
            print_table(table.columns, table.rows, f"\n{table.title}")


def schema() -> None:
    """Print the JSON Schema of the policy language, for editors."""
    print_json(json_schema())
