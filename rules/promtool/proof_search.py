"""The search for proofs with promtool as the oracle, where `rules.promtool.evaluate` gives up (rates, the time of day).

`search` is a generator: it yields batches of questions about all alerts together, gets promtool's answers and returns
what it found. Four batches: many values of every input, twice values between the two nearest, and the whole course of
the pair that was found. Samples lie off the evaluation grid, so that Prometheus 2 and 3 see the same ones.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import promql_parser as promql

from rules import condition
from rules.durations import UNITS
from rules.expression import nodes, syntax
from rules.groups import AlertingRule
from rules.policy import Micros
from rules.promtool.boundary_values import Value, asks_absence, constants
from rules.promtool.found_proofs import FoundProof, FoundProofs, Run, found_stories
from rules.promtool.input_series import LONGEST_WAIT, failures, looked_back
from rules.promtool.input_shapes import Input, Shape, fed, shapes
from rules.promtool.promtool_questions import Answers, PromtoolQuestion
from rules.promtool.vectors import Unprovable, Vector

SAMPLES = 4
"""Samples of a series from one evaluation to the next."""

NARROWED, BETWEEN = 2, 30
"""How often, and at how many values, the distance of the two nearest is divided."""

OTHERS: tuple[float, ...] = (1.0, 0.0, 1000.0)
"""What the other inputs are while one is varied."""

MAGNITUDES = tuple(sign * 10.0**power for sign in (-1, 1) for power in range(-4, 7))

COUNTED = tuple(float(each) for each in (1, 2, 3, 4, 6, 8, 12, 16, 24, 40, 1000))
"""Samples between two changes, or two samples."""

MOST_SELECTORS = 5

MOST_TURNS = 9
"""So many turns of a selector are followed through: near its boundary a moving value may cross it by itself."""

Search = Generator[list[PromtoolQuestion], Answers, FoundProofs]


@dataclass(slots=True)
class _Subject:
    """One expression that is to be proved."""

    alert: AlertingRule
    interval: Micros
    tree: promql.Expr
    settled: int
    """The tick at which steady inputs have filled all windows."""
    bad: int
    """The last tick of the bad phase; then the good one begins."""
    ends: int
    """The last tick."""
    nearest: dict[int, list["_Turn"]] = field(default_factory=dict)
    """By the selector that is varied: inputs, a bad and a good one, the nearest last."""

    @property
    def step(self) -> Micros:
        """A millisecond less than a part of the interval: no sample lies where a range begins."""
        return Micros(self.interval // SAMPLES - UNITS["ms"])

    def samples(self, ticks: int) -> int:
        """So many after the first gap."""
        return ticks * self.interval // self.step

    def ask(self, inputs: Sequence[Input], ticks: Sequence[int]) -> PromtoolQuestion:
        """What it is at these ticks, with the same inputs from the start."""
        return self.asked([(tuple(inputs), self.samples(ticks[-1]))], ticks)

    def asked(self, phases: list[tuple[tuple[Input, ...], int]], ticks: Sequence[int]) -> PromtoolQuestion:
        """The same for inputs in phases."""
        return PromtoolQuestion(self.alert.expr, self.interval, self.step, fed(phases), ticks)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Inputs that differ in one number, of which one is bad and one is good."""

    bad: tuple[Input, ...]
    good: tuple[Input, ...]
    distance: float


Row = list[tuple[Input, ...]]
"""Inputs that differ in the number of one selector, in its order."""


def search(alerts: Sequence[tuple[AlertingRule, Micros]]) -> Search:
    """Proofs of these alerts, each with its interval; of those for which none is found there is none."""
    subjects = list(_subjects(alerts))
    rows = [(each, index, row) for each in subjects for index, row in _rows(each)]
    yield from _narrowed(rows)
    for _ in range(NARROWED):
        yield from _narrowed(
            [(each, index, _between(each, index)) for each in subjects for index in each.nearest if each.nearest[index]]
        )
    return (yield from _courses(subjects))


