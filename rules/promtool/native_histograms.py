"""Native histograms as promtool's inputs: the simplest one for which a function returns a given number.

Only Prometheus 3's promtool reads them, so they are fed where the rules need Prometheus 3 anyway. One function may read
each metric; what rates, aggregations and interpolation make of histograms is not worked out here.
"""

from collections.abc import Iterable, Mapping

import promql_parser as promql

from rules.expression import nodes, selector
from rules.promtool.vectors import Unprovable

COUNT = "histogram_count"
SHAPES: Mapping[str, str] = {
    "histogram_avg": "{{{{sum:{0} count:1 buckets:[1]}}}}",
    "histogram_sum": "{{{{sum:{0} count:1 buckets:[1]}}}}",
    COUNT: "{{{{sum:{0} count:{0} buckets:[{0}]}}}}",
}
"""A function, and the histogram of which it returns the number."""

NO_NUMBERS = frozenset(("stale", "_", "NaN"))


def read_by(tree: promql.Expr) -> dict[str, str]:
    """Metric → function, for each metric that the expression reads as native histograms. Raises Unprovable if it reads
    one in two ways.
    """
    calls = [node for node in nodes(tree) if isinstance(node, promql.Call) and node.func.name in SHAPES]
    found = {(metric(call), call.func.name) for call in calls}
    reads = [selector(node).name for node in nodes(tree) if isinstance(node, promql.VectorSelector)]
    for name, _ in found:
        if reads.count(name) > sum(metric(call) == name for call in calls) or len(dict(found)) < len(found):
            raise Unprovable(f"it reads {name} as a native histogram, and also otherwise")
    return dict(found)


def metric(call: promql.Call) -> str:
    """The metric whose own histograms a function reads. Raises Unprovable if others are made of them first."""
    (argument,) = call.args
    if not isinstance(argument, promql.VectorSelector):
        raise Unprovable(f"what {call.func.name}() returns of computed histograms is not worked out here")
    return selector(argument).name


def number(value: float, function: str) -> float:
    """What the function returns of the histogram for a number: no count is negative."""
    return max(value, 0.0) if function == COUNT else value


def written(values: Iterable[str], function: str) -> list[str]:
    """A series' numbers as histograms of which the function returns them."""
    floor = "0" if function == COUNT else ""
    return [
        value if value in NO_NUMBERS else SHAPES[function].format(floor if floor and value[0] == "-" else value)
        for value in values
    ]
