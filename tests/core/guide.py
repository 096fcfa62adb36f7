"""The guide's policy, built by hand: four levels, five channels, its rules, types and stakeholders.

The tests of the core use it, so that what they promise does not hang on the loader.
"""

from dataclasses import replace
from typing import Any

from rules.meaning import USUAL_WORDS
from rules.policy import (
    CRITICAL,
    EMERGENCY,
    HOUR,
    INFORMATIONAL,
    MINUTE,
    WARNING,
    Channel,
    ImpactMetrics,
    ImpactScale,
    IncidentType,
    Level,
    Micros,
    Policy,
    Procedure,
    Reports,
    Rule,
    Stakeholders,
    Template,
    Templates,
    TimedActions,
)

CHANNELS = (
    Channel("email", "email", recipients=("incident-response@company.com",)),
    Channel("slack", "slack", recipients=("#incident-response",)),
    Channel("pagerduty", "pagerduty", recipients=("ml-systems",)),
    Channel("sms", "sms", recipients=("+1234567890",)),
    Channel("phone", "phone", recipients=("+1987654321",)),
)
ALL = frozenset(channel.name for channel in CHANNELS)

LEVELS = (
    Level(INFORMATIONAL, "informational", Micros(24 * HOUR), Micros(12 * HOUR)),
    Level(WARNING, "warning", Micros(4 * HOUR), Micros(2 * HOUR)),
    Level(CRITICAL, "critical", Micros(HOUR), Micros(30 * MINUTE)),
    Level(EMERGENCY, "emergency", Micros(15 * MINUTE), Micros(5 * MINUTE), resolution="confirmed"),
)

_CRITICAL = ("email", "slack", "pagerduty")
_EMERGENCY = ("email", "slack", "pagerduty", "sms")
RULES = (
    Rule("incident_response", "slo_violation", "slo_violation_detected", CRITICAL, _CRITICAL),
    Rule("incident_response", "error_budget_exceeded", "error_budget_consumed > 0.95", CRITICAL, _CRITICAL),
    Rule("incident_response", "safety_critical_failure", "safety_margin < 0.95", EMERGENCY, _EMERGENCY),
    Rule("incident_response", "compliance_violation", "compliance_violation_detected", EMERGENCY, _EMERGENCY),
    Rule("safety_incident_response", "response_time_violation", "response_time_p99 > 100", CRITICAL, _CRITICAL),
    Rule("business_incident_response", "compliance_violation", "compliance_score < 0.95", EMERGENCY, _EMERGENCY),
)
TYPES = (
    IncidentType("aviation_safety_incident_response", "engine_failure", EMERGENCY, "Aircraft engine failure"),
    IncidentType("aviation_safety_incident_response", "communication_failure", CRITICAL),
)
STAKEHOLDERS = (
    Stakeholders(
        "internal_notification",
        "Notify internal stakeholders",
        ("incident-response@company.com", "management@company.com", "technical-team@company.com"),
        ("email", "slack"),
        external=False,
    ),
    Stakeholders(
        "external_notification",
        "Notify external stakeholders",
        ("customers@company.com", "regulators@company.com"),
        ("email", "phone"),
        external=True,
    ),
)
ALIASES = tuple(sorted(USUAL_WORDS.items()))
POLICY = Policy(
    levels=LEVELS,
    channels=CHANNELS,
    rules=RULES,
    incident_types=TYPES,
    stakeholders=STAKEHOLDERS,
    severity_aliases=ALIASES,
    templates=Templates(
        Template("INCIDENT ALERT", "", "acknowledged"),
        Template("INCIDENT UPDATE", "", "updated"),
        Template("INCIDENT RESOLVED", "", "resolved"),
    ),
)


