"""Lints about Prometheus: what needs a flag or differs on Prometheus 3, and ranges, `for`, `keep_firing_for` and group
intervals, held against how often samples come.

Syntax that the version does not support is refused where it is written (`rules.document`); that of rules made from
framework systems is refused here. Where it is not known how often metrics are scraped, ranges are held against the
rule's own interval, and the rest is not looked at.
"""

from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from rules import condition
from rules.document import PolicyDocument
from rules.durations import format_duration
from rules.expression import ConditionError, Selector, nodes, selector, syntax
from rules.lint_catalog import doubt
from rules.policy import MINUTE, Micros, Place, Policy, Rule
from rules.problems import Problem
from rules.prometheus_versions import FLAG, OLDEST, needs, require_known
from rules.scraping import Scraping

COUNTED = frozenset(("count_over_time", "sum_over_time"))
"""Functions whose value changes with one more sample in the range."""

NORMALISED = frozenset(("le", "quantile"))
"""Labels whose whole numbers Prometheus 3 writes with a decimal point when it scrapes."""


def find_version(policy: Policy, document: PolicyDocument) -> Iterator[Problem]:
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


NEED_TWO = frozenset(
    ("rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "predict_linear", "holt_winters")
)
"""Functions that return no value (or always 0) over a range with a single sample."""

LOOK_BACK = Micros(5 * MINUTE)
"""How long Prometheus takes a sample for the current value, by default."""


def find_sampling(policy: Policy, scraping: Scraping | None) -> Iterator[Problem]:
    """All such doubts."""
    derived = {signal.name: signal.expr for signal in policy.signals if signal.expr}
    recorded = {*derived, *(each.record for each in policy.recordings)}
    for rule in policy.rules:
        read = condition.parse(rule.condition).signals
        for text in (rule.condition, *(derived[name] for name in read if name in derived)):
            yield from _short_ranges(rule, text, scraping, recorded)
        if scraping:
            yield from _between_samples(rule, scraping, recorded)


def _short_ranges(rule: Rule, text: str, scraping: Scraping | None, recorded: set[str]) -> Iterator[Problem]:
    for function, micros, every, is_subquery in _ranges(text, rule.interval, scraping, recorded):
        needed = 2 * every if function in NEED_TWO else every
        said = f"{function}(…[{format_duration(micros)}])"
        if micros < needed:
            looked = "is looked at" if every == rule.interval else "has samples"
            message = (
                f'"{rule.name}" {looked} every {format_duration(every)}; {said} will mostly have no value: use at '
                f"least {format_duration(Micros(2 * every))}"
            )
            yield doubt("cannot-fire", rule.place, message)
        elif scraping and micros < rule.interval and not is_subquery:
            message = (
                f'"{rule.name}" is looked at every {format_duration(rule.interval)}, and {said} sees the last '
                f"{format_duration(micros)} of it: what happens before is not noticed"
            )
            yield doubt("unseen-time", rule.place, message)


def _between_samples(rule: Rule, scraping: Scraping, recorded: set[str]) -> Iterator[Problem]:
    """Waits that are shorter than the time to the next sample, for conditions that read current values."""
    reads = [each for each in _current(rule.condition) if each.name not in recorded]
    every = min(map(scraping.of, reads), default=Micros(0))
    shown = format_duration(every)
    if every >= LOOK_BACK:
        message = (
            f'"{rule.name}" reads a value that is scraped every {shown}, and Prometheus forgets it after '
            f"{format_duration(LOOK_BACK)}: write last_over_time(…[{format_duration(Micros(2 * every))}])"
        )
        yield doubt("vanishes-between-scrapes", rule.place, message)
    elif 0 < rule.waits < every:
        message = (
            f'"{rule.name}" waits {format_duration(rule.waits)}, and a sample comes every {shown}: one bad sample '
            f"alerts. Wait at least {shown}, or do not wait"
        )
        yield doubt("one-bad-sample", rule.place, message)
    if rule.keep_firing and rule.keep_firing < every:
        message = (
            f'"{rule.name}" keeps firing for {format_duration(rule.keep_firing)}, and a sample comes every '
            f"{shown}: one good sample ends it all the same"
        )
        yield doubt("keeps-too-short", rule.place, message)


def _current(text: str) -> Iterator[Selector]:
    """The selectors whose current value an expression reads; none, if it looks into ranges as well."""
    tree = syntax(text)
    every = nodes(tree)
    if not any(isinstance(node, promql.MatrixSelector | promql.SubqueryExpr) for node in every):
        yield from (selector(node) for node in every if isinstance(node, promql.VectorSelector))


def _ranges(
    text: str, interval: Micros, scraping: Scraping | None, recorded: set[str]
) -> Iterator[tuple[str, Micros, Micros, bool]]:
    """(function, its range, the interval of its samples, whether they are a subquery's) of every range."""
    micro = timedelta(microseconds=1)
    calls = (node for node in nodes(syntax(text)) if isinstance(node, promql.Call))
    for name, argument in ((call.func.name, argument) for call in calls for argument in call.args):
        if isinstance(argument, promql.MatrixSelector):
            read = selector(argument.vector_selector)
            every = interval if scraping is None or read.name in recorded else scraping.of(read)
            yield name, Micros(argument.range // micro), every, False
        elif isinstance(argument, promql.SubqueryExpr) and argument.range:
            step = Micros(argument.step // micro) if argument.step else interval
            yield name, Micros(argument.range // micro), step, True
