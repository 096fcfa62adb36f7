"""The source of each field of the policy's report templates: the record, or a responder's entry.

A value that a responder entered under a field's name (``PATCH /incidents/12 {"facts": {"root_cause": …}}``) has
precedence. Names that are not in this module (a policy may define its own) have only entered values.
"""

from collections.abc import Callable, Iterable, Mapping

from receiver.core.alerts import title_with_value
from receiver.core.impact import BUSINESS, GRADES, words
from receiver.core.measured import measured as measured_by
from receiver.core.measured import told_at
from receiver.core.model import Entry, Fact
from receiver.core.procedures import FIX, IMMEDIATE, ROOT_CAUSE
from receiver.core.response import Checklists, Done, Impact
from receiver.messages.incident_text import name
from receiver.messages.placeholder_values import actions_told, values, verification
from receiver.messages.plain import line, plain
from receiver.reports.exhibits import courses
from receiver.reports.incident_record import UNTOLD, IncidentRecord
from receiver.reports.level_history import worst_level
from receiver.reports.report import Field, counted
from receiver.reports.steps import done_steps, evidence_links, open_follow_ups
from rules.alert_text import general
from rules.placeholders import UNKNOWN

SYSTEM_LABELS = ("system", "service", "job", "namespace", "cluster", "instance")
MOST_MEASURED = 5
"""Measured values in the summary."""

MOST = 10
"""Values of one field from the record; the tables have the others."""

Values = Iterable[str]


def field(name: str, record: IncidentRecord) -> Field:
    """Returns the field of that name, filled."""
    entered = record.case.fact(name)
    if entered:
        return Field(name, tuple(entered.split("\n")))
    make = SOURCES.get(name)
    told = dict.fromkeys(filter(None, make(record))) if make else ()
    return Field(name, tuple(told))


def _placeholder(wanted: str) -> Callable[[IncidentRecord], Values]:
    """Returns a source that gives the messages' value of that placeholder."""

    def make(record: IncidentRecord) -> Values:
        value = values(record.case)[wanted]
        return () if value == UNKNOWN else (value,) if isinstance(value, str) else value

    return make


def _entered(*names: str) -> Callable[[IncidentRecord], Values]:
    """Returns a source that gives a responder's entries under other names."""
    return lambda record: [part for each in names for part in record.case.fact(each).split("\n")]


def _incident_type(record: IncidentRecord) -> Values:
    kind = record.case.kind
    yield f"{record.case.type}: {line(kind.description)}" if kind and kind.description else record.case.type


def _severity_level(record: IncidentRecord) -> Values:
    level, worst = record.case.level, worst_level(record.decisive)
    yield f"{level.level} {line(level.name)}"
    yield line(level.description)
    yield f"for example: {', '.join(map(line, level.examples))}" if level.examples else ""
    yield f"at its worst {worst} {line(record.case.policy.level(worst).name)}" if worst > level.level else ""


def _business_impact(record: IncidentRecord) -> Values:
    """The impact as described and graded, of each occurrence; without either, the level's usual impact."""
    case = record.case
    described = case.fact("impact_description").split("\n")
    told = [*filter(None, described), *impacts(record), *earlier_impacts(record)]
    usual = line(case.level.impact)
    return told or ([f"usual at level {case.level.level}: {usual}"] if usual else [])


def impacts(record: IncidentRecord) -> Values:
    """Returns each scale with its grade, the grade's meaning, and the original words; the worst first."""
    return [f"{each.name.replace('_', ' ')}: {each.values[0]}" for each in graded_fields(record)]


def earlier_impacts(record: IncidentRecord) -> Values:
    """Yields the described and graded impact of each earlier occurrence."""
    for each in record.case.incident.response.occurrences:
        graded = (f"{line(scale)} {impact.grade}".replace("_", " ") for scale, impact in each.impacts.items())
        told = [line(each.facts.get("impact_description", ""), 500), *graded]
        if any(told):
            yield f"in occurrence {each.number}: {', '.join(filter(None, told))}"


