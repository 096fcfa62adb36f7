"""A framework system configuration (`system`, `slos`, `safety_thresholds` …): the parts that concern Tocsin.

`rules.load` makes these from what people wrote, `rules.slo` turns them into rules, recordings, signals and
incident types. Numbers are Decimal, as written: 1 - 0.999 must not become 0.0010000000000000009.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rules.policy import Micros, Place


@dataclass(frozen=True, slots=True)
class Slo:
    """A service level objective (framework: slos.NAME)."""

    name: str
    target: Decimal
    """From 0 to 1."""
    window: Micros
    place: Place
    description: str = ""
    direction: Literal["higher", "lower"] | None = None
    """Which way is good; None: not said (see RULES in docs: safety thresholds, the name, the target tell)."""
    metric: str = ""
    """The metric's name or PromQL; empty: the SLO's own name."""
    safety_critical: bool = False
    compliance_standard: str = ""


@dataclass(frozen=True, slots=True)
class SafetyThreshold:
    """A limit that must hold at every moment (framework: safety_thresholds.NAME); both ends pass."""

    name: str
    place: Place
    min: Decimal | None = None
    max: Decimal | None = None
    description: str = ""
    metric: str = ""
    """The metric's name or PromQL; empty: the threshold's own name."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class MonitoringRule:
    """A rule with a condition (framework: monitoring.rules, slo.alert_rules, slo.validation.rules, alerts)."""

    name: str
    condition: str
    place: Place
    """Of the condition."""
    level: int | None = None
    """1 to 4; None: no severity was written (the policy's default_severity)."""
    window: Micros | None = None
    """Average over this before comparing."""
    hold: Micros | None = None
    """How long the condition must hold (framework: duration)."""
    must_hold: bool = False
    """True: the condition says what must be so (slo.validation.rules); the alert is its opposite."""
    channels: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class AlertName:
    """A name without a condition (framework: alerts.critical …): an incident type that can be declared."""

    name: str
    place: Place
    level: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """One framework system configuration."""

    name: str
    criticality: Literal["safety_critical", "business_critical", ""]
    slos: tuple[Slo, ...]
    safety_thresholds: tuple[SafetyThreshold, ...]
    monitoring_rules: tuple[MonitoringRule, ...]
    alerts: tuple[AlertName, ...]
    place: Place
