"""Policy → Prometheus rule groups. Pure: `rules.outputs` writes them down, and proves them with promtool.

Three promises are kept here. N consecutive failures alert at the Nth, not later: ``for`` is N-1 intervals. No alert
falls silent because its metric did: every signal has a **twin** that fires when it is absent, has vanished or is NaN,
and a rule with a twin keeps firing until the twin does. What is recorded is read in the same group, after it,
because groups have no order among themselves and a rule elsewhere would read the evaluation before.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rules import condition
from rules.condition import Condition, Selector
from rules.durations import format_duration
from rules.policy import MINUTE, SECOND, IncidentType, Micros, Policy, Recording, Rule, Signal

PASSING_LABELS = ("instance", "pod", "container", "endpoint")
"""Labels that change when a healthy unit is rolled out anew: they tell no unit from another."""

SCRAPE_INTERVAL = Micros(30 * SECOND)
"""Assumed. A twin waits two scrapes and a bit, because Prometheus evaluates rules before its first scrape."""

VALUE = '{{ printf "%.4g" $value }}'

Pairs = tuple[tuple[str, str], ...]

NONE = Micros(0)


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series that Prometheus records."""

    record: str
    expr: str
    labels: Pairs = ()


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """An alert, and what it was made from."""

    alert: str
    expr: str
    labels: Pairs
    annotations: Pairs
    hold: Micros = NONE
    """`for`; 0 is none."""
    keep_firing: Micros = NONE
    """`keep_firing_for`; 0 is none."""
    rule: Rule | None = None
    """The detection rule (an incident type's stands for it); None for a twin and for Tocsin's own alerts."""
    lost: Selector | None = None
    """A twin's signal."""
    identity: tuple[str, ...] | None = None
    """A twin's labels that tell one unit from another; None: all but PASSING_LABELS."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates together, in this order."""

    name: str
    interval: Micros
    rules: tuple[RecordingRule | AlertingRule, ...]

    @property
    def alerts(self) -> tuple[AlertingRule, ...]:
        """Its alerting rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, AlertingRule))

    @property
    def recordings(self) -> tuple[RecordingRule, ...]:
        """Its recording rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, RecordingRule))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A detection rule with its condition read."""

    rule: Rule
    condition: Condition

    @property
    def signal(self) -> str:
        return self.rule.signal or self.condition.sources[0].name


_Watched = tuple[Selector, str]
"""What a twin is for: a selector, and the system whose rules read it."""


def compile(policy: Policy) -> tuple[Group, ...]:  # noqa: A001 - it is what this does
    """The policy's rule groups.

    Raises ConditionError for a condition or an expression that `rules.load` would have refused.
    """
    readings = [
        _Reading(rule, condition.parse(rule.condition))
        for rule in (*policy.rules, *(_rule_of(kind) for kind in policy.incident_types if kind.fires))
    ]
    recordings = _recordings(policy, readings)
    recorded = {recording.record for recording in recordings}
    signals = {signal.name: signal for signal in policy.signals}
    unwatched = {kind.name for kind in policy.incident_types if kind.fires}
    unwatched |= {signal.name for signal in policy.signals if not signal.missing_data}
    watched = [_watched(reading, unwatched) for reading in readings]
    twins, twins_of = _twins(policy, signals, readings, watched)
    homes: dict[tuple[str, Micros], list[RecordingRule | AlertingRule]] = defaultdict(list)
    for recording in _in_order_of_need(recordings):
        homes["recorded", recording.interval].append(
            RecordingRule(recording.record, recording.expr, tuple(sorted(recording.labels)))
        )
    for index, (reading, keys) in enumerate(zip(readings, watched, strict=True)):
        home = "recorded" if recorded.intersection(reading.condition.signals) else reading.rule.section
        silent = max((twins[key].hold for key in keys), default=None)
        alert = _alert(policy, reading, signals.get(reading.condition.sources[0].name), silent)
        homes[home, reading.rule.interval] += [alert, *twins_of[index]]
    return tuple(Group(_group_name(*home), home[1], tuple(members)) for home, members in homes.items())


def camel_case(name: str) -> str:
    """``safety_margin_violation`` → ``SafetyMarginViolation``: how alerts are called."""
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "".join(word[0].upper() + word[1:] for word in words) or name


def escaped(text: str) -> str:
    """People's text for a label or an annotation, where Prometheus would run ``{{`` as a template."""
    return text.replace("{{", "{{ `{{` }}")


def _rule_of(kind: IncidentType) -> Rule:
    """An incident type fires on the boolean signal of its name. Nobody exports one that is always there: no twin."""
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


def _recordings(policy: Policy, readings: Iterable[_Reading]) -> list[Recording]:
    """The policy's signals that have an expression, as often as the most hasty rule reads one, and the SLOs'."""
    derived = {signal.name for signal in policy.signals if signal.expr is not None}
    intervals = (reading.rule.interval for reading in readings if derived.intersection(reading.condition.signals))
    interval = min(intervals, default=Micros(MINUTE))
    signals = [
        Recording("signals", signal.name, signal.expr, interval=interval, place=signal.place)
        for signal in policy.signals
        if signal.expr is not None
    ]
    return [*signals, *policy.recordings]