def graded_fields(record: IncidentRecord) -> tuple[Field, ...]:
    """Returns the scales graded by a person or an alert, the worst first: ``high (20-50% revenue impact)``."""
    graded = record.case.incident.response.impacts
    worst_first = sorted(graded, key=lambda each: -GRADES.index(graded[each].grade))
    return tuple(Field(line(each), (_graded(record, each, graded[each]),)) for each in worst_first)


def _graded(record: IncidentRecord, scale: str, impact: Impact) -> str:
    if scale == BUSINESS:
        return f"{impact.grade} (as the type {name(impact.said)} is graded)"
    means = line(words(record.case.policy, scale, impact))
    known = {impact.grade, means.lower()}
    said = f"said: {line(impact.said)}" if impact.said.strip().lower() not in known else ""
    more = "; ".join(filter(None, (means, said)))
    return f"{impact.grade}{f' ({more})' if more else ''}"


def _resolution_time(record: IncidentRecord) -> Values:
    incident = record.case.incident
    if incident.resolved_at is not None:
        yield f"{record.stamp(incident.resolved_at)}, {record.case.after_it_began(incident.resolved_at)}"


def _immediate_actions(record: IncidentRecord) -> Values:
    """The recommended next actions: the open follow-up actions. `taken_actions` has the actions of
    the first minutes.
    """
    known = record.case.incident.response.follow_ups
    left = list(open_follow_ups(record))
    return left or (["none: every follow-up action is done"] if known else [])


def immediate(checklists: Checklists) -> list[Done]:
    """Returns the immediate actions that were ticked."""
    return [done for step, done in checklists.done.items() if step.startswith(f"{IMMEDIATE}.")]


def taken_actions(record: IncidentRecord) -> Values:
    """Returns the actions taken immediately: a responder's text, else the ticked immediate actions."""
    written = record.case.fact("immediate_actions_taken")
    if written:
        return written.split("\n")
    return done_steps(record, IMMEDIATE)


def _system_affected(record: IncidentRecord) -> Values:
    """The systems named by the alerts, or by the labels of a declared incident."""
    labels = [alert.labels for alert in record.alerts] + [record.case.incident.labels]
    for wanted in SYSTEM_LABELS:
        found = dict.fromkeys(line(each[wanted]) for each in labels if each.get(wanted))
        if found:
            yield f"{wanted}: {', '.join(list(found)[:MOST])}"


def _failure_mode(record: IncidentRecord) -> Values:
    for rule in record.case.rules[:MOST]:
        said = f" ({line(general(rule.description))})" if rule.description else ""
        yield f"{line(rule.name)}: {line(rule.condition)}{said}"
    if not record.case.rules:
        yield record.case.title


def _error_messages(record: IncidentRecord) -> Values:
    texts = (alert.annotations.get(key, "") for alert in record.alerts for key in ("summary", "description"))
    return list(dict.fromkeys(line(text) for text in texts if text))[:MOST]


def measured(record: IncidentRecord) -> Values:
    """Returns the values that the alerts reported, the worst level first; the table of alerts has the others."""
    worst_first = sorted(record.alerts, key=lambda each: -each.level)
    telling = (each for each in worst_first if measured_by(each))
    found = dict.fromkeys(f"{line(title_with_value(each))}, told at {record.stamp(told_at(each))}" for each in telling)
    return list(found)[:MOST_MEASURED]


def _performance_metrics(record: IncidentRecord) -> Values:
    """The range of each kept signal, then the values that the alerts reported."""
    for exhibit in courses(record.decisive):
        for series in exhibit.lines:
            values = [value for _, value in series.points]
            if values:
                said = f"from {min(values):.6g} to {max(values):.6g}, at the end {values[-1]:.6g}"
                yield f"{series.name or exhibit.query} ({exhibit.moment}): {said}"
    yield from measured(record)


