"""`tocsin check`: validates a policy."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from receiver.cli import verification
from receiver.cli.calendar_copies import Calendars, Fetch, calendars
from receiver.cli.deadlines_told import deadlines_told
from receiver.cli.incidents import Token
from receiver.cli.output import console, fail, print_json, print_table, problem_json, show_proofs
from receiver.cli.policy_options import Paths, Prometheus, PrometheusConfig, known_version, scraping_of
from receiver.cli.training_check import check_training
from receiver.clock import wall_clock
from receiver.core.model import Incident, Instant
from receiver.core.plan import PolicyVersion
from receiver.drill import on_call_walk
from receiver.drill.on_call_reach import WorstHour, hour_words, person_lints, reaches_over
from receiver.drill.on_call_walk import OnCallYear, walk
from receiver.drill.reach import Reach, Worst, lints, worst_cases, worst_without
from receiver.errors import SettingsError
from receiver.on_call.roster_json import as_json, rfc3339_seconds
from receiver.reports.report import counted
from receiver.settings import Settings
from rules.durations import as_spelled, format_duration, stage_period
from rules.lint_catalog import DOUBTS, without_allowed
from rules.load import Loaded, load_with_warnings
from rules.outputs import proofs
from rules.policy import EMERGENCY, MINUTE, SECOND, IncidentType, Policy, ReportingObligation, Rule
from rules.problems import Problem
from rules.stored import digest

if TYPE_CHECKING:
    from receiver.cli.real_prometheus import PastOfRules


def check(
    paths: Paths = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also notes, every channel's loss, what is read but not used.")
    ] = False,
    explain: Annotated[
        str, typer.Option("--explain", metavar="LINT", help="What a lint means; `all` lists them.", show_default=False)
    ] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=4000, help="So many coming days of schedules.")] = 400,
    calendar: Calendars = None,
    url: Annotated[
        str,
        typer.Option("--url", envvar="TOCSIN_URL", help="A receiver that knows who has practised.", show_default=False),
    ] = "",
    token: Token = "",
    fetch: Fetch = False,
    prometheus: Prometheus = "",
    prometheus_config: PrometheusConfig = None,
    prometheus_url: Annotated[
        str,
        typer.Option(
            "--prometheus-url",
            metavar="URL",
            help="A Prometheus: which metrics it has, and what would have fired there. It is only read.",
            show_default=False,
        ),
    ] = "",
    history_days: Annotated[
        int, typer.Option("--history-days", min=1, max=90, help="So many days back, with --prometheus-url.")
    ] = 7,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Validate a policy and show who is reached when. Prints all problems."""
    if explain:
        _explain(explain, json=json)
        return
    version = known_version("check", prometheus)
    loaded = load_with_warnings(paths or [], version, scraping_of("check", prometheus_config))
    known = on_call_walk.with_copies(loaded.policy, calendars(loaded.policy, calendar, fetch=fetch))
    now = Instant(wall_clock())
    year = walk(known, Instant(now // MINUTE * MINUTE), days)
    training = check_training(loaded.policy, now, url, token)
    ways, hours = reaches_over(year)
    doubts = (*lints(loaded.policy, ways), *person_lints(loaded.policy, ways), *on_call_walk.lints(year))
    drilled = [*without_allowed(doubts, loaded.allowed), *_approvers(loaded.policy), *training.problems()]
    asked = _asked(loaded.policy, prometheus_url, history_days, now)
    if json:
        history = {"history": asked.as_json()} if asked else {}
        print_json(_summary(loaded, ways, drilled) | _on_call(year, hours) | training.as_json() | history)
    else:
        _show(loaded, ways, drilled, paths, verbose=verbose)
        _show_hours(loaded.policy, hours)
        if asked:
            asked.show(verbose=verbose)
    if any(problem.severity == "error" for problem in drilled):
        raise typer.Exit(1)


def _asked(policy: Policy, url: str, days: int, now: Instant) -> "PastOfRules | None":
    """Returns the answers of a real Prometheus; None: none was named."""
    if not url:
        return None
    from receiver.cli.real_prometheus import ask

    if not url.startswith(("http://", "https://")):
        fail(f"tocsin check: --prometheus-url is no URL such as http://prometheus:9090: {url!r}", 2)
    return ask(policy, url, days, now / SECOND)


def _on_call(year: OnCallYear, hours: Sequence[WorstHour]) -> dict[str, Any]:
    """Returns the people on call in the coming days, and each level's worst hour."""
    if not year.policy.schedules:
        return {}
    worst = [
        {
            "level": each.level,
            "after": _seconds(each.after),
            "at": rfc3339_seconds(each.at),
            "missing": each.missing,
            "without": _seconds(each.without),
        }
        for each in hours
    ]
    until = {"from": rfc3339_seconds(year.starts), "until": rfc3339_seconds(year.ends)}
    return {"on_call": {**until, **as_json(year.rosters), "worst_hours": worst}}


def _show_hours(policy: Policy, hours: Sequence[WorstHour]) -> None:
    rows = (
        (
            f"{each.level} {policy.level(each.level).name}",
            _after(each.after),
            hour_words(each, policy),
            f"{_after(each.without)} without {each.missing}" if each.missing else "",
        )
        for each in hours
    )
    if hours:
        print_table(["level", "reached", "first at", "if nothing gets through to"], rows, "\nThe worst hour")


def _approvers(policy: Policy) -> Iterator[Problem]:
    """Yields a problem if approval is required and the environment's settings name no approver."""
    wanted = policy.closing.sign_off_from is not None or any(group.external for group in policy.stakeholders)
    try:
        settings = Settings.read(os.environ)
    except SettingsError:
        return  # `serve` reports these errors
    if wanted and not settings.has_approver:
        message = "nobody has the role approver: no notice to the outside can be sent, and no emergency signed off"
        yield Problem("TOCSIN_API_TOKENS", 0, 0, message, "warning")


def _explain(name: str, *, json: bool) -> None:
    if name != "all" and name not in DOUBTS:
        fail(f"tocsin check: no lint is named {name!r}; there are {', '.join(DOUBTS)}", 2)
    if json:
        asked = DOUBTS if name == "all" else {name: DOUBTS[name]}
        explained = [
            {"name": each, "severity": it.severity, "explanation": it.explanation} for each, it in asked.items()
        ]
        print_json({"lints": explained})
        return
    if name == "all":
        rows = (
            (name, each.severity, f"{each.explanation.partition('. ')[0].rstrip('.')}.")
            for name, each in DOUBTS.items()
        )
        print_table(["lint", "severity", "what it is"], rows)
        return
    console.print(f"{name} ({DOUBTS[name].severity})", style="bold", markup=False)
    console.print(DOUBTS[name].explanation, markup=False)
    if DOUBTS[name].may_be_allowed:
        said = f'lints: {{allow: {{{name}: "why"}}}}'
        console.print(f"Meant as it stands? Say so in the policy: {said}", markup=False, soft_wrap=True)


def _show(
    loaded: Loaded, ways: Sequence[Reach], drilled: Sequence[Problem], paths: Sequence[Path] | None, *, verbose: bool
) -> None:
    for problem in (*loaded.warnings, *drilled, *(loaded.notes if verbose else ())):
        style = {"error": "bold red", "warning": "yellow"}.get(problem.severity, "")
        console.print(str(problem), style=style, markup=False, soft_wrap=True)
    policy = loaded.policy
    columns = ["level", "acknowledge within", "when", "who is told"]
    print_table(columns, _who_when(policy, ways), "Who is reached when")
    for said in (*deadlines_told(policy), *_owed(policy)):
        console.print(said, markup=False, soft_wrap=True)
    if verbose:
        meanings = ((f"{each.level} {each.name}", each.description, each.impact) for each in reversed(policy.levels))
        print_table(["level", "what it is", "impact"], meanings, "\nWhat the levels mean")
        first, *rest = _losses(policy, ways)
        print_table(["level", *first[1:]], rest, "\nWho is reached how soon while this channel is down")
    verdict = "NOT sound" if any(each.severity == "error" for each in drilled) else "sound"
    parts = {"rule": policy.rules, "incident type": policy.incident_types, "channel": policy.channels}
    counts = ", ".join(counted(len(many), noun) for noun, many in parts.items())
    console.print(f"\n{counts}: {verdict}.")
    if loaded.notes and not verbose:
        console.print(f"notes, shown with -v: {len(loaded.notes)}")
    for name, reason in loaded.allowed.items():
        console.print(f"allowed: {name} ({reason})", markup=False)
    for part in policy.switched_off:
        console.print(f"disabled: {part}", markup=False)
    if verbose:
        for part in policy.unused:
            console.print(f"not used: {part}", markup=False)
        show_proofs(*proofs(policy, verification.kept(paths)))


def _owed(policy: Policy) -> Iterator[str]:
    """Yields the authorities that must be told: the stages of each obligation, and the rules and types that have it."""
    if policy.reporting_obligations:
        yield "\nWhich authorities must be told"
    for each in policy.reporting_obligations:
        yield f"{each.name}: {each.authority}{f' ({each.source})' if each.source else ''}"
        for stage in each.stages:
            since = f"the filing of {stage.after}" if stage.after else f"the {stage.counted_from}"
            yield f"  {stage.name} within {stage_period(stage)} of {since}"
        yield f"  of {', '.join(_concerned(policy, each)) or 'no rule and no incident type'}"


def _concerned(policy: Policy, obligation: ReportingObligation) -> Iterator[str]:
    """Yields keys of rules and types, with the level from which the obligation applies if it is higher than theirs."""
    kinds: tuple[Rule | IncidentType, ...] = (*policy.rules, *policy.incident_types)
    for kind in kinds:
        worse = range(kind.level, EMERGENCY + 1)
        first = next((level for level in worse if policy.must_report(obligation, kind.key, level)), None)
        if first is not None:
            yield kind.key if first == kind.level else f"{kind.key} (once at level {first})"


def _losses(policy: Policy, ways: Sequence[Reach]) -> Iterator[tuple[str, ...]]:
    """Yields for each level how soon a person is reached while each channel is down."""
    up = [channel.name for channel in policy.channels if channel.enabled]
    yield ("", *up)
    for level in reversed(policy.levels):
        name = f"{level.level} {level.name}"
        yield name, *(_after(worst_without(ways, level.level, channel)) for channel in up)


def _after(micros: int | None) -> str:
    if micros is None:
        return "nobody in time"
    return format_duration(micros) if micros else "at once"


def _summary(loaded: Loaded, ways: Sequence[Reach], drilled: Sequence[Problem]) -> dict[str, Any]:
    policy = loaded.policy
    return {
        "digest": digest(policy),
        "rules": [rule.key for rule in policy.rules],
        "incident_types": [kind.key for kind in policy.incident_types],
        "channels": [channel.name for channel in policy.channels],
        "warnings": [str(warning) for warning in (*loaded.warnings, *drilled)],
        "lints": [problem_json(each) for each in (*loaded.warnings, *drilled, *loaded.notes) if each.name],
        "allowed": dict(loaded.allowed),
        "disabled": list(policy.switched_off),
        "worst_case": [_worst(each, policy, ways) for each in worst_cases(ways)],
        "unused": list(policy.unused),
        "reporting_obligations": [
            {
                "name": each.name,
                "authority": each.authority,
                "stages": [
                    {
                        "name": stage.name,
                        "within": None if stage.months else stage.within / SECOND,
                        "months": stage.months,
                        "counted_from": stage.after or stage.counted_from,
                    }
                    for stage in each.stages
                ],
                "concerns": list(_concerned(policy, each)),
            }
            for each in policy.reporting_obligations
        ],
    }


def _worst(worst: Worst, policy: Policy, ways: Sequence[Reach]) -> dict[str, Any]:
    """Returns the seconds until a person is reached; null: not within the response time."""
    up = [channel.name for channel in policy.channels if channel.enabled]
    return {
        "level": worst.level,
        "all_up": _seconds(worst.all_up),
        "one_down": _seconds(worst.one_down),
        "down": worst.down,
        "without": {name: _seconds(worst_without(ways, worst.level, name)) for name in up},
    }


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / SECOND


def _who_when(policy: Policy, ways: Sequence[Reach]) -> Iterator[tuple[str, ...]]:
    """Yields for each level the channels at once, at the escalation and at the breach, and how soon a drill reaches a
    person.
    """
    policy_version = PolicyVersion.of(policy, "")
    off = {channel.name: f"({channel.name}: disabled)" for channel in policy.channels if not channel.enabled}
    worst = {each.level: each for each in worst_cases(ways)}
    for level in reversed(policy.levels):
        blank = Incident("", "", "", level.level, "", "", Instant(0), Instant(0))
        plan = policy_version.plan(blank)
        within = as_spelled(plan.response_time, policy.spellings)
        case = worst[level.level]
        lost = f"{_after(case.one_down)} without {case.down}" if case.one_down != case.all_up else ""
        notes = iter((f"reached {_after(case.all_up)}", lost))
        yield f"{level.level} {level.name}", within, "at once", _told(plan.channels, off)
        steps = sorted([(plan.escalation_time, plan.escalation), (plan.response_time, plan.breach)])
        for at, channels in steps:
            yield "", next(notes), f"after {as_spelled(at, policy.spellings)}", _told(channels, off)


def _told(channels: Sequence[str], off: Mapping[str, str]) -> str:
    return ", ".join(off.get(name, name) for name in channels) or "nobody"
