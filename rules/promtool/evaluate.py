"""Evaluates a PromQL expression for constant input series: instant vectors, with Prometheus's exact results.

`rules.promtool.boundary_values` uses it to find values that make a condition true and values that just do not, as
expectations for promtool. Expressions that depend on more than constant values (rates, the time of day) are Unprovable,
which the test file states. promtool checks every result.
"""

import math
import operator
import re
import statistics
from collections.abc import Callable, Mapping

import promql_parser as promql

from rules.expression import selector
from rules.matchers import full_match, match
from rules.promtool.native_histograms import SHAPES, metric, number
from rules.promtool.vectors import (
    Inputs,
    Labels,
    Result,
    Sample,
    Unprovable,
    Vector,
    distinct,
    joined,
    joined_as_sets,
    projected,
    sorted_labels,
)

NAN = math.nan


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return NAN if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except ValueError:
        return NAN if a else math.inf
    except OverflowError:
        return math.inf


def _logarithm(of: Callable[[float], float], value: float) -> float:
    return of(value) if value > 0 else NAN if value else -math.inf


def _round(value: float, nearest: float = 1.0) -> float:
    return math.floor(value / nearest + 0.5) * nearest


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda a, b: math.fmod(a, b) if b and math.isfinite(a) else NAN,
    "^": _power,
    "atan2": math.atan2,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STEADY = frozenset(("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"))
"""Functions that return the value of a constant series over a window."""
ELEMENTWISE: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": _round,
    "sgn": lambda value: math.copysign(1, value) if value else value,
    "sqrt": lambda value: math.sqrt(value) if value >= 0 else NAN,
    "clamp": lambda value, low, high: max(low, min(high, value)) if low <= high else NAN,
    "sort": lambda value: value,
    "sort_desc": lambda value: value,
    "exp": lambda value: math.exp(value) if value < 700 else math.inf,
    "ln": lambda value: _logarithm(math.log, value),
    "log2": lambda value: _logarithm(math.log2, value),
    "log10": lambda value: _logarithm(math.log10, value),
    "deg": math.degrees,
    "rad": math.radians,
    "sin": math.sin,
    "cos": math.cos,
    "atan": math.atan,
    "tan": math.tan,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acos": lambda value: math.acos(value) if -1 <= value <= 1 else NAN,
    "asin": lambda value: math.asin(value) if -1 <= value <= 1 else NAN,
    "acosh": lambda value: math.acosh(value) if value >= 1 else NAN,
    "atanh": lambda value: math.atanh(value) if -1 < value < 1 else NAN,
    "clamp_min": max,
    "clamp_max": min,
}
"""Functions of an element's value and further scalars."""


def _quantile(values: list[float], share: float) -> float:
    rank = share * (len(values) - 1)
    low = max(0, math.floor(rank))
    high = min(len(values) - 1, low + 1)
    weight = rank - math.floor(rank)
    return sorted(values)[low] * (1 - weight) + sorted(values)[high] * weight


AGGREGATIONS: Mapping[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": statistics.pstdev,
    "stdvar": statistics.pvariance,
}


def evaluate(tree: promql.Expr, inputs: Inputs) -> Result:
    """The expression's value after its inputs have been constant for long enough. Raises Unprovable."""
    match tree:
        case promql.NumberLiteral():
            return float(tree.val)
        case promql.ParenExpr():
            return evaluate(tree.expr, inputs)
        case promql.UnaryExpr():
            return _map(operator.neg, evaluate(tree.expr, inputs))
        case promql.VectorSelector():
            return _select(tree, inputs)
        case promql.Call():
            return _call(tree, inputs)
        case promql.AggregateExpr():
            return _aggregate(tree, inputs)
        case promql.BinaryExpr():
            return _binary(tree, inputs)
        case _:
            raise Unprovable(f"it holds {tree}")


def _select(tree: promql.VectorSelector, inputs: Inputs) -> Vector:
    if tree.at is not None:
        raise Unprovable("it reads a fixed moment (@)")
    asked = selector(tree)
    return tuple(
        Sample(labels, value)
        for (name, labels), value in inputs.items()
        if value is not None and name == asked.name and match(asked.matchers, dict(labels))
    )


def _map(function: Callable[[float], float], result: Result) -> Result:
    if isinstance(result, float):
        return float(function(result))
    return distinct(Sample(each.labels, float(function(each.value))) for each in result)


def _call(tree: promql.Call, inputs: Inputs) -> Result:
    name, arguments = tree.func.name, tree.args
    if name in STEADY and isinstance(arguments[-1], promql.MatrixSelector):
        return evaluate(arguments[-1].vector_selector, inputs)
    if name in ELEMENTWISE:
        further = [_scalar(evaluate(each, inputs)) for each in arguments[1:]]
        return _map(lambda value: ELEMENTWISE[name](value, *further), _vector(evaluate(arguments[0], inputs)))
    if name in SHAPES:
        return _of_histograms(tree, inputs)
    match name:
        case "absent" | "absent_over_time":
            return _absent(arguments[0], inputs)
        case "vector":
            return (Sample((), _scalar(evaluate(arguments[0], inputs))),)
        case "scalar":
            return _scalar(_vector(evaluate(arguments[0], inputs)))
        case "label_join":
            return _relabel(tree, inputs, _join_labels)
        case "label_replace":
            return _relabel(tree, inputs, _replace_label)
        case _:
            raise Unprovable(f"what {name}() returns is not worked out here")


