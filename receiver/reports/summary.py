"""The executive summary, readable in one minute: event, affected people, duration, actions, state, remaining work."""

from collections.abc import Iterator

from receiver.core.checklists import done, steps
from receiver.core.model import Entry, Fact, Instant, State
from receiver.core.obligations import obligations_outstanding
from receiver.core.occurrences import begun_at
from receiver.core.response import Standing
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.messages.responders import last_taken
from receiver.messages.times import duration
from receiver.reports.deadline_outcome import DeadlineOutcome, DeadlineResult
from receiver.reports.evidence_kept import evidence_kept
from receiver.reports.filings import filings
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.level_history import worst_level
from receiver.reports.report import Field, Part, SectionContent, Table, counted
from receiver.reports.sources import MOST, earlier_impacts, field, immediate, impacts, measured, taken_actions
from receiver.reports.steps import open_follow_ups
from rules.placeholders import UNKNOWN

WANTED = ("root_cause", "lessons_learned", "process_changes")
"""Facts that must be entered before the work on a past incident is done."""


DEADLINE_COLUMNS = ("deadline", "set to", "due", "outcome", "by how much", "answered")


def summary(record: IncidentRecord, deadlines: list[DeadlineOutcome]) -> SectionContent:
    """Returns the first section of every incident's report, independent of the policy's structure."""
    told = {
        "what_happened": tuple(_what_happened(record)),
        "measured": tuple(measured(record)),
        "who_was_affected": tuple(_who_was_affected(record)),
        "how_long": tuple(_how_long(record)),
        "deadlines": tuple(_deadlines(deadlines)),
        "what_was_done": tuple(_what_was_done(record)) or ("nothing that is written down",),
        "is_it_over": (_is_it_over(record),),
        "what_remains": tuple(_what_remains(record)) or ("nothing that is written down",),
    }
    fields = tuple(Field(each, values) for each, values in told.items() if values)
    rows = tuple(deadline_row(each, record) for each in deadlines)
    tables = (Table("Deadlines", DEADLINE_COLUMNS, rows),) if rows else ()
    return SectionContent("summary", (Part("", fields),), (*tables, *filings(record), *evidence_kept(record)))


def _what_happened(record: IncidentRecord) -> Iterator[str]:
    case, incident = record.case, record.case.incident
    if incident.exercise:
        yield "an exercise: nobody was in danger"
    began = "declared by a person" if incident.declared else "opened by an alert"
    level = f"level {case.level.level} ({line(case.level.name)})"
    rises = [each for each in record.decisive if _is_rise(each)]
    began_at = next((each.data["level"] for each in record.entries(Fact.OPENED, Fact.DECLARED)), case.level.level)
    at_first = f" at level {began_at}" if int(began_at) != case.level.level else ""
    opened = _opened_by(record) or case.title
    yield f"{opened}: {level}, {began}{at_first} on {record.stamp(incident.opened_at)}"
    if opened != case.title:
        yield f"later: {case.title}"
    if rises:
        told = "; ".join(f"{record.tell(each)}, {_by_and_when(record, each)}" for each in rises[-MOST:])
        yield f"it got worse after that: {told}"
    worst = worst_level(record.decisive)
    if worst > case.level.level:
        changes = [each for each in record.decisive if each.fact is Fact.CHANGED and each.data.get("field") == "level"]
        lowered = "".join(f"; {record.tell(each)}, {_by_and_when(record, each)}" for each in changes[-1:])
        yield f"at its worst it was level {worst} ({line(case.policy.level(worst).name)}){lowered}"
    if met := _conditions_met(record):
        yield f"the condition that was met: {met}"


def _conditions_met(record: IncidentRecord) -> str:
    """Those of the rules whose alerts fired: a person may declare an incident of a rule that did not fire."""
    fired = {each.rule for each in record.alerts}
    rules = record.case.context.policy_version.rules
    met = [rules[key].condition for key in record.case.incident.rules if key in fired and key in rules]
    told = [each.annotations.get("condition", "") for each in record.alerts[:1]]
    return line("; ".join(dict.fromkeys(met or told)))


