"""Missing-data twins: no alert may go silent because its metric disappears.

A condition is false when its metric is absent, has vanished or is NaN, and an average over a day stays normal for a
day. So every signal has one twin, placed after the most severe rule that reads it. If a recording reads a window, the
twin watches the recording's inputs.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rules import condition
from rules.alert_names import LOST
from rules.alert_text import escaped
from rules.condition import Selector
from rules.expression import label_name, looks_back, syntax
from rules.groups import AlertingRule
from rules.matchers import matches
from rules.policy import SECOND, Micros, Policy, Recording, Signal
from rules.reserved import PASSING_LABELS, TWIN
from rules.wording import Reading, annotations, camel_case, labels, where

SCRAPE_INTERVAL = Micros(30 * SECOND)
"""An assumption. A twin waits over two scrapes, because Prometheus evaluates rules before its first scrape."""

LONGEST_CONDITION = 40
"""The maximum length of a condition in a title, in characters."""

SEEN, NEVER = "seen", "never"
"""The label of a twin whose signal has no series in the last day: not yet wired, rather than lost."""

SIGNALS = "signals"
"""The section of the policy's recorded signals."""

Watched = tuple[Selector, str]
"""A twin's subject: a selector, and the system whose rules read it (empty if the selector has it)."""


class MissingDataTwins:
    """The signals that each rule depends on, traced through recordings."""

    def __init__(self, policy: Policy, recordings: Iterable[Recording]) -> None:
        """Booleans of incident types and signals with `missing_data: false` have no twin."""
        self.unwatched = {kind.name for kind in policy.incident_types if kind.fires}
        self.unwatched |= {signal.name for signal in policy.signals if not signal.missing_data}
        self.recorded: dict[str, list[Recording]] = defaultdict(list)
        for recording in recordings:
            self.recorded[recording.record].append(recording)

    def of(self, reading: Reading) -> tuple[Watched, ...]:
        """The signals of a rule."""
        if not reading.rule.missing_data:
            return ()
        system = dict(reading.rule.labels).get("system", "")
        roots = (root for selector in reading.condition.watched for root in self._roots(selector, frozenset()))
        return tuple(
            (root, "" if any(label == "system" for label, _, _ in root.matchers) else system)
            for root in dict.fromkeys(roots)
            if root.name not in self.unwatched
        )

    def _roots(self, selector: Selector, above: frozenset[str]) -> tuple[Selector, ...]:
        """The selector itself; for a recording over a window, that recording's inputs."""
        recordings = [each for each in self.recorded.get(selector.name, ()) if _may_match(selector, each)]
        below = above | {selector.name}
        deeper = [
            root
            for each in recordings
            for read in condition.sources(each.expr)
            if read.name not in below
            for root in self._roots(read, below)
        ]
        read_directly = {read for each in recordings for read in condition.sources(each.expr)}
        late = any(looks_back(syntax(each.expr)) for each in recordings) or set(deeper) - read_directly
        if not (deeper and late):
            return (selector,)
        # A policy's own signal can be NaN with valid inputs (0/0); an SLO's recordings cannot.
        return (selector, *deeper) if any(each.section == SIGNALS for each in recordings) else tuple(deeper)


def _may_match(selector: Selector, recording: Recording) -> bool:
    """Whether the recording's known labels are compatible with the selector."""
    known = {
        label: value
        for read in condition.sources(recording.expr)
        for label, operator, value in read.matchers
        if operator == "="
    } | dict(recording.labels)
    return all(matches(asked, known[asked[0]]) for asked in selector.matchers if asked[0] in known)


def twins(
    policy: Policy, signals: Mapping[str, Signal], readings: Sequence[Reading], watched: Sequence[tuple[Watched, ...]]
) -> tuple[dict[Watched, AlertingRule], dict[int, list[AlertingRule]]]:
    """One twin per signal, and the twins after each rule (by its index): the most severe one, on ties the first.

    Signals of rules beyond `readings` have their twins from these.
    """
    leaders: dict[Watched, int] = {}
    for index, keys in enumerate(watched[: len(readings)]):
        for key in keys:
            if key not in leaders or readings[index].rule.level > readings[leaders[key]].rule.level:
                leaders[key] = index
    made: dict[Watched, AlertingRule] = {}
    of_rule: dict[int, list[AlertingRule]] = defaultdict(list)
    for key, index in leaders.items():
        made[key] = _twin(policy, readings[index], key[0], signals.get(key[0].name))
        of_rule[index].append(made[key])
    return made, of_rule


def _twin(policy: Policy, reading: Reading, lost: Selector, signal: Signal | None) -> AlertingRule:
    rule = reading.rule
    identity = signal.identity if signal else None
    further = {"rule": TWIN, "twin": "true"}
    if lost.matchers:
        further["selector"] = escaped(str(lost))
    slo = next((value for label, operator, value in lost.matchers if (label, operator) == ("slo", "=")), "")
    if slo and lost not in reading.condition.watched:
        # Traced through recordings: an SLO's error ratio belongs to the SLO, not to the signal that sums all SLOs.
        further["signal"] = escaped(slo)
    asked = f"“{reading.text}”" if len(reading.text) <= LONGEST_CONDITION else "its rule's condition"
    unknown = f"whether {asked} holds is UNKNOWN. Treat it as if it did."
    patience = max(2 * rule.interval, 2 * SCRAPE_INTERVAL + 10 * SECOND)
    return AlertingRule(
        alert=f"{camel_case(slo if 'signal' in further else lost.name)}{LOST}",
        expr=_loss(lost, identity),
        labels=labels(policy, reading, further),
        annotations=annotations(
            rule,
            description=f"{escaped(str(lost))} is absent, has vanished or is NaN: whether “{reading.text}” holds is "
            "UNKNOWN. Treat it as if it did.",
            summary=f"{further.get('signal', escaped(lost.name))} is not measured{where(rule, signal)}: {unknown}",
        ),
        hold=Micros(-(-patience // rule.interval) * rule.interval),
        lost=lost,
        identity=identity,
    )


def _loss(lost: Selector, identity: tuple[str, ...] | None) -> str:
    """Series of the last day that have no number now, per unit; or, marked, the absence of series in the last day."""
    unit = (
        f"without ({', '.join(PASSING_LABELS)})" if identity is None else f"by ({', '.join(map(label_name, identity))})"
    )
    return (
        f"(group {unit} (last_over_time({lost}[24h]))\n"
        f"  unless group {unit} ({lost} == {lost}))\n"
        f'or on() label_replace(absent({lost}), "{SEEN}", "{NEVER}", "", "")'
    )
