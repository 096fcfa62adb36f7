"""`tocsin drill`: plays an incident or a past script on a virtual clock, or opens an exercise with real people."""

import difflib
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from receiver.cli.calendar_copies import Calendars, Fetch, with_calendars
from receiver.cli.incidents import LOCAL, Token, Url, call, declare, path_of
from receiver.cli.output import console, fail, hanging, print_json, print_table, why_unread, write
from receiver.cli.policy_options import Paths
from receiver.clock import wall_clock
from receiver.core.model import Instant
from receiver.drill.lanes_drawing import page
from receiver.drill.script import Played, Script, UnknownIncident, play
from receiver.drill.script_file import DrillScript, ScriptError, ScriptRun, read, relive
from receiver.drill.script_file import as_json as relived_json
from receiver.drill.simulator import ChannelFaults, World, begins_at
from receiver.drill.text_report import as_json, deadline_words, lines, owed
from receiver.messages.times import in_both_zones
from receiver.on_call.wall_time import read as read_time
from rules import durations
from rules.load import load
from rules.policy import MINUTE, REFERENCE, Policy
from rules.time_zones import time_zone
from rules.whole_files import read_whole

LARGEST = 64 << 20
"""Maximum bytes of a script or a webhook's body that a command reads."""

TONES = {"loud": "bold red", "good": "green", "quiet": "dim", "plain": ""}


def duration(text: str) -> int:
    """Parses a duration of an option."""
    try:
        return durations.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def after(name: str, words: str) -> Any:
    """Returns an option that takes a duration."""
    return typer.Option(name, help=words, parser=duration, metavar="DURATION", show_default=False)