def _data_collected(record: IncidentRecord) -> Values:
    told = sum(each.fact not in UNTOLD for each in record.timeline)
    yield f"{counted(len(record.alerts), 'alert')}, {counted(told + record.left_out, 'line')} of timeline"
    yield from done_steps(record, f"{ROOT_CAUSE}.data")


def _analysis_performed(record: IncidentRecord) -> Values:
    """The steps done, and the notes and updates of the responders."""
    yield from done_steps(record, f"{ROOT_CAUSE}.analysis", "safety_investigation")
    for entry in record.entries(Fact.NOTED, Fact.UPDATED):
        if entry.by:
            yield f"{record.stamp(entry.at)} {name(entry.by)}: {record.tell(entry)}"


def _evidence_preserved(record: IncidentRecord) -> Values:
    for file in record.case.incident.response.files:
        removed = "" if file.redacted_at is None else ", whose content was removed"
        yield f"{file.id}: {line(file.name)}, SHA-256 {file.sha256}{removed}"
    yield from evidence_links(record)
    for exhibit in courses(record.decisive):
        yield f"{exhibit.query} ({exhibit.moment}): {len(exhibit.lines)} series kept"
    for alert in record.alerts[:MOST]:
        if alert.generator_url:
            yield f"query of {line(alert.rule)}: {line(alert.generator_url, 500)}"


def _verification_status(record: IncidentRecord) -> Values:
    said = record.case.fact("verification_status") or verification(record.case, record.stamp)
    return (said,) if said else ()


def _verification_results(record: IncidentRecord) -> Values:
    """The state, the last note of the person who resolved it, and each check and confirmation."""
    yield from _verification_status(record)
    if not record.case.live:
        yield from (_noted(record, each) for each in record.entries(Fact.RESOLVED)[-1:] if each.data.get("note"))
    for entry in record.entries(Fact.CHECKED, Fact.CONFIRMED):
        yield f"{record.stamp(entry.at)} {record.tell(entry)}{f' ({name(entry.by)})' if entry.by else ''}"


def _noted(record: IncidentRecord, entry: Entry) -> str:
    return f"{record.stamp(entry.at)} {name(entry.by)}: {line(entry.data['note'], 2000)}"


def _monitoring_plan(record: IncidentRecord) -> Values:
    blocks = [block for block in record.case.policy.post_incident if block.name == "monitoring"]
    return [actions_told(block, record.case) for block in blocks or record.case.policy.post_incident]


SOURCES: Mapping[str, Callable[[IncidentRecord], Values]] = {
    # The executive summary.
    "incident_type": _incident_type,
    "severity_level": _severity_level,
    "business_impact": _business_impact,
    "resolution_time": _resolution_time,
    "immediate_actions": _immediate_actions,
    "immediate_actions_taken": taken_actions,
    # The technical report.
    "system_affected": _system_affected,
    "failure_mode": _failure_mode,
    "error_messages": _error_messages,
    "performance_metrics": _performance_metrics,
    "data_collected": _data_collected,
    "analysis_performed": _analysis_performed,
    "root_cause_found": _entered("root_cause"),
    "evidence_preserved": _evidence_preserved,
    "fix_implemented": _entered("fix_description"),
    "testing_performed": lambda record: done_steps(record, FIX),
    "verification_results": _verification_results,
    "verification_status": _verification_status,
    "monitoring_plan": _monitoring_plan,
    # What the sections of the structure add.
    "impact_description": _business_impact,
    "follow_up_actions": _placeholder("post_incident_actions"),
}
"""Field → its value from the record; only responders can enter the others."""


def entered(record: IncidentRecord, names: Iterable[str]) -> tuple[Field, ...]:
    """Returns the fields of these names that a responder entered."""
    found = ((each, plain(record.case.incident.facts.get(each, ""))) for each in names)
    return tuple(Field(each, tuple(value.split("\n"))) for each, value in found if value)
