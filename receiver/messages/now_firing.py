"""What fires now, of one incident: which units, with what values, since when, and where more is to be seen.

It reads the stored alerts, the worst and oldest of those that fire; more than those it only counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from receiver.core.alerts import title_of, title_with_value
from receiver.core.measured import measured, told_at, without_measure
from receiver.core.model import Alert, Incident, Instant
from receiver.messages.plain import line, plain, web_address
from receiver.messages.times import rfc3339
from rules.reserved import COMPILED, LABELS, MARK, MARKED, TWIN

UNIT = 60
"""Characters of a unit's name."""
DESCRIPTION = 600
NAMED = 5
"""Units that are named; of the others their number is told."""

UNIT_LABELS = ("unit", "pod", "instance", "host", "node", "device")
"""What names the unit of an alert that fires alone, the first that it has."""

RUNBOOKS = ("runbook_url", "runbook")
DASHBOARDS = (
    ("Dashboard", ("dashboard_url", "dashboardURL", "dashboard")),
    ("Panel", ("panel_url", "panelURL")),
)
"""Annotations that hold addresses, ours and other senders' names for them."""


@dataclass(frozen=True)
class NowFiring:
    """The alerts of an incident that fire now. `alerts`: those that were read, the worst and oldest first.

    What a message asks for again and again is worked out once.
    """

    incident: Incident
    alerts: Sequence[Alert]
    news: str = ""
    """What a message says that fired, with its value: where that fires still, it comes first. Empty: nothing new."""

    @property
    def count(self) -> int:
        """How many fire, those that were not read included."""
        return max(sum(self.incident.firing), len(self.alerts))

    @cached_property
    def title(self) -> str:
        """The incident's title as long as one of them says it, else the first one's; nothing fires: the incident's."""
        named = self.named
        return self.incident.title if named is None or self.incident.declared else title_of(named)

    @cached_property
    def named(self) -> Alert | None:
        """The alert that gives the title: what is new, else the one that gave the incident's; None: none fires."""
        new = [each for each in self.alerts if title_with_value(each) == self.news]
        said = [each for each in self.alerts if title_of(each) == self.incident.title]
        return next(iter((*new, *said, *self.alerts)), None)

    @cached_property
    def is_blind(self) -> bool:
        """Whether all that fires says that data is missing: nobody knows whether the condition holds."""
        if self.alerts and self.count == len(self.alerts):
            return all(each.twin for each in self.alerts)
        rules = self.incident.rules
        return bool(rules) and all(key.rpartition("/")[2] == TWIN for key in rules)

    @cached_property
    def value(self) -> str:
        """What the one in the title measured, with its unit; empty: it tells nothing."""
        return line(measured(self.named)) if self.named else ""

    @property
    def told_at(self) -> Instant | None:
        """When that was told; None: none fires."""
        return told_at(self.named) if self.named else None

    @property
    def since(self) -> Instant | None:
        """When the first of them began; None: nothing is known to fire."""
        return min((each.starts_at for each in self.alerts), default=None)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """What tells each from the others, with its value where there are several: ``db9 (0.42)``."""
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
        """How many, and which: ``200 firing: web-1, web-2, web-3, web-4, web-5 and 195 more``; empty: none."""
        if not self.count:
            return ""
        named = self.units[:NAMED]
        more = self.count - len(named)
        rest = f" and {more} more" if named and more > 0 else ""
        return f"{self.count} firing{': ' if named else ''}{', '.join(named)}{rest}"

    @property
    def description(self) -> str:
        """What the one in the title says beside title and value; empty: nothing."""
        if self.named is None:
            return ""
        said = plain(without_measure(self.named.annotations), DESCRIPTION)
        return "" if line(said, DESCRIPTION).rstrip(".") in line(self.title, DESCRIPTION) else said

    @property
    def labels(self) -> dict[str, str]:
        """The labels that they share, without those that we compile. Nothing is known to fire: those of the opening;
        without what names a unit, where another one may have cleared last.
        """
        if not self.alerts:
            ours = any(key.count("/") for key in self.incident.rules)
            labels = _telling(self.incident.labels, ours=ours)
            return {name: value for name, value in labels if self.incident.declared or name not in UNIT_LABELS}
        shared = set.intersection(*(set(_of_people(each)) for each in self.alerts))
        return dict(sorted(shared))

    @property
    def document(self) -> dict[str, Any]:
        """The same for machines: how many, since when, the labels they share, and the first of them one by one."""
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
        """The first one's runbook that names one; empty: none does."""
        return next(self._addresses(RUNBOOKS), "")

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(label, URL): what to do, and where it is drawn, as the alerts say."""
        return ((("Runbook", self.runbook),) if self.runbook else ()) + self.links

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """(label, URL): where it is drawn, as the alerts say."""
        drawn = ((label, next(self._addresses(names), "")) for label, names in DASHBOARDS)
        graph = next(filter(None, (web_address(each.generator_url) for each in self.alerts)), "")
        return tuple((label, url) for label, url in (("Graph", graph), *drawn) if url)

    def _addresses(self, names: Sequence[str]) -> Iterator[str]:
        told = (each.annotations.get(name, "") for each in self.alerts for name in names)
        return filter(None, map(web_address, told))

    @cached_property
    def names(self) -> list[str]:
        """What tells each from the others: the value of one label where that does, else all labels that differ."""
        if len(self.alerts) < 2:
            return [_only_unit(each) for each in self.alerts]
        shared = set.intersection(*(set(_of_people(each)) for each in self.alerts))
        own = [{name: value for name, value in _of_people(each) if (name, value) not in shared} for each in self.alerts]
        differing = dict.fromkeys(name for each in own for name in each)
        for name in (*UNIT_LABELS, *differing):
            values = {each.get(name, "") for each in own}
            if len(values) == len(own) and "" not in values:
                return [line(each[name], UNIT) for each in own]
        return [line(" ".join(f"{name}={value}" for name, value in each.items()), UNIT) for each in own]


def _only_unit(alert: Alert) -> str:
    return line(next((alert.labels[name] for name in UNIT_LABELS if alert.labels.get(name)), ""), UNIT)


def _of_people(alert: Alert) -> list[tuple[str, str]]:
    return _telling(alert.labels, ours=alert.annotations.get(MARK) == MARKED)


def _telling(labels: Mapping[str, str], *, ours: bool) -> list[tuple[str, str]]:
    hidden = LABELS if ours else LABELS - COMPILED
    return sorted((name, value) for name, value in labels.items() if name not in hidden)
