"""The promtool inputs by tick, with the expected alerts: the story that proves one rule.

A tick is one evaluation at the group's interval. Pure; `rules.promtool.unit_tests` writes the stories.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache

import promql_parser as promql

from rules import condition, prometheus_template
from rules.expression import looks_back, nodes, syntax
from rules.groups import AlertingRule
from rules.policy import Micros, Rule
from rules.promtool.boundary_values import Pair, pairs
from rules.promtool.evaluate import evaluate
from rules.promtool.native_histograms import read_by, written
from rules.promtool.vectors import Labels, Sample, Series, Unprovable, Vector
from rules.self_monitoring import FULL_SECONDS

LONGEST_WAIT = 600
"""The maximum of ticks that a test spends to fill a window with good values."""

MOST_TICKS = 40_000
"""The maximum of ticks of a story; promtool took minutes for 100,000. A week's `for` at one tick a minute fits."""


@dataclass(frozen=True, slots=True)
class Check:
    """At that tick, exactly the alerts of these elements fire."""

    tick: int
    alerts: Vector = ()


@dataclass(slots=True)
class Story:
    """One rule's inputs and checks. Stories without a common metric share one test."""

    name: str
    alert: str
    series: dict[Series, list[str]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    histograms: Mapping[str, str] = field(default_factory=dict)
    """Metric → function whose results its numbers are (`rules.promtool.native_histograms`)."""

    def written(self, series: Series) -> str:
        """A series' values in promtool's notation."""
        values, function = self.series[series], self.histograms.get(series[0])
        return sequence(written(values, function) if function else values)

    def feed(self, values: Mapping[Series, float | None], ticks: int) -> int:
        """Feed these values (None: absent) for `ticks` ticks; returns the last tick fed."""
        for series, value in values.items():
            fed = ["stale", *["_"] * (ticks - 1)][:ticks] if value is None else [number(value)] * ticks
            self.series.setdefault(series, []).extend(fed)
        return max(len(fed) for fed in self.series.values()) - 1


WINDOWED = (
    "it looks back over a window: how long it keeps firing is not proved, nor any average exactly at its boundary"
)


def stories(alert: AlertingRule, interval: Micros) -> list[Story]:
    """The proofs of one rule. Raises Unprovable."""
    assert alert.rule is not None
    reads = condition.parse(alert.rule.condition)
    tree = syntax(alert.expr)
    found = pairs(tree, reads.sources)
    needed = failures(alert.rule, interval)
    held = -(-alert.keep_firing // interval)
    if 2 * needed + held > MOST_TICKS:
        raise Unprovable(f"it waits for {needed + held:,} evaluations: promtool would take too long to test that")
    if not looks_back(tree):
        told = [_exact(alert, found, needed, held)]
    else:
        told = [story for pair in found for story in _steady(alert, tree, pair, needed, held, interval)]
    histograms = read_by(tree)
    return [replace(each, histograms=histograms) for each in told]


def failures(rule: Rule, interval: Micros) -> int:
    """How many consecutive failures alert, according to the policy."""
    if rule.immediate:
        return 1
    return rule.threshold if rule.hold is None else -(-rule.hold // interval) + 1


def _exact(alert: AlertingRule, found: Sequence[Pair], needed: int, held: int) -> Story:
    """Good, one failure too few, good again, just enough failures, good: for each metric in turn."""
    story = Story(f"{alert.alert}: at the boundary, after {needed} consecutive failures, resolved", alert.alert)
    for pair in found:
        quiet = story.feed(pair.good, 2)
        story.checks.append(Check(quiet))
        if needed > 1:
            story.checks.append(Check(story.feed(pair.bad, needed - 1)))
            story.feed(pair.good, 1)
            story.checks.append(Check(story.feed(pair.bad, needed - 1)))
        fired = story.feed(pair.bad, 1)
        story.checks.append(Check(fired, pair.alerts))
        story.feed(pair.good, held + 1)
        if held:
            story.checks.append(Check(fired + held, pair.alerts))
        story.checks.append(Check(fired + held + 1))
    return story


def _steady(
    alert: AlertingRule, tree: promql.Expr, pair: Pair, needed: int, held: int, interval: Micros
) -> list[Story]:
    """For a condition over a window: bad from the start, then recovered; and good from the start."""
    bad = Story(f"{alert.alert}: bad from the first of {needed} failures on, recovered", alert.alert)
    fired = bad.feed(pair.bad, needed + _delay(tree, interval))
    if needed > 1:
        bad.checks.append(Check(fired - 1))
    bad.checks.append(Check(fired, pair.alerts))
    recovery = looked_back(tree) // interval + 1
    if all(node.func.name == "avg_over_time" for node in nodes(tree) if isinstance(node, promql.Call)):
        recovery = _outweighed(tree, pair, needed, recovery)
    if recovery <= LONGEST_WAIT:
        bad.checks.append(Check(bad.feed(pair.good, recovery + held + 1)))
    good = Story(f"{alert.alert}: good at the boundary", alert.alert)
    good.checks.append(Check(good.feed(pair.good, needed + 1)))
    return [bad, good]


def _delay(tree: promql.Expr, interval: Micros) -> int:
    """The ticks until an offset reaches the current input. Raises Unprovable if the condition compares two times."""
    offsets = {node.offset or timedelta() for node in nodes(tree) if isinstance(node, promql.VectorSelector)}
    if len(offsets) > 1 or min(offsets) < timedelta():
        raise Unprovable("it compares two moments (offset)")
    return -(-int(offsets.pop().total_seconds() * 1_000_000) // interval)


def _outweighed(tree: promql.Expr, pair: Pair, bad: int, most: int) -> int:
    """How many good values outweigh `bad` bad ones in an average."""
    good = bad + 2
    while good < most:
        shares = {each: (pair.bad[each], pair.good[each]) for each in pair.bad}
        blend = {
            each: None if was is None or now is None else (bad * was + (good - 1) * now) / (bad + good - 1)
            for each, (was, now) in shares.items()
        }
        if not evaluate(tree, blend):
            return good
        good *= 2
    return most


def looked_back(tree: promql.Expr) -> Micros:
    """The sum of the expression's ranges and offsets, in microseconds."""
    return Micros(sum((_look_back(node) for node in nodes(tree)), timedelta()) // timedelta(microseconds=1))


def _look_back(node: promql.Expr) -> timedelta:
    match node:
        case promql.MatrixSelector() | promql.SubqueryExpr():
            return node.range or timedelta()
        case promql.VectorSelector():
            return abs(node.offset or timedelta())
        case _:
            return timedelta()


def told(alert: AlertingRule, sample: Sample) -> tuple[Labels, Labels]:
    """The alert as Prometheus will send it: the series' labels and the rule's (these win), with templates filled in."""
    written = alert.rule.annotations if alert.rule else ()
    made = tuple(each for each in alert.annotations if each not in written) if written else alert.annotations
    return _told(alert.labels, made, written, sample)


def untold(alert: AlertingRule, sample: Sample) -> tuple[str, ...]:
    """The annotations whose text only Prometheus can render (`rules.prometheus_template`)."""
    written = alert.rule.annotations if alert.rule else ()
    labels, values = dict(sample.labels), [sample.value]
    if written and looks_back(syntax(alert.expr)):  # the last digit depends on the number of samples in the window
        values += [math.nextafter(sample.value, toward) for toward in (-math.inf, math.inf)]
    said = {name: {prometheus_template.filled(text, labels, each) for each in values} for name, text in written}
    return tuple(name for name, each in said.items() if len(each) > 1 or None in each)


@lru_cache(maxsize=16_384)
def _told(own: Labels, made: Labels, written: Labels, sample: Sample) -> tuple[Labels, Labels]:
    labels = dict(sample.labels)
    merged = labels | {name: _filled(value, labels, sample.value) for name, value in own}
    said = {name: _filled(value, labels, sample.value) for name, value in made}
    said |= {name: prometheus_template.filled(text, labels, sample.value) or "" for name, text in written}
    return tuple(sorted(merged.items())), tuple(sorted(said.items()))


def _filled(text: str, labels: Mapping[str, str], value: float) -> str:
    if "{{" not in text:
        return text
    text = _SHOWN.sub(lambda found: f"{value:.{found['digits']}g}", text)
    text = text.replace(FULL_SECONDS, f"{value:.3f}")
    text = _INDEXED.sub(lambda found: _indexed(found, labels), _WITH.sub(lambda found: _with(found, labels), text))
    for name in [part.split(" ")[0] for part in text.split("{{ $labels.")[1:]]:
        text = text.replace("{{ $labels." + name + " }}", labels.get(name, ""))
    return text.replace("{{ `{{` }}", "{{")


_SHOWN = re.compile(r'\{\{ printf "%\.(?P<digits>\d+)g" \$value \}\}')


_WITH = re.compile(r"\{\{ with (?:or )?(?P<names>(?:\$labels\.\w+ )+)\}\}(?P<text>[^{]*)\{\{ \. \}\}\{\{ end \}\}")


_INDEXED = re.compile(r'\{\{ with index \$labels "(?P<name>[^"]*)" \}\}(?P<text>[^{]*)\{\{ \. \}\}\{\{ end \}\}')


def _indexed(found: re.Match[str], labels: Mapping[str, str]) -> str:
    """The value of one label whose name needs quotes."""
    said = labels.get(found["name"], "")
    return said and found["text"] + said


def _with(found: re.Match[str], labels: Mapping[str, str]) -> str:
    """The text before the first of these labels that is present; empty: none is."""
    names = (name.removeprefix("$labels.") for name in found["names"].split())
    said = next((labels[name] for name in names if labels.get(name)), "")
    return said and found["text"] + said


def number(value: float) -> str:
    """The shortest spelling that reads back as the same number."""
    return repr(value).removesuffix(".0")


def sequence(values: Iterable[str]) -> str:
    """Values in promtool's notation: ``0.95 0.9x2`` is one 0.95 and three times 0.9. NaN and stale know no ``x``."""
    written: list[str] = []
    runs: list[tuple[str, int]] = []
    for value in values:
        if runs and runs[-1][0] == value and value not in {"NaN", "stale"}:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    for value, count in runs:
        written.append(value if count == 1 else f"_x{count}" if value == "_" else f"{value}x{count - 1}")
    return " ".join(written)
