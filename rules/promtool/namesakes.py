"""Alerts of the same name: promtool compares all at once, so the other alerts' state in a story is needed too.

A policy may have one alert at several severities, each with its own expression. Whether the others fire is evaluated
tick by tick, as in Prometheus.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import promql_parser as promql

from rules.condition import ABSENCE
from rules.expression import looks_back, nodes, selector, syntax
from rules.groups import AlertingRule
from rules.policy import Micros
from rules.promtool.evaluate import evaluate
from rules.promtool.input_series import Story
from rules.promtool.vectors import Labels, Sample, Series, Unprovable, Vector


@dataclass(slots=True)
class _Active:
    """One alert that is pending or firing."""

    since: int
    """The tick at which its condition began to hold."""
    sample: Sample
    fires: bool = False
    ends: int | None = None
    """The first tick at which its condition did not hold."""


def firing(alert: AlertingRule, story: Story, interval: Micros) -> tuple[Vector, ...]:
    """The firing elements of an alert at each tick of a story. Raises Unprovable."""
    ticks = max((len(values) for values in story.series.values()), default=0)
    tree = syntax(alert.expr)
    if not _can_see(tree, story):
        return ((),) * ticks
    if looks_back(tree):
        raise Unprovable(f"another alert is called {alert.alert}, and looks back over a window")
    results = dict[tuple[float | None, ...], Vector]()
    inputs = {series: list(_values(values, ticks)) for series, values in story.series.items()}
    found: list[Vector] = []
    for tick in range(ticks):
        now = {series: values[tick] for series, values in inputs.items()}
        key = tuple(now.values())
        if key not in results:
            results[key] = _result(tree, now)
        found.append(results[key])
    return elements_firing(alert, found, interval)


def elements_firing(alert: AlertingRule, results: Iterable[Vector], interval: Micros) -> tuple[Vector, ...]:
    """The firing elements at each tick, from the results of the alert's expression."""
    active: dict[Labels, _Active] = {}
    return tuple(_step(alert, active, result, tick, interval) for tick, result in enumerate(results))


def _can_see(tree: promql.Expr, story: Story) -> bool:
    """Whether any fed or absent series can make it fire."""
    fed = {name for name, _ in story.series}
    asks_absence = any(isinstance(node, promql.Call) and node.func.name in ABSENCE for node in nodes(tree))
    return asks_absence or any(
        isinstance(node, promql.VectorSelector) and selector(node).name in fed for node in nodes(tree)
    )


def _values(written: Sequence[str], ticks: int) -> Iterator[float | None]:
    """By tick; a series that is not fed is absent."""
    for each in written:
        yield None if each in {"stale", "_"} else float(each)
    yield from [None] * (ticks - len(written))


def _result(tree: promql.Expr, now: Mapping[Series, float | None]) -> Vector:
    result = evaluate(tree, now)
    assert not isinstance(result, float)
    return result


def _step(
    alert: AlertingRule, active: dict[Labels, _Active], result: Vector, tick: int, interval: Micros
) -> tuple[Sample, ...]:
    """Apply one evaluation; returns the elements that fire after it."""
    holds = {each.labels: each for each in result}
    for labels, sample in holds.items():
        known = active.setdefault(labels, _Active(tick, sample))
        known.sample, known.ends = sample, None
        known.fires = known.fires or (tick - known.since) * interval >= alert.hold
    for labels in [each for each in active if each not in holds]:
        known = active[labels]
        known.ends = tick if known.ends is None else known.ends
        if not known.fires or (tick - known.ends) * interval >= alert.keep_firing:
            del active[labels]
    return tuple(each.sample for each in active.values() if each.fires)
