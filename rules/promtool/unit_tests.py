"""Rule groups → promtool unit tests that prove every rule, and a list of what they do not prove.

promtool ignores a group's interval, so there is one file per interval. It evaluates every rule at every tick of every
test, so rules without a common metric share a test (`rules.promtool.input_series`): 10,000 rules need a handful of
tests.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import promql_parser as promql

from rules import condition
from rules.condition import Selector
from rules.durations import format_duration
from rules.expression import looks_back, nodes, syntax
from rules.groups import AlertingRule, Group, RecordingRule
from rules.matchers import match
from rules.policy import MINUTE, Micros
from rules.prometheus_versions import OLDEST, needs
from rules.promtool.boundary_values import example, labels_of, recorded_for
from rules.promtool.cases import PromtoolCase, series_name
from rules.promtool.found_proofs import NONE_FOUND, FoundProof, FoundProofs, found_stories
from rules.promtool.input_series import WINDOWED, Story, failures, number, sequence, stories, told, untold
from rules.promtool.missing_data_cases import losses, never_seen
from rules.promtool.namesakes import firing
from rules.promtool.native_histograms import read_by
from rules.promtool.self_monitoring_cases import TICK, vigils
from rules.promtool.unit_labels import UnitLabels
from rules.promtool.unproved import Unproved, summary
from rules.promtool.vectors import Labels, Sample, Unprovable, Vector
from rules.self_monitoring import THE_ONLY, Tocsin
from rules.yaml_text import text

HEAD = """\
Compiled by Tocsin: proves rules.yml, with `promtool test rules {name}`.
Each alert fires after just enough consecutive failures at the boundary of its condition, not one earlier, and
resolves; each twin fires when its signal is absent, vanished, NaN or gone for one unit, and not on a rollout.
"""

FED = 3
"""Ticks for which a recording's inputs are constant."""

VALUED_WITHOUT_INPUT = frozenset(("vector", "absent", "absent_over_time", "time"))


UNTOLD = "only Prometheus can tell what {} will say: that is not proved, the alert's labels and times are"

MOST_COMPARED = 100
"""The maximum of one metric's selectors that are compared pairwise; with more, their stories are sequential."""


@dataclass(frozen=True, slots=True)
class Tests:
    """The files, and what they leave unproved (also stated in the files)."""

    files: Mapping[str, bytes]
    unproved: tuple[Unproved, ...]


def render(
    groups: Sequence[Group],
    watch: Sequence[Group] = (),
    tocsin: Tocsin = THE_ONLY,
    found: FoundProofs = NONE_FOUND,
) -> Tests:
    """The tests of ``rules.yml`` in the same folder; `watch`: the rules about `tocsin`, not from the policy; `found`:
    proofs from promtool, for what is not worked out here.
    """
    counts = Counter({group.interval: 0 for group in groups})
    for group in groups:
        counts[group.interval] += len(group.rules)
    intervals = sorted(counts, key=lambda interval: (-counts[interval], interval)) or [Micros(MINUTE)]
    if watch and TICK not in intervals:
        intervals.append(Micros(TICK))
    facts = Facts(groups, found)
    names = [group.name for group in (*groups, *watch)]
    files: dict[str, bytes] = {}
    unproved: list[Unproved] = []
    for interval in intervals:
        cases, missing = _cases(facts, interval)
        name = "rules_test.yml" if interval == intervals[0] else f"rules_test_{format_duration(interval)}.yml"
        if watch and interval == TICK:
            cases += _vigils(watch, tocsin, missing)
        rules = sum(alert.rule is not None for group in groups if group.interval == interval for alert in group.alerts)
        files[name] = _file(name, interval, names, cases, rules, missing)
        unproved += missing
    return Tests(files, tuple(unproved))


def _vigils(watch: Sequence[Group], tocsin: Tocsin, missing: list[Unproved]) -> list[PromtoolCase]:
    try:
        return vigils(watch, tocsin)
    except Unprovable as reason:
        missing.append(Unproved("alerts", "about Tocsin itself", "", str(reason)))
        return []


