"""The compiled files for Prometheus, Alertmanager, Kubernetes and Grafana.

`tocsin compile` writes the result of `render`. The same policy and options give identical bytes. Imports the meaning
and `promtool`. Begin with `rule_file`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rules import self_monitoring
from rules.compile import compile  # noqa: A004 - it is what this does
from rules.outputs import alertmanager_config, dashboard, kubernetes, rule_file
from rules.outputs.options import Options
from rules.policy import Policy
from rules.promtool import unit_tests
from rules.promtool.unproved import Unproved, summary

__all__ = ["Options", "Outputs", "proofs", "render"]


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


def render(policy: Policy, options: Options | None = None) -> Outputs:
    """Compile the policy. Raises ConditionError for a condition that `rules.load` would have refused."""
    options = options or Options()
    compiled = compile(policy)
    vigil = self_monitoring.groups(policy, options.tocsin) if options.watch else ()
    groups = (*compiled, *vigil)
    tests = unit_tests.render(compiled, vigil, options.tocsin)
    files = {
        "rules.yml": rule_file.render(groups),
        **tests.files,
        "alertmanager.yml": alertmanager_config.render(policy, options),
        "prometheusrule.yaml": kubernetes.render_rules(groups, options),
        "alertmanagerconfig.yaml": kubernetes.render_routes(policy, options),
        "dashboard.json": dashboard.render(policy, options.tocsin),
    }
    if options.watch:
        files["self-rules.yml"] = options.tocsin.narrow(self_monitoring.SELF_RULES).encode()
    return Outputs(files, sum(alert.rule is not None for group in compiled for alert in group.alerts), tests.unproved)


def proofs(policy: Policy) -> tuple[str, tuple[Unproved, ...]]:
    """How many of the policy's rules the unit tests prove, as text, and what they do not prove."""
    compiled = compile(policy)
    left = unit_tests.render(compiled).unproved
    return summary(sum(alert.rule is not None for group in compiled for alert in group.alerts), left), left