def drill(
    paths: Paths = None,
    incident: Annotated[
        str, typer.Option("--incident", metavar="NAME", help="A rule or incident type of the policy.")
    ] = "",
    acknowledge_after: Annotated[int | None, after("--acknowledge-after", "A person acknowledges it then.")] = None,
    resolve_after: Annotated[int | None, after("--resolve-after", "The signal recovers then.")] = None,
    recur_after: Annotated[int | None, after("--recur-after", "It is back so long after it was resolved.")] = None,
    lasts: Annotated[int | None, after("--for", "When to stop; left out: when nothing new happens.")] = None,
    falls_silent: Annotated[
        bool, typer.Option("--falls-silent", help="Who acknowledged is not heard of again.")
    ] = False,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="The person who is on call then; left out: now.", show_default=False),
    ] = "",
    calendar: Calendars = None,
    fetch: Fetch = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="A channel that fails, or a person whom none reaches."),
    ] = None,
    flaky: Annotated[
        list[str] | None, typer.Option("--flaky", metavar="CHANNEL=0.5", help="It fails so many of its tries.")
    ] = None,
    seed: Annotated[str, typer.Option("--seed", help="Other tries fail with another seed.")] = "",
    script: Annotated[
        Path | None,
        typer.Option("--script", metavar="FILE", help="What happened once (`tocsin report ID --as-test`), again."),
    ] = None,
    from_incident: Annotated[
        str,
        typer.Option("--from-incident", metavar="ID", help="Print a tabletop's script of an incident that happened."),
    ] = "",
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the timeline drawn.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Instead, open it on the running receiver, marked EXERCISE: people are told.")
    ] = False,
    url: Url = LOCAL,
    token: Token = "",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Play an incident on a virtual clock and print the timeline: who is told, when, on which channel."""
    pretended = (acknowledge_after, resolve_after, recur_after, lasts, falls_silent)
    failing = (without, flaky, seed, at, calendar, fetch)
    if from_incident:
        others = (paths, script, html, live, incident, *pretended, *failing)
        if any(each not in (None, False, "", []) for each in others):
            fail("tocsin drill: --from-incident prints what happened: nothing else goes with it", 2)
        _print_tabletop(from_incident, url, token)
        return
    if live:
        if paths or script or html or any(each not in (None, False, "", []) for each in (*pretended, *failing)):
            fail("tocsin drill: with --live real people answer: only --incident goes with it", 2)
        if not incident:
            fail("tocsin drill: say which incident: --incident NAME", 2)
        declare(incident, exercise=True, url=url, token=token, json=json)
        return
    if script is not None and (incident or at or any(each not in (None, False) for each in pretended)):
        fail("tocsin drill: the script says what happens: no --incident and no times go with it", 2)
    if recur_after is not None and resolve_after is None:
        fail("tocsin drill: --recur-after counts from the end: say with --resolve-after when that is", 2)
    policy = load(paths or [])
    if script is None and not incident:
        fail(f"tocsin drill: say which incident: --incident NAME, one of {', '.join(_names(policy))}", 2)
    channel_faults = _channel_faults(policy, without or [], flaky or [], seed)
    began_at = _began_at(policy, at)
    (given,) = with_calendars(policy, given=calendar, fetch=fetch)
    if script is not None:
        _relive(given, channel_faults, script, html, json)
    else:
        course = Script(acknowledge_after, resolve_after, recur_after, falls_silent, lasts)
        _play(World(given, channel_faults, now=began_at), course, incident, html, json)


def _print_tabletop(id_: str, url: str, token: str) -> None:
    sys.stdout.write(call("GET", url, token, path_of(id_, "test"))["tabletop"])


def _began_at(policy: Policy, at: str) -> Instant:
    """Returns when the drill begins; it decides who is on call. Exits if the time is invalid."""
    if not at:
        return begins_at(policy, Instant(wall_clock() // MINUTE * MINUTE))
    zones = {each.time_zone for each in policy.schedules}
    zone = zones.pop() if len(zones) == 1 else policy.time_zone
    try:
        found = Instant(read_time(at, zone))
    except ValueError as error:
        fail(f"tocsin drill: --at: {error}", 2)
    print(f"at {in_both_zones(found, time_zone(zone))}", file=sys.stderr)
    return found


def _play(world: World, course: Script, incident: str, html: Path | None, json: bool) -> None:
    """Plays a drill of a rule or type. Exits with 1 if no person is reached."""
    try:
        played = play(world, course, incident)
    except UnknownIncident:
        _fail_unknown(world.policy_version.policy, incident)
    if html is not None:
        write(html, page(played, incident), "--html")
    if json:
        print_json(as_json(played))
    else:
        _print(played)
    if played.reached_after is None:
        raise typer.Exit(1)


def _relive(policy: Policy, channel_faults: ChannelFaults, file: Path, html: Path | None, json: bool) -> None:
    """Plays a past incident. Exits with 1 if a result is worse than in the past."""
    script = _script(file)
    relived = relive(World(policy, channel_faults, now=script.began_at), script)
    if html is not None and relived.played is not None:
        write(html, page(relived.played, script.incident or file.name), "--html")
    if json:
        print_json((as_json(relived.played) if relived.played else {}) | relived_json(relived))
    else:
        _print_relived(relived)
    if relived.fails:
        raise typer.Exit(1)


def _script(file: Path) -> DrillScript:
    try:
        return read(read_whole(file, LARGEST).decode())
    except OSError as error:
        fail(f"tocsin drill: --script: {file}: {why_unread(error)}", 2)
    except UnicodeDecodeError:
        fail(f"tocsin drill: --script: {file} is no text", 2)
    except ScriptError as error:
        fail(f"tocsin drill: --script: {file} is no drill script: {error}", 2)


def _print_relived(relived: ScriptRun) -> None:
    if relived.played is not None:
        _print(relived.played)
    for each in relived.refused:
        console.print(hanging("  ", f"not possible this time: {each}"), markup=False, soft_wrap=True)
    rows = ((each.what, each.then, each.now, each.verdict) for each in relived.compared)
    print_table(["", "then", "now", ""], rows, "\nAs it was, and under this policy")
    if relived.fails:
        console.print("Worse than then.", style="bold red")
    else:
        console.print("As good as then, or better.", style="green")


def _fail_unknown(policy: Policy, incident: str) -> NoReturn:
    names = _names(policy)
    near = difflib.get_close_matches(incident, names, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
    fail(f"tocsin drill: the policy has no {incident!r}; {hint}", 2)


def _names(policy: Policy) -> list[str]:
    names = [*(rule.name for rule in policy.rules), *(kind.name for kind in policy.incident_types)]
    return list(dict.fromkeys(names))


def _channel_faults(policy: Policy, without: list[str], flaky: list[str], seed: str) -> ChannelFaults:
    """Returns the behaviour of the channels. Exits if a channel is unknown or a share is invalid."""
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
    people = {f"{REFERENCE}{each.name}": each for each in policy.people}
    people |= {name.removeprefix(REFERENCE): each for name, each in people.items() if name[1:] not in known}
    for name in (*without, *shares):
        if name not in known and not (name in without and name in people):
            names = ", ".join(sorted({*known, *(name for name in people if not name.startswith(REFERENCE))}))
            what = "channel or person" if policy.people else "channel"
            fail(f"tocsin drill: the policy has no {what} {name!r}; it has {names}", 2)
    missing = {address for name in without if name in people for _, address in people[name].contacts}
    return ChannelFaults(frozenset(without) & known, shares, seed, frozenset(missing))


def _print(played: Played) -> None:
    shown = list(lines(played))
    width = max(len(line.at) for line in shown)
    before = ""
    for line in shown:
        at = line.at if line.at != before else ""
        console.print(hanging(f"{at:>{width}}  ", line.text), style=TONES[line.tone], markup=False, soft_wrap=True)
        before = line.at
    console.print("\nDeadlines")
    for deadline in played.deadlines:
        console.print(hanging("  ", deadline_words(deadline, played.began_at)), markup=False, soft_wrap=True)
    for what, due, result in owed(played):
        console.print(hanging("  ", f"{result}: {what} by {due}"), markup=False, soft_wrap=True)
    if played.reached_after is None:
        console.print("Nobody was reached.", style="bold red")
