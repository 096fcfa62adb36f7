"""Tests of Tocsin's own alerts (`rules.watch`), for `rules.outputs.unit_tests`."""

from rules.groups import AlertingRule, Group
from rules.outputs.cases import Case, Told, series_name
from rules.outputs.evaluation import Labels, Sample
from rules.outputs.timeline import told
from rules.policy import MINUTE, Micros
from rules.watch import DOWN, FAIL_THROUGH, HEARTBEAT, LATEST, RULES_FAIL

UP = series_name("up", (("job", "tocsin"),))
OLDEST = "tocsin_oldest_undelivered_emergency_seconds"
BURNING: Labels = (("rule", "reactor_burns"), ("section", "example"), ("signal", "reactor_heat"), ("system", "reactor"))
ALERT = series_name(
    "ALERTS", (("alertname", "ReactorBurns"), ("alertstate", "firing"), *BURNING, ("severity_level", "4"))
)
FAILURES: Labels = (("rule_group", "tocsin:example"),)


LONGEST_INTERVAL = Micros(5 * MINUTE)
"""Further apart, two evaluations of failing rules do not fall into the alert's window."""


def vigils(group: Group, interval: Micros) -> list[Case]:
    """Each of the watch's alerts: when it fires, with what words, and when not.

    All in one test and its beginning first, because the policy's twins, unfed, join the emergencies from the third
    tick on.
    """
    alerts = {alert.alert: alert for alert in group.alerts}
    down = -(-alerts[DOWN].hold // interval)
    story = Case(
        "an emergency while Tocsin is down, then while its page is late; a rule fails; Tocsin goes down and comes back",
        {
            ALERT: f"1x{5 + down}",
            UP: f"0 1x1 0x{down} 1",
            OLDEST: f"0 {LATEST + 1} {LATEST} 0x{2 + down}",
            series_name("prometheus_rule_evaluation_failures_total", FAILURES): f"0x1 1x{3 + down}",
        },
    )
    burning = _one(alerts[FAIL_THROUGH], BURNING)
    story.alerts = [
        (0, HEARTBEAT, _one(alerts[HEARTBEAT])),
        (0, FAIL_THROUGH, burning),
        (1, FAIL_THROUGH, burning),
        (1, RULES_FAIL, ()),
        (2, FAIL_THROUGH, ()),
        (2, RULES_FAIL, _one(alerts[RULES_FAIL], FAILURES)),
        (2 + down, DOWN, ()),
        (3 + down, DOWN, _one(alerts[DOWN])),
        (4 + down, DOWN, ()),
        (4 + down, HEARTBEAT, _one(alerts[HEARTBEAT])),
    ]
    never = Case("Tocsin was never there")
    never.alerts = [(down - 1, DOWN, ()), (down, DOWN, _one(alerts[DOWN]))]
    return [story, never]


def _one(alert: AlertingRule, labels: Labels = ()) -> tuple[Told, ...]:
    return (told(alert, Sample(labels, 1.0)),)
