"""`tocsin drill`, `explain`, `replay`, `diff`, `schema`: the policy, proved before the night."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from receiver.cli.incidents import LOCAL, Token, Url, declare
from receiver.cli.output import console, fail, print_json, print_table
from receiver.cli.policies import Paths
from receiver.core.classify import Received
from receiver.drill import explained
from receiver.drill.account import as_json, deadline_words, lines
from receiver.drill.differences import Table, as_markdown, differences, replayed
from receiver.drill.differences import as_json as as_rows
from receiver.drill.drawing import page
from receiver.drill.script import Played, Script, UnknownIncident, play
from receiver.drill.told import replay
from receiver.drill.world import START, Weather, World
from receiver.settings import Settings
from receiver.web.payload import Payload, fingerprint, parse
from receiver.web.recording import read
from rules import durations
from rules.document import json_schema
from rules.load import load
from rules.policy import HOUR, Policy

TONES = {"loud": "bold red", "good": "green", "quiet": "dim", "plain": ""}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(drill)
    app.command(name="explain")(explain_)
    app.command(name="replay")(replay_)
    app.command()(diff)
    app.command()(schema)


def _duration(text: str) -> int:
    try:
        return durations.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _after(name: str, words: str) -> Any:
    return typer.Option(name, help=words, parser=_duration, metavar="DURATION", show_default=False)


def drill(
    paths: Paths = None,
    incident: Annotated[
        str, typer.Option("--incident", metavar="NAME", help="A rule or incident type of the policy.")
    ] = "",
    acknowledge_after: Annotated[int | None, _after("--acknowledge-after", "Somebody takes it then.")] = None,
    resolve_after: Annotated[int | None, _after("--resolve-after", "The signal recovers then.")] = None,
    recur_after: Annotated[int | None, _after("--recur-after", "It is back so long after it was resolved.")] = None,
    lasts: Annotated[int | None, _after("--for", "When to stop; left out: when nothing new happens.")] = None,
    falls_silent: Annotated[
        bool, typer.Option("--falls-silent", help="Who acknowledged is not heard of again.")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="CHANNEL", help="It fails every message.")
    ] = None,
    flaky: Annotated[
        list[str] | None, typer.Option("--flaky", metavar="CHANNEL=0.5", help="It fails so many of its tries.")
    ] = None,
    seed: Annotated[str, typer.Option("--seed", help="Other tries fail with another seed.")] = "",
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the timeline drawn.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Instead, open it on the running receiver, marked EXERCISE: people are told.")
    ] = False,
    url: Url = LOCAL,
    token: Token = "",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """The timeline that would happen, on a virtual clock: who is told, when, on which channel."""
    if live:
        pretended = (acknowledge_after, resolve_after, recur_after, lasts, falls_silent, without, flaky, seed, html)
        if paths or any(each not in (None, False, "", []) for each in pretended):
            fail(
                "tocsin drill: with --live real people answer: only --incident goes with it",
                2,
            )
        if not incident:
            fail("tocsin drill: say which incident: --incident NAME", 2)
        declare(incident, exercise=True, url=url, token=token, json=json)
        return
    policy = load(paths or [])
    if not incident:
        fail(f"tocsin drill: say which incident: --incident NAME, one of {', '.join(_names(policy))}", 2)
    world = World(policy, _weather(policy, without or [], flaky or [], seed))
    try:
        played = play(world, Script(acknowledge_after, resolve_after, recur_after, falls_silent, lasts), incident)
    except UnknownIncident:
        fail(f"tocsin drill: the policy has no {incident!r}; it has {', '.join(_names(policy))}", 2)
    if html is not None:
        html.write_text(page(played, incident), encoding="utf-8")
    if json:
        print_json(as_json(played))
    else:
        _print(played)
    if played.reached_after is None:
        raise typer.Exit(1)


def _names(policy: Policy) -> list[str]:
    names = [*(rule.name for rule in policy.rules), *(kind.name for kind in policy.incident_types)]
    return list(dict.fromkeys(names))


def _weather(policy: Policy, without: list[str], flaky: list[str], seed: str) -> Weather:
    """How the channels behave. Ends the program where a channel is unknown or a share is none."""
    shares: dict[str, float] = {}
    for each in flaky:
        name, _, share = each.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            shares[name] = -1
        if not 0 <= shares[name] <= 1:
            fail(f"tocsin drill: --flaky takes a channel and a number from 0 to 1, such as slack=0.5, not {each!r}", 2)
    known = {name for channel in policy.channels for name in (channel.name, channel.type)}
    for name in (*without, *shares):
        if name not in known:
            fail(f"tocsin drill: the policy has no channel {name!r}; it has {', '.join(sorted(known))}", 2)
    return Weather(frozenset(without), shares, seed)


def _print(played: Played) -> None:
    shown = list(lines(played))
    width = max(len(line.at) for line in shown)
    before = ""
    for line in shown:
        at = line.at if line.at != before else ""
        console.print(f"{at:>{width}}  {line.text}", style=TONES[line.tone], markup=False, soft_wrap=True)
        before = line.at
    console.print("\nDeadlines")
    for deadline in played.deadlines:
        console.print(f"  {deadline_words(deadline, played.began_at)}", markup=False, soft_wrap=True)
    if played.reached_after is None:
        console.print("Nobody was reached.", style="bold red")


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
    settings: Annotated[
        bool, typer.Option("--settings", help="Only channels that the environment configures; else all of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What one alert would do: rule, level, why, who is told when. Exits 1 if nobody would be reached."""
    labels = dict(word.split("=", 1) for word in words or () if "=" in word and not Path(word).exists())
    policy = load([Path(word) for word in words or () if "=" not in word or Path(word).exists()])
    payload = _payload(labels, alert)
    configured = _configured(policy) if settings else None
    worlds = ((World(policy, configured=configured), each) for each in payload.alerts)
    found = [explained.explain(world, each, dict(payload.group_labels)) for world, each in worlds]
    if json:
        print_json({"alerts": [explained.as_json(each) for each in found]})
    else:
        for each in {
            (each.ignored, explained.as_json(each).get("key"), str(each.told)): each for each in found
        }.values():
            _print_explained(each)
    if not all(each.reaches_somebody for each in found):
        raise typer.Exit(1)


