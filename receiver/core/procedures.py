"""The checklists that a policy offers for an incident, and when each is attached; decides nothing.

Procedures of the basic section apply to every incident, those of another section to incidents of its rules and types,
and of the sections under it. A step's id is ``key.number``: ``escalation.2``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rules.policy import BASIC, CRITICAL, INFORMATIONAL, Attach, IncidentType, Policy, Procedure, TimedActions

IMMEDIATE = "immediate_actions"

FIRST_RESPONSE, ROOT_CAUSE, IMPACT = "initial_response", "root_cause_analysis", "impact_assessment"
FIX, AFTERWARDS = "fix_implementation", "post_incident_actions"
"""Sections of the policy whose actions become checklists; each checklist's key begins with its section's name."""


@dataclass(frozen=True, slots=True)
class Checklist:
    """A procedure as a list of steps to tick off."""

    key: str
    title: str
    steps: tuple[str, ...]
    attach: Attach
    """When an incident gets it."""
    time_limit: int | None = None
    """Microseconds from then within which all its steps must be ticked; None: no limit."""
    from_level: int = INFORMATIONAL
    """The lowest level that has the limit."""
    outlives: bool = False
    """Whether its limit continues after the incident resolves: it concerns lessons, not the response."""

    def numbered(self) -> Iterator[tuple[str, str]]:
        """(id, text) of every step."""
        return ((f"{self.key}.{number}", step) for number, step in enumerate(self.steps, 1))


def assemble(policy: Policy, kinds: Sequence[IncidentType], sections: Iterable[str]) -> tuple[Checklist, ...]:
    """The checklists of an incident of these types and sections; the most specific first."""
    return tuple(each for each in _assemble(policy, kinds, tuple(sections)) if each.steps)


def _assemble(policy: Policy, kinds: Sequence[IncidentType], sections: Sequence[str]) -> Iterator[Checklist]:
    actions = dict.fromkeys(action for kind in kinds for action in kind.immediate_actions)
    yield Checklist(IMMEDIATE, "Immediate actions", tuple(actions), "opened")
    names = Counter(procedure.name for procedure in policy.procedures)
    for section in (*dict.fromkeys(each for each in sections if each != BASIC), BASIC):
        for procedure in policy.procedures:
            if procedure.section == section:
                yield _from_procedure(procedure, unique=names[procedure.name] == 1)
    for block in policy.initial_response:
        first = _from_block(FIRST_RESPONSE, block, "opened" if block.is_acknowledgement else "acknowledged")
        is_done_otherwise = block.is_acknowledgement or block.is_assessment
        limit = None if is_done_otherwise else block.time_limit
        yield replace(first, time_limit=limit, from_level=first_response_level(block))
    for block in policy.investigation:
        yield _from_block(ROOT_CAUSE, block, "acknowledged", outlives=True)
    for area in policy.impact_metrics:
        title = area.description or area.name
        yield Checklist(f"{IMPACT}.{area.name}", title, area.metrics, "acknowledged", area.time_limit)
    for block in policy.fix_implementation:
        yield _from_block(FIX, block, "acknowledged")
    for block in policy.post_incident:
        yield _from_block(AFTERWARDS, block, "resolved", outlives=True)


def first_response_level(block: TimedActions) -> int:
    """The lowest level with the time limit of an initial response block; lower ones have more time."""
    return block.from_level or CRITICAL


def _from_procedure(procedure: Procedure, *, unique: bool) -> Checklist:
    key = procedure.name if unique or procedure.section == BASIC else f"{procedure.section}.{procedure.name}"
    title = procedure.description or procedure.name
    outlives = procedure.attach in {"recovered", "resolved"}
    return Checklist(key, title, procedure.steps, procedure.attach, procedure.time_limit, outlives=outlives)


def _from_block(heading: str, block: TimedActions, attach: Attach, *, outlives: bool = False) -> Checklist:
    key, title = f"{heading}.{block.name}", block.description or block.name
    return Checklist(key, title, block.actions, attach, block.time_limit, block.from_level or INFORMATIONAL, outlives)
