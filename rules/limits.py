"""Safety thresholds and monitoring rules of a framework system → detection rules. `rules.slo` calls it."""

from collections.abc import Iterator
from dataclasses import replace

from rules import condition
from rules.condition import Condition, ConditionError
from rules.durations import format_duration
from rules.expression import is_metric_name
from rules.policy import CRITICAL, EMERGENCY, Micros, Rule, Signal
from rules.problems import Problem
from rules.scope import INTERVAL, Addition, Scope, operand
from rules.system import MonitoringRule, SafetyThreshold

TOLERATED = 3
"""Consecutive failures of a limit before its alert, unless the system is safety-critical (the guide's number)."""

RARELY_METRICS = ("_threshold", "_limit", "_timeout", "_window", "_alert")


def threshold(scope: Scope, limit: SafetyThreshold) -> Iterator[Addition]:
    """One rule for each end of a safety threshold; a value equal to the limit passes."""
    named = limit.metric or limit.name
    if not limit.metric and limit.name.endswith(RARELY_METRICS):
        yield Problem.at(limit.place, f"is {limit.name} a metric? If not, say which is: `metric: …`", "warning")
    if named.endswith("_seconds") and not limit.name.endswith("_seconds") and not limit.unit:
        yield Problem.at(limit.place, f"{named} is in seconds: is the limit, too? Write `unit: s`")
    metric = operand(named)
    if limit.unit and is_metric_name(named):
        yield Signal(named, unit=limit.unit, help=limit.description)
    for number, op, end in ((limit.min, "<", "below_minimum"), (limit.max, ">", "above_maximum")):
        if number is not None:
            text = f"{metric} {op} {number:f}"
            yield _limited(scope, scope.rule(f"{limit.name}_{end}", text, EMERGENCY, limit.place, limit.description))


def _limited(scope: Scope, rule: Rule) -> Rule:
    """A safety-critical system's limit tolerates no failure."""
    if scope.system.criticality == "safety_critical":
        return replace(rule, immediate=True)
    return replace(rule, threshold=TOLERATED)


def monitoring_rule(scope: Scope, watched: MonitoringRule) -> Iterator[Addition]:
    """A rule with a condition: averaged over its window, held for its duration, or inverted if it must hold."""
    text, hold = watched.condition, watched.hold
    try:
        reads = condition.parse(text)
    except ConditionError as error:
        yield Problem.at(replace(watched.place, column=watched.place.column + error.offset), str(error))
        return
    if watched.must_hold:
        if reads.comparison is None:
            yield Problem.at(watched.place, f"{text}: what must hold can only be turned round if it compares one thing")
            return
        text = f"{reads.comparison.subject} unless {text}"
    elif watched.window and watched.window >= 2 * INTERVAL:
        averaged = _averaged(reads, watched.window)
        text, hold = (averaged, hold) if averaged else (text, hold or watched.window)
    rule = scope.rule(watched.name, text, watched.level or CRITICAL, watched.place, watched.description)
    yield replace(rule, hold=hold, channels=watched.channels or rule.channels)


def _averaged(reads: Condition, window: Micros) -> str | None:
    """The condition over a window's average; None if an average is not meaningful, as for a percentile."""
    if reads.comparison is None or len(reads.sources) != 1 or reads.comparison.subject != str(reads.sources[0]):
        return None
    digits = reads.sources[0].name.rpartition("_p")[2]
    if digits.isdigit() and reads.sources[0].name.endswith(f"_p{digits}"):
        return None
    compared = f"{reads.comparison.op} {reads.comparison.threshold!r}"
    return f"avg_over_time({reads.comparison.subject}[{format_duration(window)}]) {compared}"
