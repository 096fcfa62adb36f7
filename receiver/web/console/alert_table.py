"""An incident's alerts as a table: one row each, identified by the labels that differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from receiver.core.measured import measured
from receiver.core.model import UNIT_LABELS, Alert
from receiver.messages.plain import line, web_address
from rules.reserved import LABELS

NAMES = 3
"""Labels that identify an alert in its row; more would not be read."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert."""

    alert: Alert
    names: tuple[str, ...]
    """Values of the differing labels, without that of its group."""
    value: str
    summary: str
    """Empty: the same for all."""
    source: str
    """URL of the expression; empty: not a web address, or the same for all."""


@dataclass(frozen=True, slots=True)
class AlertTable:
    """The shown alerts, grouped by a label's value."""

    labels: tuple[str, ...]
    has_values: bool
    has_states: bool
    """Whether they differ in firing or level."""
    groups: tuple[tuple[str, tuple[AlertLine, ...]], ...]
    """(common label and value, its alerts); one unnamed group if no label groups them."""


def table_of(alerts: Sequence[Alert], identities: Mapping[str, Sequence[str]]) -> AlertTable:
    """The table of these alerts, in their order. `identities`: signal → the labels that identify its units."""
    identity = identities.get(alerts[0].labels.get("signal", ""), ()) if alerts else ()
    of_units = (*identity, *UNIT_LABELS)
    differing = _differing([each.labels for each in alerts], of_units)
    by = next((name for name in differing if 1 < _kinds(alerts, name) <= len(alerts) // 2), "")
    units = (name for name in of_units if alerts and alerts[0].labels.get(name))
    names = tuple(name for name in differing if name != by)[:NAMES] or tuple(units)[:1]
    said, drawn = {_said_beside_value(each) for each in alerts}, {each.generator_url for each in alerts}
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
        len({(each.firing, each.level) for each in alerts}) > 1,
        tuple((name, tuple(lines)) for name, lines in found.items()),
    )


def _differing(labels: Sequence[Mapping[str, str]], of_units: Sequence[str]) -> list[str]:
    """Names of the labels whose values differ, unit labels first."""
    names = dict.fromkeys((*of_units, *sorted({name for each in labels for name in each})))
    return [name for name in names if name not in LABELS and len({each.get(name, "") for each in labels}) > 1]


def _kinds(alerts: Sequence[Alert], name: str) -> int:
    return len({each.labels.get(name, "") for each in alerts})


def _said(alert: Alert) -> str:
    told = alert.annotations.get("summary") or alert.annotations.get("description") or alert.labels.get("alertname", "")
    return line(told)


def _said_beside_value(alert: Alert) -> str:
    """What differs between alerts only by the value, which has a column of its own, is the same for all."""
    return _said(alert).removesuffix(line(measured(alert)))
