"""The labels that an expression's series can have: aggregations and joins remove some.

`rules.lost_labels` uses it. In doubt a label is kept: only labels that are certainly absent are reported.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import promql_parser as promql

from rules.expression import Selector, selector, value_type

PASSING_ON = frozenset(("topk", "bottomk", "limitk", "limit_ratio"))
"""Aggregations that return series with their labels."""


@dataclass(frozen=True, slots=True)
class KeptLabels:
    """At most these labels; or, for series with arbitrary labels, all but these."""

    names: frozenset[str] = frozenset()
    all_but: bool = False

    def has(self, name: str) -> bool:
        """Whether a series may have the label."""
        return (name in self.names) is not self.all_but

    def within(self, other: "KeptLabels") -> "KeptLabels":
        """The intersection: labels that both may have."""
        if self.all_but and other.all_but:
            return KeptLabels(self.names | other.names, all_but=True)
        few, more = (other, self) if self.all_but else (self, other)
        return KeptLabels(frozenset(filter(more.has, few.names)))

    def beside(self, other: "KeptLabels") -> "KeptLabels":
        """The union: labels that either may have."""
        if not self.all_but and not other.all_but:
            return KeptLabels(self.names | other.names)
        gone = (self.names if self.all_but else other.names) - (other.names if self.all_but else self.names)
        both_open = self.all_but and other.all_but
        return KeptLabels(self.names & other.names if both_open else gone, all_but=True)

    def without(self, names: Iterable[str]) -> "KeptLabels":
        """The same without these labels."""
        return self.within(KeptLabels(frozenset(names), all_but=True))

    def with_(self, names: Iterable[str]) -> "KeptLabels":
        """The same with these labels added."""
        return self.beside(KeptLabels(frozenset(names)))


NONE, ALL = KeptLabels(), KeptLabels(all_but=True)

Known = Callable[[Selector], KeptLabels]
"""The labels that a metric's series can have."""


def kept_labels(tree: promql.Expr, known: Known) -> KeptLabels:
    """The labels that the expression's series can have."""
    match tree:
        case promql.VectorSelector():
            return _of_selector(tree, known)
        case promql.MatrixSelector():
            return _of_selector(tree.vector_selector, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return kept_labels(tree.expr, known)
        case promql.AggregateExpr():
            return _of_aggregation(tree, kept_labels(tree.expr, known))
        case promql.Call():
            return _of_call(tree, known)
        case promql.BinaryExpr():
            return _of_operation(tree, kept_labels(tree.lhs, known), kept_labels(tree.rhs, known))
        case _:
            return NONE


def _of_selector(tree: promql.VectorSelector, known: Known) -> KeptLabels:
    asked = selector(tree)
    return known(asked).without(label for label, operator, value in asked.matchers if (operator, value) == ("=", ""))


def _of_aggregation(tree: promql.AggregateExpr, inner: KeptLabels) -> KeptLabels:
    operator, names = str(tree.op), tuple(tree.modifier.labels) if tree.modifier else ()
    if operator in PASSING_ON:
        return inner
    is_by = tree.modifier is None or tree.modifier.type == promql.AggModifierType.By
    left = inner.within(KeptLabels(frozenset(names))) if is_by else inner.without(names)
    return left.with_(_texts((tree.param,))) if operator == "count_values" else left


def _of_call(tree: promql.Call, known: Known) -> KeptLabels:
    name, arguments = tree.func.name, tree.args
    if name in {"absent", "absent_over_time"}:
        return _asked(arguments[0])
    left = reduce(KeptLabels.beside, (kept_labels(each, known) for each in arguments), NONE)
    if name in {"label_replace", "label_join"}:
        return left.with_(_texts(arguments)[:1])
    return left.without(("le",)) if name == "histogram_quantile" else left


def _asked(tree: promql.Expr) -> KeptLabels:
    """The result of absent() has only the labels of its selector's matchers."""
    one = tree.vector_selector if isinstance(tree, promql.MatrixSelector) else tree
    matchers = selector(one).matchers if isinstance(one, promql.VectorSelector) else ()
    return KeptLabels(frozenset(label for label, operator, value in matchers if operator == "=" and value))


def _texts(arguments: Sequence[promql.Expr | None]) -> list[str]:
    return [each.val for each in arguments if isinstance(each, promql.StringLiteral)]


def _of_operation(tree: promql.BinaryExpr, left: KeptLabels, right: KeptLabels) -> KeptLabels:
    if "scalar" in {value_type(tree.lhs), value_type(tree.rhs)}:
        return left.beside(right)
    operator = str(tree.op)
    if operator == "or":
        return left.beside(right)
    if operator in {"and", "unless"}:
        return left
    modifier = tree.modifier
    if modifier and modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return left.with_(filter(right.has, modifier.group_labels or ()))
    if modifier and modifier.card == promql.VectorMatchCardinality.OneToMany:
        return right.with_(filter(left.has, modifier.group_labels or ()))
    both, matching = left.within(right), modifier.matching if modifier else None
    if matching is None:
        return both
    if matching.type == promql.LabelModifierType.Include:
        return both.within(KeptLabels(frozenset(matching.labels)))
    return both.without(matching.labels)
