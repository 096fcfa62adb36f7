"""What one framework system adds to a policy: the parts that `rules.slo` and `rules.limits` have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

import promql_parser as promql

from rules.expression import syntax
from rules.policy import MINUTE, IncidentType, Micros, Place, Recording, Rule, Signal
from rules.problems import Problem
from rules.system import System

INTERVAL = Micros(MINUTE)
"""How often a system's rules are evaluated: the framework says nothing about it, the guide's interval is this."""

Addition = Rule | Recording | Signal | IncidentType | Problem


@dataclass(frozen=True, slots=True)
class Scope:
    """One system, and the channels of each level for rules that name none."""

    system: System
    channels: Mapping[int, tuple[str, ...]]

    @property
    def section(self) -> str:
        """The section its rules stand in."""
        return f"system:{slug(self.system.name)}" if self.system.name else "system"

    @property
    def labels(self) -> dict[str, str]:
        """The label `system`, where it has a name."""
        return {"system": slug(self.system.name)} if self.system.name else {}

    def rule(self, name: str, text: str, level: int, place: Place, description: str = "") -> Rule:
        """A rule of this system; callers replace what they know better."""
        return Rule(
            section=self.section,
            name=name,
            condition=text,
            level=level,
            channels=self.channels.get(level, ()),
            interval=INTERVAL,
            description=description,
            labels=tuple(self.labels.items()),
            place=place,
        )

    def recording(self, record: str, expr: str, labels: Mapping[str, str], place: Place) -> Recording:
        """A recording of this system."""
        return Recording(self.section, record, expr, tuple(sorted(labels.items())), INTERVAL, place)


def slug(name: str) -> str:
    """``Safety-Critical ML System`` → ``safety-critical-ml-system``: the label `system`."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def operand(metric: str) -> str:
    """The metric, in parentheses where it is more than a selector."""
    return metric if isinstance(syntax(metric), promql.VectorSelector) else f"({metric})"
