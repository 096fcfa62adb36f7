"""Tests of Tocsin's own alerts (`rules.watch`), for `rules.outputs.unit_tests`."""

from rules.groups import AlertingRule, Group
from rules.outputs.cases import Case, Told, series_name
from rules.outputs.evaluation import Labels, Sample
from rules.outputs.timeline import told
from rules.policy import Micros
from rules.watch import DOWN, FAIL_THROUGH, HEARTBEAT, LATEST, RULES_FAIL

UP = series_name("up", (("job", "tocsin"),))
OLDEST = "tocsin_oldest_undelivered_emergency_seconds"
BURNING: Labels = (("rule", "reactor_burns"), ("section", "example"), ("signal", "reactor_heat"), ("system", "reactor"))
ALERT = series_name(
    "ALERTS", (("alertname", "ReactorBurns"), ("alertstate", "firing"), *BURNING, ("severity_level", "4"))
)
FAILURES: Labels = (("rule_group", "tocsin:example"),)


def vigils(group: Group, interval: Micros) -> list[Case]:
    """Each of the watch's alerts: when it fires, with what words, and when not."""
    alerts = {alert.alert: alert for alert in group.alerts}
    down = -(-alerts[DOWN].hold // interval)
    lives, never, late, fails = (
        Case("Tocsin goes down, and comes back", {UP: f"1 0x{down} 1"}),
        Case("Tocsin was never there"),
        Case(
            "an emergency fires, and its page is late",
            {UP: "1x4", ALERT: "1x4", OLDEST: f"{LATEST} {LATEST + 1} {LATEST + 1} 0 0"},
        ),
        Case(
            "a rule fails to evaluate",
            {series_name("prometheus_rule_evaluation_failures_total", FAILURES): "0 0 1 1"},
        ),
    )
    lives.alerts = [
        (0, HEARTBEAT, _one(alerts[HEARTBEAT])),
        (down, DOWN, ()),
        (1 + down, DOWN, _one(alerts[DOWN])),
        (2 + down, DOWN, ()),
        (2 + down, HEARTBEAT, _one(alerts[HEARTBEAT])),
    ]
    never.alerts = [(down - 1, DOWN, ()), (down, DOWN, _one(alerts[DOWN]))]
    late.alerts = [(0, FAIL_THROUGH, ()), (1, FAIL_THROUGH, _one(alerts[FAIL_THROUGH], BURNING)), (3, FAIL_THROUGH, ())]
    fails.alerts = [(1, RULES_FAIL, ()), (2, RULES_FAIL, _one(alerts[RULES_FAIL], FAILURES))]
    alone = Case("an emergency fires while Tocsin is down", {UP: "1 0", ALERT: "1x2"})
    alone.alerts = [(0, FAIL_THROUGH, ()), (1, FAIL_THROUGH, _one(alerts[FAIL_THROUGH], BURNING))]
    return [lives, never, late, alone, fails]


def _one(alert: AlertingRule, labels: Labels = ()) -> tuple[Told, ...]:
    return (told(alert, Sample(labels, 1.0)),)