def _in_order_of_need(recordings: Sequence[Recording]) -> list[Recording]:
    """As given, but what an expression reads comes before it."""
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


def _watched(reading: _Reading, unwatched: set[str]) -> tuple[_Watched, ...]:
    """What a rule is blind without."""
    if not reading.rule.missing_data:
        return ()
    system = dict(reading.rule.labels).get("system", "")
    return tuple((selector, system) for selector in reading.condition.watched if selector.name not in unwatched)


def _twins(
    policy: Policy, signals: dict[str, Signal], readings: Sequence[_Reading], watched: Sequence[tuple[_Watched, ...]]
) -> tuple[dict[_Watched, AlertingRule], dict[int, list[AlertingRule]]]:
    """One twin per signal, after the most severe rule (the first, on ties) that reads it."""
    leaders: dict[_Watched, int] = {}
    for index, keys in enumerate(watched):
        for key in keys:
            if key not in leaders or readings[index].rule.level > readings[leaders[key]].rule.level:
                leaders[key] = index
    twins: dict[_Watched, AlertingRule] = {}
    of_rule: dict[int, list[AlertingRule]] = defaultdict(list)
    for key, index in leaders.items():
        twins[key] = _twin(policy, readings[index], key[0], signals.get(key[0].name))
        of_rule[index].append(twins[key])
    return twins, of_rule


def _alert(policy: Policy, reading: _Reading, signal: Signal | None, silent: Micros | None) -> AlertingRule:
    rule, reads = reading.rule, reading.condition
    text = " ".join(rule.condition.split())
    said = rule.description if rule.description and reads.expr != reads.text else text
    return AlertingRule(
        alert=camel_case(rule.name),
        expr=reads.expr,
        labels=_labels(policy, reading, {"rule": rule.name}),
        annotations=_annotations(
            rule,
            condition=rule.condition,
            description=f"{_sentence(rule.description)}{_value(reads, signal)}",
            summary=f"{escaped(rule.name)}: {escaped(said)}",
        ),
        hold=rule.waits,
        keep_firing=NONE if silent is None else Micros(silent + rule.interval),
        rule=rule,
    )


def _twin(policy: Policy, reading: _Reading, lost: Selector, signal: Signal | None) -> AlertingRule:
    rule = reading.rule
    identity = signal.identity if signal else None
    further = {"rule": "signal_lost", "twin": "true"} | ({"selector": escaped(str(lost))} if lost.matchers else {})
    patience = max(2 * rule.interval, 2 * SCRAPE_INTERVAL + 10 * SECOND)
    return AlertingRule(
        alert=f"{camel_case(lost.name)}SignalLost",
        expr=_loss(lost, identity),
        labels=_labels(policy, reading, further),
        annotations=_annotations(
            rule,
            description=f"{escaped(str(lost))} is absent, has vanished or is NaN: whether "
            f"“{escaped(' '.join(rule.condition.split()))}” holds is UNKNOWN. Treat it as if it did.",
            summary=f"signal_lost: {escaped(lost.name)}",
        ),
        hold=Micros(-(-patience // rule.interval) * rule.interval),
        lost=lost,
        identity=identity,
    )


def _loss(lost: Selector, identity: tuple[str, ...] | None) -> str:
    """Series of the last day that have no number now, each unit by itself; or no series at all, ever."""
    unit = f"without ({', '.join(PASSING_LABELS)})" if identity is None else f"by ({', '.join(identity)})"
    return (
        f"(group {unit} (last_over_time({lost}[24h]))\n"
        f"  unless group {unit} ({lost} == {lost}))\n"
        f"or on() absent({lost})"
    )


def _labels(policy: Policy, reading: _Reading, further: dict[str, str]) -> Pairs:
    rule = reading.rule
    labels = {name: escaped(value) for name, value in rule.labels} | {
        "incident_type": escaped(rule.name),
        "section": rule.section,
        "severity": escaped(policy.level(rule.level).name),
        "severity_level": str(rule.level),
        "signal": escaped(reading.signal),
    }
    if rule.immediate:
        labels["immediate"] = "true"
    return tuple(sorted((labels | further).items()))


def _annotations(rule: Rule, **texts: str) -> Pairs:
    """Each text is escaped by whoever makes it, since some hold templates; the condition, as written, is here."""
    if "condition" in texts:
        texts["condition"] = escaped(texts["condition"])
    if rule.runbook_url:
        texts["runbook_url"] = escaped(rule.runbook_url)
    texts["source"] = escaped(rule.place.pointer if rule.place and rule.place.pointer else rule.section)
    return tuple(sorted(texts.items()))


def _sentence(text: str) -> str:
    """The text with a full stop and a space, if there is any."""
    text = escaped(text.strip())
    return text and (f"{text} " if text[-1] in ".!?" else f"{text}. ")


def _value(reads: Condition, signal: Signal | None) -> str:
    unit = f" {escaped(signal.unit)}" if signal and signal.unit and len(reads.sources) == 1 else ""
    if reads.comparison:
        return f"{escaped(reads.comparison.subject)} is {VALUE}{unit}."
    return f"The condition's value is {VALUE}{unit}."


def _group_name(home: str, interval: Micros) -> str:
    return f"tocsin:{home}" if interval == MINUTE else f"tocsin:{home}:{format_duration(interval)}"
