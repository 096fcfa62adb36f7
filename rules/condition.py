"""Parses conditions: PromQL, read by promql-parser, kept verbatim.

`rules.load` calls `parse`, so that an unusable condition is an error with a caret; `rules.compile` takes the expression
and the signals that it reads. The tree is promql-parser's (`rules.expression`).

A condition must return a value only while it holds. Expressions that always have a value are refused here, because
Prometheus alerts on every returned series, including those with value 0.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

from rules.expression import ConditionError, Selector, nodes, selector, syntax, value_type
from rules.tokens import offset_of, quoted_names, tokens

__all__ = ["Comparison", "Condition", "ConditionError", "Selector", "parse", "sources"]

MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
ABSENCE = frozenset({"absent", "absent_over_time"})
SYNTHETIC = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
"""Series that Prometheus makes while alerts are active; their absence is normal."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A simple ``vector op number``, with the number on the right."""

    op: str
    threshold: float
    subject: str
    """The left side, as PromQL."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A valid condition, and what it reads."""

    text: str
    """As written."""
    expr: str
    """As written; for a bare selector with ``> 0`` appended."""
    sources: tuple[Selector, ...]
    """The metrics that it reads, in order of first mention."""
    watched: tuple[Selector, ...]
    """The metrics whose loss would make the condition silently false."""
    comparison: Comparison | None
    doubts: tuple[tuple[str, str], ...]
    """(lint, message) of valid constructs that may be unintended."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the metrics that it reads."""
        return tuple(dict.fromkeys(selector.name for selector in self.sources))

    @property
    def limit(self) -> float | None:
        """The number that it compares with; None: it is no comparison with a number."""
        return self.comparison.threshold if self.comparison else None


@functools.lru_cache(maxsize=32_768)
def parse(text: str) -> Condition:
    """Parse a condition.

    Raises ConditionError if it does not parse, is constant, is not an instant vector, always holds, or is refused by
    every supported Prometheus; for single versions see `rules.prometheus_versions`.
    """
    tree = syntax(text)
    _refuse_traps(text, tree)
    sources = _selectors(text, tree)
    if not sources:
        raise ConditionError(f"{text.strip()!r} names no signal: it is the same at all times")
    expr = text
    if isinstance(_bare(tree), promql.VectorSelector):
        expr = _positive(text)
        tree = syntax(expr)
    elif not _filters(tree):
        raise ConditionError(
            f"{text.strip()!r} has a value even when all is well, so it would always alert: "
            "say when it is bad, such as '… > 0' (without 'bool')"
        )
    return Condition(text, expr, sources, _watched(text, tree), _comparison(text, tree), tuple(_doubts(tree)))


@functools.lru_cache(maxsize=32_768)
def sources(text: str) -> tuple[Selector, ...]:
    """The metrics that a signal's expression reads.

    Raises ConditionError if it does not parse or is not an instant vector.
    """
    return _selectors(text, syntax(text))


def _refuse_traps(text: str, tree: promql.Expr) -> None:
    """Refuse constructs that parse as something else than they appear to be."""
    words = tokens(text)
    for left, minus, right in zip(words, words[1:], words[2:], strict=False):
        if (
            (left.kind, minus.text, right.kind) == ("name", "-", "name")
            and left.touches(minus)
            and minus.touches(right)
        ):
            name = f"{left.text}-{right.text}"
            raise ConditionError(
                f"{name!r} is read as {left.text} minus {right.text}: if it is one name, write "
                f"{left.text}_{right.text}, else put spaces around the minus",
                left.offset,
            )
    for node in nodes(tree):
        if isinstance(node, promql.VectorSelector) and (node.name or "").lower() in {"true", "false", "none", "null"}:
            raise ConditionError(
                f"{node.name!r} is read as the name of a metric: write '> 0' for true, '== 0' for false",
                offset_of(words, node.name or ""),
            )
        if isinstance(node, promql.NumberLiteral) and math.isnan(node.val):
            raise ConditionError("no comparison with NaN ever holds", offset_of(words, "nan"))


def _selectors(text: str, tree: promql.Expr) -> tuple[Selector, ...]:
    found = (selector(node) for node in nodes(tree) if isinstance(node, promql.VectorSelector))
    names = tuple(dict.fromkeys(found))
    if any(isinstance(node, promql.Call) and node.func.name == "info" for node in nodes(tree)):
        names = tuple(each for each in names if each.name)  # the second argument only names labels
    if any(not each.name for each in names):
        raise ConditionError("a selector names no metric: write one before the braces", max(text.find("{"), 0))
    return names


