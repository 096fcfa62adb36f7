"""Alerts, classified, as the tests of the core send them."""

from receiver.core.model import Alert, Instant
from rules.policy import MINUTE

START = Instant(1_760_000_000_000_000)


KEY = "key"


SLO = "incident_response/slo_violation"


BUDGET = "incident_response/error_budget_exceeded"


SAFETY = "incident_response/safety_critical_failure"


COMPLIANCE = "incident_response/compliance_violation"


RULE_OF_LEVEL = {0: "InfoInhibitor", 1: "Slow", 2: "HighLoad", 3: SLO, 4: SAFETY}


def alert(
    name: str = "a",
    level: int = 3,
    rule: str | None = None,
    *,
    firing: bool = True,
    twin: bool = False,
    starts_at: int = START,
    note: str = "",
) -> Alert:
    """An alert, classified: by default of a rule of that level (levels 1 and 2: of no rule of the policy)."""
    rule = RULE_OF_LEVEL[level] if rule is None else rule
    return Alert(
        fingerprint=name,
        starts_at=Instant(starts_at),
        firing=firing,
        level=level,
        rule=rule,
        type=rule.rsplit("/", 1)[-1],
        labels={"alertname": "Alert", "unit": name},
        annotations={},
        twin=twin,
        level_note=note,
        ended_at=None if firing else Instant(starts_at + MINUTE),
    )
