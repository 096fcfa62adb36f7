"""Proofs that were found with promtool, kept in a file beside the policy: inputs, and what promtool makes of them.

The file is read by every later compile, so that the same policy and the same file give the same bytes without promtool.
A proof is kept by expression and interval: names, levels and `for` may change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import promql_parser as promql
from pydantic import TypeAdapter, ValidationError

from rules.durations import format_duration
from rules.expression import nodes, syntax
from rules.groups import AlertingRule
from rules.policy import Micros
from rules.promtool.input_series import Check, Story, looked_back
from rules.promtool.namesakes import elements_firing
from rules.promtool.vectors import Labels, Sample, Unprovable, Vector


@dataclass(frozen=True, slots=True)
class Run:
    """Inputs, and the expression's results with them."""

    series: tuple[tuple[str, Labels, str], ...]
    """(metric, labels, values in promtool's notation)."""
    ticks: int
    results: Mapping[int, tuple[tuple[Labels, float], ...]]
    """By tick: (labels, value) of each element; ticks without an element are left out."""
    good: bool = False
    """Whether it shows that nothing fires just before the boundary."""

    def at(self, tick: int) -> Vector:
        """The elements at a tick."""
        return tuple(Sample(labels, value) for labels, value in self.results.get(tick, ()))


@dataclass(frozen=True, slots=True)
class FoundProof:
    """The runs that prove one expression at one interval."""

    expr: str
    interval: Micros
    step: Micros
    """The time between two values of a series, in microseconds."""
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class FoundProofs:
    """All that were found for a policy."""

    proofs: Mapping[tuple[str, Micros], FoundProof] = field(default_factory=dict)

    def of(self, alert: AlertingRule, interval: Micros) -> FoundProof | None:
        """The proof of an alert's expression."""
        return self.proofs.get((alert.expr, interval))


NONE_FOUND = FoundProofs()

_FILE = TypeAdapter(tuple[FoundProof, ...])


def dump(found: FoundProofs) -> bytes:
    """The file's content: a line for each proof, in order."""
    lines = [
        orjson.dumps(_FILE.dump_python((each,), mode="json")[0]).decode() for _, each in sorted(found.proofs.items())
    ]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def parse(data: bytes) -> FoundProofs:
    """What `dump` wrote. Raises ValueError."""
    try:
        proofs = _FILE.validate_json(data)
    except ValidationError as error:
        raise ValueError(f"{error.error_count()} values are not as `compile --verify` writes them") from None
    return FoundProofs({(each.expr, each.interval): each for each in proofs})


def found_stories(alert: AlertingRule, proof: FoundProof, needed: int) -> list[Story]:
    """The proof as stories of that alert. Raises Unprovable if its `for` has become too long for it."""
    return [_story(alert, proof, run, needed) for run in proof.runs]


def _story(alert: AlertingRule, proof: FoundProof, run: Run, needed: int) -> Story:
    what = "good at the boundary" if run.good else f"bad, and after {needed} consecutive failures alerted, recovered"
    story = Story(f"{alert.alert}: {what}, as promtool works it out", alert.alert)
    story.series = {(name, labels): [values] for name, labels, values in run.series}
    fires = elements_firing(alert, (run.at(tick) for tick in range(run.ticks + 1)), proof.interval)
    told = [tick for tick, elements in enumerate(fires) if elements]
    if fires[-1] or bool(told) is run.good:
        every = format_duration(proof.interval)
        raise Unprovable(f"the proof that was found at {every} does not fit its `for` any more: --verify finds another")
    tree = syntax(proof.expr)
    ends = {told[-1], told[-1] + 1} if told else {run.ticks}
    if any(isinstance(node, promql.SubqueryExpr) for node in nodes(tree)):  # Prometheus 3 leaves out its first point
        ends = {run.ticks}
        if told and told[0] * proof.interval >= looked_back(tree):
            raise Unprovable("its subquery has one point more on Prometheus 2 than on 3 when it begins to hold")
    ticks = ends if run.good else {told[0] - 1, told[0], *ends}
    story.checks = [Check(tick, fires[tick]) for tick in sorted(ticks) if tick >= 0]
    return story
