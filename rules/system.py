"""A framework system configuration (`system`, `slos`, `safety_thresholds` …): the parts that Tocsin uses.

`rules.load` makes these from documents, `rules.slo` turns them into rules, recordings, signals and incident types.
Numbers are Decimal, as written: 1 - 0.999 must not become 0.0010000000000000009.
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
    """The good direction; None: not stated (see RULES in docs: derived from safety thresholds, the name or the
    target)."""
    metric: str = ""
    """The metric's name or PromQL; empty: the SLO's own name."""
    safety_critical: bool = False
    compliance_standard: str = ""


@dataclass(frozen=True, slots=True)
class SafetyThreshold:
    """A limit that must always hold (framework: safety_thresholds.NAME); values equal to it pass."""

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
    """The position of the condition."""
    level: int | None = None
    """1 to 4; None: no severity is given (the policy's default_severity applies)."""
    window: Micros | None = None
    """The condition is evaluated on the average over this window."""
    hold: Micros | None = None
    """How long the condition must hold (framework: duration)."""
    must_hold: bool = False
    """True: the condition must hold (slo.validation.rules); the alert is its negation."""
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
