"""A rule that reads an impact scale's number has one rule more for each grade that raises the level."""

import pytest

from rules.compile import compile as compile_rules
from rules.load import load_text
from rules.policy import EMERGENCY

SCALES = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.com]}
business_incident_response:
  impact_assessment:
    - name: revenue_impact
      description: Impact on revenue
      thresholds: {low: "0-5% of it", medium: "5-20% of it", high: "20-50% of it", critical: ">50% of it"}
  detection:
    - {name: revenue_loss, condition: "CONDITION", severity: LEVEL, channels: [email]}
"""


def compiled(condition, level, raises="", scales=SCALES):
    text = scales.replace("CONDITION", condition).replace("LEVEL", str(level))
    policy = load_text(text + raises).policy
    alerts = [rule for group in compile_rules(policy) for rule in group.rules if hasattr(rule, "alert")]
    return [(each.alert, each.expr, dict(each.labels)["severity_level"]) for each in alerts if each.rule]


OWN = "RevenueLoss"
RULES = {
    "high and critical raise": ("revenue_impact > 0.05", 2, [(OWN, "revenue_impact > 0.05", "2"), (f"{OWN}High", "revenue_impact > 0.2", "3"), (f"{OWN}Critical", "revenue_impact > 0.5", "4")]),
    "only critical raises": ("revenue_impact >= 0.05", 3, [(OWN, "revenue_impact >= 0.05", "3"), (f"{OWN}Critical", "revenue_impact > 0.5", "4")]),
    "an emergency already": ("revenue_impact > 0.05", 4, [(OWN, "revenue_impact > 0.05", "4")]),
    "above the grade already": ("revenue_impact > 0.6", 2, [(OWN, "revenue_impact > 0.6", "2")]),
    "another direction": ("revenue_impact < 0.05", 2, [(OWN, "revenue_impact < 0.05", "2")]),
    "another signal": ("revenue_lost > 0.05", 2, [(OWN, "revenue_lost > 0.05", "2")]),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "level", "expected"), RULES.values(), ids=RULES)
def test_each_grade_that_raises_the_level_has_its_rule(condition, level, expected):
    """Where a grade begins above the rule's threshold and calls for a higher level, a rule fires when it begins."""
    assert compiled(condition, level) == expected


def test_a_policy_that_raises_nothing_has_no_further_rules():
    """`impact_raises: {}` compiles the rule alone."""
    assert compiled("revenue_impact > 0.05", 2, "impact_raises: {}\n") == [(OWN, "revenue_impact > 0.05", "2")]


def test_a_grades_rule_moves_no_twin():
    """The missing-data twin keeps the level of the policy's own rule."""
    policy = load_text(SCALES.replace("CONDITION", "revenue_impact > 0.05").replace("LEVEL", "2")).policy
    [twin] = [rule for group in compile_rules(policy) for rule in group.rules if getattr(rule, "lost", None)]
    assert dict(twin.labels)["severity_level"] == "2" != str(EMERGENCY)


PERCENT = 'low: "0-5% of it", medium: "5-20% of it", high: "20-50% of it", critical: ">50% of it"'
OTHER_SCALES = {
    "less is worse": ("available", 'low: ">90%", medium: "70-90%", high: "50-70%", critical: "<50%"', "available < 0.9",
                      [(OWN, "available < 0.9", "2"), (f"{OWN}High", "available <= 0.7", "3"), (f"{OWN}Critical", "available <= 0.5", "4")]),
    "plain numbers": ("users", 'low: "0-100", medium: "100-1,000", high: "1,000-1,234,567", critical: ">1,234,567 of them"', "users > 100",
                      [(OWN, "users > 100", "2"), (f"{OWN}High", "users > 1000", "3"), (f"{OWN}Critical", "users > 1234567", "4")]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "words", "condition", "expected"), OTHER_SCALES.values(), ids=OTHER_SCALES)
def test_every_numeric_scale_has_its_rules(name, words, condition, expected):
    """Where less is worse a value that falls has them; plain numbers keep all their digits."""
    scales = SCALES.replace("revenue_impact", name).replace(PERCENT, words)
    assert compiled(condition, 2, scales=scales) == expected
