"""Business impact: the grade of a number or word on the policy's scales, and the level that a grade calls for.

A value comes with an alert (label or annotation of the scale's name), from a responder (a fact of that name) or from
the incident's type. A grade only raises the level; a person may lower it, with a reason.
"""

import math
from collections.abc import Iterable, Mapping

from receiver.core.draft import Draft
from receiver.core.events import Change
from receiver.core.model import Alert, Fact
from receiver.core.plan import PolicyVersion
from receiver.core.response import Impact, ImpactGrade
from rules.impact_ranges import in_percent
from rules.policy import ImpactScale, Policy

BUSINESS = "business_impact"
"""The scale of the incident types' `business_impact`."""

GRADES = tuple(ImpactGrade)

_BUSINESS_SCALE = ImpactScale(BUSINESS, "", tuple((each.value, each.value) for each in GRADES))


def grade(scale: ImpactScale, said: str) -> str:
    """The grade of a number (``0.3``, ``30%``) or of words; empty: the scale has none. A percentage has no grade on a
    scale of plain numbers.
    """
    words = said.strip().lower()
    for known, meaning in scale.thresholds:
        if words in {known, meaning.lower()}:
            return known
    value = _number(words)
    if value is None or (words.endswith("%") and not in_percent(scale.thresholds)):
        return ""
    # The lowest range includes its lower bound: an impact of 0 is one of "0-5%".
    lowest = min((above for _, above, _ in scale.ranges), default=0.0)
    inside = (
        name
        for name, above, until in scale.ranges
        if (value > above or value == above == lowest) and (until is None or value <= until)
    )
    return next(inside, "")


def _number(text: str) -> float | None:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def scales(policy: Policy) -> tuple[ImpactScale, ...]:
    """The policy's scales, and a business impact scale whose words are the grades, unless the policy has one."""
    if any(scale.name == BUSINESS for scale in policy.impact_scales):
        return policy.impact_scales
    return (*policy.impact_scales, _BUSINESS_SCALE)


def read(policy: Policy, *said: Mapping[str, str]) -> dict[str, Impact]:
    """The impacts in labels, annotations or facts, by scale; the first graded value counts."""
    found: dict[str, Impact] = {}
    for scale in scales(policy):
        for words in said:
            value = words.get(scale.name)
            if value is not None and scale.name not in found and (graded := grade(scale, value)):
                found[scale.name] = Impact(ImpactGrade(graded), value)
    return found


def ungraded(known: Iterable[ImpactScale], *said: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each value under a scale's name that has no grade on it."""
    return tuple(
        f"{scale.name} is {words[scale.name]!r}, which has no grade: {_expected(scale)}"
        for scale in known
        for words in said
        if words.get(scale.name, "").strip() and not grade(scale, words[scale.name])
    )


def _expected(scale: ImpactScale) -> str:
    kind = "a ratio (0.3) or percentage (30%)" if in_percent(scale.thresholds) else "a number"
    numbers = f", or {kind} of 0 or more" if scale.ranges else ""
    return f"it is {', '.join(name for name, _ in scale.thresholds)}{numbers}"


def of_alert(
    policy_version: PolicyVersion, rule: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> dict[str, Impact]:
    """An alert's impacts: those in labels and annotations, and its type's if worse."""
    kind = policy_version.types.get(rule)
    found = read(policy_version.policy, labels, annotations)
    typical = Impact(ImpactGrade(kind.business_impact), kind.name) if kind and kind.business_impact else None
    if typical and _is_worse(typical, found.get(BUSINESS)):
        found[BUSINESS] = typical
    return found


def worst(impacts: Iterable[Impact]) -> str:
    """The worst grade; empty: none."""
    return max((each.grade for each in impacts), key=GRADES.index, default="")


def level_for(policy: Policy, impacts: Iterable[Impact]) -> int:
    """The minimum level that the impacts call for; 0: none."""
    raises = dict(policy.impact_raises)
    return max((raises.get(each.grade, 0) for each in impacts), default=0)


def words(policy: Policy, name: str, impact: Impact) -> str:
    """The grade's meaning, in the policy's words."""
    thresholds = next((scale.thresholds for scale in policy.impact_scales if scale.name == name), ())
    return dict(thresholds).get(impact.grade, "")


def note_impacts(draft: Draft, alerts: Iterable[Alert]) -> None:
    """Keep the impacts of alerts that fired; milder ones than those known change nothing."""
    for alert in alerts:
        note(draft, of_alert(draft.context.policy_version, alert.rule, alert.labels, alert.annotations))


def note(draft: Draft, impacts: Mapping[str, Impact], by: str = "") -> None:
    """Keep impacts, each with a timeline entry. A person's value (`by`) replaces the known one, others if worse."""
    known = draft.incident.response.impacts
    news = {name: impact for name, impact in impacts.items() if by or _is_worse(impact, known.get(name))}
    if not news:
        return
    draft.respond(impacts={**known, **news})
    policy = draft.context.policy_version.policy
    for name, impact in news.items():
        calls_for = level_for(policy, [impact])
        meaning = words(policy, name, impact)
        draft.enter(
            Fact.IMPACT, by, scale=name, said=impact.said, grade=impact.grade, means=meaning, level=calls_for or ""
        )


def _is_worse(impact: Impact, known: Impact | None) -> bool:
    return known is None or GRADES.index(impact.grade) > GRADES.index(known.grade)


def assess(draft: Draft, change: Change) -> int:
    """Keep the impacts in changed facts; returns the level that they call for, 0 for none."""
    policy = draft.context.policy_version.policy
    found = read(policy, change.facts)
    note(draft, found, change.by)
    for sentence in ungraded(policy.impact_scales, change.facts):
        draft.enter(Fact.UNGRADED, change.by, why=sentence)
    return level_for(policy, found.values())