def _is_rise(entry: Entry) -> bool:
    """Whether the entry raises the level, by an alert or by hand."""
    data = entry.data
    by_hand = entry.fact is Fact.CHANGED and data.get("field") == "level"
    return entry.fact is Fact.LEVEL_ROSE or (by_hand and int(data["value"]) > int(data["before"]))


def _by_and_when(record: IncidentRecord, entry: Entry) -> str:
    return f"{name(entry.by) or 'Tocsin'} on {record.stamp(entry.at)}"


def _who_was_affected(record: IncidentRecord) -> Iterator[str]:
    """Yields the affected systems, the described impact, and the grades of each occurrence."""
    yield from field("system_affected", record).values
    yield from filter(None, record.case.fact("impact_description").split("\n"))
    yield from impacts(record)
    yield from earlier_impacts(record)


def _how_long(record: IncidentRecord) -> Iterator[str]:
    incident = record.case.incident
    for each in incident.response.occurrences:
        if each.resolved_at is not None:
            yield f"occurrence {each.number}: {_lasted(record, each.began_at, each.resolved_at)}"
    began_at = begun_at(incident)
    last = f"occurrence {incident.recurrences + 1}: " if incident.response.occurrences else ""
    if incident.resolved_at is None:
        yield f"{last}it began on {record.stamp(began_at)} and is not over"
    else:
        yield f"{last}{_lasted(record, began_at, incident.resolved_at)}"
    if incident.recurrences:
        yield f"it came back {counted(incident.recurrences, 'time')} after it had been resolved"
        for each in incident.response.occurrences:
            if each.facts.get("root_cause"):
                yield f"the cause given in occurrence {each.number} did not hold: {line(each.facts['root_cause'])}"


def _lasted(record: IncidentRecord, began_at: Instant, resolved_at: Instant) -> str:
    return f"{duration(resolved_at - began_at)}, until it was resolved on {record.stamp(resolved_at)}"


def _deadlines(deadlines: list[DeadlineOutcome]) -> Iterator[str]:
    """Yields the number of kept deadlines, and each breached one."""
    kept = sum(each.result is DeadlineResult.KEPT for each in deadlines)
    breached = [each for each in deadlines if each.result is DeadlineResult.BREACHED]
    if not (kept or breached):
        return
    yield f"{kept} of {kept + len(breached)} kept"
    yield from (f"breached: {told(each)}" for each in breached)


ANSWERED = frozenset({"response", "escalation", "initial response: acknowledgement"})
"""Deadlines that an answer keeps; the others require an action."""


def told(each: DeadlineOutcome) -> str:
    """Returns a deadline in one line without its result: the person who answered, and how early or late."""
    nobody = "nobody answered" if each.name in ANSWERED else "not done"
    answer = name(each.by) or "Tocsin" if each.met_at is not None else nobody
    margin = _margin(each)
    return f"{line(each.name)}, {each.set_to} from {each.since}: {answer}{f', {margin}' if margin else ''}"


def deadline_row(each: DeadlineOutcome, record: IncidentRecord) -> tuple[str, ...]:
    """Returns a deadline as a table row."""
    answer = f"{name(each.by) or 'Tocsin'}, {record.stamp(each.met_at)}" if each.met_at is not None else ""
    if not answer and each.result is DeadlineResult.BREACHED:
        answer = "nobody"
    set_to = f"{each.set_to} from {each.since}"
    return (line(each.name), set_to, record.stamp(each.due_at), each.result.value, _margin(each), answer)


def _margin(each: DeadlineOutcome) -> str:
    if each.late is None:
        return ""
    return f"{duration(each.late)} late" if each.late > 0 else f"{duration(-each.late)} before"


