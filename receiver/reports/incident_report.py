"""An incident's report: the sections that the policy's `incident_report.structure` names, then the technical report."""

from collections.abc import Callable, Iterator, Mapping

from receiver.core.model import Fact, Instant, Notification, Status
from receiver.core.plan import Book
from receiver.messages.incident_text import name
from receiver.messages.plain import line
from receiver.messages.timeline import sentence
from receiver.messages.times import duration, moment, stamp
from receiver.reports.drawing import draw_timeline
from receiver.reports.exhibits import drawn
from receiver.reports.incident_record import PEOPLE, Dossier
from receiver.reports.report import Drawing, Field, Part, Report, Section, Table, counted
from receiver.reports.sources import entered, field
from receiver.reports.steps import checklists, follow_ups, notices
from rules.channel_types import as_shown
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

SEND_FACTS = frozenset({Fact.DELIVERED, Fact.SUPERSEDED, Fact.SEND_FAILED})
"""Told in the table of messages, not in the timeline."""


def write(dossier: Dossier) -> Report:
    """The report of one incident, as things are."""
    case, reports = dossier.case, dossier.case.policy.reports
    sections = [_section(each, dossier) for each in reports.structure or STRUCTURE]
    if reports.technical:
        sections.append(Section("technical_report", _parts(reports.technical, dossier)))
    return Report(
        title=f"Incident report {case.number}: {case.title}",
        subtitle=f"{case.level.name} ({case.incident.level}), {case.stands}; as of {stamp(dossier.now)}",
        exercise=case.incident.exercise,
        sections=tuple(sections),
    )


def _section(name: str, dossier: Dossier) -> Section:
    make = _SECTIONS.get(name)
    return make(dossier) if make else _fields(name, name)(dossier)


def _parts(parts: tuple[ReportPart, ...], dossier: Dossier) -> tuple[Part, ...]:
    return tuple(Part(line(part.title), tuple(field(each, dossier) for each in part.content)) for part in parts)


def _fields(section: str, *names: str) -> Callable[[Dossier], Section]:
    """A section of fields that `sources` fills."""
    return lambda dossier: Section(
        section,
        (Part("", tuple(field(each, dossier) for each in names)),),
        checklists(dossier, section),
        tuple(drawn(dossier, PLOTS.get(section, ""))),
    )


def _executive_summary(dossier: Dossier) -> Section:
    parts = _parts(dossier.case.policy.reports.executive_summary, dossier)
    usual = ("incident_type", "severity_level", "business_impact", "resolution_time", "root_cause", "lessons_learned")
    return Section("executive_summary", parts) if parts else _fields("executive_summary", *usual)(dossier)


def _incident_details(dossier: Dossier) -> Section:
    case, incident = dossier.case, dossier.case.incident
    told = {
        "incident_id": (case.number, incident.id),
        "what": (case.title,),
        "kind": ("exercise: nobody was in danger",) if incident.exercise else (),
        "status": (case.stands,),
        "opened": (stamp(incident.opened_at) + (" (declared by a person)" if incident.declared else ""),),
        "acknowledged": tuple(_acknowledged(dossier)),
        "roles": tuple(f"{line(role)}: {name(held_by)}" for role, held_by in incident.response.roles.items()),
        "response_time": tuple(_response(dossier)),
        "resolved": tuple(_resolved(dossier)),
        "escalation": (_escalation(dossier),),
        "recurrences": (str(incident.recurrences),) if incident.recurrences else (),
        "rules": tuple(line(key) for key in incident.rules),
        "labels": tuple(f"{label} = {value}" for label, value in case.labels),
        "policy": (incident.policy[:12],),
    }
    fields = tuple(Field(each, values) for each, values in told.items() if values)
    return Section("incident_details", (Part("", fields),), (*_tables(dossier), *notices(dossier)))


def _acknowledged(dossier: Dossier) -> list[str]:
    entries = dossier.entries(Fact.ACKNOWLEDGED)
    return [f"{stamp(each.at)} by {name(each.by)}, {_after(dossier, each.at)}" for each in entries[:1] or ()] or [
        "nobody acknowledged it"
    ]


def _after(dossier: Dossier, at: int) -> str:
    return f"{duration(at - dossier.case.incident.opened_at)} after the opening"


