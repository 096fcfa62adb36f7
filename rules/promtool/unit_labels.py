"""The labels that distinguish a signal's units in a test such that Prometheus can evaluate every rule.

``errors / on(job) requests`` fails if there are two series of a job, so two units differ in ``job``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import promql_parser as promql

from rules.expression import syntax, value_type
from rules.groups import AlertingRule, RecordingRule
from rules.promtool.vectors import Labels
from rules.reserved import PASSING_LABELS

UNIT = "unit"
"""The label that distinguishes units if no rule requires another."""

Matching = tuple[str, bool, frozenset[str]]
"""A metric that is matched with another; whether `on` (else `ignoring`); the labels."""


class UnitLabels:
    """The labels by which a policy's rules match each metric, directly or through recordings."""

    def __init__(self, alerts: Iterable[AlertingRule], recordings: Iterable[RecordingRule]) -> None:
        """`alerts`: only those of the policy's rules are used."""
        self._recorded: dict[str, list[RecordingRule]] = defaultdict(list)
        for recording in recordings:
            self._recorded[recording.record].append(recording)
        self._matched: dict[str, set[tuple[bool, frozenset[str]]]] = defaultdict(set)
        trees = [syntax(alert.expr) for alert in alerts if alert.rule]
        trees += [syntax(each.expr) for some in self._recorded.values() for each in some]
        for tree in trees:
            for name, on, labels in self._matchings(tree, (), frozenset()):
                self._matched[name].add((on, labels))

    def of(self, twin: AlertingRule, least: Labels) -> tuple[str, ...]:
        """The labels in which two units differ; empty: a second unit would make a rule fail."""
        assert twin.lost is not None
        given = set(dict(least))
        identity = () if twin.identity is None else twin.identity[:1]
        matched = self._matched.get(twin.lost.name, set())
        asked = sorted({label for on, labels in matched if on for label in labels} - given)
        apart = tuple(dict.fromkeys((*identity, *asked)))
        if twin.identity is None and not set(apart) - set(PASSING_LABELS):
            apart = (*apart, UNIT)  # the loss of a pod or instance is not the loss of a unit
        if set(apart) & given or not all(_differ(apart, on, labels) for on, labels in matched):
            return ()
        return apart

    def _matchings(
        self, node: promql.Expr, above: Sequence[tuple[bool, frozenset[str]]], seen: frozenset[str]
    ) -> Iterator[Matching]:
        match node:
            case promql.VectorSelector():
                name = node.name or ""
                yield from ((name, *each) for each in above)
                if above and name not in seen:
                    for recording in self._recorded.get(name, ()):
                        yield from self._matchings(syntax(recording.expr), above, seen | {name})
            case promql.MatrixSelector():
                yield from self._matchings(node.vector_selector, above, seen)
            case promql.BinaryExpr():
                below = (*above, *_matching(node))
                yield from self._matchings(node.lhs, below, seen)
                yield from self._matchings(node.rhs, below, seen)
            case promql.AggregateExpr():  # its result has other labels
                yield from self._matchings(node.expr, (), seen)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                yield from self._matchings(node.expr, above, seen)
            case promql.Call():
                for argument in node.args:
                    yield from self._matchings(argument, above, seen)
            case _:
                pass  # a number or a text


def _matching(node: promql.BinaryExpr) -> Iterator[tuple[bool, frozenset[str]]]:
    """How two vectors are matched; set operators (and, or, unless) allow many-to-many."""
    if str(node.op) in {"and", "or", "unless"} or {value_type(node.lhs), value_type(node.rhs)} != {"vector"}:
        return
    matching = node.modifier.matching if node.modifier else None
    if matching is not None:
        yield matching.type == promql.LabelModifierType.Include, frozenset(matching.labels)


def _differ(apart: Sequence[str], on: bool, labels: frozenset[str]) -> bool:
    """Whether units that differ in these labels remain distinct under that matching."""
    return any((label in labels) is on for label in apart)