def _of_histograms(tree: promql.Call, inputs: Inputs) -> Result:
    """The inputs themselves: they are fed as histograms of which the function returns them."""
    metric(tree)
    return _map(lambda value: number(value, tree.func.name), evaluate(tree.args[0], inputs))


def _vector(result: Result) -> Vector:
    return (Sample((), result),) if isinstance(result, float) else result


def _scalar(result: Result) -> float:
    """PromQL's scalar(): the value of a vector's only element, or NaN."""
    if isinstance(result, float):
        return result
    return result[0].value if len(result) == 1 else NAN


def _absent(argument: promql.Expr, inputs: Inputs) -> Vector:
    inner: promql.Expr = argument.vector_selector if isinstance(argument, promql.MatrixSelector) else argument
    if _vector(evaluate(inner, inputs)):
        return ()
    while isinstance(inner, promql.ParenExpr):
        inner = inner.expr
    if not isinstance(inner, promql.VectorSelector):
        return (Sample((), 1.0),)
    matchers = selector(inner).matchers
    asked = [name for name, _, _ in matchers]
    equal = [(name, value) for name, op, value in matchers if op == "=" and value and asked.count(name) == 1]
    return (Sample(tuple(sorted(equal)), 1.0),)


def _relabel(tree: promql.Call, inputs: Inputs, change: Callable[..., str]) -> Vector:
    """Set one label of each element: `change` gets the element's labels and the call's further strings."""
    target, *further = (each.val for each in tree.args[1:])
    return distinct(
        Sample(sorted_labels(dict(each.labels) | {target: change(dict(each.labels), target, *further)}), each.value)
        for each in _vector(evaluate(tree.args[0], inputs))
    )


def _join_labels(labels: Mapping[str, str], _target: str, separator: str, *sources: str) -> str:
    return separator.join(labels.get(name, "") for name in sources)


def _replace_label(labels: Mapping[str, str], target: str, replacement: str, source: str, expression: str) -> str:
    found = full_match(expression, labels.get(source, ""))
    if found is None:
        return labels.get(target, "")
    return _GROUP.sub(lambda asked: found.get(asked[1] or asked[2], ""), replacement)


_GROUP = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def _aggregate(tree: promql.AggregateExpr, inputs: Inputs) -> Vector:
    by = tree.modifier is None or tree.modifier.type == promql.AggModifierType.By
    names = tuple(tree.modifier.labels) if tree.modifier else ()
    groups: dict[Labels, list[Sample]] = {}
    for each in _vector(evaluate(tree.expr, inputs)):
        groups.setdefault(projected(each.labels, names, by=by), []).append(each)
    op = str(tree.op)
    if op in {"topk", "bottomk"}:
        most = max(0, int(_scalar(evaluate(_parameter(tree), inputs))))
        ranked = (sorted(some, key=lambda each: each.value, reverse=op == "topk")[:most] for some in groups.values())
        return tuple(each for some in ranked for each in some)
    aggregate = _aggregation(op, tree, inputs)
    return tuple(Sample(kept, aggregate([each.value for each in some])) for kept, some in groups.items())


def _parameter(tree: promql.AggregateExpr) -> promql.Expr:
    if not isinstance(tree.param, promql.Expr):
        raise Unprovable(f"{tree.op} has no number")
    return tree.param


def _aggregation(op: str, tree: promql.AggregateExpr, inputs: Inputs) -> Callable[[list[float]], float]:
    if op == "quantile":
        share = _scalar(evaluate(_parameter(tree), inputs))
        if not 0 <= share <= 1:
            raise Unprovable(f"it asks for quantile {share:g}")
        return lambda values: _quantile(values, share)
    if op not in AGGREGATIONS:
        raise Unprovable(f"it aggregates with {op}")
    return AGGREGATIONS[op]


def _binary(tree: promql.BinaryExpr, inputs: Inputs) -> Result:
    left, right = evaluate(tree.lhs, inputs), evaluate(tree.rhs, inputs)
    op = str(tree.op)
    if op in {"and", "or", "unless"}:
        return joined_as_sets(op, tree, _vector(left), _vector(right))
    returns_bool = bool(tree.modifier and tree.modifier.return_bool)
    if isinstance(left, float) and isinstance(right, float):
        return float(COMPARISONS[op](left, right)) if op in COMPARISONS else _computed(op, left, right)
    if isinstance(left, float):
        made = ((each.labels, left, each.value, each.value) for each in _vector(right))
    elif isinstance(right, float):
        made = ((each.labels, each.value, right, each.value) for each in left)
    else:
        made = ((labels, a, b, a) for labels, a, b in joined(tree, left, right))
    if op not in COMPARISONS:
        return distinct(Sample(labels, _computed(op, a, b)) for labels, a, b, _ in made)
    if returns_bool:
        return distinct(Sample(labels, float(COMPARISONS[op](a, b))) for labels, a, b, _ in made)
    return distinct(Sample(labels, kept) for labels, a, b, kept in made if COMPARISONS[op](a, b))


def _computed(op: str, a: float, b: float) -> float:
    if op not in ARITHMETIC:
        raise Unprovable(f"it computes with {op}")
    return ARITHMETIC[op](a, b)
