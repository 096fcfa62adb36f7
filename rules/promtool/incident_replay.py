"""A past incident → promtool unit tests: the signals are replayed, and the rules must alert again.

The requirement is that *an* alert about the signal, at that level or a more severe one, fires no later than in the
incident. Names and texts may change; the drill script tests recipients. Recorded values of Prometheus are fed where
available; otherwise the nearest values that fire the rule, for as long as the alert fired. The file states which.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rules import condition
from rules.compile import compile as compile_policy
from rules.condition import Condition, Selector
from rules.durations import format_duration
from rules.expression import looks_back, syntax
from rules.groups import AlertingRule, Group
from rules.policy import EMERGENCY, MINUTE, SECOND, Micros, Policy
from rules.promtool.boundary_values import labels_of, pairs
from rules.promtool.cases import PromtoolCase, series_name
from rules.promtool.evaluate import COMPARISONS
from rules.promtool.input_series import Story, failures, number, sequence
from rules.promtool.native_histograms import read_by
from rules.promtool.unit_tests import Facts
from rules.promtool.vectors import Labels, Unprovable
from rules.yaml_text import text

MOST_TICKS = 2_000
"""The maximum of replayed evaluations of an incident; a day at one per minute has 1,440."""

STALE = 5 * MINUTE
"""Prometheus's lookback: how long a sample stays current."""

QUIET = 2
"""Normal ticks before a reconstructed incident begins."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert of the policy in the incident."""

    rule: str
    """``section/name``."""
    level: int
    twin: str
    """The alert's name if it is a missing-data twin; else empty."""
    fired_at: Micros
    """On the clock of the recorded series."""
    ended_at: Micros | None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """One recorded series: (time, value)."""

    metric: str
    labels: Labels
    points: tuple[tuple[Micros, float], ...]


@dataclass(frozen=True, slots=True)
class IncidentReplay:
    """Test files by evaluation interval, the origin of each test's values, and what could not be tested."""

    files: Mapping[Micros, bytes]
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def relive(policy: Policy, title: str, firings: Sequence[Firing], courses: Sequence[RecordedSeries]) -> IncidentReplay:
    """The tests of one incident. `firings`: the first of each rule suffices."""
    groups = compile_policy(policy)
    facts = Facts(groups)
    cases: dict[Micros, list[PromtoolCase]] = defaultdict(list)
    notes: list[str] = []
    missing: list[str] = []
    for firing in firings:
        found = _compiled(groups, firing)
        if found is None:
            missing.append(f"{firing.rule}: no rule of the policy, so there is nothing that Prometheus could test")
            continue
        group, alert = found
        try:
            case, how = _case(facts, group, alert, firing, courses)
            cases[group.interval].append(case)
            notes.append(f"{alert.alert}: {how}")
        except Unprovable as reason:
            missing.append(f"{firing.rule}: {reason}")
    files = {interval: _file(title, groups, interval, some, notes, missing) for interval, some in cases.items()}
    return IncidentReplay(files, tuple(notes), tuple(missing))


def _file(
    title: str, groups: Sequence[Group], interval: Micros, cases: Sequence[PromtoolCase], notes: Sequence[str],
    missing: Sequence[str],
) -> bytes:  # fmt: skip
    lines = [
        f"{' '.join(title.split())}, once more: what alerted then must alert again, no later and no milder.",
        "Lay it beside the compiled rules (tocsin compile … --out) and run: promtool test rules FILE",
        "",
        *(f"- {each}" for each in notes),
        *(f"- NOT TESTED: {each}" for each in missing),
    ]
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": format_duration(interval),
        "group_eval_order": [group.name for group in groups],
        "tests": [case.document(interval) for case in cases],
    }
    return text(document, "\n".join(lines))


def _compiled(groups: Iterable[Group], firing: Firing) -> tuple[Group, AlertingRule] | None:
    for group in groups:
        for alert in group.alerts:
            if firing.twin and alert.lost is not None and alert.alert == firing.twin:
                return group, alert
            if not firing.twin and alert.rule is not None and alert.rule.key == firing.rule:
                return group, alert
    return None


def _case(
    facts: Facts, group: Group, alert: AlertingRule, firing: Firing, courses: Sequence[RecordedSeries]
) -> tuple[PromtoolCase, str]:
    """The test, and the origin of its values. Raises Unprovable."""
    if alert.lost is not None:
        facts.check_feedable([alert.lost])
        return _lost(group, alert, firing), "its signal is there, and vanishes"
    assert alert.rule is not None
    reads = condition.parse(alert.rule.condition)
    facts.check_feedable(reads.sources)
    kept = _kept(group, alert, firing, reads, courses)
    if kept is not None:
        return kept, "fed with the values that were kept with the incident"
    why = "the values kept are too far apart" if _of_signal(reads, courses) else "no values were kept"
    return _rebuilt(group, alert, firing, reads), f"{why}: rebuilt from when the alert began and ended"


