"""`tocsin check` and `tocsin compile`: a policy, before it meets the world."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli.output import console, fail, print_json, print_table
from receiver.core.model import Incident, Instant
from receiver.core.plan import Playbook
from rules.durations import format_duration
from rules.load import Loaded, load_with_warnings
from rules.outputs import Options, render
from rules.policy import Policy
from rules.stored import digest

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="POLICY…", help="Files, folders or Markdown; left out: the shipped packs.", show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(check)
    app.command(name="compile")(compile_)


def check(
    paths: Paths = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also what is read but not used.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Validate a policy and tell who is reached when. All problems are shown at once."""
    loaded = load_with_warnings(paths or [])
    if json:
        print_json(_summary(loaded))
        return
    for warning in loaded.warnings:
        console.print(str(warning), style="yellow", markup=False, soft_wrap=True)
    policy = loaded.policy
    print_table(["level", "acknowledge within", "when", "who is told"], _who_when(policy), "Who is reached when")
    console.print(
        f"\n{len(policy.rules)} rules, {len(policy.incident_types)} incident types, "
        f"{len(policy.channels)} channels: sound."
    )
    for section in policy.disabled_sections:
        console.print(f"disabled: {section}", markup=False)
    if verbose:
        for part in policy.unused:
            console.print(f"not used: {part}", markup=False)


def _summary(loaded: Loaded) -> dict[str, Any]:
    policy = loaded.policy
    return {
        "digest": digest(policy),
        "rules": [rule.key for rule in policy.rules],
        "incident_types": [kind.key for kind in policy.incident_types],
        "channels": [channel.name for channel in policy.channels],
        "warnings": [str(warning) for warning in loaded.warnings],
        "unused": list(policy.unused),
    }


def _who_when(policy: Policy) -> Iterator[tuple[str, str, str, str]]:
    """Per level: at once, at the escalation, at the breach."""
    playbook = Playbook.of(policy, "")
    for level in reversed(policy.levels):
        blank = Incident("", "", "", level.level, "", "", Instant(0), Instant(0))
        plan = playbook.plan(blank)
        within = format_duration(plan.response_time)
        yield f"{level.level} {level.name}", within, "at once", ", ".join(plan.channels) or "nobody"
        steps = sorted([(plan.escalation_time, plan.escalation), (plan.response_time, plan.breach)])
        for at, channels in steps:
            yield "", "", f"after {format_duration(at)}", ", ".join(channels)


def compile_(
    paths: Paths = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write into.", show_default=False)] = None,
    receiver_url: Annotated[
        str, typer.Option(help="Where Alertmanager reaches the receiver.")
    ] = "http://127.0.0.1:8095/webhook/alertmanager",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the webhook token, as Alertmanager sees it.", show_default=False)
    ] = None,
    fallback_email: Annotated[
        str | None, typer.Option(help="Whom Alertmanager itself mails when Tocsin is down.", show_default=False)
    ] = None,
    fallback_smarthost: Annotated[
        str | None, typer.Option(help="host:port of the mail server for that.", show_default=False)
    ] = None,
    fallback_from: Annotated[str | None, typer.Option(help="Its sender.", show_default=False)] = None,
    fallback_pagerduty_key_file: Annotated[
        Path | None,
        typer.Option(help="Or a routing key, in a file that Alertmanager sees.", show_default=False),
    ] = None,
) -> None:
    """Compile a policy into Prometheus rules and their tests, Alertmanager routes and Kubernetes objects."""
    if out is None:
        fail("tocsin compile: say where to write: --out DIR", 2)
    loaded = load_with_warnings(paths or [])
    for warning in loaded.warnings:
        console.print(str(warning), style="yellow", markup=False, soft_wrap=True)
    try:
        options = Options(
            receiver_url=receiver_url,
            token_file=str(token_file) if token_file else None,
            fallback_email=fallback_email,
            fallback_smarthost=fallback_smarthost,
            fallback_from=fallback_from,
            fallback_pagerduty_key_file=str(fallback_pagerduty_key_file) if fallback_pagerduty_key_file else None,
        )
    except ValueError as error:
        fail(f"tocsin compile: {error}", 2)
    if not options.has_fallback:
        console.print(
            "nobody is told when Tocsin itself is down: give --fallback-email or --fallback-pagerduty-key-file",
            style="yellow",
            soft_wrap=True,
        )
    outputs = render(loaded.policy, options)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in outputs.files.items():
        (out / name).write_bytes(content)
        console.print(f"wrote {out / name} ({len(content):,} bytes)", markup=False, soft_wrap=True)
    for what in outputs.unproved:
        console.print(f"not proved by the unit tests: {what}", style="yellow", markup=False)
