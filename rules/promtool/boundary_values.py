"""Values that make a condition true, and the nearest that do not: what promtool is fed to prove a rule.

Every rule is proved at its boundary: for each metric it reads, one pair of inputs that differ in that metric only,
as little as the numbers in the condition suggest, one of them bad, the other good.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import promql_parser as promql

from rules.condition import Selector
from rules.expression import looks_back, nodes
from rules.matchers import matches
from rules.promtool.evaluate import Inputs, Labels, Sample, TestSeries, Unprovable, evaluate

FINER = 3
"""How many digits beyond the last written one a boundary is tried: 0.95 is proved with 0.94999 and 0.95."""

MOST = 4_096
"""So many combinations of values are tried; a condition that needs more is unproved."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Inputs under which the condition holds, inputs under which it just does not, and the alert they make."""

    bad: Mapping[Selector, float]
    good: Mapping[Selector, float]
    alert: Sample


def labels_of(selector: Selector) -> Labels:
    """The labels of the simplest series that the selector matches. Raises Unprovable."""
    names = dict.fromkeys(label for label, _, _ in selector.matchers)
    labels: dict[str, str] = {}
    for name in names:
        asked = [matcher for matcher in selector.matchers if matcher[0] == name]
        tried = ["", "other", *(part.strip("^$()") for _, _, value in asked for part in (value, *value.split("|")))]
        found = next((value for value in tried if all(matches(matcher, value) for matcher in asked)), None)
        if found is None:
            raise Unprovable(f"no example is known that matches {name} in {selector}")
        labels[name] = found
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def pairs(tree: promql.Expr, selectors: tuple[Selector, ...]) -> tuple[Pair, ...]:
    """One pair for each selector that can turn the condition by itself. Raises Unprovable when there is none."""
    labels = {selector: labels_of(selector) for selector in selectors}
    tried = _candidates(tree)
    if len(tried) ** len(selectors) > MOST:
        raise Unprovable("it reads too many metrics to try their values")
    results = {
        values: evaluate(tree, _inputs(selectors, labels, values))
        for values in itertools.product(tried, repeat=len(selectors))
        if not _divides_by_zero(tree, values)
    }
    found = []
    for position in range(len(selectors)):
        best = min(_turns(results, position), key=lambda turn: (turn[0], turn[1:]), default=None)
        if best is not None:
            _, bad, good = best
            alert = results[bad]
            assert isinstance(alert, Sample)
            found.append(Pair(dict(zip(selectors, bad, strict=True)), dict(zip(selectors, good, strict=True)), alert))
    if not found:
        raise Unprovable("no values were found that turn it from good to bad")
    return tuple(found)


def recorded_for(tree: promql.Expr, selectors: tuple[Selector, ...]) -> list[tuple[float, Sample | None]]:
    """(value of every input, what the expression makes of it): values to follow each other. Raises Unprovable.

    Over a window values blur, so there is only one then.
    """
    found: list[tuple[float, Sample | None]] = []
    for value in (0.5, 100.0, 1.0):
        result = evaluate(tree, {selector: TestSeries(labels_of(selector), value) for selector in selectors})
        if not isinstance(result, float) and (result is not None or not looks_back(tree)):
            found.append((value, result))
    if not selectors or all(result is None for _, result in found):
        raise Unprovable("no inputs were found for which it has a value")
    return found[:1] if looks_back(tree) else found


def _inputs(selectors: tuple[Selector, ...], labels: Mapping[Selector, Labels], values: tuple[float, ...]) -> Inputs:
    return {selector: TestSeries(labels[selector], value) for selector, value in zip(selectors, values, strict=True)}


def _divides_by_zero(tree: promql.Expr, values: tuple[float, ...]) -> bool:
    return 0 in values and any(isinstance(node, promql.BinaryExpr) and str(node.op) == "/" for node in nodes(tree))


def _candidates(tree: promql.Expr) -> tuple[float, ...]:
    """The numbers of the condition, each with its neighbours; the exact number only where no average may blur it."""
    exact = not looks_back(tree) or not _averages(tree)
    tried = {0.0, 1.0}
    for node in nodes(tree):
        if isinstance(node, promql.NumberLiteral) and abs(node.val) < 1e15:
            number = Decimal(repr(node.val)).normalize()
            exponent = number.as_tuple().exponent
            assert isinstance(exponent, int)
            step = Decimal(1).scaleb(min(exponent, 0) - FINER)
            tried |= {float(number - step), float(number + step)}
            tried |= {float(number)} if exact else set()
    if any(isinstance(node, promql.UnaryExpr) for node in nodes(tree)):
        tried |= {-value for value in tried}
    return tuple(sorted(tried))


def _averages(tree: promql.Expr) -> bool:
    return any(isinstance(node, promql.Call) and node.func.name == "avg_over_time" for node in nodes(tree))


def _turns(
    results: Mapping[tuple[float, ...], object], position: int
) -> Iterator[tuple[float, tuple[float, ...], tuple[float, ...]]]:
    """(distance, bad, good) of neighbouring values of one metric, the others being the same."""
    rows: dict[tuple[float, ...], list[tuple[float, ...]]] = {}
    for values in results:
        rows.setdefault((*values[:position], *values[position + 1 :]), []).append(values)
    for row in rows.values():
        for one, other in itertools.pairwise(sorted(row)):
            if (results[one] is None) is (results[other] is None):
                continue
            bad, good = (one, other) if results[other] is None else (other, one)
            yield abs(one[position] - other[position]), bad, good
