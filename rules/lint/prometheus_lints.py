"""Lints about the Prometheus version: what needs a flag, and what differs on Prometheus 3.

`rules.lint.document_lints` calls `find`. Syntax that the version does not support is refused where it is written
(`rules.document`); that of rules made from framework systems is refused here.
"""

from collections.abc import Iterator

import promql_parser as promql

from rules.document import PolicyDocument
from rules.expression import ConditionError, nodes, selector, syntax
from rules.lint_catalog import doubt
from rules.policy import Place, Policy
from rules.problems import Problem
from rules.prometheus_versions import FLAG, OLDEST, needs, require_known

COUNTED = frozenset(("count_over_time", "sum_over_time"))
"""Functions whose value changes with one more sample in the range."""

NORMALISED = frozenset(("le", "quantile"))
"""Labels whose whole numbers Prometheus 3 writes with a decimal point when it scrapes."""


def find(policy: Policy, document: PolicyDocument) -> Iterator[Problem]:
    """All such doubts."""
    target = document.prometheus
    for what, text, place in _expressions(policy):
        try:
            require_known(text, target)
        except ConditionError as error:
            yield Problem.at(place, f"{what}: {error}")
            continue
        if flagged := list(dict.fromkeys(need.what for need in needs(text) if need.flag)):
            message = f"{what}: {', '.join(flagged)} needs {FLAG}, of Prometheus and of promtool"
            yield doubt("experimental-function", place, message)
        for difference in dict.fromkeys(_differences(text, target)):
            yield doubt("differs-on-3", place, f"{what} means something else on Prometheus 3: {difference}")


def _expressions(policy: Policy) -> Iterator[tuple[str, str, Place]]:
    """(description, expression, position)."""
    nowhere = Place("", 0)
    for rule in policy.rules:
        yield f'"{rule.name}"', rule.condition, rule.place or nowhere
    for signal in policy.signals:
        if signal.expr is not None:
            yield f"`{signal.name}`", signal.expr, signal.place or nowhere


def _differences(text: str, target: str | None) -> Iterator[str]:
    """A bucket's label is wrong even if all Prometheus are version 3; the count of a range is then as intended."""
    for node in nodes(syntax(text)) if target != OLDEST else ():
        if isinstance(node, promql.VectorSelector):
            for label, operator, value in selector(node).matchers:
                if label in NORMALISED and operator == "=" and value.isdigit():
                    yield f'{label}="{value}" is {label}="{value}.0" there; write {label}=~"{value}(\\\\.0)?"'
        elif isinstance(node, promql.Call) and node.func.name in COUNTED and target is None:
            yield f"{node.func.name}() counts no sample at the very beginning of its range there, 2.42 does"
