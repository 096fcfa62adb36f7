"""What a PromQL expression returns when each of its selectors matches one series of one steady value.

`rules.promtool.boundary_values` asks it for values that make a condition true and values that barely do not, so that
promtool can be told what to expect. It is no second Prometheus: promtool checks every answer, and what is not
understood here is Unprovable, which is said in the test file.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import promql_parser as promql

from rules.condition import Selector
from rules.expression import selector

Labels = tuple[tuple[str, str], ...]
"""Sorted; without the metric's name."""

ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STEADY = frozenset(("avg_over_time", "min_over_time", "max_over_time", "last_over_time"))
"""Over one steady series these return its value."""
ELEMENTWISE: Mapping[str, Callable[[float], float]] = {"abs": abs, "ceil": math.ceil, "floor": math.floor}
AGGREGATIONS = frozenset(("sum", "avg", "min", "max"))
"""Over one element these return its value."""


class Unprovable(Exception):  # noqa: N818 - not an error: a fact, told in the test file
    """Nobody but Prometheus can tell the value; the text says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class TestSeries:
    """What a selector matches: one series."""

    labels: Labels
    value: float


Inputs = Mapping[Selector, TestSeries]
Result = Sample | float | None
"""An element, a scalar, or an empty vector."""


def evaluate(tree: promql.Expr, inputs: Inputs) -> Result:
    """The expression's value once its inputs have been steady for long enough. Raises Unprovable."""
    match tree:
        case promql.NumberLiteral():
            return tree.val
        case promql.ParenExpr():
            return evaluate(tree.expr, inputs)
        case promql.UnaryExpr():
            return _map(operator.neg, evaluate(tree.expr, inputs))
        case promql.VectorSelector():
            if tree.at is not None:
                raise Unprovable("it reads a fixed moment (@)")
            series = inputs[selector(tree)]
            return Sample(series.labels, series.value)
        case promql.Call():
            return _call(tree, inputs)
        case promql.AggregateExpr():
            return _aggregate(tree, inputs)
        case promql.BinaryExpr():
            return _binary(tree, inputs)
        case _:
            raise Unprovable(f"it holds {tree}")


def _map(function: Callable[[float], float], result: Result) -> Result:
    if isinstance(result, Sample):
        return Sample(result.labels, function(result.value))
    return None if result is None else function(result)


def _call(tree: promql.Call, inputs: Inputs) -> Result:
    name = tree.func.name
    if name in STEADY and isinstance(tree.args[0], promql.MatrixSelector):
        return evaluate(tree.args[0].vector_selector, inputs)
    if name in ELEMENTWISE:
        return _map(ELEMENTWISE[name], evaluate(tree.args[0], inputs))
    raise Unprovable(f"what {name}() returns depends on more than steady values")


def _aggregate(tree: promql.AggregateExpr, inputs: Inputs) -> Result:
    if str(tree.op) not in AGGREGATIONS:
        raise Unprovable(f"it aggregates with {tree.op}")
    inner = evaluate(tree.expr, inputs)
    if not isinstance(inner, Sample):
        return inner
    kept: Labels = ()
    if tree.modifier:
        by = tree.modifier.type == promql.AggModifierType.By
        kept = _kept(inner.labels, tuple(tree.modifier.labels), by=by)
    return Sample(kept, inner.value)


def _kept(labels: Labels, names: tuple[str, ...], *, by: bool) -> Labels:
    return tuple(pair for pair in labels if (pair[0] in names) is by)


def _binary(tree: promql.BinaryExpr, inputs: Inputs) -> Result:
    left, right = evaluate(tree.lhs, inputs), evaluate(tree.rhs, inputs)
    op = str(tree.op)
    if op in {"and", "or", "unless"}:
        return _set(op, tree, left, right)
    if left is None or right is None or not _joined(tree, left, right):
        return None
    a = left.value if isinstance(left, Sample) else left
    b = right.value if isinstance(right, Sample) else right
    labels = _result_labels(tree, left, right)
    if op in COMPARISONS:
        holds = COMPARISONS[op](a, b)
        if tree.modifier and tree.modifier.return_bool:
            return _element(labels, float(holds))
        kept = a if isinstance(left, Sample) else b
        return _element(labels, kept) if holds else None
    if op not in ARITHMETIC or (op == "/" and b == 0):
        raise Unprovable(f"it computes with {op}")
    return _element(labels, ARITHMETIC[op](a, b))


def _element(labels: Labels | None, value: float) -> Result:
    return value if labels is None else Sample(labels, value)


def _set(op: str, tree: promql.BinaryExpr, left: Result, right: Result) -> Result:
    if left is None:
        return right if op == "or" else None
    if op == "or":
        if right is not None and not _joined(tree, left, right):
            raise Unprovable("both sides of 'or' may fire at once")
        return left
    matched = right is not None and _joined(tree, left, right)
    return left if matched is (op == "and") else None


def _joined(tree: promql.BinaryExpr, left: Sample | float, right: Sample | float) -> bool:
    if not isinstance(left, Sample) or not isinstance(right, Sample):
        return True
    return _key(tree, left) == _key(tree, right)


def _key(tree: promql.BinaryExpr, sample: Sample) -> Labels:
    matching = tree.modifier.matching if tree.modifier else None
    if matching is None:
        return sample.labels
    return _kept(sample.labels, tuple(matching.labels), by=matching.type == promql.LabelModifierType.Include)


def _result_labels(tree: promql.BinaryExpr, left: Sample | float, right: Sample | float) -> Labels | None:
    if not isinstance(left, Sample):
        return right.labels if isinstance(right, Sample) else None
    if not isinstance(right, Sample):
        return left.labels
    if tree.modifier and tree.modifier.card != promql.VectorMatchCardinality.OneToOne:
        raise Unprovable("it joins many series with one (group_left, group_right)")
    return _key(tree, left)
