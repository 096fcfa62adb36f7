"""The alerts of one incident that fire now: units, values, start times, and links to more.

It reads the stored alerts, the worst and oldest of those that fire; alerts beyond that selection are only counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from receiver.core.alerts import title_of, title_with_value
from receiver.core.measured import measured, told_at, without_measure
from receiver.core.model import UNIT_LABELS, Alert, Incident, Instant
from receiver.messages.plain import line, plain, web_address
from receiver.messages.times import rfc3339
from rules.reserved import COMPILED, LABELS, MARK, MARKED, TWIN

UNIT = 60
"""Maximum characters of a unit's name."""
DESCRIPTION = 600
NAMED = 5
"""Units that are named; the others are counted."""

RUNBOOKS = ("runbook_url", "runbook")
DASHBOARDS = (
    ("Dashboard", ("dashboard_url", "dashboardURL", "dashboard")),
    ("Panel", ("panel_url", "panelURL")),
)
"""Annotations that hold addresses: Tocsin's names and those of other senders."""


@dataclass(frozen=True)
class NowFiring:
    """The alerts of an incident that fire now. `alerts`: those that were read, the worst and oldest first.

    Derived values that messages use several times are cached.
    """

    incident: Incident
    alerts: Sequence[Alert]
    news: str = ""
    """The newly fired alert that the message reports, as title with value; if it still fires, it comes first. Empty:
    none."""
    identities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Signal → the labels that identify its units within a system, as the policy states them."""

    @property
    def count(self) -> int:
        """Number of firing alerts, including those that were not read."""
        return max(sum(self.incident.firing), len(self.alerts))

    @cached_property
    def title(self) -> str:
        """The incident's title while a firing alert has it, else the first firing alert's; without firing alerts the
        incident's.
        """
        named = self.named
        return self.incident.title if named is None or self.incident.declared else title_of(named)

    @cached_property
    def named(self) -> Alert | None:
        """The alert that gives the title: the new one, else the one that gave the incident its
        title; None: none fires.
        """
        new = [each for each in self.alerts if title_with_value(each) == self.news]
        said = [each for each in self.alerts if title_of(each) == self.incident.title]
        return next(iter((*new, *said, *self.alerts)), None)

    @cached_property
    def is_blind(self) -> bool:
        """Whether all firing alerts report missing data, so that the state of the condition is unknown."""
        if self.alerts and self.count == len(self.alerts):
            return all(each.twin for each in self.alerts)
        rules = self.incident.rules
        return bool(rules) and all(key.rpartition("/")[2] == TWIN for key in rules)

    @cached_property
    def value(self) -> str:
        """The value measured by the alert in the title, with its unit; empty: it has none."""
        return line(measured(self.named)) if self.named else ""

    @property
    def told_at(self) -> Instant | None:
        """When that value was reported; None: no alert fires."""
        return told_at(self.named) if self.named else None

    @property
    def since(self) -> Instant | None:
        """When the first firing alert began; None: no firing alert is known."""
        return min((each.starts_at for each in self.alerts), default=None)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The names that distinguish the alerts, with values if there are several: ``db9 (0.42)``."""
        if len(self.alerts) == 1:
            return tuple(filter(None, self.names))
        told = (
            f"{name} ({line(value, UNIT)})" if (value := measured(each)) else name
            for name, each in zip(self.names, self.alerts, strict=True)
            if name
        )
        return tuple(dict.fromkeys(told))

    @property
    def counted(self) -> str:
        """Number and names: ``200 firing: web-1, web-2, web-3, web-4, web-5 and 195 more``; empty: none fires."""
        if not self.count:
            return ""
        named = self.units[:NAMED]
        more = self.count - len(named)
        rest = f" and {more} more" if named and more > 0 else ""
        return f"{self.count} firing{': ' if named else ''}{', '.join(named)}{rest}"

    @property
    def description(self) -> str:
        """The description of the alert in the title without title and value; empty: none."""
        if self.named is None:
            return ""
        said = plain(without_measure(self.named.annotations), DESCRIPTION)
        return "" if line(said, DESCRIPTION).rstrip(".") in line(self.title, DESCRIPTION) else said

    @property
    def labels(self) -> dict[str, str]:
        """The labels that all firing alerts share, without those that Tocsin compiles. If no firing alert is known: the
        labels of the opening, without unit labels, because the last alert to clear may be of another unit.
        """
        if not self.alerts:
            ours = any(key.count("/") for key in self.incident.rules)
            labels = _telling(self.incident.labels, ours=ours)
            of_units = {*UNIT_LABELS, *(self._identity(self.incident.labels) or ())}
            return {name: value for name, value in labels if self.incident.declared or name not in of_units}
        shared = set.intersection(*(set(_of_people(each)) for each in self.alerts))
        return dict(sorted(shared))

    @property
    def document(self) -> dict[str, Any]:
        """The same for machines: count, start, shared labels, and the first alerts one by one."""
        if not self.alerts:
            return {"count": self.count, "since": None, "labels": {}, "alerts": []}
        return {
            "count": self.count,
            "since": rfc3339(self.since) if self.since else None,
            "labels": {line(name): line(value) for name, value in self.labels.items()},
            "alerts": [
                {
                    "title": line(title_of(each)),
                    "unit": name,
                    "value": line(measured(each)),
                    "since": rfc3339(each.starts_at),
                    "level": each.level,
                    "rule": line(each.rule),
                }
                for name, each in zip(self.names, self.alerts, strict=True)
            ],
        }

    @property
    def runbook(self) -> str:
        """The first runbook that an alert names; empty: none."""
        return next(self._addresses(RUNBOOKS), "")

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(label, URL) of the runbook and the graphs that the alerts name."""
        return ((("Runbook", self.runbook),) if self.runbook else ()) + self.links

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """(label, URL) of the graphs and dashboards that the alerts name."""
        drawn = ((label, next(self._addresses(names), "")) for label, names in DASHBOARDS)
        graph = next(filter(None, (web_address(each.generator_url) for each in self.alerts)), "")
        return tuple((label, url) for label, url in (("Graph", graph), *drawn) if url)

    def _addresses(self, names: Sequence[str]) -> Iterator[str]:
        told = (each.annotations.get(name, "") for each in self.alerts for name in names)
        return filter(None, map(web_address, told))

    @cached_property
    def names(self) -> list[str]:
        """The name of each alert: the value of one label if it distinguishes all of them, else all labels that differ;
        where several rules fire about one unit, the rule's name too.
        """
        if len(self.alerts) < 2:
            return [self._only_unit(each) for each in self.alerts]
        shared = set.intersection(*(set(_of_people(each)) for each in self.alerts))
        own = [{name: value for name, value in _of_people(each) if (name, value) not in shared} for each in self.alerts]
        differing = dict.fromkeys(name for each in own for name in each)
        identity = self._identity(self.alerts[0].labels) or ()
        for name in (*identity, *UNIT_LABELS, *differing):
            values = {each.get(name, "") for each in own}
            if len(values) == len(own) and "" not in values:
                return [line(each[name], UNIT) for each in own]
        told = [line(" ".join(f"{name}={value}" for name, value in each.items()), UNIT) for each in own]
        rules = [line(each.rule.rpartition("/")[2], UNIT) for each in self.alerts]
        if len(set(told)) == len(told) or len(set(rules)) == 1:
            return told
        return [line(f"{rule} {name}".strip(), 2 * UNIT) for rule, name in zip(rules, told, strict=True)]

    def _identity(self, labels: Mapping[str, str]) -> Sequence[str] | None:
        """The labels that identify a unit of that alert's signal; None: the policy does not state them."""
        return self.identities.get(labels.get("signal", ""))

    def _only_unit(self, alert: Alert) -> str:
        identity = self._identity(alert.labels)
        if identity is None:
            return line(next((alert.labels[name] for name in UNIT_LABELS if alert.labels.get(name)), ""), UNIT)
        told = [(name, alert.labels[name]) for name in identity if alert.labels.get(name)]
        return line(told[0][1] if len(told) == 1 else " ".join(map("=".join, told)), UNIT)


def _of_people(alert: Alert) -> list[tuple[str, str]]:
    return _telling(alert.labels, ours=alert.annotations.get(MARK) == MARKED)


def _telling(labels: Mapping[str, str], *, ours: bool) -> list[tuple[str, str]]:
    hidden = LABELS if ours else LABELS - COMPILED
    return sorted((name, value) for name, value in labels.items() if name not in hidden)
