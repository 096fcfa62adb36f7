"""What is wrong or doubtful about reporting obligations, and about the sections of stakeholder groups: what they name
must exist, and some incident must have them.
"""

from collections.abc import Iterable, Iterator

from rules.addresses import AddressError, parse_address
from rules.document import PolicyDocument
from rules.document.values import suggest
from rules.lint_catalog import doubt
from rules.nodes import Node
from rules.policy import BASIC, EMERGENCY, IncidentType, Policy, ReportingObligation, Rule
from rules.problems import Problem
from rules.validate import place_of

HERE = "reporting_obligations"


def find(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """Every fault of them."""
    sections = {BASIC, *document.sections}
    for index, group in enumerate(policy.stakeholders):
        yield from _unknown("section", group.sections, sections, root, "stakeholder_notification", index, "sections")
    types = {each.name for each in policy.rules} | {each.name for each in policy.incident_types}
    for index, each in enumerate(policy.reporting_obligations):
        way = (HERE, index)
        yield from _unknown("section", each.sections, sections, root, *way, "sections")
        yield from _unknown("incident type or rule", each.types, types, root, *way, "types")
        yield from _approvers(policy, each, root, index)
        if not any(policy.must_report(each, key, level) for key, level in _levels(policy)):
            message = f'"{each.name}": no rule and no incident type of the policy is of its sections, types and levels'
            yield doubt("obligation-without-incident", place_of(root, *way), message)


def _levels(policy: Policy) -> Iterator[tuple[str, int]]:
    """Every rule and type at its own level and the worse ones that it may be raised to."""
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