def _configured(policy: Policy) -> frozenset[str]:
    from receiver.channels.configured import configured_channels

    return configured_channels(policy, Settings.read(os.environ))


def _payload(labels: dict[str, str], file: Path | None) -> Payload:
    """The alerts to explain. Ends the program where there are none, or both."""
    if bool(labels) == (file is not None):
        fail("tocsin explain: say the alert's labels (alertname=HighLoad severity=warning), or --alert FILE", 2)
    if file is None:
        return Payload((Received(labels, {}, fingerprint(labels), START),), {}, 0)
    try:
        return parse(file.read_bytes())
    except OSError as error:
        fail(f"tocsin explain: {file}: {error.strerror}", 2)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        fail(f"tocsin explain: {file} is no body of Alertmanager's webhook: {where}: {first['msg']}", 2)


def _print_explained(found: explained.Explained) -> None:
    name = found.alert.labels.get("alertname", "alert")
    console.print(f"{name}", style="bold", markup=False)
    for label, text in explained.facts(found):
        console.print(f"  {label}: {text}", markup=False, soft_wrap=True)
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
    lasts: Annotated[int | None, _after("--for", "How long to watch after the last webhook; left out, 24h.")] = None,
    form: Format = "text",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Recorded webhooks against another policy: who would have been told earlier, later, or not at all."""
    try:
        heard = [each for path in recordings for each in read(path)]
    except OSError as error:
        fail(f"tocsin replay: {error.filename}: {error.strerror}", 2)
    except ValueError as error:
        fail(f"tocsin replay: {error}", 2)
    lasting = 24 * HOUR if lasts is None else lasts
    tables = replayed(replay(load(old or []), heard, lasting), replay(load(new), heard, lasting))
    same = f"{len(heard)} webhooks: both policies would have told everybody the same."
    _print_tables(tables, "json" if json else form, same)


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A policy: file, folder or Markdown.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one.")],
    form: Format = "text",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What differs between two policies in what they mean: rules, levels, windows, who is reached when."""
    _print_tables(differences(load([old]), load([new])), "json" if json else form, "The policies mean the same.")


def _print_tables(tables: list[Table], form: str, none: str) -> None:
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
    """The JSON Schema of the policy language, for editors."""
    print_json(json_schema())
