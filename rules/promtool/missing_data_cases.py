"""Tests of missing-data twins for all kinds of signal loss, for `rules.promtool.unit_tests`."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rules.groups import AlertingRule
from rules.matchers import matches
from rules.missing_data import NEVER, SEEN
from rules.policy import Micros
from rules.promtool.boundary_values import labels_of
from rules.promtool.cases import ExpectedAlert, PromtoolCase, series_name
from rules.promtool.input_series import told
from rules.promtool.unit_labels import UnitLabels
from rules.promtool.vectors import Labels, Sample
from rules.reserved import PASSING_LABELS

BEGIN = 3
"""The tick at which a signal is lost."""


class _Fed(NamedTuple):
    """One series of a signal: its distinguishing labels, its values, and whether it is lost."""

    further: Labels
    values: str
    lost: bool


_Way = Callable[[AlertingRule, Labels, tuple[str, ...], int], list[_Fed]]
"""Twin, minimum labels of its signal, labels in which its units differ, ticks of the loss → the signal's series."""


def losses(twins: Sequence[AlertingRule], units: UnitLabels, interval: Micros) -> list[PromtoolCase]:
    """Tests in which the twins' signals are present and then lost. All alerts of one name must be among the twins."""
    ways: dict[str, _Way] = {
        "every signal vanishes, and returns": _vanishes,
        "every signal is NaN, and recovers": _is_nan,
        "one of two units vanishes": _loses_a_unit,
        "a rollout renames every pod and instance: nothing is lost": _is_rolled_out,
    }
    return [_case(name, way, twins, units, interval) for name, way in ways.items()]


def never_seen(twins: Sequence[AlertingRule], interval: Micros) -> PromtoolCase:
    """The test in which no signal was ever present."""
    case = PromtoolCase("no signal was ever seen")
    for alert, alike in _by_alert(twins).items():
        for elapsed in _moments(alike, interval):
            lost = [told(twin, Sample(_unseen(twin), 1.0)) for twin in alike if _ticks(twin, interval) <= elapsed]
            case.alerts.append((elapsed, alert, tuple(lost)))
    return case


def _case(name: str, way: _Way, twins: Sequence[AlertingRule], units: UnitLabels, interval: Micros) -> PromtoolCase:
    case = PromtoolCase(name)
    duration = max(_ticks(twin, interval) for twin in twins)
    fed: dict[str, dict[Labels, _Fed]] = defaultdict(dict)
    for twin in twins:
        assert twin.lost is not None
        least = labels_of(twin.lost)
        for each in way(twin, least, units.of(twin, least), duration):
            labels = tuple(sorted((*least, *each.further)))
            fed[twin.lost.name][labels] = each
            case.series[series_name(twin.lost.name, labels)] = each.values
    returned = BEGIN + duration + 1
    for alert, alike in _by_alert(twins).items():
        for elapsed in _moments(alike, interval):
            case.alerts.append((BEGIN + elapsed, alert, _lost(alike, fed, elapsed, interval)))
        case.alerts.append((returned, alert, _lost(alike, fed, duration, interval) if way is _loses_a_unit else ()))
    return case


def _lost(
    alike: Sequence[AlertingRule], fed: dict[str, dict[Labels, _Fed]], elapsed: int, interval: Micros
) -> tuple[ExpectedAlert, ...]:
    """Every alert of one name after `elapsed` ticks of the loss."""
    alerts = {
        told(twin, Sample(_identity(twin, labels), 1.0)): None
        for twin in alike
        if twin.lost and _ticks(twin, interval) <= elapsed
        for labels, each in fed[twin.lost.name].items()
        if each.lost and all(matches(asked, dict(labels).get(asked[0], "")) for asked in twin.lost.matchers)
    }
    return tuple(alerts)


def _by_alert(twins: Sequence[AlertingRule]) -> dict[str, list[AlertingRule]]:
    by_alert: dict[str, list[AlertingRule]] = defaultdict(list)
    for twin in twins:
        by_alert[twin.alert].append(twin)
    return by_alert


def _moments(alike: Sequence[AlertingRule], interval: Micros) -> list[int]:
    """The ticks around the time at which the alert is due."""
    due = {_ticks(twin, interval) for twin in alike}
    return sorted({tick - 1 for tick in due if tick} | due)


def _ticks(twin: AlertingRule, interval: Micros) -> int:
    return -(-twin.hold // interval)


def _identity(twin: AlertingRule, labels: Labels) -> Labels:
    if twin.identity is None:
        return tuple(pair for pair in labels if pair[0] not in PASSING_LABELS)
    return tuple(pair for pair in labels if pair[0] in twin.identity)


def _unseen(twin: AlertingRule) -> Labels:
    """The labels in absent()'s result: those with equality matchers in the selector, and the mark."""
    assert twin.lost is not None
    asked = ((label, value) for label, operator, value in twin.lost.matchers if operator == "=" and value)
    return tuple(sorted((*asked, (SEEN, NEVER))))


def _vanishes(_: AlertingRule, __: Labels, ___: tuple[str, ...], duration: int) -> list[_Fed]:
    return [_Fed((), f"1x{BEGIN - 1} stale _x{duration} 1", lost=True)]


def _is_nan(_: AlertingRule, __: Labels, ___: tuple[str, ...], duration: int) -> list[_Fed]:
    return [_Fed((), f"1x{BEGIN - 1}{' NaN' * (duration + 1)} 1", lost=True)]


def _loses_a_unit(_: AlertingRule, __: Labels, apart: tuple[str, ...], duration: int) -> list[_Fed]:
    whole = f"1x{BEGIN + duration + 1}"
    if not apart:
        return [_Fed((), whole, lost=False)]
    return [
        _Fed(tuple((name, "a") for name in apart), whole, lost=False),
        _Fed(tuple((name, "b") for name in apart), f"1x{BEGIN - 1} stale", lost=True),
    ]


def _is_rolled_out(twin: AlertingRule, least: Labels, _: tuple[str, ...], duration: int) -> list[_Fed]:
    renamed = [name for name in ("instance", "pod") if name not in dict(least) and name not in (twin.identity or ())]
    if not renamed:
        return [_Fed((), f"1x{BEGIN + duration + 1}", lost=False)]
    return [
        _Fed(tuple((name, "before") for name in renamed), f"1x{BEGIN - 1} stale", lost=False),
        _Fed(tuple((name, "after") for name in renamed), f"_x{BEGIN} 1x{duration + 1}", lost=False),
    ]
