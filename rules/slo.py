"""Framework systems → rules, recordings and incident types: SLOs, safety thresholds, monitoring rules, alert names.

`rules.load` adds the result of `expand` to the policy. The framework's own evaluator is not followed: it calls a false
positive rate of 0.5 compliant and 0.0001 not. Arithmetic is Decimal, so that 1 - 0.999 stays 0.001.

Each recording has the labels `system` and `slo` although its input has them, because promtool's lint reports rules that
differ only in their expression as duplicates. The recordings of an SLO, in order: the error ratio (NaN and values
outside 0..1 give no sample, since one NaN would poison an average for the whole window, and 95 percent would count as
perfect), the consumed share of the error budget, whether the target is missed, and burn rates over shorter windows. The
guide's rules read consumption and violation by name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from rules import condition
from rules.condition import Condition, ConditionError, Selector
from rules.durations import format_duration
from rules.expression import is_metric_name
from rules.policy import CRITICAL, EMERGENCY, WARNING, IncidentType, Micros, Recording, Rule, Signal
from rules.problems import Problem
from rules.scope import INTERVAL, Addition, Scope, operand, slug
from rules.system import MonitoringRule, SafetyThreshold, Slo, System

RATIO = "mlse:sli_error:ratio"
CONSUMED = "error_budget_consumed"
VIOLATED = "slo_violation_detected"
BURN_RATE = "error_budget_burn_rate"
COMPLIANCE = "compliance_violation_detected"

ON_TARGET = "1.000001"
"""A tolerance: a gauge of exactly 0.95 on a target of 0.95 has used 1.0000000000000009 of its budget."""

TIERS: tuple[tuple[str, int, int, int], ...] = (
    ("14.4", 720, 8640, CRITICAL),
    ("6", 120, 1440, CRITICAL),
    ("3", 30, 360, WARNING),
    ("1", 10, 120, WARNING),
)
"""(factor, long window, short window as fractions of the SLO's, level): the SRE workbook's four, scaled."""

SHORTEST = 4 * INTERVAL
"""A shorter window holds too few samples."""

Direction = Literal["higher", "lower", "level"]


@dataclass(frozen=True, slots=True)
class Expansion:
    """The additions of systems to a policy, and their problems."""

    rules: tuple[Rule, ...] = ()
    recordings: tuple[Recording, ...] = ()
    signals: tuple[Signal, ...] = ()
    incident_types: tuple[IncidentType, ...] = ()
    problems: tuple[Problem, ...] = ()


def expand(systems: Sequence[System], channels: Mapping[int, tuple[str, ...]] | None = None) -> Expansion:
    """Rules, recordings, signals and incident types of the systems.

    `channels`: those of each level, for rules that name none.
    """
    found = [each for system in systems for each in _additions(Scope(system, channels or {}))]
    signals = {each.name: each for each in found if isinstance(each, Signal)}
    kinds = {each.key: each for each in reversed(found) if isinstance(each, IncidentType)}
    return Expansion(
        tuple(_told_apart(each for each in found if isinstance(each, Rule))),
        tuple(each for each in found if isinstance(each, Recording)),
        tuple(signals.values()),
        tuple(reversed(kinds.values())),
        tuple(each for each in found if isinstance(each, Problem)),
    )


def _told_apart(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Make names unique: the framework allows one name several times in one system, a policy does not."""
    taken: Counter[str] = Counter()
    for rule in rules:
        taken[rule.key] += 1
        yield rule if taken[rule.key] == 1 else replace(rule, name=f"{rule.name}_{taken[rule.key]}")


def direction(slo: Slo, thresholds: Sequence[SafetyThreshold] = ()) -> Direction | None:
    """The good direction; `level`: a target to be reached, without a budget; None: unknown."""
    if slo.name.endswith("_reduction"):
        return "level"
    if slo.direction:
        return slo.direction
    for threshold in thresholds:
        if threshold.name == slo.name and (threshold.min is None) is not (threshold.max is None):
            return "lower" if threshold.min is None else "higher"
    if slo.name.startswith(("false_", "failure_")) or slo.name.endswith("error_rate"):
        return "lower"
    return "higher" if slo.target >= Decimal("0.5") else None


def _additions(scope: Scope) -> Iterator[Addition]:
    system = scope.system
    objectives = [each for slo in system.slos for each in _objective(scope, slo)]
    yield from objectives
    if any(isinstance(each, Recording) and each.record == CONSUMED for each in objectives):
        consumed = Selector(CONSUMED, (("system", "=", slug(system.name)),))
        yield scope.recording(VIOLATED, f"1 - ({consumed} <= bool {ON_TARGET})", scope.labels, system.place)
    yield from _compliance(scope)
    for threshold in system.safety_thresholds:
        yield from _threshold(scope, threshold)
    for rule in system.monitoring_rules:
        yield from _monitoring_rule(scope, rule)
    for name in system.alerts:
        level = name.level or CRITICAL
        yield IncidentType(scope.section, name.name, level, name.description, fires=False, place=name.place)
    yield from _shared(system)


def _objective(scope: Scope, slo: Slo) -> Iterator[Addition]:
    good = direction(slo, scope.system.safety_thresholds)
    if good is None:
        yield Problem.at(
            slo.place,
            f"{slo.name}: nobody can tell whether {slo.target} is the least or the most; "
            "write `direction: higher` or `direction: lower`",
        )
        return
    metric = operand(slo.metric or slo.name)
    labels = scope.labels | {"slo": slo.name}
    window = {"window": format_duration(slo.window)}
    if good == "level":
        # A level of 0.15 must be reached; 1 - 0.15 would not be a budget.
        expr = f"1 - (avg_over_time({_ranged(metric, slo.window)}) >= bool {slo.target:f})"
        yield scope.recording(VIOLATED, expr, labels | window, slo.place)
        return
    proportion = f"{metric} >= 0 <= 1"
    yield scope.recording(RATIO, proportion if good == "lower" else f"1 - ({proportion})", labels, slo.place)
    ratio = Selector(RATIO, tuple((name, "=", value) for name, value in sorted(labels.items())))
    budget = slo.target if good == "lower" else 1 - slo.target
    if not budget:
        expr = f"max_over_time({_ranged(str(ratio), slo.window)}) > bool 0"
        yield scope.recording(VIOLATED, expr, labels | window, slo.place)
        return
    yield scope.recording(CONSUMED, _share(ratio, slo.window, budget), labels | window, slo.place)
    yield from _burn_rates(scope, slo, budget, ratio)


def _burn_rates(scope: Scope, slo: Slo, budget: Decimal, ratio: Selector) -> Iterator[Addition]:
    """The tiers of the four whose windows hold enough samples and whose factor an error ratio of 1 can reach."""
    recorded: set[Micros] = set()
    for factor, long, short, level in TIERS:
        windows = (Micros(slo.window // long), Micros(slo.window // short))
        if windows[1] < SHORTEST or Decimal(factor) * budget >= 1:
            continue
        sides = []
        for window in windows:
            spelt = format_duration(window)
            if window not in recorded:
                labels = {label: value for label, _, value in ratio.matchers} | {"window": spelt}
                yield scope.recording(BURN_RATE, _share(ratio, window, budget), labels, slo.place)
                recorded.add(window)
            sides.append(f"{Selector(BURN_RATE, (*ratio.matchers, ('window', '=', spelt)))} > {factor}")
        rule = scope.rule(
            f"{slo.name}_burn_rate_{format_duration(windows[0])}",
            " and ignoring (window) ".join(sides),
            level,
            slo.place,
            f"The error budget of {slo.name} burns {factor} times as fast as its window allows",
        )
        yield replace(rule, signal=slo.name)


def _share(ratio: Selector, window: Micros, budget: Decimal) -> str:
    return f"avg_over_time({_ranged(str(ratio), window)}) / {budget.normalize():f}"


def _ranged(metric: str, window: Micros) -> str:
    """A range of a metric; for an expression a subquery at the rules' interval."""
    step = f":{format_duration(INTERVAL)}" if metric.startswith("(") else ""
    return f"{metric}[{format_duration(window)}{step}]"


def _compliance(scope: Scope) -> Iterator[Addition]:
    """The worst of the SLOs that a standard requires; without such SLOs the signal comes from an exporter."""
    names = sorted(slo.name for slo in scope.system.slos if slo.compliance_standard)
    if names:
        matchers = (("slo", "=~", "|".join(names)), ("system", "=", slug(scope.system.name)))
        expr = f"max by (system) ({Selector(VIOLATED, matchers)})"
        yield scope.recording(COMPLIANCE, expr, scope.labels, scope.system.place)


def _shared(system: System) -> Iterator[Addition]:
    """Metrics without a label for their system, which would be read from all systems in one Prometheus."""
    metrics = {slo.name: slo.metric for slo in system.slos} | {
        limit.name: limit.metric for limit in system.safety_thresholds
    }
    bare = [name for name, metric in metrics.items() if not _names_its_system(metric or name)]
    if bare:
        yield Problem.at(
            system.place,
            f"{', '.join(bare)}: read from every system that exports the name; "
            'where there are several, write `metric: name{system="…"}`',
            "warning",
        )


def _names_its_system(metric: str) -> bool:
    return all({"system", "job"} & {label for label, _, _ in read.matchers} for read in condition.sources(metric))


TOLERATED = 3
"""Consecutive failures of a limit before its alert, unless the system is safety-critical (the guide's number)."""

RARELY_METRICS = ("_threshold", "_limit", "_timeout", "_window", "_alert")


def _threshold(scope: Scope, limit: SafetyThreshold) -> Iterator[Addition]:
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


def _monitoring_rule(scope: Scope, watched: MonitoringRule) -> Iterator[Addition]:
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
