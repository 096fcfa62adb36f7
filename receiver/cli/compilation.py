"""`tocsin compile`: generates files for Prometheus, Alertmanager, Kubernetes and Grafana from a policy."""

import gc
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli import verification
from receiver.cli.output import console, fail, make_folder, print_json, problem_json, show_proofs, write
from receiver.cli.policy_options import Paths, Prometheus, PrometheusConfig, known_version, scraping_of
from rules import matchers
from rules.load import load_with_warnings
from rules.outputs import Options, Outputs, render
from rules.promtool.unproved import unproved_rules

NO_FALLBACK = "nobody is told when Tocsin itself is down: give --fallback-email or --fallback-pagerduty-key-file"


def compile_(
    paths: Paths = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write into.", show_default=False)] = None,
    prometheus: Prometheus = "",
    prometheus_config: PrometheusConfig = None,
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
    alertmanager_peers: Annotated[int, typer.Option(help="Alertmanagers in the cluster; 1: it stands alone.")] = 2,
    instance: Annotated[
        str,
        typer.Option(
            help="Labels of this Tocsin's targets where Prometheus scrapes several: 'namespace=\"prod\"'.",
            show_default=False,
        ),
    ] = "",
    namespace: Annotated[
        str,
        typer.Option(
            help="Kubernetes' namespace of the objects; Tocsin's own alerts get it as a label, by which the operator "
            "lets them through.",
            show_default=False,
        ),
    ] = "",
    verify: Annotated[
        str,
        typer.Option(
            verification.OPTION,
            metavar="PROMTOOL",
            help="Run the tests with this promtool, and search proofs with it of what Tocsin cannot work out; they are "
            "kept beside the policy.",
            show_default=False,
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compile a policy into Prometheus rules and their tests, Alertmanager routes and Kubernetes objects."""
    if out is None:
        fail("tocsin compile: say where to write: --out DIR", 2)
    gc.disable()  # the objects live until the end; collections would add a sixth to the time
    version = known_version("compile", prometheus)
    try:
        options = Options(
            receiver_url=receiver_url,
            token_file=str(token_file) if token_file else None,
            fallback_email=fallback_email,
            fallback_smarthost=fallback_smarthost,
            fallback_from=fallback_from,
            fallback_pagerduty_key_file=str(fallback_pagerduty_key_file) if fallback_pagerduty_key_file else None,
            alertmanager_peers=alertmanager_peers,
            instance=matchers.parse(instance) if instance else (),
            namespace=namespace,
        )
    except matchers.MatcherError as error:
        fail(f"tocsin compile: --instance: {error.shown(instance)}", 2)
    except ValueError as error:
        fail(f"tocsin compile: {error}", 2)
    loaded = load_with_warnings(paths or [], version, scraping_of("compile", prometheus_config))
    promtool = _path_of(verify)
    found = verification.find_proofs(loaded.policy, paths, promtool) if promtool else verification.kept(paths)
    outputs = render(loaded.policy, options, found)
    gc.freeze()  # nor does the last collection, when the process ends, look at them
    make_folder(out, "--out")
    for name, content in outputs.files.items():
        write(out / name, content, "--out")
    if promtool:
        verification.run_tests(
            out, [name for name in outputs.files if name.startswith("rules_test")], loaded.policy, promtool
        )
    warnings = [] if options.has_fallback else [NO_FALLBACK]
    if json:
        lints = [problem_json(each) for each in loaded.warnings]
        print_json(_summary(out, outputs) | {"lints": lints, "warnings": warnings})
        return
    for warning in (*map(str, loaded.warnings), *warnings):
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    for name, content in outputs.files.items():
        console.print(f"wrote {out / name} ({len(content):,} bytes)", markup=False, soft_wrap=True)
    show_proofs(outputs.proved, outputs.unproved)


def _path_of(promtool: str) -> str:
    """Returns promtool's whole path; empty: none is wanted. Exits if there is none."""
    found = shutil.which(promtool) if promtool else ""
    if found is None:
        fail(
            f"tocsin compile: {verification.OPTION}: there is no program {promtool}: install it, or name its file",
            2,
        )
    return str(Path(found).absolute()) if found else ""


def _summary(out: Path, outputs: Outputs) -> dict[str, Any]:
    return {
        "written": [str(out / name) for name in outputs.files],
        "rules": outputs.rules,
        "proved": outputs.rules - unproved_rules(outputs.unproved),
        "unproved": [
            {"kind": each.kind, "name": each.name, "expr": each.expr, "reason": each.reason, "partly": each.partly}
            for each in outputs.unproved
        ],
    }