def _subjects(alerts: Sequence[tuple[AlertingRule, Micros]]) -> Iterator[_Subject]:
    for alert, interval in {(alert.expr, interval): (alert, interval) for alert, interval in alerts}.values():
        assert alert.rule is not None
        tree = syntax(alert.expr)
        window = -(-looked_back(tree) // interval)
        bad = window + failures(alert.rule, interval) + 2
        ends = bad + window + -(-alert.keep_firing // interval) + 3
        read = condition.parse(alert.rule.condition).sources
        if ends <= LONGEST_WAIT and len(read) <= MOST_SELECTORS and interval // SAMPLES > UNITS["ms"]:
            yield _Subject(alert, interval, tree, window + 2, bad, ends)


def _rows(subject: _Subject) -> Iterator[tuple[int, Row]]:
    """(varied selector, row) of everything that is tried first."""
    assert subject.alert.rule is not None
    read = condition.parse(subject.alert.rule.condition).sources
    usual = [shapes(subject.tree, each) or ("steady",) for each in read]
    aggregates = any(isinstance(node, promql.AggregateExpr) for node in nodes(subject.tree))
    for index, selector in enumerate(read):
        for shape in usual[index]:
            values = _values(subject.tree, shape)
            for other in OTHERS if len(read) > 1 else OTHERS[:1]:
                others = [Input(each, usual[position][0], other) for position, each in enumerate(read)]
                yield index, [_varied(others, index, Input(selector, shape, value)) for value in values]
            if aggregates and shape == "steady":
                others = [Input(each, usual[position][0], 1.0) for position, each in enumerate(read)]
                varied = (Input(selector, shape, value, accompanied=True) for value in values)
                yield index, [_varied(others, index, each) for each in varied]


def _varied(inputs: Sequence[Input], index: int, by: Input) -> tuple[Input, ...]:
    return (*inputs[:index], by, *inputs[index + 1 :])


def _values(tree: promql.Expr, shape: Shape) -> tuple[Value, ...]:
    if shape in {"changing", "sparse"}:
        return COUNTED
    near = {float(Decimal(repr(each)) * factor) for each in constants(tree) for factor in (-2, -1, 1, 2)}
    tried: tuple[Value, ...] = tuple(sorted({0.0, 1.0, *MAGNITUDES, *near}))
    if shape == "buckets":
        return tuple(each for each in tried if each is not None and each > 0)
    return (*tried, None) if any(map(asks_absence, nodes(tree))) else tried


def _narrowed(rows: Sequence[tuple[_Subject, int, Row]]) -> Generator[list[PromtoolQuestion], Answers, None]:
    """Ask for all rows, and keep the nearest turn of each subject's selectors."""
    questions = [subject.ask(inputs, [subject.settled]) for subject, _, row in rows for inputs in row]
    told = yield questions
    number = 0
    for subject, index, row in rows:
        results = [told.get((number + place, subject.settled), ()) for place in range(len(row))]
        number += len(row)
        known = [(inputs, bool(result)) for inputs, result in zip(row, results, strict=True) if _is_usable(result)]
        for apart in (5, 3, 1):
            turns = sorted(_turns(known, index, apart), key=lambda turn: turn.distance)
            subject.nearest.setdefault(index, []).extend(turns[:1])
    for subject in {id(each): each for each, _, _ in rows}.values():
        for index, turns in subject.nearest.items():
            subject.nearest[index] = sorted(dict.fromkeys(turns), key=lambda turn: -turn.distance)[-MOST_TURNS:]


def _turns(row: Sequence[tuple[tuple[Input, ...], bool]], index: int, apart: int) -> Iterator[_Turn]:
    """Inputs so far apart in a row of which one is bad and one is good."""
    for (one, is_bad), (other, is_worse) in zip(row, row[apart:], strict=False):
        if is_bad is not is_worse:
            bad, good = (one, other) if is_bad else (other, one)
            yield _Turn(bad, good, _distance(one[index], other[index]))


def _is_usable(result: Vector | None) -> bool:
    return result is not None and all(math.isfinite(each.value) for each in result)


def _distance(one: Input, other: Input) -> float:
    return math.inf if one.value is None or other.value is None else abs(one.value - other.value)


def _between(subject: _Subject, index: int) -> Row:
    """Inputs between the nearest two, with these."""
    turn = subject.nearest[index][-1]
    low, high = sorted((turn.bad, turn.good), key=lambda each: each[index].value or 0.0)
    one, other = low[index].value, high[index].value
    if one is None or other is None or low[index].shape in {"changing", "sparse"}:
        return [turn.bad, turn.good]
    values = [one, *(float(f"{one + (other - one) * part / BETWEEN:.6g}") for part in range(1, BETWEEN)), other]
    return [_varied(low, index, replace(low[index], value=value)) for value in dict.fromkeys(values)]


def _courses(subjects: Sequence[_Subject]) -> Search:
    """Ask for the whole course of every turn: bad, then good; and good from the start."""
    asked = [
        (subject, index, turn) for subject in subjects for index, some in subject.nearest.items() for turn in some[::-1]
    ]
    questions = [question for subject, _, turn in asked for question in _course(subject, turn)]
    told = yield questions
    runs: dict[tuple[int, int], tuple[Run, ...]] = {}
    for number, (subject, index, _) in enumerate(asked):
        pair = _runs(questions[2 * number : 2 * number + 2], told, 2 * number)
        if (id(subject), index) not in runs and pair and _fits(subject, pair):
            runs[id(subject), index] = pair
    every = [
        (each, tuple(run for index in each.nearest for run in runs.get((id(each), index), ()))) for each in subjects
    ]
    proofs = (FoundProof(each.alert.expr, each.interval, each.step, some) for each, some in every if some)
    return FoundProofs({(each.expr, each.interval): each for each in proofs})


def _course(subject: _Subject, turn: _Turn) -> tuple[PromtoolQuestion, PromtoolQuestion]:
    """The questions of bad, then good inputs, and of good ones from the start, at every tick."""
    first, every = subject.samples(subject.bad), range(subject.ends + 1)
    rest = subject.samples(subject.ends) - first
    return subject.asked([(turn.bad, first), (turn.good, rest)], every), subject.ask(turn.good, every)


def _runs(questions: Sequence[PromtoolQuestion], told: Answers, number: int) -> tuple[Run, ...]:
    """The runs of a course whose first question has that number; empty: promtool refused."""
    results = [[told.get((number + part, tick), ()) for tick in each.ticks] for part, each in enumerate(questions)]
    if not all(_is_usable(each) for some in results for each in some):
        return ()
    return tuple(_run(each, results[part], good=part == 1) for part, each in enumerate(questions))


def _fits(subject: _Subject, runs: tuple[Run, ...]) -> bool:
    """Whether the alert fires in the bad run, and has stopped at its end, and is silent in the good one."""
    assert subject.alert.rule is not None
    try:
        proof = FoundProof(subject.alert.expr, subject.interval, subject.step, runs)
        return bool(found_stories(subject.alert, proof, failures(subject.alert.rule, subject.interval)))
    except Unprovable:
        return False


def _run(question: PromtoolQuestion, results: Sequence[Vector | None], *, good: bool) -> Run:
    series = tuple((name, labels, values) for (name, labels), values in question.series.items())
    held = {
        tick: tuple((each.labels, each.value) for each in sorted(result, key=lambda each: each.labels))
        for tick, result in zip(question.ticks, results, strict=True)
        if result
    }
    return Run(series, question.ticks[-1], held, good)
