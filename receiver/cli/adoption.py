"""`tocsin adopt`: converts a team's existing alerting rules to a policy."""

from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli.output import console, fail, print_json, write
from receiver.cli.policy_options import Prometheus, known_version
from receiver.core.plan import PolicyVersion
from rules.adopted_rules import Adoption, Left, adopt
from rules.load import load
from rules.source import read

FINGERPRINTS = (
    "each adopted alert has five labels more (incident_type, rule, section, severity_level, signal; severity, where it "
    "had none), so a new fingerprint: silences and inhibitions by the labels of before still hold, what names a "
    "fingerprint does not, and `equal:` with one of the five compares them"
)
BOTH = "take the adopted alerts out of their files when the compiled rules are loaded: else both fire"
NO_CHANNEL = "the policy tells nobody yet: give --email, or write `incident_response: {alert_channels: …}` beside it"


def adopt_(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="RULES…", help="Rule files of Prometheus, PrometheusRules, folders; -: standard input."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The policy's file; left out: standard output.", show_default=False)
    ] = None,
    email: Annotated[str, typer.Option("--email", help="Whom the policy tells by e-mail.", show_default=False)] = "",
    prometheus: Prometheus = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a policy that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs: what was adopted and what was not.")] = False,
) -> None:
    """Convert existing alerting rules to a policy. Lists what the policy cannot express."""
    if out is None and json:
        fail("tocsin adopt: --json tells about the policy: say where to write it: --out FILE", 2)
    if out is not None and out.exists() and not force:
        fail(f"tocsin adopt: {out} is there already, and may have been edited: give another --out, or --force")
    usual = PolicyVersion.of(load(), "")
    made = adopt(
        read(paths),
        lambda word: usual.severity("", word),
        default_level=usual.policy.default_severity,
        email=email,
        prometheus=known_version("adopt", prometheus),
    )
    if out is None:
        print(made.policy.decode(), end="")
    else:
        write(out, made.policy, "--out")
    if json:
        print_json(_as_json(made))
    else:
        _tell(made, out, email)
    if not made.rules:
        raise typer.Exit(1)


def _tell(made: Adoption, out: Path | None, email: str) -> None:
    """Prints the result, on standard error if the policy is on standard output."""
    told = [f"left out: {each}" for each in made.left] + [f"a guess: {each}" for each in made.guessed]
    if made.recordings:
        told.append(f"recording rules stay where they are: {made.recordings}")
    if made.rules:
        told += [FINGERPRINTS, BOTH, *([] if email else [NO_CHANNEL])]
    told.append(f"adopted: {made.rules} alerting rules" + (f", in {out}" if out else ""))
    for line in told:
        if out is None:
            typer.echo(line, err=True)
        else:
            console.print(line, markup=False, soft_wrap=True)


def _as_json(made: Adoption) -> dict[str, Any]:
    return {
        "adopted": made.rules,
        "left_out": [_left_json(each) for each in made.left],
        "guessed": [_left_json(each) for each in made.guessed],
        "recordings": made.recordings,
        "changes": [FINGERPRINTS, BOTH],
    }


def _left_json(left: Left) -> dict[str, Any]:
    return {"path": left.path, "line": left.line, "name": left.name, "reason": left.reason}
