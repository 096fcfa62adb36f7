"""The compiled files for Prometheus, Alertmanager, Kubernetes and Grafana.

`tocsin compile` writes the result of `render`. The same policy and options give identical bytes. Imports the meaning
and `promtool`. Begin with `rule_file`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rules import self_monitoring
from rules.compile import compile  # noqa: A004 - it is what this does
from rules.groups import AlertingRule
from rules.outputs import alertmanager_config, dashboard, kubernetes, rule_file
from rules.outputs.options import Options
from rules.policy import Micros, Policy
from rules.promtool import unit_tests
from rules.promtool.found_proofs import NONE_FOUND, FoundProofs
from rules.promtool.unproved import Unproved, summary

__all__ = ["Options", "Outputs", "proofs", "render", "unproved_alerts"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """File contents by name, and what the unit tests do not prove."""

    files: Mapping[str, bytes]
    rules: int
    """The number of rules to prove."""
    unproved: tuple[Unproved, ...]

    @property
    def proved(self) -> str:
        """For example ``1,074 of 1,089 rules proved``."""
        return summary(self.rules, self.unproved)


def render(
    policy: Policy,
    options: Options | None = None,
    found: FoundProofs = NONE_FOUND,
) -> Outputs:
    """Compile the policy, with the proofs that `compile --verify` found before.

    Raises ConditionError for a condition that `rules.load` would have refused.
    """
    options = options or Options()
    compiled = compile(policy)
    vigil = self_monitoring.groups(policy, options.tocsin) if options.watch else ()
    groups = (*compiled, *vigil)
    tests = unit_tests.render(compiled, vigil, options.tocsin, found)
    written = rule_file.documents(groups)
    files = {
        "rules.yml": rule_file.render(groups, written),
        **tests.files,
        "alertmanager.yml": alertmanager_config.render(policy, options),
        "prometheusrule.yaml": kubernetes.render_rules(written, options),
        "alertmanagerconfig.yaml": kubernetes.render_routes(policy, options),
        "dashboard.json": dashboard.render(policy, options.tocsin),
    }
    if options.watch:
        files["self-rules.yml"] = options.tocsin.narrow(self_monitoring.SELF_RULES).encode()
    return Outputs(files, sum(alert.rule is not None for group in compiled for alert in group.alerts), tests.unproved)


def unproved_alerts(policy: Policy, found: FoundProofs) -> list[tuple[AlertingRule, Micros]]:
    """The alerts that the unit tests do not prove at all, each with its interval."""
    compiled = compile(policy)
    left = {each.name for each in unit_tests.render(compiled, found=found).unproved if not each.partly}
    return [
        (each, group.interval) for group in compiled for each in group.alerts if each.rule and each.rule.key in left
    ]


def proofs(policy: Policy, found: FoundProofs = NONE_FOUND) -> tuple[str, tuple[Unproved, ...]]:
    """How many of the policy's rules the unit tests prove, as text, and what they do not prove."""
    compiled = compile(policy)
    left = unit_tests.render(compiled, found=found).unproved
    return summary(sum(alert.rule is not None for group in compiled for alert in group.alerts), left), left
