"""Lints that need only the policy's meaning and compare its rules: what cannot work, or contradicts itself.

`rules.lint.document_lints` calls `find` after its own, which need the document.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from rules import condition
from rules.channel_types import types_where
from rules.condition import Comparison
from rules.document.communication import ClosingTerms
from rules.durations import format_duration
from rules.lint.obligation_lints import all_steps
from rules.lint_catalog import doubt
from rules.policy import EMERGENCY, IncidentType, Place, Policy, Rule
from rules.problems import Problem


def find(policy: Policy, start: Place) -> Iterator[Problem]:
    """All such doubts; `start` is the beginning of the policy."""
    yield from _unused_levels(policy, start)
    yield from _unused_channels(policy)
    yield from _sleepers(policy)
    yield from _nobody_named(policy, start)
    yield from _short_retention(policy, start)
    yield from _unknown_checklists(policy, start)
    yield from _contradictions(policy.rules)
    for rule in policy.rules:
        if not rule.missing_data:
            message = f'`missing_data: false`: if its signals vanish, "{rule.name}" falls silent and nobody is told'
            yield doubt("no-missing-data-twin", rule.place, message)


def _told(policy: Policy) -> list[Rule | IncidentType]:
    return [*policy.rules, *policy.incident_types]


def _unused_levels(policy: Policy, start: Place) -> Iterator[Problem]:
    used = {each.level for each in _told(policy)}
    unused = [f"{level.level} ({level.name})" for level in policy.levels if level.level not in used]
    if used and unused:
        yield doubt("unused-level", start, f"no rule or incident type has level {', '.join(unused)}")


def _unused_channels(policy: Policy) -> Iterator[Problem]:
    named = {name for each in _told(policy) for name in each.channels}
    named |= {name for level in policy.levels for name in level.escalates_to or ()}
    named |= {name for group in policy.stakeholders for name in group.channels} | set(policy.fallback)
    by_default = {name for each in _told(policy) if not each.channels for name in policy.level_channels(each.level)}
    for channel in policy.channels:
        if channel.name not in named | by_default:
            place = channel.place
            yield doubt("unused-channel", place, f"nothing names the channel `{channel.name}`")


def _sleepers(policy: Policy) -> Iterator[Problem]:
    """Emergencies whose first page wakes no person; one problem for all of them."""
    waking = {channel.name for channel in policy.channels if channel.enabled and channel.facts.wakes}
    found = [
        each
        for each in _told(policy)
        if each.level == EMERGENCY and waking.isdisjoint(each.channels or policy.level_channels(EMERGENCY))
    ]
    if found:
        names = ", ".join(f'"{each.name}"' for each in found)
        *others, last = types_where(lambda facts: facts.wakes)
        message = f"an emergency that tells no {', '.join(others)} or {last} at once: {names}"
        yield doubt("emergency-without-pager", found[0].place, message)


def _nobody_named(policy: Policy, start: Place) -> Iterator[Problem]:
    """Missing parts of a policy with rules or types: report recipients, roles, drills, obligations."""
    if not _told(policy):
        return
    if not policy.reports.recipients:
        yield doubt("no-report-recipients", start, "no incident_report.recipients: finished reports go to nobody")
    if not policy.roles:
        yield doubt("no-roles", start, "no roles: nobody is named incident commander, or for another role")
    if policy.drills_every is None:
        yield doubt(
            "no-drills", start, "no drills.every: nobody is reminded to practise, and no training is ever overdue"
        )
    if not policy.reporting_obligations:
        yield from _untimed_authorities(policy, start)


def _short_retention(policy: Policy, start: Place) -> Iterator[Problem]:
    """A retention that deletes drills before the next is due."""
    kept, every = policy.retention, policy.drills_every
    if kept is not None and every is not None and kept < every:
        said = f"retention: {format_duration(kept)} is shorter than drills.every: {format_duration(every)}"
        yield doubt("short-retention", start, f"{said}: drills are deleted while they still count")


AUTHORITIES = ("authorit", "regulator")
"""Words in a step that indicate a duty to inform an authority."""


def _untimed_authorities(policy: Policy, start: Place) -> Iterator[Problem]:
    """Steps that inform an authority without a reporting obligation, so that no time limit runs."""
    found = [each for each in all_steps(policy) if any(word in each.lower() for word in AUTHORITIES)]
    if found:
        named = ", ".join(f'"{each}"' for each in found)
        message = f"steps speak of authorities ({named}), and no reporting_obligations say who must be told until when"
        yield doubt("no-obligations", start, message)


def _unknown_checklists(policy: Policy, start: Place) -> Iterator[Problem]:
    """Names under `closing.checklists` that no incident can have; the default names are exempt."""
    known = {*ClosingTerms().checklists, *(each.name for each in policy.procedures)}
    known |= {f"{each.section}.{each.name}" for each in policy.procedures}
    blocks = {
        "initial_response": policy.initial_response,
        "root_cause_analysis": policy.investigation,
        "fix_implementation": policy.fix_implementation,
        "post_incident_actions": policy.post_incident,
    }
    known |= {f"{section}.{each.name}" for section, found in blocks.items() for each in found}
    known |= {f"impact_assessment.{each.name}" for each in policy.impact_metrics}
    for name in policy.closing.checklists:
        if name not in known:
            message = f"closing.checklists: no incident has a checklist `{name}`, so nothing of it is asked for"
            yield doubt("unknown-checklist", start, message)


def _contradictions(rules: Iterable[Rule]) -> Iterator[Problem]:
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[Rule, Comparison]]] = defaultdict(list)
    for rule in rules:
        if found := condition.parse(rule.condition).comparison:
            alike[found.subject, rule.labels].append((rule, found))
    for compared in alike.values():
        for (one, first), (other, second) in combinations(compared, 2):
            yield from _contradiction(one, first, other, second)


def _contradiction(one: Rule, first: Comparison, other: Rule, second: Comparison) -> Iterator[Problem]:
    """The faults of two limits on one subject."""
    if first.op[0] == second.op[0]:
        worse, milder = ((one, first), (other, second)) if one.level > other.level else ((other, second), (one, first))
        if _swallows(*worse, *milder):
            message = (
                f'"{milder[0].name}" ({_words(milder[1])}, level {milder[0].level}) can only fire when '
                f'"{worse[0].name}" ({_words(worse[1])}, level {worse[0].level}) does'
            )
            yield doubt("contradicting-thresholds", milder[0].place, message)
    elif _leave_nothing(first, second):
        message = f'"{one.name}" ({_words(first)}) and "{other.name}" ({_words(second)}) leave no good value'
        yield doubt("contradicting-thresholds", other.place, message)


def _swallows(worse: Rule, above: Comparison, milder: Rule, below: Comparison) -> bool:
    """Whether the more severe rule's limit is crossed first and it fires no later, so that the milder never fires
    before it.
    """
    if worse.level == milder.level or above.op[0] not in "<>" or worse.waits > milder.waits:
        return False
    return above.threshold > below.threshold if above.op[0] == "<" else above.threshold < below.threshold


def _leave_nothing(first: Comparison, second: Comparison) -> bool:
    """Whether every value is below the one limit or above the other."""
    low, high = (first, second) if first.op[0] == "<" else (second, first)
    if low.op[0] != "<" or high.op[0] != ">":
        return False
    return low.threshold > high.threshold or (low.threshold == high.threshold and "=" in low.op + high.op)


def _words(comparison: Comparison) -> str:
    return f"{comparison.op} {comparison.threshold:g}"
