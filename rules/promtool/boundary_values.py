"""Values that make a condition true, and the nearest values that do not: the inputs that prove a rule in promtool.

Every rule is proved at its boundary: for each metric that it reads, a pair of inputs, one bad and one good, that differ
only in that metric, by the precision of the condition's numbers.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import promql_parser as promql

from rules.condition import ABSENCE, Selector
from rules.expression import looks_back, nodes, value_type
from rules.matchers import matches
from rules.promtool.evaluate import evaluate
from rules.promtool.native_histograms import read_by
from rules.promtool.vectors import Labels, Series, Unprovable, Vector

FINER = 3
"""Digits beyond the last written one at which a boundary is tried: 0.95 is proved with 0.94999 and 0.95."""

CLOSE = 1e-3
"""If the boundary is not near the condition's numbers, the two values are narrowed to this distance, relative to the
larger one; below 1 absolute."""

MOST = 4_096
"""The maximum of value combinations; a condition that needs more is unproved."""

MAGNITUDES = tuple(10.0**power for power in (-6, -3, 3, 6, 9, 12))
"""Additional candidates if the condition's numbers do not change its result, as in ``bytes / 1e9 < 5``."""

Value = float | None
"""The value of an input series; None: it is absent."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Inputs for which the condition holds, the nearest for which it does not, and the resulting alerts."""

    bad: Mapping[Series, Value]
    good: Mapping[Series, Value]
    alerts: Vector


def labels_of(selector: Selector) -> Labels:
    """The labels of the simplest series that the selector matches. Raises Unprovable."""
    names = dict.fromkeys(label for label, _, _ in selector.matchers)
    labels: dict[str, str] = {}
    for name in names:
        asked = [matcher for matcher in selector.matchers if matcher[0] == name]
        tried = [
            "",
            "other",
            "1",
            "a",
            *(part.strip("^$()") for _, _, value in asked for part in (value, *value.split("|"))),
        ]
        found = next((value for value in tried if all(matches(matcher, value) for matcher in asked)), None)
        if found is None:
            raise Unprovable(f"no example is known that matches {name} in {selector}")
        labels[name] = found
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def example(selector: Selector) -> Series:
    """The simplest series that the selector matches. Raises Unprovable."""
    return selector.name, labels_of(selector)


def pairs(tree: promql.Expr, selectors: tuple[Selector, ...]) -> tuple[Pair, ...]:
    """One pair for each series that alone can change the condition's result. Raises Unprovable if there is none."""
    search = _Search(tree, tuple(dict.fromkeys(map(example, selectors))))
    found = search.pairs(_candidates(tree)) or search.pairs(_candidates(tree, MAGNITUDES))
    if not found:
        raise Unprovable("no values were found that turn it from good to bad")
    return tuple(found)


def recorded_for(tree: promql.Expr, selectors: tuple[Selector, ...]) -> list[tuple[float, Vector]]:
    """(value of every input, result of the expression), to be fed in sequence. Raises Unprovable.

    Only one for an expression over a window, because a window mixes values.
    """
    if read_by(tree):
        raise Unprovable("what is recorded of native histograms is not worked out here")
    found: list[tuple[float, Vector]] = []
    for value in (0.5, 100.0, 1.0):
        result = evaluate(tree, {example(selector): value for selector in selectors})
        if isinstance(result, float) or not all(math.isfinite(each.value) for each in result):
            continue
        if result or not looks_back(tree):
            found.append((value, result))
    if not selectors or not any(result for _, result in found):
        raise Unprovable("no inputs were found for which it has a value")
    return found[:1] if looks_back(tree) else found


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for values of the series that an expression reads."""

    tree: promql.Expr
    series: tuple[Series, ...]

    def pairs(self, tried: tuple[Value, ...]) -> list[Pair]:
        """The closest pair of candidates for each series, narrowed."""
        if len(tried) ** len(self.series) > MOST:
            raise Unprovable("it reads too many metrics to try their values")
        combinations = itertools.product(tried, repeat=len(self.series))
        results = {values: result for values in combinations if (result := self.result(values)) is not None}
        found = []
        for position in range(len(self.series)):
            best = min(_turns(results, position), key=lambda turn: turn[0], default=None)
            if best is not None:
                bad, good = self.narrowed(position, *best[1:])
                alerts = self.result(bad)
                assert alerts
                found.append(Pair(self.inputs(bad), self.inputs(good), alerts))
        return found

    def inputs(self, values: tuple[Value, ...]) -> dict[Series, Value]:
        return dict(zip(self.series, values, strict=True))

    def result(self, values: tuple[Value, ...]) -> Vector | None:
        """The alerts; None: a value is not a comparable number."""
        result = evaluate(self.tree, self.inputs(values))
        assert not isinstance(result, float)
        return result if all(math.isfinite(each.value) for each in result) else None

    def narrowed(
        self, position: int, bad: tuple[Value, ...], good: tuple[Value, ...]
    ) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The same change between closer values of the series."""
        low, high = bad[position], good[position]
        while low is not None and high is not None and abs(low - high) > CLOSE * max(1, abs(low), abs(high)):
            between = float(f"{(low + high) / 2:.4g}")
            values = (*bad[:position], between, *bad[position + 1 :])
            result = self.result(values)
            if between in {low, high} or result is None:
                break
            low, high = (between, high) if result else (low, between)
        return (*bad[:position], low, *bad[position + 1 :]), (*good[:position], high, *good[position + 1 :])