def _file(
    name: str,
    interval: Micros,
    groups: Sequence[str],
    cases: Sequence[PromtoolCase],
    rules: int,
    unproved: Sequence[Unproved],
) -> bytes:
    head = f"{HEAD.format(name=name)}{summary(rules, unproved)}.\n"
    if unproved:
        head += "\nNOT PROVED here:\n" + "\n".join(f"- {each}" for each in unproved)
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": format_duration(interval),
        "group_eval_order": list(groups),
        "tests": [case.document(interval) for case in cases],
    }
    return text(document, head)


class Facts:
    """Facts about all rules that every file needs."""

    def __init__(self, groups: Sequence[Group], found: FoundProofs = NONE_FOUND) -> None:
        self.groups, self.found = groups, found
        alerts = [alert for group in groups for alert in group.alerts]
        self.units = UnitLabels(alerts, (recording for group in groups for recording in group.recordings))
        self.twins = [alert for alert in alerts if alert.lost]
        self.reads: dict[str, tuple[Selector, ...]] = defaultdict(tuple)
        """Recorded name → the selectors that it reads."""
        self.free: set[str] = set()
        """Recorded names that have a value without input."""
        for recording in (recording for group in groups for recording in group.recordings):
            self.reads[recording.record] += condition.sources(recording.expr)
            calls = {node.func.name for node in nodes(syntax(recording.expr)) if isinstance(node, promql.Call)}
            if calls & VALUED_WITHOUT_INPUT:
                self.free.add(recording.record)
        rules = [alert.rule for alert in alerts if alert.rule]
        every = {read for reads in self.reads.values() for read in reads}
        every.update(source for rule in rules for source in condition.parse(rule.condition).sources)
        self.shared = _shared(every)
        self.on_3 = any(need.since != OLDEST for alert in alerts if alert.rule for need in needs(alert.expr))
        """Whether some rule needs Prometheus 3, so that its promtool runs the tests."""
        self._by_name: dict[str, list[AlertingRule]] = defaultdict(list)
        for alert in alerts:
            if alert.rule:
                self._by_name[alert.alert].append(alert)

    def namesakes(self, alert: AlertingRule) -> list[AlertingRule]:
        """The other rules' alerts of the same name."""
        return [each for each in self._by_name[alert.alert] if each is not alert]

    def needs(self, alert: AlertingRule) -> set[str]:
        """Selectors that no other story may feed in the same test."""
        rules = [each.rule for each in self._by_name[alert.alert] if each.rule]
        return {self.need(source) for rule in rules for source in condition.parse(rule.condition).sources}

    def need(self, selector: Selector) -> str:
        """A series fed for one selector may match another of the same metric; then the whole metric is reserved."""
        return selector.name if selector.name in self.shared else str(selector)

    def depth(self, name: str, above: frozenset[str] = frozenset()) -> int:
        """The number of recordings between a metric and scraped series."""
        if name in above or name not in self.reads:
            return 0
        return 1 + max((self.depth(read.name, above | {name}) for read in self.reads[name]), default=0)

    def check_feedable(self, selectors: Iterable[Selector]) -> int:
        """Check that these may be fed together; returns their depth. Raises Unprovable."""
        names = {selector.name for selector in selectors}
        if names & self.free:
            raise Unprovable(f"{', '.join(sorted(names & self.free))} is recorded even without input")
        depths = {self.depth(name) for name in names}
        if len(depths) > 1:
            raise Unprovable("it reads recorded and scraped signals together")
        return max(depths, default=0)

    def check_histograms(self, alert: AlertingRule) -> None:
        """Raises Unprovable if the rule reads native histograms, and promtool or an alert of that name may not."""
        others = self.namesakes(alert)
        if not any(read_by(syntax(each.expr)) for each in (alert, *others)):
            return
        if not self.on_3:
            raise Unprovable("only promtool 3 reads native histograms, and no rule needs Prometheus 3")
        if others:
            raise Unprovable(f"another alert is called {alert.alert}, and native histograms are read")


