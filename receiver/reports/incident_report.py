"""An incident's report: the sections of the policy's `incident_report.structure`, then the technical report."""

from collections.abc import Callable, Iterator, Mapping

from receiver.core.model import Fact, Instant, Kind
from receiver.core.responder_history import without_undone
from receiver.messages.incident_text import name
from receiver.messages.now_firing import NowFiring
from receiver.messages.plain import line
from receiver.reports.deadlines_kept import RESPONSE, deadlines_of
from receiver.reports.drawing import draw_timeline
from receiver.reports.exhibits import drawn
from receiver.reports.incident_record import UNTOLD, IncidentRecord
from receiver.reports.occurrence_sections import ALERT_COLUMNS, alert_rows, occurrences
from receiver.reports.report import Drawing, Field, Part, Report, SectionContent, Table, counted
from receiver.reports.sources import MOST, earlier_impacts, entered, field, graded_fields, measured
from receiver.reports.steps import checklists, follow_ups, notices, untouched
from receiver.reports.summary import standing, summary, told
from receiver.reports.who_was_told import messages
from rules.policy import ReportPart

STRUCTURE = (
    "executive_summary",
    "incident_details",
    "timeline",
    "root_cause_analysis",
    "impact_assessment",
    "resolution_actions",
    "lessons_learned",
    "recommendations",
    "follow_up_actions",
)
"""The guide's nine sections, for a policy that names none."""

PLOTS = {"root_cause_analysis": "opened", "resolution_actions": "resolved"}
"""Section → the moment whose evidence is plotted there."""


def write(record: IncidentRecord) -> Report:
    """Returns the report of one incident. The content depends only on the facts, not on the time of day: the same facts
    give the same content.
    """
    case, reports = record.case, record.case.policy.reports
    deadlines = deadlines_of(case.incident, record.decisive, case.context.policy_version, record.now)
    sections = [*occurrences(record, deadlines), *(_section(each, record) for each in reports.structure or STRUCTURE)]
    if reports.technical:
        sections.append(SectionContent("technical_report", _parts(reports.technical, record)))
    return Report(
        title=f"Incident report {case.number}: {case.title}",
        subtitle=f"{line(case.level.name)} (level {case.incident.level}), {standing(record)}{record.clock.words}",
        exercise=case.incident.exercise,
        sections=tuple(sections),
        summary=summary(record, deadlines),
        organisation=line(case.context.current.policy.reports.organisation),
        version=len(case.incident.response.reports) + 1,
    )


def _section(name: str, record: IncidentRecord) -> SectionContent:
    make = _SECTIONS.get(name)
    return make(record) if make else _fields(name, name)(record)


def _parts(parts: tuple[ReportPart, ...], record: IncidentRecord) -> tuple[Part, ...]:
    return tuple(Part(line(part.title), tuple(field(each, record) for each in part.content)) for part in parts)


def _fields(section: str, *names: str) -> Callable[[IncidentRecord], SectionContent]:
    return lambda record: SectionContent(
        section,
        (Part("", (*(field(each, record) for each in names), *untouched(record, section))),),
        checklists(record, section),
        tuple(drawn(record, PLOTS.get(section, ""))),
    )


def _executive_summary(record: IncidentRecord) -> SectionContent:
    parts = _parts(record.case.policy.reports.executive_summary, record)
    usual = ("incident_type", "severity_level", "business_impact", "resolution_time", "root_cause", "lessons_learned")
    return SectionContent("executive_summary", parts) if parts else _fields("executive_summary", *usual)(record)


def _incident_details(record: IncidentRecord) -> SectionContent:
    case, incident = record.case, record.case.incident
    told = {
        "incident_id": (case.number, incident.id),
        "what": (case.title,),
        "measured": tuple(measured(record)),
        "kind": ("exercise: nobody was in danger",) if incident.exercise else (),
        "status": (standing(record),),
        "opened": (record.stamp(incident.opened_at) + (" (declared by a person)" if incident.declared else ""),),
        "acknowledged": tuple(_acknowledged(record)),
        "who_had_it": tuple(_who_had_it(record)),
        "roles": tuple(f"{line(role)}: {name(held_by)}" for role, held_by in incident.response.roles.items()),
        "reached": tuple(_reached(record)),
        "response_time": tuple(_response(record)),
        "resolved": tuple(_resolved(record)),
        "signed_off": tuple(_signed_off(record)),
        "escalation": (_escalation(record),),
        "recurrences": (str(incident.recurrences),) if incident.recurrences else (),
        "rules": tuple(line(key) for key in incident.rules),
        "labels": tuple(f"{label} = {value}" for label, value in case.labels),
        "links": tuple(f"{label}: {url}" for label, url in NowFiring(incident, record.alerts).addresses),
        "policy": (incident.policy[:12],),
    }
    fields = tuple(Field(each, values) for each, values in told.items() if values)
    return SectionContent("incident_details", (Part("", fields),), (*_tables(record), *notices(record)))


def _acknowledged(record: IncidentRecord) -> list[str]:
    answers = without_undone(record.entries(Fact.ACKNOWLEDGED, Fact.ACK_UNDONE))
    entries = list(answers)
    told = [f"{record.stamp(each.at)} by {name(each.by)}, {_after(record, each.at)}" for each in entries[:MOST]]
    return told or ["nobody acknowledged it"]


WHO_HAD_IT = frozenset(
    {
        Fact.ACKNOWLEDGED,
        Fact.HANDED_OVER,
        Fact.HELP_ASKED,
        Fact.HELP_UNANSWERED,
        Fact.HELP_WITHDRAWN,
        Fact.ACK_EXPIRED,
        Fact.ACK_VOIDED,
        Fact.ACK_UNDONE,
        Fact.GIVEN_BACK,
        Fact.REOPENED,
    }
)
"""Facts that change the owner, or call for help."""