def _candidates(tree: promql.Expr, further: tuple[float, ...] = ()) -> tuple[Value, ...]:
    """The condition's numbers with their neighbours; the exact number only if no average can blur it."""
    exact = not looks_back(tree) or not _averages(tree)
    tried = {0.0, 1.0, *further}
    for constant in constants(tree):
        number = Decimal(repr(constant)).normalize()
        exponent = number.as_tuple().exponent
        assert isinstance(exponent, int)
        step = Decimal(1).scaleb(min(exponent, 0) - FINER)
        tried |= {float(number - step), float(number + step)}
        tried |= {float(number)} if exact else set()
    if any(isinstance(node, promql.UnaryExpr) for node in nodes(tree)):
        tried |= {-value for value in tried}
    absent = (None,) if any(asks_absence(node) for node in nodes(tree)) else ()
    return (*sorted(tried), *absent)


def constants(node: promql.Expr) -> Iterator[float]:
    """The numbers of the condition, with constant expressions evaluated: 86400 for ``24 * 60 * 60``."""
    match node:
        case promql.BinaryExpr() | promql.NumberLiteral() | promql.ParenExpr() | promql.UnaryExpr() if _is_constant(
            node
        ):
            value = evaluate(node, {})
            if isinstance(value, float) and abs(value) < 1e15:
                yield value
        case promql.BinaryExpr():
            yield from constants(node.lhs)
            yield from constants(node.rhs)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.AggregateExpr():
            yield from constants(node.expr)
        case promql.Call():
            for argument in node.args:
                yield from constants(argument)
        case _:
            pass  # a selector


def _is_constant(node: promql.Expr) -> bool:
    moving = promql.VectorSelector | promql.Call | promql.AggregateExpr | promql.SubqueryExpr | promql.MatrixSelector
    return value_type(node) == "scalar" and not any(isinstance(each, moving) for each in nodes(node))


def _averages(tree: promql.Expr) -> bool:
    return any(isinstance(node, promql.Call) and node.func.name == "avg_over_time" for node in nodes(tree))


def asks_absence(node: promql.Expr) -> bool:
    """Whether this node has a value because another is absent."""
    if isinstance(node, promql.BinaryExpr):
        return str(node.op) == "unless"
    return isinstance(node, promql.Call) and node.func.name in ABSENCE


def _turns(
    results: Mapping[tuple[Value, ...], Vector], position: int
) -> Iterator[tuple[float, tuple[Value, ...], tuple[Value, ...]]]:
    """(distance, bad, good) of neighbouring values of one series, with the other series unchanged."""
    rows: dict[tuple[Value, ...], list[tuple[Value, ...]]] = {}
    for values in results:
        rows.setdefault((*values[:position], *values[position + 1 :]), []).append(values)
    for row in rows.values():
        for one, other in itertools.pairwise(row):
            if bool(results[one]) is not bool(results[other]):
                bad, good = (one, other) if results[one] else (other, one)
                yield _distance(one[position], other[position]), bad, good


def _distance(one: Value, other: Value) -> float:
    return math.inf if one is None or other is None else abs(one - other)