def _shared(selectors: Iterable[Selector]) -> set[str]:
    """The metrics of which a series fed for one selector matches another."""
    by_name: dict[str, set[Selector]] = defaultdict(set)
    for each in selectors:
        by_name[each.name].add(each)
    return {name for name, some in by_name.items() if len(some) > 1 and _meet(some)}


def _meet(selectors: set[Selector]) -> bool:
    asked = {tuple(sorted((label, op) for label, op, _ in each.matchers)) for each in selectors}
    if len(asked) == 1 and all(op == "=" for _, op in next(iter(asked))):
        return False
    if len(selectors) > MOST_COMPARED:
        return True
    try:
        fed = {each: dict(labels_of(each)) for each in selectors}
    except Unprovable:
        return True
    return any(match(one.matchers, fed[other]) for one in selectors for other in selectors if one != other)


def _cases(facts: Facts, interval: Micros) -> tuple[list[PromtoolCase], list[Unproved]]:
    groups = [group for group in facts.groups if group.interval == interval]
    missing: list[Unproved] = []
    cases = [
        *_recordings(facts, [recording for group in groups for recording in group.recordings], missing),
        *_rules(facts, [alert for group in groups for alert in group.alerts if alert.rule], interval, missing),
        *_twins(facts, [alert for group in groups for alert in group.alerts if alert.lost], interval, missing),
    ]
    return cases, list(dict.fromkeys(missing))


@dataclass(slots=True)
class _Rounds:
    """Stories grouped into tests: each goes into the first test without a conflict."""

    first: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cases: dict[tuple[int, int], PromtoolCase] = field(default_factory=dict)
    step: Micros | None = None

    def place(self, needs: Iterable[str], depth: int, name: str) -> PromtoolCase:
        keys = [f"{depth} {need}" for need in needs]
        number_ = max((self.first[key] for key in keys), default=0)
        self.first.update(dict.fromkeys(keys, number_ + 1))
        return self.cases.setdefault((depth, number_), PromtoolCase(f"{name}, {depth}.{number_}", step=self.step))

    def in_order(self) -> list[PromtoolCase]:
        return [self.cases[key] for key in sorted(self.cases)]


def _rules(
    facts: Facts, alerts: Sequence[AlertingRule], interval: Micros, missing: list[Unproved]
) -> list[PromtoolCase]:
    rounds, found = _Rounds(), dict[Micros, _Rounds]()
    for alert in alerts:
        assert alert.rule is not None
        try:
            depth = facts.check_feedable(condition.parse(alert.rule.condition).sources)
            if (proof := facts.found.of(alert, interval)) and not facts.namesakes(alert):
                same = found.setdefault(proof.step, _Rounds(step=proof.step))
                _found(facts, alert, proof, depth, same, missing)
                continue
            facts.check_histograms(alert)
            for story, others in [(each, _others(facts, alert, each, interval)) for each in stories(alert, interval)]:
                case = rounds.place(facts.needs(alert), depth, "rules at their boundaries")
                missing += _untold(alert, _tell(story, alert, others, case))
            if looks_back(syntax(alert.expr)):
                missing.append(Unproved("rule", alert.rule.key, alert.rule.condition, WINDOWED, partly=True))
        except Unprovable as reason:
            missing.append(Unproved("rule", alert.rule.key, alert.rule.condition, str(reason)))
    return [case for each in (rounds, *(found[step] for step in sorted(found))) for case in each.in_order()]


def _found(
    facts: Facts, alert: AlertingRule, proof: FoundProof, depth: int, rounds: _Rounds, missing: list[Unproved]
) -> None:
    """Add what was found with promtool. Raises Unprovable."""
    assert alert.rule is not None
    for story in found_stories(alert, proof, failures(alert.rule, proof.interval)):
        case = rounds.place(facts.needs(alert), depth, "rules at their boundaries, as promtool found them")
        missing += _untold(alert, _tell(story, alert, (), case))


