"""Errors and doubts about reporting obligations and stakeholder groups: the names that they use must exist, an
obligation must apply to some incident, and the groups that the guide requires must have recipients.

Doubts about promises in messages: a contact, updates at an interval, an approver who is told about a waiting notice. A
policy without its own texts and without an external group makes no promises.
"""

import re
from collections.abc import Iterable, Iterator

from rules.addresses import AddressError, parse_address
from rules.document import PolicyDocument
from rules.document.values import suggest
from rules.durations import as_spelled
from rules.lint_catalog import doubt
from rules.nodes import Node
from rules.placeholders import TemplateError
from rules.policy import BASIC, CRITICAL, EMERGENCY, IncidentType, Place, Policy, ReportingObligation, Rule
from rules.problems import Problem
from rules.rendering import placeholders
from rules.validate import place_of

HERE = "reporting_obligations"
GROUPS = "stakeholder_notification"
OUTSIDERS = re.compile(
    r"\b(notify|inform|tell|contact|call|coordinate with|update)\b.*"
    r"\b(authorit|regulator|external|customer|client|partner|public\b|press\b)",
    re.IGNORECASE,
)
"""Steps that inform people outside the organisation about an incident."""
MOST_NAMED = 5


def find(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """All faults of obligations and groups."""
    yield from _untold_inside(policy, root)
    yield from _untold_outside(policy, root)
    sections = {BASIC, *document.sections}
    for index, group in enumerate(policy.stakeholders):
        yield from _unknown("section", group.sections, sections, root, GROUPS, index, "sections")
    types = {each.name for each in policy.rules} | {each.name for each in policy.incident_types}
    for index, each in enumerate(policy.reporting_obligations):
        way = (HERE, index)
        yield from _unknown("section", each.sections, sections, root, *way, "sections")
        yield from _unknown("incident type or rule", each.types, types, root, *way, "types")
        yield from _approvers(policy, each, root, index)
        if not any(policy.must_report(each, key, level) for key, level in _levels(policy)):
            message = f'"{each.name}": no rule and no incident type of the policy is of its sections, types and levels'
            yield doubt("obligation-without-incident", place_of(root, *way), message)


def _untold_inside(policy: Policy, root: Node) -> Iterator[Problem]:
    """Serious incidents without notice to any internal group; one problem for all of them."""
    kinds: tuple[Rule | IncidentType, ...] = (*policy.rules, *policy.incident_types)
    untold = [each.name for each in kinds if each.level >= CRITICAL and not _is_told_inside(policy, each)]
    if untold:
        named = ", ".join(f'"{each}"' for each in untold[:MOST_NAMED])
        more = f" and {len(untold) - MOST_NAMED} more" if len(untold) > MOST_NAMED else ""
        message = f"no internal group hears of {named}{more}: who does not answer in time is told to no management"
        yield doubt("no-internal-stakeholders", place_of(root, GROUPS), message)


def _is_told_inside(policy: Policy, kind: Rule | IncidentType) -> bool:
    enabled = {word for each in policy.channels if each.enabled for word in (each.name, each.type)}
    return any(
        group.recipients and not enabled.isdisjoint(group.channels) and policy.hears(group, (kind.key,))
        for group in policy.stakeholders
        if not group.external and group.from_level <= kind.level
    )


def _untold_outside(policy: Policy, root: Node) -> Iterator[Problem]:
    """Steps that mention people outside, in a policy without an external group."""
    if any(group.external for group in policy.stakeholders):
        return
    found = [each for each in all_steps(policy) if OUTSIDERS.search(each)]
    if found:
        named = ", ".join(f'"{each}"' for each in found)
        message = f"steps speak of people outside ({named}), and no external group is there to be told"
        yield doubt("no-external-stakeholders", place_of(root, GROUPS), message)


def all_steps(policy: Policy) -> tuple[str, ...]:
    """All steps of procedures and all immediate actions, each once."""
    steps = [step for each in policy.procedures for step in each.steps]
    steps += [step for each in policy.incident_types for step in each.immediate_actions]
    return tuple(dict.fromkeys(steps))


def _levels(policy: Policy) -> Iterator[tuple[str, int]]:
    """Every rule and type at its own level and at the more severe levels to which it may be raised."""
    kinds: tuple[Rule | IncidentType, ...] = (*policy.rules, *policy.incident_types)
    for kind in kinds:
        yield from ((kind.key, level) for level in range(kind.level, EMERGENCY + 1))


def _unknown(what: str, names: Iterable[str], known: Iterable[str], root: Node, *way: str | int) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name not in set(known):
            message = f"there is no {what} `{name}`{suggest(name, known)}"
            yield Problem.at(place_of(root, *way, index), message)


def _approvers(policy: Policy, obligation: ReportingObligation, root: Node, index: int) -> Iterator[Problem]:
    roles = [each.name for each in policy.roles]
    for number, stage in enumerate(obligation.stages):
        place = place_of(root, HERE, index, "stages", number, "approver")
        if "@" in stage.approver:
            try:
                parse_address(stage.approver)
            except AddressError as error:
                yield Problem.at(place, f'approver: "{stage.approver}" is no e-mail address: {error}')
        elif stage.approver and stage.approver not in roles:
            yield Problem.at(place, f"approver: no role is named `{stage.approver}`{suggest(stage.approver, roles)}")


TEXTS = ("initial_alert_template", "status_update_template", "resolution_template")


def find_promises(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """All such doubts."""
    promised = _promised(policy, document, root)
    if "contact_information" in promised and not policy.contact_information:
        message = 'a template tells {contact_information}, and the policy has none: it will read "not yet known"'
        yield doubt("contact-not-given", promised["contact_information"], message)
    silent = [level for level in policy.levels if level.update_interval is None]
    if "update_interval" in promised and silent:
        said = ", ".join(
            f"level {level.level}: {as_spelled(level.response_time, policy.spellings)}" for level in silent
        )
        message = f"a template promises updates every {{update_interval}}, and no `update_interval` is set: {said}"
        yield doubt("update-interval-not-given", promised["update_interval"], message)
    yield from _notice_approvers(policy, root)


def _promised(policy: Policy, document: PolicyDocument, root: Node) -> dict[str, Place]:
    """The placeholders that the texts name, each with the place of the first such text."""
    usual = (policy.templates.initial, policy.templates.update, policy.templates.resolution)
    is_told_outside = any(group.external for group in policy.stakeholders)
    texts = [
        (f"{each.subject}\n{each.body}", place_of(root, key))
        for key, each in zip(TEXTS, usual, strict=True)
        if is_told_outside or getattr(document, key) is not None
    ]
    for index, group in enumerate(policy.stakeholders):
        own = zip(TEXTS, (group.initial, group.update, group.resolution), strict=True)
        way = ("stakeholder_notification", index)
        texts += [(f"{each.subject}\n{each.body}", place_of(root, *way, key)) for key, each in own if each is not None]
    found: dict[str, Place] = {}
    for text, place in texts:
        for name in _named(text):
            found.setdefault(name, place)
    return found


def _named(text: str) -> tuple[str, ...]:
    try:
        return placeholders(text)
    except TemplateError:
        return ()  # reported where it is read


def _notice_approvers(policy: Policy, root: Node) -> Iterator[Problem]:
    for index, group in enumerate(policy.stakeholders):
        inside = any(not each.external and each.from_level <= group.from_level for each in policy.stakeholders)
        if group.external and not group.approvers and not inside:
            message = f'nobody is told that a notice to "{group.name}" waits: name `approvers`, or an internal group'
            yield doubt("notice-without-approver", place_of(root, "stakeholder_notification", index), message)
