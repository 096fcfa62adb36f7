"""The result of compilation: groups of recording and alerting rules, before they are written to files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules.condition import Selector
from rules.policy import Micros, Rule

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
    """An alert, and its origin."""

    alert: str
    expr: str
    labels: Pairs
    annotations: Pairs
    hold: Micros = NONE
    """`for`; 0: none."""
    keep_firing: Micros = NONE
    """`keep_firing_for`; 0: none."""
    rule: Rule | None = None
    """The detection rule (for an incident type, its substitute); None for a twin and for Tocsin's own alerts."""
    lost: Selector | None = None
    """A twin's signal."""
    identity: tuple[str, ...] | None = None
    """A twin's labels that identify a unit; None: all but PASSING_LABELS."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates together, in this order."""

    name: str
    interval: Micros
    rules: tuple[RecordingRule | AlertingRule, ...]

    def annotated(self, further: Mapping[str, str]) -> "Group":
        """The group with these annotations added to each of its alerts."""
        return replace(
            self,
            rules=tuple(
                replace(rule, annotations=tuple(sorted({**dict(rule.annotations), **further}.items())))
                if isinstance(rule, AlertingRule)
                else rule
                for rule in self.rules
            ),
        )

    @property
    def alerts(self) -> tuple[AlertingRule, ...]:
        """Its alerting rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, AlertingRule))

    @property
    def recordings(self) -> tuple[RecordingRule, ...]:
        """Its recording rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, RecordingRule))