def _untold(alert: AlertingRule, names: Sequence[str]) -> Iterator[Unproved]:
    """Names the annotations that are not proved."""
    assert alert.rule is not None
    if names:
        reason = UNTOLD.format(", ".join(f"`{name}`" for name in names))
        yield Unproved("rule", alert.rule.key, alert.rule.condition, reason, partly=True)


_Fired = tuple[AlertingRule, tuple[Vector, ...]]
"""An alert, and its firing elements at each tick of a story."""


def _others(facts: Facts, alert: AlertingRule, story: Story, interval: Micros) -> list[_Fired]:
    """The firing of other rules' alerts of the same name in a story. Raises Unprovable."""
    return [(each, firing(each, story, interval)) for each in facts.namesakes(alert)]


def _tell(story: Story, alert: AlertingRule, others: Sequence[_Fired], case: PromtoolCase) -> tuple[str, ...]:
    """Feed the story and add its checks; returns the annotations that only Prometheus can render."""
    for series in story.series:
        case.series[series_name(*series)] = story.written(series)
    left: dict[str, None] = {}
    for check in story.checks:
        fired = [(alert, sample) for sample in check.alerts]
        fired += [(other, sample) for other, ticks in others for sample in ticks[check.tick]]
        unknown = [name for each in fired for name in untold(*each)]
        if unknown:
            left.update(dict.fromkeys(unknown))
            _check_labels(check.tick, story.alert, [told(*each)[0] for each in fired], case)
        else:
            case.alerts.append((check.tick, story.alert, tuple(told(*each) for each in fired)))
    return tuple(left)


def _check_labels(tick: int, alert: str, fired: Sequence[Labels], case: PromtoolCase) -> None:
    """Check that exactly these fire, regardless of annotations: each by its labels, and their number."""
    named = (("alertname", alert), ("alertstate", "firing"))
    for labels in fired:
        whole = tuple(sorted((*named, *labels)))
        case.samples.append((tick, series_name("ALERTS", whole), Sample(whole, 1.0)))
    case.samples.append((tick, f"count({series_name('ALERTS', named)})", float(len(fired))))


def _twins(facts: Facts, own: Sequence[AlertingRule], interval: Micros, missing: list[Unproved]) -> list[PromtoolCase]:
    own_names = {twin.alert for twin in own}
    by_depth: dict[int, list[AlertingRule]] = defaultdict(list)
    unknown: set[str] = set()
    for twin in facts.twins:
        assert twin.lost is not None
        if twin.alert not in own_names:
            continue
        try:
            labels_of(twin.lost)
            by_depth[facts.check_feedable([twin.lost])].append(twin)
        except Unprovable as reason:
            unknown.add(twin.alert)
            missing.append(Unproved("twin", twin.alert, str(twin.lost), str(reason)))
    alike = [[twin for twin in by_depth[depth] if twin.alert not in unknown] for depth in sorted(by_depth)]
    every = [twin for twins in alike for twin in twins]
    cases = [never_seen(every, interval)] if every else []
    return cases + [case for twins in alike if twins for case in losses(twins, facts.units, interval)]


def _recordings(facts: Facts, recordings: Sequence[RecordingRule], missing: list[Unproved]) -> list[PromtoolCase]:
    rounds = _Rounds()
    for recording in recordings:
        reads = condition.sources(recording.expr)
        try:
            depth = facts.check_feedable(reads)
            answers = recorded_for(syntax(recording.expr), reads)
        except Unprovable as reason:
            missing.append(Unproved("recording", recording.record, recording.expr, str(reason)))
            continue
        case = rounds.place(map(facts.need, reads), depth, "recorded signals")
        for read in reads:
            fed = [number(value) for value, _ in answers for _ in range(FED)]
            case.series[series_name(*example(read))] = sequence(fed)
        for position, (_, result) in enumerate(answers, 1):
            tick = position * FED - 1
            if not result:
                case.samples.append((tick, series_name(recording.record, recording.labels), None))
            for each in result:
                labels = tuple(sorted((dict(each.labels) | dict(recording.labels)).items()))
                case.samples.append((tick, series_name(recording.record, labels), Sample(labels, each.value)))
    return rounds.in_order()
