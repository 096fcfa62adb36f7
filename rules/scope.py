"""The additions of one framework system to a policy: what `rules.slo` fills."""

from collections.abc import Mapping
from dataclasses import dataclass

import promql_parser as promql

from rules.expression import syntax
from rules.policy import MINUTE, IncidentType, Micros, Place, Recording, Rule, Signal
from rules.problems import Problem
from rules.system import System

INTERVAL = Micros(MINUTE)
"""The evaluation interval of a system's rules: the framework has none, so it is the guide's."""

Addition = Rule | Recording | Signal | IncidentType | Problem


@dataclass(frozen=True, slots=True)
class Scope:
    """One system, and the default channels of each level."""

    system: System
    channels: Mapping[int, tuple[str, ...]]

    @property
    def section(self) -> str:
        """The section of its rules."""
        return f"system:{slug(self.system.name)}" if self.system.name else "system"

    @property
    def labels(self) -> dict[str, str]:
        """The label `system`, if it has a name."""
        return {"system": slug(self.system.name)} if self.system.name else {}

    def rule(self, name: str, text: str, level: int, place: Place, description: str = "") -> Rule:
        """A rule of this system with defaults, which callers may replace."""
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
    """The metric, in parentheses if it is not a plain selector."""
    return metric if isinstance(syntax(metric), promql.VectorSelector) else f"({metric})"