def _opened_by(record: IncidentRecord) -> str:
    """Returns the summary of the alert that opened the incident; the title may have changed since. Empty: declared."""
    said = [each.data.get("summary", "") for each in record.entries(Fact.OPENED)]
    return line(said[-1]) if said else ""


def _what_was_done(record: IncidentRecord) -> Iterator[str]:
    for each in record.case.incident.response.occurrences:
        then = f"in occurrence {each.number}"
        yield from (f"{then}: {line(done.text)} ({name(done.by)})" for done in immediate(each.checklists))
        if each.facts.get("fix_description"):
            yield f"{then}: {line(each.facts['fix_description'])} (did not hold)"
    yield from taken_actions(record)
    yield from (f"fix: {each}" for each in field("fix_description", record).values)
    resolved = (each for each in record.entries(Fact.RESOLVED) if each.at == record.case.incident.resolved_at)
    yield from (
        f"{line(note)} ({name(each.by)}, on resolving it)" for each in resolved if (note := each.data.get("note"))
    )


def _is_it_over(record: IncidentRecord) -> str:
    incident = record.case.incident
    verified = "; ".join(field("verification_status", record).values)
    match incident.state:
        case State.RESOLVED:
            return f"resolved, and watched in case it comes back{f'; {verified}' if verified else ''}"
        case State.CLOSED:
            again = " again" if incident.recurrences else ""
            return _closed(record) or f"yes: closed, it did not come back{again}{f'; {verified}' if verified else ''}"
        case _ if record.case.incident.recorded_only:
            return "nobody had to act: it was only recorded"
        case _:
            return f"no: {standing(record)}"


def _closed(record: IncidentRecord) -> str:
    """Returns who closed it by hand, why, and what was missing; empty: not closed by hand."""
    entry = next(iter(record.entries(Fact.CLOSED)), None)
    if entry is None or not entry.by:
        return ""
    missing, note = (line(entry.data.get(each, ""), 2000) for each in ("missing", "note"))
    return f"closed by {name(entry.by)} on {record.stamp(entry.at)}{f', although {missing}' if missing else ''}: {note}"


def standing(record: IncidentRecord) -> str:
    """Returns the state with dates instead of remaining times: a report is read later."""
    case, incident = record.case, record.case.incident
    by = name(incident.acknowledged_by) or "somebody"
    handed = f", handed over to {case.owner}" if case.owner not in {"", by} else ""
    match incident.state:
        case State.ACKNOWLEDGED:
            taken_at = last_taken(incident) or incident.acknowledged_at
            at = f" on {record.stamp(taken_at)}" if taken_at else ""
            return f"acknowledged by {by}{at}{handed}"
        case State.RESOLVED if incident.resolved_at is not None:
            who = f" by {name(incident.resolved_by)}" if incident.resolved_by else ""
            return f"resolved{who} on {record.stamp(incident.resolved_at)}"
        case _:
            return incident.state.value


def _what_remains(record: IncidentRecord) -> Iterator[str]:
    incident = record.case.incident
    if not incident.is_live:
        yield from (line(each, 500) for each in record.case.outstanding)
    else:
        yield from (f"outstanding: {line(each.what)}" for each in obligations_outstanding(incident, record.case.policy))
    yield from open_follow_ups(record)
    held = sum(each.standing is Standing.HELD for each in incident.response.notices)
    if held:
        yield f"{counted(held, 'notice')} to the outside, not decided on"
    asked = steps(incident, record.case.context.policy_version)
    undone = sum(done(incident, id_, text) is None for id_, text in asked.items())
    if undone:
        yield f"{undone} of {counted(len(asked), 'step')} of its checklists not ticked"
    said = record.case.policy.closing.facts if record.case.outstanding and not incident.is_live else ()
    unknown = [each.replace("_", " ") for each in WANTED if each not in said and not record.case.fact(each)]
    if unknown:
        yield f"{UNKNOWN}: {', '.join(unknown)}"