def _told(alert: AlertingRule, firing: Firing) -> str:
    """PromQL for an alert about that signal at that level or a more severe one; Tocsin's own alerts (fail-through) do
    not count.
    """
    levels = "".join(str(level) for level in range(firing.level, EMERGENCY + 1))
    asked = (
        ("alertstate", "=", "firing"),
        ("signal", "=", dict(alert.labels)["signal"]),
        ("severity_level", "=~", f"[{levels}]"),
        ("incident_type", "!=", ""),
        ("twin", "=", "true" if alert.lost is not None else ""),
    )
    return str(Selector("ALERTS", asked))


def _check(case: PromtoolCase, tick: int, told: str, *, fires: bool) -> None:
    case.samples.append((tick, f"count({told}) > bool 0", 1.0 if fires else None))


def _lost(group: Group, alert: AlertingRule, firing: Firing) -> PromtoolCase:
    """The signal is present, vanishes, and its twin fires in time."""
    assert alert.lost is not None
    case = PromtoolCase(f"{alert.alert}, as it was")
    waits = -(-alert.hold // group.interval)
    case.series[series_name(alert.lost.name, labels_of(alert.lost))] = f"1x{QUIET} stale _x{waits}"
    _check(case, QUIET, _told(alert, firing), fires=False)
    _check(case, QUIET + 1 + waits, _told(alert, firing), fires=True)
    return case


def _rebuilt(group: Group, alert: AlertingRule, firing: Firing, reads: Condition) -> PromtoolCase:
    """Good values, values just bad for as long as the alert fired, good values."""
    assert alert.rule is not None
    tree = syntax(alert.expr)
    pair = pairs(tree, reads.sources)[0]
    needed, held = failures(alert.rule, group.interval), -(-alert.keep_firing // group.interval)
    lasted = firing.ended_at - firing.fired_at if firing.ended_at is not None else 0
    bad = needed + min(max(0, lasted // group.interval - held), MOST_TICKS)
    quiet = 0 if looks_back(tree) else QUIET  # over a window, good values would blur the bad ones
    case = PromtoolCase(f"{alert.alert}, as it was")
    story = Story(alert.alert, alert.alert)
    for values, ticks in ((pair.good, quiet), (pair.bad, bad), (pair.good, held + 2)):
        story.feed(values, ticks)
    story.histograms = read_by(tree)
    case.series = {series_name(*series): story.written(series) for series in story.series}
    if quiet:
        _check(case, quiet - 1, _told(alert, firing), fires=False)
        _check(case, quiet + bad + held + 1, _told(alert, firing), fires=False)
    _check(case, quiet + needed - 1, _told(alert, firing), fires=True)
    return case


def _of_signal(reads: Condition, courses: Iterable[RecordedSeries]) -> list[RecordedSeries]:
    comparison = reads.comparison
    if comparison is None or len(reads.sources) != 1 or comparison.subject != str(reads.sources[0]):
        return []
    return [each for each in courses if each.metric == reads.sources[0].name and each.points]


def _kept(
    group: Group, alert: AlertingRule, firing: Firing, reads: Condition, courses: Sequence[RecordedSeries]
) -> PromtoolCase | None:
    """The recorded values, if the condition holds for them; else None."""
    assert alert.rule is not None
    own = _of_signal(reads, courses)
    if not own or reads.comparison is None:
        return None
    begins = min(at for each in own for at, _ in each.points)
    alarm = -(-(firing.fired_at - begins) // group.interval) + 1
    if not 0 < alarm <= MOST_TICKS:
        return None
    case = PromtoolCase(f"{alert.alert}, as it was")
    fires = False
    for each in own:
        ticks = _sampled(each, Micros(begins), group.interval, alarm)
        case.series[series_name(each.metric, each.labels)] = sequence(ticks)
        fires = fires or _is_long_enough(ticks, reads, failures(alert.rule, group.interval))
    _check(case, alarm, _told(alert, firing), fires=True)
    return case if fires else None


def _sampled(course: RecordedSeries, begins: Micros, interval: Micros, last: int) -> list[str]:
    """Prometheus's value at each tick: the last sample until it is stale; the final sample is extended."""
    values: list[str] = []
    points = list(course.points)
    position = -1
    for tick in range(last + 1):
        at = begins + tick * interval
        while position + 1 < len(points) and points[position + 1][0] <= at:
            position += 1
        known = position >= 0 and (at - points[position][0] <= STALE or position == len(points) - 1)
        values.append(number(points[position][1]) if known else "_")
    return values


def _is_long_enough(ticks: Sequence[str], reads: Condition, needed: int) -> bool:
    """Whether the condition holds for the last ticks, as many as the rule needs."""
    assert reads.comparison is not None
    holds, limit = COMPARISONS[reads.comparison.op], reads.comparison.threshold
    last = ticks[-needed:]
    return len(last) == needed and all(each != "_" and holds(float(each), limit) for each in last)


def clock(seconds: float) -> Micros:
    """Seconds since 1970 as an instant on the firings' clock."""
    return Micros(round(seconds * SECOND))
