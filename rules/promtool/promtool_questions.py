"""promtool as an oracle: a batch of questions as one test file, and the values that promtool says it got.

Each question is an expression over input series at some ticks. The file expects no samples, so promtool reports every
result as a failure. Pure; `receiver.cli.verification` runs promtool.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules import durations
from rules.durations import format_duration
from rules.policy import Micros
from rules.promtool.cases import series_name
from rules.promtool.vectors import Sample, Series, Vector, sorted_labels
from rules.yaml_text import text


@dataclass(frozen=True, slots=True)
class PromtoolQuestion:
    """What is the value of `expr` at these ticks, if the series have these values (promtool's notation)?"""

    expr: str
    interval: Micros
    """The time between two ticks."""
    step: Micros
    """The time between two values of a series."""
    series: Mapping[Series, str]
    ticks: Sequence[int]


Answers = Mapping[tuple[int, int], Vector | None]
"""By the question's number and the tick: the elements, or None if promtool refused. No entry: no element."""


def as_test_file(questions: Sequence[PromtoolQuestion]) -> bytes:
    """The questions as promtool's test file, their numbers as comments in the expressions, which promtool repeats."""
    tests = [_test(number, question) for number, question in enumerate(questions)]
    return text({"rule_files": [], "evaluation_interval": "1m", "tests": tests})


def _test(number: int, question: PromtoolQuestion) -> dict[str, Any]:
    return {
        "interval": format_duration(question.step),
        "input_series": [
            {"series": series_name(*series), "values": values} for series, values in question.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"{question.expr}\n# {number}",
                "eval_time": format_duration(Micros(tick * question.interval)),
                "exp_samples": [],
            }
            for tick in question.ticks
        ],
    }


def answers(questions: Sequence[PromtoolQuestion], printed: str) -> Answers:
    """The results in promtool's output."""
    found: dict[tuple[int, int], Vector | None] = {}
    for told in _TOLD.finditer(printed):
        number = int(told["number"])
        tick = durations.parse(told["time"]) // questions[number].interval
        found[number, tick] = tuple(_samples(told["got"])) if told["got"] else None
    return found


_TOLD = re.compile(
    r'# (?P<number>\d+)", time: (?P<time>[0-9a-z]+), *(?:\n *exp: *"?nil"?\n *got: *(?P<got>[^\n]+)|err: )'
)
_SAMPLE = re.compile(r'(?P<series>[^{\s,"]*\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) (?P<value>[-+0-9.eEInfNa]+)')
_LABEL = re.compile(r'(?P<name>\w+|"(?:[^"\\]|\\.)*")="(?P<value>(?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


def _samples(got: str) -> Iterator[Sample]:
    for sample in _SAMPLE.finditer(got):
        within = sample["series"].partition("{")[2]
        labels = {_plain(each["name"].strip('"')): _plain(each["value"]) for each in _LABEL.finditer(within)}
        yield Sample(
            sorted_labels({name: value for name, value in labels.items() if name != "__name__"}), float(sample["value"])
        )


def _plain(quoted: str) -> str:
    return _ESCAPE.sub(lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), quoted)
