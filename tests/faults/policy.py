"""The policy of the simulated worlds: four levels, four channels, four rules, a limit on the investigation and an
authority to be told, times short enough to live through.
"""

from rules.policy import (
    HOUR,
    MINUTE,
    Channel,
    Level,
    Micros,
    Policy,
    RateLimit,
    ReportingObligation,
    ReportStage,
    Rule,
    Stakeholders,
    Template,
    Templates,
    TimedActions,
)

CHANNELS = ("email", "slack", "pagerduty", "sms")
SLO, BUDGET, SAFETY, DRIFT = "s/slo", "s/budget", "s/safety", "s/drift"
RULES = (
    Rule("s", "slo", "slo > 0", 3, ("email", "slack")),
    Rule("s", "budget", "budget > 0", 3, ("slack", "pagerduty")),
    Rule("s", "safety", "safety > 0", 4, ("slack", "pagerduty")),
    Rule("s", "drift", "drift > 0", 2, ("email",)),
)
OUTSIDER = "customer@outside"
"""An address that gets only approved notices, and none of an exercise."""
LEVEL_OF = {rule.key: rule.level for rule in RULES}
FEW = RateLimit(2, Micros(MINUTE))
"""So few messages leave alone that two incidents come as one."""
_FOUND = "Investigation: {investigation_status}\nFix: {fix_status}"
_PROVED = "Verification: {verification_status}"
POLICY = Policy(
    levels=(
        Level(1, "informational", Micros(4 * HOUR), Micros(2 * HOUR)),
        Level(2, "warning", Micros(HOUR), Micros(30 * MINUTE)),
        Level(3, "critical", Micros(14 * MINUTE), Micros(6 * MINUTE), resolve_after=Micros(3 * MINUTE)),
        Level(4, "emergency", Micros(9 * MINUTE), Micros(4 * MINUTE), resolution="confirmed"),
    ),
    channels=(
        Channel("email", "email", recipients=("on@call",)),
        Channel("slack", "slack", recipients=("#inc",), rate_limit=FEW),
        Channel("pagerduty", "pagerduty", recipients=("ml",)),
        Channel("sms", "sms", recipients=("+1",), rate_limit=FEW),
    ),
    rules=RULES,
    templates=Templates(
        Template("INCIDENT ALERT", f"Status: {{status}}\n{_FOUND}", "acknowledged"),
        Template("INCIDENT UPDATE", f"Status: {{status}}\n{_FOUND}", "updated"),
        Template(
            "INCIDENT RESOLVED", f"Resolved: {{resolution_time}}, after {{incident_duration}}\n{_PROVED}", "resolved"
        ),
    ),
    stakeholders=(
        Stakeholders("in", "", ("boss@x",), ("email",), external=False),
        Stakeholders("out", "", (OUTSIDER,), ("email",), external=True, approvers=("press@x",)),
    ),
    investigation=(TimedActions("analysis", "", ("Find the cause",), Micros(7 * MINUTE)),),
    reporting_obligations=(
        ReportingObligation(
            "law",
            "the authority",
            (
                ReportStage("first", Micros(8 * MINUTE), remind_before=Micros(2 * MINUTE)),
                ReportStage("last", Micros(10 * MINUTE), after="first"),
            ),
            levels=(3, 4),
        ),
    ),
)
