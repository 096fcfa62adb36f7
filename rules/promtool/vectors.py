"""Instant vectors and PromQL's binary operations on them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import promql_parser as promql

Labels = tuple[tuple[str, str], ...]
"""Sorted; without the metric's name."""

Series = tuple[str, Labels]
"""A metric's name and its labels."""


class Unprovable(Exception):  # noqa: N818 - not an error: a fact, stated in the test file
    """Only Prometheus can compute the value; the text gives the reason."""


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: Labels
    value: float


Vector = tuple[Sample, ...]
Result = Vector | float
"""An instant vector, empty if no series matches, or a scalar."""

Inputs = Mapping[Series, float | None]
"""All existing series with their values; None: absent."""


def projected(labels: Labels, names: tuple[str, ...], *, by: bool) -> Labels:
    """The labels of these names (`by`), or all others."""
    return tuple(pair for pair in labels if (pair[0] in names) is by)


def sorted_labels(labels: Mapping[str, str]) -> Labels:
    """Labels in order, without those of an empty value."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def distinct(samples: Iterable[Sample]) -> Vector:
    """The vector of these elements. Raises Unprovable if two have the same labels."""
    found = tuple(samples)
    if len({each.labels for each in found}) < len(found):
        raise Unprovable("Prometheus refuses it: two of its series have the same labels")
    return found


def joined_as_sets(op: str, tree: promql.BinaryExpr, left: Vector, right: Vector) -> Vector:
    """The result of ``and``, ``or`` and ``unless``."""
    if op == "or":
        known = {_key(tree, each) for each in left}
        return left + tuple(each for each in right if _key(tree, each) not in known)
    known = {_key(tree, each) for each in right}
    return tuple(each for each in left if (_key(tree, each) in known) is (op == "and"))


def _key(tree: promql.BinaryExpr, sample: Sample) -> Labels:
    """The labels by which two sides are matched."""
    matching = tree.modifier.matching if tree.modifier else None
    if matching is None:
        return sample.labels
    return projected(sample.labels, tuple(matching.labels), by=matching.type == promql.LabelModifierType.Include)


def joined(tree: promql.BinaryExpr, left: Vector, right: Vector) -> Iterable[tuple[Labels, float, float]]:
    """(labels of the result, left value, right value) of each match. Raises Unprovable where Prometheus refuses."""
    modifier = tree.modifier
    cardinality = modifier.card if modifier else promql.VectorMatchCardinality.OneToOne
    to_right = cardinality == promql.VectorMatchCardinality.OneToMany
    many, one = (right, left) if to_right else (left, right)
    ones: dict[Labels, Sample] = {}
    for each in one:
        if ones.setdefault(_key(tree, each), each) is not each:
            raise Unprovable("Prometheus refuses it: more than one series matches on the side that must have one")
    matched = [(each, ones[_key(tree, each)]) for each in many if _key(tree, each) in ones]
    if cardinality == promql.VectorMatchCardinality.OneToOne:
        if len({_key(tree, each) for each, _ in matched}) < len(matched):
            raise Unprovable("Prometheus refuses it: many series match one without group_left or group_right")
        return [(_key(tree, each), each.value, other.value) for each, other in matched]
    included = tuple((modifier and modifier.group_labels) or ())
    return [
        (_with(each.labels, other.labels, included), *_in_order(each.value, other.value, swapped=to_right))
        for each, other in matched
    ]


def _in_order(many: float, one: float, *, swapped: bool) -> tuple[float, float]:
    return (one, many) if swapped else (many, one)


def _with(labels: Labels, other: Labels, included: tuple[str, ...]) -> Labels:
    """The labels of the "many" side, and the included labels of the other."""
    return sorted_labels(dict(labels) | {name: dict(other).get(name, "") for name in included})
