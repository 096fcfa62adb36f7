"""Makes a tabletop sheet from a past incident: the leader reads events aloud, the participants say what they would do.

It contains no names of people, because it is about events and not about performance. All content is from the record;
the answers follow the questions separately, so that the first part can be read aloud.
"""

import re
from collections.abc import Iterable, Iterator

from receiver.core.checklists import attached
from receiver.core.model import Fact
from receiver.drill.text_report import offset
from receiver.messages.plain import line, plain
from receiver.messages.timeline import sentence
from receiver.reports.incident_record import IncidentRecord

HAPPENS = frozenset({
    Fact.OPENED, Fact.DECLARED, Fact.ALERT_JOINED, Fact.RULE_JOINED, Fact.LEVEL_ROSE, Fact.ESCALATED, Fact.BREACHED,
    Fact.FALLBACK, Fact.NOBODY_ON_CALL, Fact.ACK_EXPIRED, Fact.FLASHED, Fact.RECOVERED, Fact.RECOVERY_CONFIRM,
    Fact.RECOVERY_UNVERIFIED, Fact.FIRED_AGAIN, Fact.REOPENED, Fact.OVERDUE, Fact.OBLIGATION_APPLIES,
    Fact.NOTICE_HELD, Fact.KEPT_OPEN,
})  # fmt: skip
"""Events without an actor: the participants are told."""

DONE = frozenset({
    Fact.ACKNOWLEDGED, Fact.HELP_ASKED, Fact.HANDED_OVER, Fact.GIVEN_BACK, Fact.ACK_UNDONE, Fact.NOTED, Fact.UPDATED,
    Fact.CHANGED,
    Fact.IMPACT, Fact.STEP_DONE, Fact.NOTICE_SENT, Fact.REPORT_FILED, Fact.RESOLVED, Fact.SIGNED_OFF, Fact.CLOSED,
})  # fmt: skip
"""Actions of people: told after the participants have said what they would do."""

LEARNED = ("root_cause", "contributing_factors", "fix_description", "lessons_learned", "process_changes")

QUESTIONS = (
    "What do you do first, and who does it?",
    "Whom do you tell, inside and outside, and what do you say?",
    "What must be done by when, and who watches the time?",
)


def tabletop(record: IncidentRecord) -> str:
    """The sheet, as Markdown."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: IncidentRecord) -> Iterator[str]:
    case, incident = record.case, record.case.incident
    plan = case.context.policy_version.plan(incident)
    yield f"# Tabletop: {line(incident.type)}, from incident #{incident.number}"
    yield ""
    yield "It happened, and is played at a table: no alert fires, nobody is paged. One person leads and reads out part"
    yield "1 line by line; after each line the others say what they would do. Part 2 is for afterwards."
    yield ""
    yield f"Level {incident.level} ({line(case.level.name)}). Somebody must acknowledge within"
    yield f"{case.as_set(plan.response_time)}; unanswered, it escalates after"
    yield f"{case.as_set(plan.escalation_time)}."
    if case.policy.roles:
        yield f"Roles to give out first: {', '.join(line(each.name) for each in case.policy.roles)}."
    yield from ("", "## Part 1: what happens", "")
    yield from _told(record, HAPPENS)
    yield from ("", "Ask at every line:", "", *(f"* {each}" for each in QUESTIONS))
    yield from _checklists(record)
    yield from ("", "## Part 2: what was done then", "")
    yield from _told(record, DONE)
    yield from ("", "## What was learned", "")
    facts = [(each, _nameless(record, plain(incident.facts.get(each, "")))) for each in LEARNED]
    yield from (f"* {each.replace('_', ' ')}: {' '.join(said.split())}" for each, said in facts if said)
    if not any(said for _, said in facts):
        yield "Nothing was written down."
    yield ""
    yield "A drill with the real channels counts as training, this sheet does not:"
    yield f"`tocsin drill --live --incident {line(incident.type)}`."


def _told(record: IncidentRecord, facts: Iterable[Fact]) -> Iterator[str]:
    wanted = set(facts)
    found = [each for each in record.timeline if each.fact in wanted]
    for each in found:
        yield f"* {offset(each.at - record.case.incident.opened_at)}: {_nameless(record, line(sentence(each), 500))}"
    if not found:
        yield "Nothing stands in the record."


def _nameless(record: IncidentRecord, text: str) -> str:
    """A text without the names of the policy's people and of the persons who acted or were owner."""
    response = record.case.incident.response
    people = {each.by for each in record.timeline} | {each.to for each in response.history}
    people |= {each.name for each in record.case.policy.people} | set(response.roles.values())
    names = sorted({re.escape(line(each)) for each in people if each}, key=len, reverse=True)
    return re.sub(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", "somebody", text) if names else text


def _checklists(record: IncidentRecord) -> Iterator[str]:
    found = attached(record.case.incident, record.case.context.policy_version)
    if found:
        yield from ("", "The checklists that it carries, for the person who leads:", "")
    for checklist in found:
        yield f"* {line(checklist.title)}: {'; '.join(line(text, 200) for _, text in checklist.numbered())}"
