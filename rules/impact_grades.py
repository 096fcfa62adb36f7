"""Adds a rule for each grade of a numeric impact scale that requires a higher level than the rule that reads it.

A rule that reads a scale's number (``revenue_impact > 0.05``) fires once, and Alertmanager sends a later rise of the
value only with its next repeat. The additional rule (``revenue_impact > 0.5``) fires when the grade is reached. If
lower is worse (``availability < 0.9``), it is ``availability <= 0.5``.
"""

from collections.abc import Iterator
from dataclasses import replace

from rules import condition
from rules.condition import Comparison
from rules.policy import ImpactScale, Policy, Rule


def graded(policy: Policy) -> Iterator[tuple[str, Rule]]:
    """(grade, rule): the additional rules, each with its condition and level; all else is as in the policy's rule.

    Raises ConditionError for a condition that `rules.load` would have refused.
    """
    scales = {scale.name: scale for scale in policy.impact_scales if scale.name.isidentifier()}
    for rule in policy.rules:
        compared = condition.parse(rule.condition).comparison
        if compared and compared.subject in scales and compared.op[0] in "<>":
            yield from _beyond(policy, rule, scales[compared.subject], compared)


def _beyond(policy: Policy, rule: Rule, scale: ImpactScale, compared: Comparison) -> Iterator[tuple[str, Rule]]:
    """The grades beyond the rule's own threshold with a higher level than the grades before them."""
    raises = dict(policy.impact_raises)
    level = rule.level
    for grade, above, until in scale.ranges:
        begins, op = (above, ">") if compared.op[0] == ">" else (until, "<=")
        called_for = raises.get(grade, 0)
        if begins is not None and called_for > level and _is_beyond(begins, compared):
            level = called_for
            yield grade, replace(rule, condition=f"{scale.name} {op} {begins:.15g}", level=level)


def _is_beyond(begins: float, compared: Comparison) -> bool:
    return begins > compared.threshold if compared.op[0] == ">" else begins < compared.threshold