def _who_had_it(record: IncidentRecord) -> list[str]:
    """Returns the history of ownership; empty if one person kept it, because another field has that."""
    entries = record.entries(*WHO_HAD_IT)
    told = [f"{record.stamp(each.at)} {name(each.by) or 'Tocsin'}: {record.tell(each)}" for each in entries]
    return told if len(told) > 1 else []


def _after(record: IncidentRecord, at: Instant) -> str:
    return record.case.after_it_began(at)


def _response(record: IncidentRecord) -> Iterator[str]:
    """Yields the result of each response time, as in the table of deadlines."""
    policy_version = record.case.context.policy_version
    for each in deadlines_of(record.case.incident, record.decisive, policy_version, record.now):
        if each.name == RESPONSE:
            yield f"{each.result.value}: {told(each)}"


def _reached(record: IncidentRecord) -> list[str]:
    """Returns when a page first reached a person, by the same rule as the rescue (`Window.RESCUE`)."""
    pages = [each for each in record.notifications if each.kind is Kind.PAGE]
    proved = [(each.reached_at, each.channel) for each in pages if each.reached_at is not None]
    if proved:
        at, channel = min(proved)
        return [f"{record.stamp(at)} on {line(channel)}, {_after(record, at)}"]
    return [f"no page is known to have reached anybody ({counted(len(pages), 'message')})"] if pages else []


def _resolved(record: IncidentRecord) -> list[str]:
    incident = record.case.incident
    if incident.resolved_at is None:
        return ["not yet"]
    who = f" by {name(incident.resolved_by)}" if incident.resolved_by else " by itself: the signal stayed recovered"
    return [f"{record.stamp(incident.resolved_at)}{who}, {_after(record, incident.resolved_at)}"]


def _signed_off(record: IncidentRecord) -> Iterator[str]:
    """Yields signatures with person and time, and the changes of facts that voided them."""
    for each in record.entries(Fact.SIGNED_OFF, Fact.SIGN_OFF_VOID):
        yield f"{record.stamp(each.at)}{f' by {name(each.by)}' if each.by else f': {record.tell(each)}'}"


def _tables(record: IncidentRecord) -> list[Table]:
    tables = (
        Table("Alerts", ALERT_COLUMNS, tuple(alert_rows(record))),
        Table("Who was told", ("when", "what", "channel", "whom", "became"), tuple(messages(record))),
    )
    return [table for table in tables if table.rows]


def _timeline(record: IncidentRecord) -> SectionContent:
    rows = tuple(_timeline_rows(record))
    drawing = Drawing("The incident's states over time, and what happened when", draw_timeline(record))
    return SectionContent("timeline", tables=(Table("", ("when", "what", "who"), rows),), drawings=(drawing,))


def _timeline_rows(record: IncidentRecord) -> Iterator[tuple[str, str, str]]:
    before = 0
    for each in record.timeline:
        if record.left_out and each.position > before + 1:
            yield "", f"{record.left_out} lines are left out here; the console's export has them all", ""
        before = each.position
        if each.fact not in UNTOLD:
            yield record.clock.second(each.at), record.tell(each), name(each.by) or "Tocsin"


def _impact_assessment(record: IncidentRecord) -> SectionContent:
    """The impact in words, then its grades on the policy's scales and metrics."""
    policy = record.case.policy
    impact = [field("business_impact", record), field("system_affected", record)]
    before = tuple(each for each in earlier_impacts(record) if each not in impact[0].values)
    impact += [Field("impact_before", before)] if before else []
    parts = [Part("", (*impact, *untouched(record, "impact_assessment")))]
    graded = graded_fields(record)
    parts += [Part("Business scales", graded)] if graded else []
    scales = {each.name for each in graded}
    for area in policy.impact_metrics:
        metrics = entered(record, [each for each in area.metrics if each not in scales])
        parts += [Part(line(area.description or area.name), metrics)] if metrics else []
    return SectionContent("impact_assessment", tuple(parts), checklists(record, "impact_assessment"))


def _follow_up_actions(record: IncidentRecord) -> SectionContent:
    fields = (field("follow_up_actions", record), *untouched(record, "follow_up_actions"))
    tables = (*follow_ups(record), *checklists(record, "follow_up_actions"))
    return SectionContent("follow_up_actions", (Part("", fields),), tables)


_SECTIONS: Mapping[str, Callable[[IncidentRecord], SectionContent]] = {
    "executive_summary": _executive_summary,
    "incident_details": _incident_details,
    "timeline": _timeline,
    "root_cause_analysis": _fields(
        "root_cause_analysis",
        "root_cause",
        "contributing_factors",
        "analysis_performed",
        "data_collected",
        "evidence_preserved",
    ),
    "impact_assessment": _impact_assessment,
    "resolution_actions": _fields(
        "resolution_actions",
        "immediate_actions_taken",
        "fix_description",
        "testing_performed",
        "verification_results",
    ),
    "lessons_learned": _fields("lessons_learned", "lessons_learned"),
    "recommendations": _fields("recommendations", "long_term_improvements", "process_changes"),
    "follow_up_actions": _follow_up_actions,
}
"""Functions for the guide's sections; another section of a policy is a field of its own name."""


def _escalation(record: IncidentRecord) -> str:
    escalations, pages = len(record.entries(Fact.ESCALATED)), record.case.incident.page.serial
    calls = len(record.entries(Fact.HELP_ASKED))
    asked = f", {counted(calls, 'call')} for help" if calls else ""
    return f"{counted(escalations, 'escalation')}, {counted(pages, 'round')} of pages{asked}"
