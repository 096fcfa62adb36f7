"""Who watches the watchman: the alerts that Prometheus raises about Tocsin and about the rules themselves.

They do not come from the policy. The heartbeat fires always, so that its absence shows; the others say that pages
may not reach anybody, and `rules.outputs.alertmanager` sends two of them around Tocsin, straight to people.
"""

from rules.groups import NONE, AlertingRule, Group
from rules.policy import CRITICAL, EMERGENCY, MINUTE, SECOND, Micros, Policy
from rules.reserved import WATCH
from rules.stored import stamp

HEARTBEAT, DOWN, FAIL_THROUGH, RULES_FAIL = WATCH
AROUND_TOCSIN = (DOWN, FAIL_THROUGH)
"""Alerts that must not depend on Tocsin to reach somebody."""

LATEST = 120
"""Seconds that an emergency's page may stay undelivered."""

NOT_UP = 'absent(up{job="tocsin"} == 1)'


def group(policy: Policy) -> Group:
    """Tocsin's own rule group; level names are the policy's."""
    interval = Micros(30 * SECOND)
    emergency = policy.level(EMERGENCY).name
    critical = policy.level(CRITICAL).name
    return Group(
        "tocsin",
        interval,
        (
            _alert(
                HEARTBEAT,
                "vector(1)",
                {"severity": "none", "heartbeat": "true"},
                "Prometheus evaluates rules and Alertmanager reaches Tocsin",
                "This fires always. When it stops arriving, alerts do not arrive either.",
            ),
            _alert(
                DOWN,
                NOT_UP,
                {"severity": emergency, "severity_level": str(EMERGENCY)},
                "Tocsin is down: alerts page nobody",
                'No target of the job "tocsin" is up. Answer alerts from Alertmanager until one is.',
                hold=Micros(MINUTE),
            ),
            _alert(
                FAIL_THROUGH,
                'max by (system, section, rule, signal) (ALERTS{alertstate="firing",section!="",severity_level="4"})\n'
                f"and on() (max(tocsin_oldest_undelivered_emergency_seconds) > {LATEST} or {NOT_UP})",
                {"severity": emergency, "severity_level": str(EMERGENCY)},
                "{{ $labels.rule }} fires and Tocsin's page has not been delivered",
                "{{ $labels.section }}/{{ $labels.rule }} fires at level 4 while Tocsin is down, or its oldest "
                f"undelivered emergency is older than {LATEST} s.",
            ),
            _alert(
                RULES_FAIL,
                "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
                {"severity": critical, "severity_level": str(CRITICAL)},
                "Rules fail to evaluate: {{ $labels.rule_group }}",
                "Prometheus could not evaluate rules of {{ $labels.rule_group }}: their alerts neither fire nor "
                "resolve. Its log says why.",
            ),
        ),
    ).annotated(stamp(policy))


def _alert(
    name: str, expr: str, labels: dict[str, str], summary: str, description: str, *, hold: Micros = NONE
) -> AlertingRule:
    return AlertingRule(
        alert=name,
        expr=expr,
        labels=tuple(sorted(labels.items())),
        annotations=(("description", description), ("summary", summary)),
        hold=hold,
    )
