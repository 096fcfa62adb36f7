"""Inputs by shape and one number: steady values, rising counters, values that change or come seldom, histograms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import promql_parser as promql

from rules.condition import Selector
from rules.expression import nodes, selector
from rules.promtool.boundary_values import Value, labels_of
from rules.promtool.input_series import number, sequence
from rules.promtool.unit_labels import UNIT
from rules.promtool.vectors import Labels, Series

Shape = Literal["steady", "rising", "leaning", "changing", "sparse", "buckets"]

BY_FUNCTION: dict[str, Shape] = {
    **dict.fromkeys(("rate", "irate", "increase", "delta", "idelta"), "rising"),
    **dict.fromkeys(("deriv", "predict_linear"), "leaning"),
    **dict.fromkeys(("changes", "resets"), "changing"),
    **dict.fromkeys(("count_over_time", "present_over_time"), "sparse"),
}
"""The shape on which a function's result depends; for others: steady."""

HIGH = 1000.0
"""Where a leaning value begins."""

BUCKET = "_bucket"
"""The ending of the name of a classic histogram's counters."""


@dataclass(frozen=True, slots=True)
class Input:
    """What one selector reads."""

    selector: Selector
    shape: Shape
    value: Value
    """Steady: the value. Rising, leaning: the increase from sample to sample, from 0 or from HIGH. Changing, sparse:
    samples from one change, or sample, to the next. Buckets: the bound below which all observations are. None: absent.
    """
    accompanied: bool = False
    """Whether a second unit has the steady value 1."""

    def series(self) -> Iterator[tuple[Series, Value]]:
        """The series, each with its number."""
        labels = labels_of(self.selector)
        if self.shape == "buckets" and self.value is not None:
            for bound, rises in ((self.value / 2, 0.0), (self.value, 1.0), (float("inf"), 1.0)):
                yield (self.selector.name, _with(labels, "le", number(bound).replace("inf", "+Inf"))), rises
            return
        yield (self.selector.name, labels), self.value
        if self.accompanied:
            yield (self.selector.name, _with(labels, UNIT, "another")), 1.0


def _with(labels: Labels, name: str, value: str) -> Labels:
    return tuple(sorted((*labels, (name, value))))


def shapes(tree: promql.Expr, read: Selector) -> tuple[Shape, ...]:
    """The shapes that decide what the expression makes of a selector."""
    found: dict[Shape, None] = {}
    ranged: list[promql.Expr] = []
    for node in nodes(tree):
        if not isinstance(node, promql.Call):
            continue
        for each in node.args:
            if isinstance(each, promql.MatrixSelector) and selector(each.vector_selector) == read:
                found[BY_FUNCTION.get(node.func.name, "steady")] = None
                ranged.append(each)
    every = sum(isinstance(node, promql.VectorSelector) and selector(node) == read for node in nodes(tree))
    if every > len(ranged):
        found["steady"] = None
    if any(isinstance(node, promql.VectorSelector) and node.offset for node in nodes(tree)):
        found["leaning"] = None
    is_family = read.name.endswith(BUCKET) and not any(label == "le" for label, _, _ in read.matchers)
    return tuple("buckets" if is_family and each == "rising" else each for each in found)


def fed(phases: list[tuple[tuple[Input, ...], int]]) -> dict[Series, str]:
    """The values of all series in promtool's notation: each phase's inputs for so many samples, after a first gap."""
    written: dict[Series, list[str]] = {}
    level: dict[Series, float] = {}
    before = 0
    for inputs, samples in phases:
        now = {series: (each.shape, value) for each in inputs for series, value in each.series()}
        for series in dict.fromkeys((*written, *now)):
            values = written.setdefault(series, ["_", *["_"] * before])
            shape, value = now.get(series, ("steady", None))
            if value is None:
                gone = "stale" if any(each not in {"_", "stale"} for each in values) else "_"
                values += [gone, *["_"] * (samples - 1)]
            else:
                start = level.get(series, HIGH if shape == "leaning" else 0.0)
                values += _values(shape, value, samples, start)
                level[series] = start + value * samples if shape in {"rising", "leaning", "buckets"} else value
        before += samples
    return {series: sequence(value for value in values if value) for series, values in written.items()}


def _values(shape: Shape, value: float, samples: int, start: float) -> list[str]:
    """One text for each sample; a rising counter is one text for all."""
    match shape:
        case "rising" | "leaning" | "buckets":
            sign = "-" if value < 0 else "+"
            return [f"{number(start + value)}{sign}{number(abs(value))}x{samples - 1}", *[""] * (samples - 1)]
        case "changing":
            return [number(float(index // max(1, round(value)) % 2)) for index in range(samples)]
        case "sparse":
            return ["1" if index % max(1, round(value)) == 0 else "_" for index in range(samples)]
        case _:
            return [number(value)] * samples