SAFETY_SECTION = "safety_incident_response"
AVIATION_SECTION = "aviation_safety_incident_response"
PROCEDURES = (
    Procedure("incident_response", "initial_response", "", ("Acknowledge incident in time", "Assess severity")),
    Procedure("incident_response", "escalation", "", ("Notify management",), "escalated"),
    Procedure("incident_response", "resolution", "", ("Verify the fix",), "recovered"),
    Procedure(SAFETY_SECTION, "safety_emergency_response", "", ("Stop operations", "Notify the safety team")),
    Procedure(SAFETY_SECTION, "safety_investigation", "", ("Preserve evidence",), "recovered"),
    Procedure(AVIATION_SECTION, "aviation_emergency_response", "", ("Assess safety impact",)),
)
SCALES = (
    ImpactScale(
        "revenue_impact",
        "Impact on business revenue",
        (
            ("low", "0-5% revenue impact"),
            ("medium", "5-20% revenue impact"),
            ("high", "20-50% revenue impact"),
            ("critical", ">50% revenue impact"),
        ),
        (("low", 0.0, 0.05), ("medium", 0.05, 0.2), ("high", 0.2, 0.5), ("critical", 0.5, None)),
    ),
    ImpactScale(
        "customer_impact",
        "Impact on customer experience",
        (
            ("low", "Minor customer complaints"),
            ("medium", "Moderate customer impact"),
            ("high", "Significant customer impact"),
            ("critical", "Massive customer impact"),
        ),
    ),
)
WHOLE = replace(
    POLICY,
    procedures=PROCEDURES,
    impact_scales=SCALES,
    rules=tuple(
        replace(rule, section=SAFETY_SECTION) if rule.name == "safety_critical_failure" else rule
        for rule in POLICY.rules
    ),
    incident_types=(
        *(each for each in TYPES if each.name != "engine_failure"),
        IncidentType(AVIATION_SECTION, "engine_failure", 4, immediate_actions=("Activate backup", "Notify crew")),
    ),
    initial_response=(
        TimedActions("incident_acknowledgment", "", ("Receive alert",), Micros(15 * MINUTE)),
        TimedActions("severity_assessment", "", ("Determine level",), Micros(30 * MINUTE)),
    ),
    investigation=(TimedActions("analysis", "", ("Review logs", "Determine root cause")),),
    impact_metrics=(ImpactMetrics("business_impact", "", ("revenue_loss",)),),
    fix_implementation=(TimedActions("immediate_fix", "", ("Deploy fix",)),),
    post_incident=(TimedActions("documentation", "", ("Complete report",)),),
)
"""The guide's policy with procedures, limits and what follows an incident."""


DETAILED = replace(
    POLICY,
    stakeholders=(
        STAKEHOLDERS[0],
        replace(STAKEHOLDERS[1], approvers=("chief@company.com", "slack", "+4930999999")),
    ),
)
"""The guide's policy, with approvers of notices."""
OUTSIDE = frozenset({"customers@company.com", "regulators@company.com", "+4930111222"})
"""Who is outside the house under SHARED, in plain writing."""
SHARED = replace(
    DETAILED,
    channels=(
        replace(CHANNELS[0], recipients=("incident-response@company.com", "Customers@Company.com")),
        *CHANNELS[1:3],
        replace(CHANNELS[3], recipients=("+4930111222", "+1234567890")),
        CHANNELS[4],
    ),
    reports=Reports(recipients=("regulators@company.com", "board@company.com")),
    stakeholders=(
        DETAILED.stakeholders[0],
        replace(
            DETAILED.stakeholders[1],
            recipients=("customers@company.com", "regulators@company.com", "+49 30 111-222"),
            channels=("email", "phone", "sms"),
        ),
    ),
)
"""A policy that uses addresses of outsiders as its own, too."""


def with_level(number: int, policy: Policy = POLICY, **changes: Any) -> Policy:
    """The policy with one level changed."""
    return replace(
        policy, levels=tuple(replace(each, **changes) if each.level == number else each for each in policy.levels)
    )


def with_channel(name: str, policy: Policy = POLICY, **changes: Any) -> Policy:
    """The policy with one channel changed."""
    return replace(
        policy, channels=tuple(replace(each, **changes) if each.name == name else each for each in policy.channels)
    )


def with_rule(rule: Rule, policy: Policy = POLICY) -> Policy:
    """The policy with one rule more."""
    return replace(policy, rules=(*policy.rules, rule))
