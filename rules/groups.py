"""What a policy compiles to: groups of recording and alerting rules, before anything is written down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules.condition import Selector
from rules.policy import Micros, Rule

PASSING_LABELS = ("instance", "pod", "container", "endpoint")
"""Labels that change when a healthy unit is rolled out anew: they tell no unit from another."""

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

    def annotated(self, further: Mapping[str, str]) -> "Group":
        """The same group, each of its alerts with these annotations, too."""
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
