"""Policy → Prometheus rule groups. Pure: `rules.outputs` writes them, and proves them with promtool.

It guarantees three things. N consecutive failures alert at the Nth, not later: ``for`` is N-1 intervals. No alert goes
silent because its metric disappears: every signal has a **twin** that fires when the signal is absent, has vanished or
is NaN, and a rule with a twin keeps firing until the twin does. Recordings are read in the same group, after them,
because groups have no mutual order and a rule elsewhere would read the previous evaluation.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rules import condition
from rules.alert_names import distinct_names
from rules.alert_text import escaped, filled, value_shown
from rules.condition import Selector
from rules.durations import format_duration
from rules.groups import NONE, AlertingRule, Group, RecordingRule
from rules.impact_grades import graded
from rules.missing_data import SIGNALS, MissingDataTwins, twins
from rules.policy import MINUTE, IncidentType, Micros, Policy, Recording, Rule, Signal
from rules.stored import stamp
from rules.wording import Reading, annotations, camel_case, labels, sentence, statement, unit_of, value, where

__all__ = ["AlertingRule", "Group", "RecordingRule", "compile"]

LONGEST_SUMMARY = 80
"""A condition longer than this is not used as summary if the rule has a description."""


def compile(policy: Policy) -> tuple[Group, ...]:  # noqa: A001 - it is what this does
    """The policy's rule groups.

    Raises ConditionError for a condition or an expression that `rules.load` would have refused.
    """
    own = (*policy.rules, *(_rule_of(kind) for kind in policy.incident_types if kind.fires))
    named = [*((rule.name, rule) for rule in own), *((f"{rule.name}_{grade}", rule) for grade, rule in graded(policy))]
    readings = [Reading(rule, condition.parse(rule.condition)) for _, rule in named]
    recordings = _recordings(policy, readings)
    recorded = {recording.record for recording in recordings}
    signals = {signal.name: signal for signal in policy.signals}
    watch = MissingDataTwins(policy, recordings)
    watched = [watch.of(reading) for reading in readings]
    all_twins, twins_of = twins(policy, signals, readings[: len(own)], watched)
    homes: dict[tuple[str, Micros], list[RecordingRule | AlertingRule]] = defaultdict(list)
    for recording in _in_order_of_need(recordings):
        homes["recorded", recording.interval].append(
            RecordingRule(recording.record, recording.expr, tuple(sorted(recording.labels)))
        )
    for index, (reading, keys) in enumerate(zip(readings, watched, strict=True)):
        home = "recorded" if recorded.intersection(reading.condition.signals) else reading.rule.section
        silent = max((all_twins[key].hold for key in keys), default=None)
        alert = _alert(policy, named[index][0], reading, signals.get(reading.condition.sources[0].name), silent)
        homes[home, reading.rule.interval] += [alert, *twins_of.get(index, ())]
    mark = stamp(policy)
    named_apart = _named_apart(homes.values())
    return tuple(
        Group(_group_name(*home), home[1], members).annotated(mark)
        for home, members in zip(homes, named_apart, strict=True)
    )


_Members = tuple[RecordingRule | AlertingRule, ...]


def _named_apart(homes: Iterable[Sequence[RecordingRule | AlertingRule]]) -> Iterator[_Members]:
    """The same members with unique alert names."""
    every = [tuple(members) for members in homes]
    names = iter(distinct_names([each for members in every for each in members if isinstance(each, AlertingRule)]))
    for members in every:
        yield tuple(_named(each, next(names)) if isinstance(each, AlertingRule) else each for each in members)


def _named(alert: AlertingRule, name: str) -> AlertingRule:
    return alert if alert.alert == name else replace(alert, alert=name)


def _rule_of(kind: IncidentType) -> Rule:
    """An incident type fires on the boolean signal of its name. No twin, because such signals often exist only while
    true.
    """
    return Rule(
        section=kind.section,
        name=kind.name,
        condition=str(Selector(kind.name)),
        level=kind.level,
        channels=kind.channels,
        description=kind.description,
        missing_data=False,
        place=kind.place,
    )


def _recordings(policy: Policy, readings: Iterable[Reading]) -> list[Recording]:
    """The policy's signals with an expression, at the shortest interval of the rules that read them, and the SLOs'
    recordings.
    """
    derived = {signal.name for signal in policy.signals if signal.expr is not None}
    intervals = (reading.rule.interval for reading in readings if derived.intersection(reading.condition.signals))
    interval = min(intervals, default=Micros(MINUTE))
    signals = [
        Recording(SIGNALS, signal.name, signal.expr, interval=interval, place=signal.place)
        for signal in policy.signals
        if signal.expr is not None
    ]
    return [*signals, *policy.recordings]


def _in_order_of_need(recordings: Sequence[Recording]) -> list[Recording]:
    """In the given order, but each after the recordings that it reads."""
    by_name: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        by_name[recording.record].append(recording)
    ordered: dict[str, list[Recording]] = {}
    begun: set[str] = set()

    def add(name: str) -> None:
        if name in begun or name not in by_name:
            return
        begun.add(name)
        for recording in by_name[name]:
            for read in condition.sources(recording.expr):
                add(read.name)
        ordered[name] = by_name[name]

    for name in by_name:
        add(name)
    return [recording for same in ordered.values() for recording in same]


def _alert(policy: Policy, name: str, reading: Reading, signal: Signal | None, silent: Micros | None) -> AlertingRule:
    rule, reads = reading.rule, reading.condition
    unit = unit_of(reads, signal)
    measured = "" if value_shown() in filled(rule.description) else value(reads, unit)
    made = annotations(
        rule,
        condition=rule.condition,
        description=f"{sentence(reading)}{measured}".strip(),
        summary=_summary(reading, signal, unit),
        value=value_shown(reads.limit, digits=10),
        **({"unit": escaped(unit)} if unit else {}),
        **_impact(policy, reads),
    )
    return AlertingRule(
        alert=rule.alert or camel_case(name),
        expr=reads.expr,
        labels=labels(policy, reading, {"rule": escaped(rule.name)}),
        annotations=tuple(sorted({**dict(made), **dict(rule.annotations)}.items())),
        hold=rule.waits,
        keep_firing=Micros(max(rule.keep_firing or NONE, NONE if silent is None else silent + rule.interval)),
        rule=rule,
    )


def _summary(reading: Reading, signal: Signal | None, unit: str) -> str:
    """A sentence: the rule's `summary`; else its description if the condition is long or bare; else what holds."""
    rule, reads = reading.rule, reading.condition
    if rule.summary:
        return filled(rule.summary, dict(rule.labels), reads.limit)
    is_long = len(reading.text) > LONGEST_SUMMARY
    if rule.description and (is_long or reads.expr != reads.text):
        return filled(rule.description, dict(rule.labels), reads.limit)
    condition_named = f"The condition of {escaped(rule.name)}" if is_long else f"“{reading.text}”"
    return statement(reading, signal, unit) or f"{condition_named} holds{where(rule, signal)}"


def _impact(policy: Policy, reads: condition.Condition) -> dict[str, str]:
    """The value of a signal that an impact scale is named after, so that the receiver can grade it."""
    subject = reads.comparison.subject if reads.comparison else ""
    scales = {scale.name for scale in policy.impact_scales if scale.ranges}
    return {subject: value_shown()} if subject in scales and subject.isidentifier() else {}


def _group_name(home: str, interval: Micros) -> str:
    return f"tocsin:{home}" if interval == MINUTE else f"tocsin:{home}:{format_duration(interval)}"
