"""An incident's alerts as a table: one line each, told by the labels in which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from receiver.core.measured import measured
from receiver.core.model import Alert
from receiver.messages.now_firing import UNIT_LABELS
from receiver.messages.plain import line, web_address
from rules.reserved import LABELS

NAMES = 3
"""Labels that tell alerts apart; more of them nobody reads in a line."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert."""

    alert: Alert
    names: tuple[str, ...]
    """The values of the labels in which they differ, beside that of its group."""
    value: str
    summary: str
    """Empty: all say the same."""
    source: str
    """Where the expression can be looked at; empty: nowhere a browser may go, or the same for all."""


@dataclass(frozen=True, slots=True)
class AlertTable:
    """Those that are shown, in groups that have a label's value in common."""

    labels: tuple[str, ...]
    has_values: bool
    groups: tuple[tuple[str, tuple[AlertLine, ...]], ...]
    """(what they have in common, its alerts); one group without a name where nothing groups them."""


def table_of(alerts: Sequence[Alert]) -> AlertTable:
    """The table of these alerts, in their order."""
    differing = _differing([each.labels for each in alerts])
    by = next((name for name in differing if 1 < _kinds(alerts, name) <= len(alerts) // 2), "")
    units = (name for name in UNIT_LABELS if alerts and alerts[0].labels.get(name))
    names = tuple(name for name in differing if name != by)[:NAMES] or tuple(units)[:1]
    said, drawn = {_said(each) for each in alerts}, {each.generator_url for each in alerts}
    found: dict[str, list[AlertLine]] = {}
    for each in alerts:
        group = f"{line(by, 60)} {line(each.labels.get(by, 'none'), 120)}" if by else ""
        found.setdefault(group, []).append(
            AlertLine(
                each,
                tuple(line(each.labels.get(name, ""), 60) for name in names),
                line(measured(each)),
                _said(each) if len(said) > 1 or not differing else "",
                web_address(each.generator_url) if len(drawn) > 1 else "",
            )
        )
    return AlertTable(
        tuple(line(each, 60) for each in names),
        any(map(measured, alerts)),
        tuple((name, tuple(lines)) for name, lines in found.items()),
    )


def _differing(labels: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of the labels whose values are not all the same, those that name a unit first."""
    names = dict.fromkeys((*UNIT_LABELS, *sorted({name for each in labels for name in each})))
    return [name for name in names if name not in LABELS and len({each.get(name, "") for each in labels}) > 1]


def _kinds(alerts: Sequence[Alert], name: str) -> int:
    return len({each.labels.get(name, "") for each in alerts})


def _said(alert: Alert) -> str:
    told = alert.annotations.get("summary") or alert.annotations.get("description") or alert.labels.get("alertname", "")
    return line(told)