def _watched(text: str, tree: promql.Expr) -> tuple[Selector, ...]:
    excused = {
        selector(inner)
        for node in nodes(tree)
        if isinstance(node, promql.Call) and node.func.name in ABSENCE
        for inner in nodes(node)
        if isinstance(inner, promql.VectorSelector)
    }
    return tuple(each for each in _selectors(text, tree) if each not in excused and each.name not in SYNTHETIC)


def _bare(node: promql.Expr) -> promql.Expr:
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return node


def _positive(text: str) -> str:
    """The comparison goes on the next line if a comment at the end would swallow it."""
    last = text.rstrip().rsplit("\n", 1)[-1]
    return f"{text.rstrip()}{chr(10) if '#' in last else ' '}> 0"


def _filters(node: promql.Expr) -> bool:
    """Whether the expression returns nothing in the normal state."""
    match node:
        case promql.ParenExpr() | promql.UnaryExpr() | promql.AggregateExpr() | promql.SubqueryExpr():
            return _filters(node.expr)
        case promql.Call():
            name, arguments = node.func.name, node.args
            return name in ABSENCE or any(_filters(argument) for argument in arguments)
        case promql.BinaryExpr():
            op, left, right = str(node.op), _filters(node.lhs), _filters(node.rhs)
            if op in MIRRORED:
                return not (node.modifier and node.modifier.return_bool) or left or right
            if op == "or":
                return left and right
            return op == "unless" or left or right
        case _:
            return False


def _comparison(text: str, node: promql.Expr) -> Comparison | None:
    node = _bare(node)
    if not isinstance(node, promql.BinaryExpr) or str(node.op) not in MIRRORED:
        return None
    is_selector = isinstance(_bare(node.lhs), promql.VectorSelector)
    if not is_selector and any(quoted_names(tokens(text))):
        return None  # promql-parser prints names without necessary quotes
    left, right, op = _bare(node.lhs), _bare(node.rhs), str(node.op)
    if isinstance(right, promql.NumberLiteral):
        return Comparison(op, right.val, _plain(node.lhs))
    if isinstance(left, promql.NumberLiteral):
        return Comparison(MIRRORED[op], left.val, _plain(node.rhs))
    return None


def _plain(node: promql.Expr) -> str:
    """Undo promql-parser's ``a{}`` for ``a``."""
    bare = _bare(node)
    if isinstance(bare, promql.VectorSelector) and bare.offset is None and bare.at is None:
        return str(selector(bare))
    return str(node).replace("{}", "")


def _doubts(tree: promql.Expr) -> Iterator[tuple[str, str]]:
    for node in nodes(tree):
        if not isinstance(node, promql.BinaryExpr):
            continue
        op, left, right = str(node.op), _bare(node.lhs), _bare(node.rhs)
        if node.modifier and node.modifier.matching:
            continue
        if op in MIRRORED and isinstance(left, promql.VectorSelector) and isinstance(right, promql.VectorSelector):
            yield (
                "compared-metrics",
                (
                    f"{_plain(right)} is read as a metric, and only series with the very same labels are compared: "
                    f"if it is a limit, write its number"
                ),
            )
        elif op in {"and", "unless"} and (differ := sorted(_labels(left) ^ _labels(right))) and _are_known(left, right):
            yield (
                "doubtful-condition",
                (
                    f"'{op}' joins series with the very same labels only, and only one side has {', '.join(differ)}: "
                    f"write '{op} on(...)' with the labels that both have"
                ),
            )


def _labels(node: promql.Expr) -> set[str]:
    """The labels of an aggregation's result, as far as it names them."""
    aggregate = _aggregated(node)
    return set(aggregate.modifier.labels) if aggregate is not None and aggregate.modifier else set()


def _are_known(*sides: promql.Expr) -> bool:
    """Whether each side is an aggregation with explicit labels."""
    found = [_aggregated(side) for side in sides]
    return all(
        each is not None and (each.modifier is None or each.modifier.type == promql.AggModifierType.By)
        for each in found
    )


def _aggregated(node: promql.Expr) -> promql.AggregateExpr | None:
    """The aggregation that determines the labels of the result; None: there is none."""
    node = _bare(node)
    if isinstance(node, promql.BinaryExpr) and not (node.modifier and node.modifier.matching):
        sides = [_bare(each) for each in (node.lhs, node.rhs) if value_type(each) == "vector"]
        return _aggregated(sides[0]) if sides else None
    return node if isinstance(node, promql.AggregateExpr) and str(node.op) not in {"topk", "bottomk"} else None
