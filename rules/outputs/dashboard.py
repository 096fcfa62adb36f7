"""Policy → a Grafana dashboard: firing alerts, incidents, deadlines, deliveries, and every signal with its thresholds.

Error budgets and burn rates are signals too: the policy's SLOs compile to recordings. Tocsin's own health has a
separate dashboard (deploy/grafana).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from rules import condition
from rules.condition import Condition, Selector
from rules.policy import Policy, Rule
from rules.self_monitoring import THE_ONLY, Tocsin

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLORS = {1: "blue", 2: "yellow", 3: "orange", 4: "red"}
WIDTH, HEIGHT = 8, 7
"""The size of a panel; Grafana's grid is 24 wide."""

STATS = 4
"""Height of the first row."""

FIGURES = (
    (
        "Incidents, by level",
        'sum by (level) (max by (level, state) (tocsin_incidents{TOCSIN,state=~"open|acknowledged"}))',
    ),
    ("Incidents with a deadline overdue", "max(tocsin_overdue_windows{TOCSIN})"),
    ("Deliveries, a second", "sum by (channel, outcome) (rate(tocsin_notifications_total{TOCSIN}[5m]))"),
)
"""The outcomes of alerts: the second row. TOCSIN stands for the matchers of its targets."""


def render(policy: Policy, tocsin: Tocsin = THE_ONLY) -> bytes:
    """The dashboard's JSON, for Grafana's import or provisioning."""
    panels = [
        _fires(),
        _stat("Signals lost", 'count(ALERTS{alertstate="firing",twin="true"}) or vector(0)', 6),
        _stat("Rules failing", "sum(increase(prometheus_rule_evaluation_failures_total[5m])) or vector(0)", 12),
        _stat(
            "Oldest undelivered emergency",
            f"max(tocsin_oldest_undelivered_emergency_seconds{{{tocsin.targets}}})",
            18,
            "s",
        ),
        *_figures(tocsin),
        *_signals(policy),
    ]
    dashboard = {
        "uid": "tocsin-policy",
        "title": "Tocsin: the policy's signals",
        "tags": ["tocsin"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return orjson.dumps(dashboard, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _fires() -> dict[str, Any]:
    return _stat("Alerts firing", 'count(ALERTS{alertstate="firing",section!=""}) or vector(0)', 0)


def _stat(title: str, expr: str, x: int, unit: str = "none") -> dict[str, Any]:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 1}]
    return {
        "type": "stat",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": 0, "w": 6, "h": STATS},
        "targets": [{"refId": "A", "expr": expr, "datasource": SOURCE}],
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}},
    }


def _figures(tocsin: Tocsin) -> Iterator[dict[str, Any]]:
    for place, (title, expr) in enumerate(FIGURES):
        yield {
            "type": "timeseries",
            "title": title,
            "datasource": SOURCE,
            "gridPos": {"x": place * WIDTH, "y": STATS, "w": WIDTH, "h": HEIGHT},
            "targets": [{"refId": "A", "expr": expr.replace("TOCSIN", tocsin.targets), "datasource": SOURCE}],
            "fieldConfig": {"defaults": {"unit": "none", "min": 0}},
        }


def _signals(policy: Policy) -> Iterator[dict[str, Any]]:
    """One panel for each metric that a rule reads, in the policy's order, with the thresholds of its rules."""
    readers: dict[Selector, list[tuple[Rule, Condition]]] = {}
    for rule in policy.rules:
        reads = condition.parse(rule.condition)
        for source in reads.sources:
            readers.setdefault(source, []).append((rule, reads))
    units = {signal.name: (signal.unit, signal.help) for signal in policy.signals}
    for place, (source, rules) in enumerate(readers.items()):
        unit, help_ = units.get(source.name, ("", ""))
        row, column = divmod(place, 24 // WIDTH)
        told = [f"- {rule.name}: `{' '.join(rule.condition.split())}` (level {rule.level})" for rule, _ in rules]
        yield {
            "type": "timeseries",
            "title": str(source),
            "description": "\n".join([*([help_] if help_ else []), *told]),
            "datasource": SOURCE,
            "gridPos": {"x": column * WIDTH, "y": STATS + (1 + row) * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "targets": [{"refId": "A", "expr": str(source), "datasource": SOURCE}],
            "fieldConfig": {
                "defaults": {
                    "unit": unit or "none",
                    "thresholds": {"mode": "absolute", "steps": _steps(source, rules)},
                    "custom": {"thresholdsStyle": {"mode": "line"}},
                }
            },
        }


def _steps(source: Selector, rules: Sequence[tuple[Rule, Condition]]) -> list[dict[str, Any]]:
    """Lines at the rules' thresholds, each in the colour of the most severe level there."""
    levels: dict[float, int] = {}
    for rule, reads in rules:
        if reads.comparison and reads.comparison.subject == str(source):
            threshold = reads.comparison.threshold
            levels[threshold] = max(rule.level, levels.get(threshold, 0))
    lines = [{"color": COLORS[level], "value": threshold} for threshold, level in sorted(levels.items())]
    return [{"color": "transparent", "value": None}, *lines]
