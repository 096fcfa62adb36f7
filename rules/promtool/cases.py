"""One entry of a promtool test file: input series, expected alerts and samples."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rules.condition import Selector
from rules.durations import format_duration
from rules.policy import Micros
from rules.promtool.input_series import number
from rules.promtool.vectors import Labels, Sample
from rules.yaml_text import WrittenOften

ExpectedAlert = tuple[Labels, Labels]
"""An alert as promtool compares it: labels and annotations."""


@dataclass(slots=True)
class PromtoolCase:
    """A test: input series by their PromQL name, and the expectations by tick."""

    name: str
    series: dict[str, str] = field(default_factory=dict)
    alerts: list[tuple[int, str, tuple[ExpectedAlert, ...]]] = field(default_factory=list)
    """(tick, alert name, every alert of that name)."""
    samples: list[tuple[int, str, Sample | float | None]] = field(default_factory=list)
    """(tick, expression, its single element or None; a number: an element without labels)."""

    fed_per_tick: int = 1
    """Values of a series per tick."""
    step: Micros | None = None
    """The time between two values of a series, where it is no part of a tick."""

    def document(self, interval: Micros) -> dict[str, Any]:
        """The test in promtool's YAML form, with ticks of this interval."""
        document: dict[str, Any] = {
            "name": self.name,
            "interval": format_duration(self.step or Micros(interval // self.fed_per_tick)),
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
        }
        if self.alerts:
            document["alert_rule_test"] = [
                {"eval_time": format_duration(tick * interval), "alertname": name, "exp_alerts": _expected(told)}
                for tick, name, told in self.alerts
            ]
        if self.samples:
            document["promql_expr_test"] = [
                {"expr": expr, "eval_time": format_duration(tick * interval), "exp_samples": _samples(expr, sample)}
                for tick, expr, sample in self.samples
            ]
        return document


def series_name(name: str, labels: Labels) -> str:
    """A series in promtool's notation: the metric with its labels."""
    return str(Selector(name, tuple((label, "=", value) for label, value in labels)))


def _expected(told: Iterable[ExpectedAlert]) -> list[dict[str, Any]]:
    return [_once(*alert) for alert in told]


@lru_cache(maxsize=65_536)
def _once(labels: Labels, annotations: Labels) -> WrittenOften:
    """The alert in promtool's YAML form, one object for all uses."""
    return WrittenOften(exp_labels=dict(labels), exp_annotations=dict(annotations))


def _samples(expr: str, sample: Sample | float | None) -> list[dict[str, Any]]:
    if isinstance(sample, float):
        return [{"labels": "{}", "value": _Number(number(sample))}]
    return [{"labels": expr, "value": _Number(number(sample.value))}] if sample else []


class _Number:
    """A number with a fixed spelling in YAML."""

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling

    def __str__(self) -> str:
        return self.spelling
