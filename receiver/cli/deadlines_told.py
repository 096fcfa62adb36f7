"""The part of `tocsin check` on people's deadlines, and on what must be done before an incident closes."""

from collections.abc import Iterator

from receiver.core.closing import is_or_are
from receiver.core.procedures import assemble, first_response_level
from rules.durations import as_spelled
from rules.policy import INFORMATIONAL, Policy

WHEN = {
    "opened": "the opening",
    "escalated": "the escalation",
    "acknowledged": "the acknowledgement",
    "recovered": "the recovery",
    "resolved": "the resolution",
}
"""The moment at which a checklist is attached → words."""


def deadlines_told(policy: Policy) -> Iterator[str]:
    """Yields the lines under a heading; none if the policy has no limits and no conditions for closing."""
    told = [*_limits(policy), *_closing(policy)]
    if told:
        yield "\nWhat people must do"
        yield from told


def _limits(policy: Policy) -> Iterator[str]:
    for block in policy.initial_response:
        if block.time_limit is None:
            continue
        within, level = as_spelled(block.time_limit, policy.spellings), first_response_level(block)
        if block.is_acknowledgement:
            yield f"acknowledge within {within} of the opening{_from(level)}; nobody is paged by it"
        elif block.is_assessment:
            yield f"assess the severity within {within} of the acknowledgement{_from(level)}"
    sections = tuple(dict.fromkeys(each.section for each in policy.procedures))
    for checklist in assemble(policy, (), sections):
        if checklist.time_limit is not None:
            within = as_spelled(checklist.time_limit, policy.spellings)
            yield f"{checklist.title} within {within} of {WHEN[checklist.attach]}{_from(checklist.from_level)}"


def _closing(policy: Policy) -> Iterator[str]:
    terms = policy.closing
    if terms.from_level is not None and (terms.facts or terms.checklists):
        facts = [each.replace("_", " ") for each in terms.facts]
        known = [f"the {each} {is_or_are(each)} known" for each in facts]
        ticked = [f"every step is ticked of {', '.join(terms.checklists)}"] if terms.checklists else []
        yield f"before it closes{_from(terms.from_level)}: {'; '.join((*known, *ticked))}"
    if terms.sign_off_from is not None:
        yield f"before it closes{_from(terms.sign_off_from)}: a second person, an approver, signs it off"


def _from(level: int) -> str:
    return f", from level {level} on" if level > INFORMATIONAL else ""
