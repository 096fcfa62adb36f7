"""The incident's checklists, follow-up actions and notices for reports, as tables and texts."""

from collections.abc import Iterator

from receiver.core.checklists import attached, done
from receiver.core.follow_ups import SHOWN
from receiver.core.instant import Instant
from receiver.core.procedures import AFTERWARDS, IMPACT, ROOT_CAUSE, Checklist
from receiver.core.response import Done, FollowUp, Notice, Standing
from receiver.messages.incident_text import name
from receiver.messages.plain import line, plain
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import Field, Table, counted

HOMES = {
    ROOT_CAUSE: "root_cause_analysis",
    IMPACT: "impact_assessment",
    AFTERWARDS: "follow_up_actions",
}
"""Policy section → the report section with its checklists; all others are in resolution_actions."""

TOLD_OUTSIDE = "What the external groups were told"
LONGEST = 20_000
"""Maximum characters of a notice's text."""


def checklists(record: IncidentRecord, section: str) -> tuple[Table, ...]:
    """Returns the started checklists of a section: done steps with the person, open steps together in one row."""
    return tuple(_table(record, each) for each in _of_section(record, section) if _is_begun(record, each))


def untouched(record: IncidentRecord, section: str) -> tuple[Field, ...]:
    """Returns the other checklists of the section, in one line."""
    found = [each for each in _of_section(record, section) if not _is_begun(record, each)]
    told = "; ".join(f"{line(each.title)} ({counted(len(each.steps), 'step')})" for each in found)
    return (Field("no_step_ticked_of", (told,)),) if told else ()


def _of_section(record: IncidentRecord, section: str) -> list[Checklist]:
    found = attached(record.case.incident, record.case.context.policy_version)
    return [each for each in found if _home(each) == section]


def _is_begun(record: IncidentRecord, checklist: Checklist) -> bool:
    return any(done(record.case.incident, *step) for step in checklist.numbered())


def _home(checklist: Checklist) -> str:
    return HOMES.get(checklist.key.partition(".")[0], "resolution_actions")


def _table(record: IncidentRecord, checklist: Checklist) -> Table:
    steps = [(text, done(record.case.incident, id_, text)) for id_, text in checklist.numbered()]
    rows = [
        ("done", line(text), f"{name(ticked.by)}, {record.stamp(ticked.at)}", evidence(ticked))
        for text, ticked in steps
        if ticked
    ]
    left = [line(text, 200) for text, ticked in steps if not ticked]
    rows += [("open", "; ".join(left), "", "")] if left else []
    return Table(line(checklist.title), ("done", "step", "who", "note"), tuple(rows))


def evidence(ticked: Done) -> str:
    """Returns the note and the link of a ticked step."""
    return "; ".join(line(part) for part in (ticked.note, ticked.link) if part)


def follow_ups(record: IncidentRecord) -> tuple[Table, ...]:
    """Returns the follow-up actions with id, owner and due time."""
    rows = tuple(
        (
            each.id,
            "done" if each.done_at is not None else "overdue" if _is_overdue(each, record) else "open",
            "; ".join(filter(None, (line(each.text), line(each.link, 500), _brought(each)))),
            name(each.owner),
            _when(record, each.due_at),
        )
        for each in record.case.incident.response.follow_ups
    )
    return (Table("Follow-up actions", ("follow-up", "done", "action", "owner", "due"), rows),) if rows else ()


def _brought(each: FollowUp) -> str:
    """Returns the policy version that resulted from it."""
    return f"policy version {each.brought[:SHOWN]}" if each.brought else ""


def open_follow_ups(record: IncidentRecord) -> Iterator[str]:
    """Yields the open follow-up actions, in words."""
    for each in record.case.incident.response.follow_ups:
        if each.done_at is None:
            until = f", until {record.stamp(each.due_at)}" if each.due_at is not None else ""
            yield f"{line(each.text)} ({name(each.owner) or 'nobody has it'}{until})"


def _is_overdue(each: FollowUp, record: IncidentRecord) -> bool:
    return each.due_at is not None and each.due_at < record.now


def notices(record: IncidentRecord) -> tuple[Table, ...]:
    """Returns the notices to external groups with id, decision, person and time; then the texts of those sent."""
    known = record.case.incident.response.notices
    rows = tuple(
        (each.id, _to(each), line(each.moment), _became(record, each), name(each.by), _when(record, each.decided_at))
        for each in known
    )
    exercise = record.case.incident.exercise
    tables = [Table("External notices", ("notice", "group", "on", "became", "by", "when"), rows)] if rows else []
    texts = tuple(row for each in known if each.standing is Standing.SENT for row in _texts(record, each))
    if texts:
        title = "What was approved as an exercise, and told to nobody outside" if exercise else TOLD_OUTSIDE
        tables.append(Table(title, ("notice", "text", "by", "when"), texts))
    return tuple(tables)


def _texts(record: IncidentRecord, notice: Notice) -> Iterator[tuple[str, str, str, str]]:
    """Yields the approved text, preceded by the proposed text if it was edited."""
    whom, approved = f"{notice.id} to {_to(notice)}", f"{notice.subject}\n\n{notice.body}"
    if notice.edited_by:
        proposed = f"{notice.proposed_subject}\n\n{notice.proposed_body}"
        yield f"{whom}: proposed by the template", plain(proposed, LONGEST), "Tocsin", _when(record, notice.held_at)
        yield f"{whom}: edited", "(the text that was approved)", name(notice.edited_by), _when(record, notice.edited_at)
    sent = "approved, and sent to its approvers" if record.case.incident.exercise else "approved and sent"
    yield f"{whom}: {sent}", plain(approved, LONGEST), name(notice.by), _when(record, notice.decided_at)


def _to(notice: Notice) -> str:
    """Returns the group; with the recipients if only some of it got the notice."""
    some = line(", ".join(notice.recipients))
    return f"{line(notice.group)} ({some})" if some else line(notice.group)


def _became(record: IncidentRecord, notice: Notice) -> str:
    if notice.standing is Standing.SENT and record.case.incident.exercise:
        return "practised: sent to its approvers"
    return f"{notice.standing.value}{f': {line(notice.why)}' if notice.why else ''}"


def _when(record: IncidentRecord, at: Instant | None) -> str:
    return record.stamp(at) if at is not None else ""


def done_steps(record: IncidentRecord, *beginnings: str) -> Iterator[str]:
    """Yields the done steps of the checklists whose keys begin with `beginnings`, with note and link."""
    for checklist in attached(record.case.incident, record.case.context.policy_version):
        if checklist.key.startswith(beginnings):
            for id_, text in checklist.numbered():
                ticked = done(record.case.incident, id_, text)
                if ticked:
                    said = evidence(ticked)
                    yield f"{line(text)} ({name(ticked.by)}{f': {said}' if said else ''})"


INVESTIGATION = (f"{ROOT_CAUSE}.", "safety_investigation.")
"""Prefixes of the ids of steps that collect evidence."""


def evidence_links(record: IncidentRecord) -> Iterator[str]:
    """Yields the links to evidence: those of the investigation's steps, and of other steps that mention evidence. Other
    links (a deployment, a call) are shown with their step.
    """
    response = record.case.incident.response
    for lists in (*(each.checklists for each in response.occurrences), response.checklists):
        for step, ticked in lists.done.items():
            if ticked.link and (step.startswith(INVESTIGATION) or "evidence" in ticked.text.lower()):
                yield f"{line(ticked.text)}: {line(ticked.link, 500)}"