def _response(dossier: Dossier) -> list[str]:
    """Whether the first acknowledgement came in time."""
    breached = dossier.first(Fact.BREACHED)
    limit = duration(dossier.case.plan.response_time)
    if breached is not None:
        return [f"breached: nobody acknowledged within {limit} (at {stamp(breached)})"]
    if dossier.first(Fact.ACKNOWLEDGED, Fact.RESOLVED) is not None:
        return [f"kept: {limit}"]
    return [f"running: {limit}, until {stamp(dossier.case.incident.response_due_at)}"]


def _resolved(dossier: Dossier) -> list[str]:
    incident = dossier.case.incident
    if incident.resolved_at is None:
        return ["not yet"]
    who = f" by {name(incident.resolved_by)}" if incident.resolved_by else " by itself: the signal stayed recovered"
    return [f"{stamp(incident.resolved_at)}{who}, {_after(dossier, incident.resolved_at)}"]


def _tables(dossier: Dossier) -> list[Table]:
    alerts = tuple(
        (
            line(each.labels.get("alertname", each.type)),
            line(each.rule),
            str(each.level),
            _second(each.starts_at),
            _second(each.ended_at) if each.ended_at else ("firing" if each.firing else "cleared"),
        )
        for each in dossier.alerts
    )
    book = dossier.case.book
    messages = tuple(
        (_second(each.created_at), each.kind.value, line(each.channel), _recipient(each, book), _fate(each.status))
        for each in dossier.notifications[:PEOPLE]
    )
    tables = (
        Table("Alerts", ("alert", "rule", "level", "began", "ended"), alerts),
        Table("Who was told", ("when", "what", "channel", "whom", "became"), messages),
    )
    return [table for table in tables if table.rows]


def _recipient(notification: Notification, book: Book) -> str:
    return line(as_shown(notification.recipient, book.facts(notification.channel)))


def _fate(status: Status) -> str:
    return status.value.replace("_", " ")


def _timeline(dossier: Dossier) -> Section:
    rows = tuple(_timeline_rows(dossier))
    drawing = Drawing("The incident's states over time, and what happened when", draw_timeline(dossier))
    return Section("timeline", tables=(Table("", ("when", "what", "who"), rows),), drawings=(drawing,))


def _timeline_rows(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    before = 0
    for each in dossier.timeline:
        if dossier.left_out and each.position > before + 1:
            yield "", f"{dossier.left_out} lines are left out here; the console's export has them all", ""
        before = each.position
        if each.fact not in SEND_FACTS:
            yield _second(each.at), sentence(each), name(each.by) or "Tocsin"


def _second(at: Instant) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M:%S}"


def _impact_assessment(dossier: Dossier) -> Section:
    """The impact in words, then what was assessed on each of the policy's scales and metrics."""
    policy = dossier.case.policy
    parts = [Part("", (field("impact_description", dossier), field("system_affected", dossier)))]
    graded = entered(dossier, (scale.name for scale in policy.impact_scales))
    parts += [Part("Business scales", graded)] if graded else []
    for area in policy.impact_metrics:
        measured = entered(dossier, area.metrics)
        parts += [Part(line(area.description or area.name), measured)] if measured else []
    return Section("impact_assessment", tuple(parts), checklists(dossier, "impact_assessment"))


def _follow_up_actions(dossier: Dossier) -> Section:
    fields = (field("follow_up_actions", dossier), field("monitoring_plan", dossier))
    tables = (*follow_ups(dossier), *checklists(dossier, "follow_up_actions"))
    return Section("follow_up_actions", (Part("", fields),), tables)


_SECTIONS: Mapping[str, Callable[[Dossier], Section]] = {
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
        "resolution_actions", "fix_description", "testing_performed", "verification_results", "immediate_actions"
    ),
    "lessons_learned": _fields("lessons_learned", "lessons_learned"),
    "recommendations": _fields("recommendations", "long_term_improvements", "process_changes"),
    "follow_up_actions": _follow_up_actions,
}
"""How Tocsin tells the guide's sections; one that a policy invents is a field of its own name."""


def _escalation(dossier: Dossier) -> str:
    escalations, pages = len(dossier.entries(Fact.ESCALATED)), dossier.case.incident.page.serial
    return f"{counted(escalations, 'escalation')}, {counted(pages, 'page')}"
