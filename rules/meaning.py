"""A validated PolicyDocument → the parts of a Policy.

Called by `rules.load`, which has validated every value. This module fills in defaults, applies shared durations to the
rules of other sections, and drops the effect of sections with `enabled: false`.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from rules import sections
from rules.channel_types import fallback_order
from rules.document import PolicyDocument
from rules.document.alert_channels import AlertChannel
from rules.document.communication import MessageTemplate, NoticeText, ReportTemplate, TimedStep
from rules.document.incident_response import Detection, DetectionRule, NamedSteps, SeverityLevel
from rules.document.reporting import ReportingObligationSpec, ReportStageSpec
from rules.document.schedules import LayerSpec
from rules.document.senders import SeverityMap
from rules.impact_ranges import ranges
from rules.nodes import Node
from rules.policy import (
    BASIC,
    CRITICAL,
    EMERGENCY,
    MINUTE,
    SECOND,
    Attach,
    Channel,
    Closing,
    CountedFrom,
    DutyHours,
    ExternalText,
    Flapping,
    Heartbeat,
    ImpactMetrics,
    ImpactScale,
    IncidentType,
    Layer,
    Level,
    Micros,
    OnCallSchedule,
    Person,
    Place,
    Policy,
    Procedure,
    ReachStep,
    ReportingObligation,
    ReportPart,
    Reports,
    ReportStage,
    ResponseRole,
    Rule,
    Signal,
    Stakeholders,
    Template,
    Templates,
    TimedActions,
)
from rules.validate import place_of

_GRADED: dict[int, tuple[str, ...]] = {
    0: ("none", "debug", "trace", "verbose"),
    1: ("info", "information", "informational", "notice", "low", "lowest", "trivial"),
    2: ("warning", "warn", "minor", "medium", "moderate", "ticket"),
    3: ("critical", "crit", "error", "err", "high", "major", "average", "severe", "page"),
    4: ("emergency", "emerg", "alert", "panic", "fatal", "disaster", "highest", "urgent", "blocker"),
}
_COUNTED = ("p", "s", "sev", "severity", "prio", "priority")
"""Prefixes of a number of which 0 or 1 is the most severe; a bare number is ambiguous and has no level."""

USUAL_WORDS: dict[str, int] = {word: level for level, words in _GRADED.items() for word in words} | {
    f"{word}{number}": level for word in _COUNTED for number, level in enumerate((4, 4, 3, 2, 1, 1))
}
"""The usual words of the label `severity`, in lower case without blanks and signs (``SEV-1`` is ``sev1``) → level.
Level 0: no notification."""

HEARTBEAT_WITHIN = Micros(150 * SECOND)
"""Twice the maximum age of the latest evaluation of a compiled heartbeat at its arrival in Tocsin."""

Moment = Literal["opened", "acknowledged", "updated", "resolved"]


def interpret(document: PolicyDocument, root: Node, defaults: PolicyDocument, severities: dict[str, int]) -> Policy:
    """The policy of a document. `root` gives positions, `defaults` the values that the document omits."""
    basic = document.incident_response
    rules = tuple(_rules(document, root))
    return Policy(
        levels=tuple(levels(document, defaults)),
        channels=tuple(_channels(basic.alert_channels, root)),
        rules=rules,
        templates=_templates(document, defaults),
        signals=tuple(_signals(document, root)),
        incident_types=tuple(_incident_types(document, root)),
        procedures=tuple(_procedures(document)),
        initial_response=_timed(document.initial_response.acknowledgment),
        stakeholders=tuple(_stakeholders(document)),
        roles=tuple(ResponseRole(each.name, each.description, each.from_level) for each in document.roles),
        investigation=_timed(document.root_cause_analysis),
        impact_scales=tuple(_impact_scales(document)),
        impact_metrics=tuple(
            ImpactMetrics(a.name, a.description, a.metrics, a.time_limit) for a in document.impact_assessment
        ),
        impact_raises=_impact_raises(document),
        fix_implementation=_timed(document.fix_implementation),
        post_incident=_timed(document.post_incident_actions),
        reporting_obligations=tuple(_obligations(document.reporting_obligations)),
        reports=_reports(document),
        closing=_closing(document),
        fallback=fallback_order() if document.fallback is None else document.fallback,
        retention=document.retention,
        default_severity=document.default_severity or CRITICAL,
        severity_aliases=tuple(sorted(severities.items())),
        severities=tuple(_severities(document.severities)),
        ignore=tuple(each.matchers for each in document.ignore),
        drills_every=document.drills.every,
        drills_owner=document.drills.owner or "",
        flapping=Flapping(document.flapping.cycles, document.flapping.within),
        heartbeat_within=document.heartbeat_within or HEARTBEAT_WITHIN,
        heartbeats=tuple(
            Heartbeat(each.name, each.matchers, each.within or HEARTBEAT_WITHIN, each.source)
            for each in document.heartbeats
        ),
        replica_labels=document.replica_labels,
        people=tuple(_people(document, root)),
        schedules=tuple(_schedules(document, root)),
        contact_information=document.contact_information,
        time_zone=document.time_zone,
        safety_critical_threshold=_critical_threshold(document),
        under=tuple(sections.under(document, rules)),
        disabled_sections=tuple(_disabled(document)),
    )


def levels(document: PolicyDocument, defaults: PolicyDocument) -> Iterator[Level]:
    """The four levels; those that the document omits are the defaults."""
    usual, written = (each.incident_response.classification for each in (defaults, document))
    shipped = {spec.level: spec for spec in usual.severity_levels} if usual else {}
    specs = shipped | ({spec.level: spec for spec in written.severity_levels} if written else {})
    for number in sorted(specs):
        yield _level(specs[number], shipped.get(number, specs[number]))


def _level(spec: SeverityLevel, usual: SeverityLevel) -> Level:
    """A level without a description of its meaning gets that of the guide's level of the same name."""
    meaning = usual if spec.is_silent and spec.name == usual.name else spec
    return Level(
        level=spec.level,
        name=spec.name,
        response_time=spec.response_time,
        escalation_time=spec.escalation_time,
        resolve_after=spec.resolve_after if spec.resolve_after is not None else Micros(5 * MINUTE),
        resolution=spec.resolution or ("confirmed" if spec.level == EMERGENCY else "automatic"),
        confirmations=spec.confirmations,
        escalates_to=spec.escalates_to,
        update_interval=spec.update_interval,
        description=meaning.description,
        impact=meaning.impact,
        examples=meaning.examples,
    )


def _channels(specs: Iterable[AlertChannel], root: Node) -> Iterator[Channel]:
    for index, spec in enumerate(specs):
        yield Channel(
            name=spec.name,
            type=spec.type,
            enabled=spec.enabled,
            recipients=spec.reached,
            rate_limit=spec.rate_limit,
            mention=spec.held("mention") or "",
            headers=tuple(sorted((spec.held("headers") or {}).items())),
            proxy=spec.held("proxy") or "",
            send_resolved=spec.send_resolved,
            canary=spec.canary.every if spec.canary else None,
            time_zone=spec.time_zone,
            updates=spec.updates,
            place=place_of(root, BASIC, "alert_channels", index),
        )


def _rules(document: PolicyDocument, root: Node) -> Iterator[Rule]:
    basic = document.incident_response
    detection = basic.detection or Detection()
    if basic.enabled and detection.enabled:
        for index, spec in enumerate(detection.rules):
            place = place_of(root, BASIC, "detection", "rules", index)
            yield _rule(BASIC, spec, detection, document.runbook_url_base, place)
    for section, content in document.sections.items():
        for index, spec in enumerate(content.detection if content.enabled else ()):
            place = place_of(root, section, "detection", index)
            yield _rule(section, spec, detection, document.runbook_url_base, place)


def _rule(section: str, spec: DetectionRule, detection: Detection, runbooks: str | None, place: Place) -> Rule:
    base = f"{runbooks.rstrip('/')}/{spec.name}" if runbooks else ""
    return Rule(
        section=section,
        name=spec.name,
        condition=spec.condition,
        level=spec.severity,
        channels=spec.channels,
        interval=spec.check_interval or detection.check_interval,
        threshold=spec.alert_threshold or detection.alert_threshold,
        immediate=spec.immediate_response,
        description=spec.description,
        runbook_url=spec.runbook_url or base,
        summary=spec.summary,
        labels=tuple(sorted(spec.labels.items())),
        signal=spec.signal,
        missing_data=spec.missing_data,
        hold=spec.hold,
        keep_firing=spec.keep_firing_for,
        alert=spec.alert,
        annotations=tuple(sorted(spec.annotations.items())),
        place=place,
    )


def _signals(document: PolicyDocument, root: Node) -> Iterator[Signal]:
    for name, spec in document.signals.items():
        yield Signal(
            name=name,
            expr=spec.expr,
            unit=spec.unit,
            identity=spec.identity,
            help=spec.help,
            missing_data=spec.missing_data,
            place=place_of(root, "signals", name),
        )


def _incident_types(document: PolicyDocument, root: Node) -> Iterator[IncidentType]:
    for section, content in document.sections.items():
        for index, spec in enumerate(content.incidents if content.enabled else ()):
            yield IncidentType(
                section=section,
                name=spec.name,
                level=spec.severity,
                description=spec.description,
                business_impact=spec.business_impact or "",
                immediate_actions=spec.immediate_actions,
                channels=spec.channels,
                place=place_of(root, section, "incidents", index),
            )


def _severities(maps: Iterable[SeverityMap]) -> Iterator[tuple[str, tuple[tuple[str, int], ...]]]:
    """The severity words of each source; words for all sources are in `severity_aliases`."""
    for each in maps:
        if each.source is not None:
            yield each.source, tuple(sorted((word.lower(), level) for word, level in each.map.items()))


def _procedures(document: PolicyDocument) -> Iterator[Procedure]:
    basic = document.incident_response
    written: list[tuple[str, tuple[NamedSteps, ...]]] = [(BASIC, basic.procedures if basic.enabled else ())]
    written += ((name, content.procedures) for name, content in document.sections.items() if content.enabled)
    for section, procedures in written:
        for each in procedures:
            attach = each.attach or _moment(each.name)
            yield Procedure(section, each.name, each.description, each.steps, attach, each.time_limit)


def _moment(name: str) -> Attach:
    """When a procedure is attached, by the words of its name; by default at the opening."""
    words = name.lower()
    moments: dict[str, Attach] = {"escalation": "escalated", "investigation": "recovered", "resolution": "recovered"}
    return next((moment for word, moment in moments.items() if word in words), "opened")


def _timed(steps: Iterable[TimedStep]) -> tuple[TimedActions, ...]:
    return tuple(
        TimedActions(step.name, step.description, step.actions, step.time_limit, step.duration, step.from_level)
        for step in steps
    )


def _stakeholders(document: PolicyDocument) -> Iterator[Stakeholders]:
    for group in document.stakeholder_notification:
        yield Stakeholders(
            name=group.name,
            description=group.description,
            recipients=group.recipients,
            channels=group.channels,
            external=group.is_external,
            from_level=group.from_level,
            sections=group.sections,
            approvers=group.approvers,
            initial=_text(group.initial_alert_template),
            update=_text(group.status_update_template),
            resolution=_text(group.resolution_template),
        )


def _text(written: NoticeText | None) -> ExternalText | None:
    return ExternalText(written.subject, written.body) if written else None


def _people(document: PolicyDocument, root: Node) -> Iterator[Person]:
    for index, spec in enumerate(document.people):
        yield Person(
            name=spec.name,
            contacts=tuple(sorted(spec.contacts.items())),
            time_zone=spec.time_zone or document.time_zone,
            aliases=spec.aliases,
            reach=tuple(ReachStep(each.by, each.after, each.levels) for each in spec.reach),
            repeat=spec.repeat,
            place=place_of(root, "people", index),
        )


def _schedules(document: PolicyDocument, root: Node) -> Iterator[OnCallSchedule]:
    for index, spec in enumerate(document.schedules):
        zone = spec.time_zone or document.time_zone
        yield OnCallSchedule(
            name=spec.name,
            time_zone=zone,
            layers=tuple(_layer(number, each, zone) for number, each in enumerate(spec.layers, 1)),
            calendar=spec.calendar or "",
            nights=spec.nights,
            handoff_by=tuple(dict.fromkeys(spec.handoff.by)),
            place=place_of(root, "schedules", index),
        )


def _layer(number: int, spec: LayerSpec, zone: str) -> Layer:
    hours = (DutyHours(tuple(dict.fromkeys(each.days)), each.begins, each.to) for each in spec.only)
    return Layer(f"layer {number}", spec.people, spec.starts, spec.every, spec.time_zone or zone, tuple(hours))


def _obligations(specs: Iterable[ReportingObligationSpec]) -> Iterator[ReportingObligation]:
    for spec in specs:
        yield ReportingObligation(
            name=spec.name,
            authority=spec.authority,
            stages=tuple(_stage(each, spec.counted_from) for each in spec.stages),
            sections=spec.sections,
            types=spec.types,
            levels=spec.levels,
            source=spec.source,
            note=spec.note,
        )


def _stage(spec: ReportStageSpec, counted_from: CountedFrom) -> ReportStage:
    """By default the reminder comes when a quarter of the stage's time is left."""
    return ReportStage(
        name=spec.name,
        within=spec.within.micros,
        months=spec.within.months,
        written=spec.within.written,
        counted_from=spec.counted_from or counted_from,
        after=spec.after or "",
        remind_before=spec.remind_before or Micros(spec.within.shortest // 4),
        text=spec.text or "",
        channel=spec.channel,
        approver=spec.approver,
    )


def _impact_scales(document: PolicyDocument) -> Iterator[ImpactScale]:
    for content in document.sections.values():
        for scale in content.impact_assessment if content.enabled else ():
            words = scale.thresholds.words
            yield ImpactScale(scale.name, scale.description, words, ranges(words))


def _impact_raises(document: PolicyDocument) -> tuple[tuple[str, int], ...]:
    if document.impact_raises is None:
        return (("critical", EMERGENCY), ("high", CRITICAL))
    return tuple(document.impact_raises.items())


def _templates(document: PolicyDocument, defaults: PolicyDocument) -> Templates:
    def chosen(written: MessageTemplate | None, usual: MessageTemplate | None, moment: Moment) -> Template:
        template = written or usual
        assert template is not None, "the shipped packs have all three templates"
        return Template(template.subject, template.body, template.send_on or moment)

    return Templates(
        initial=chosen(document.initial_alert_template, defaults.initial_alert_template, "acknowledged"),
        update=chosen(document.status_update_template, defaults.status_update_template, "updated"),
        resolution=chosen(document.resolution_template, defaults.resolution_template, "resolved"),
    )


def _reports(document: PolicyDocument) -> Reports:
    def parts(template: ReportTemplate) -> tuple[ReportPart, ...]:
        return tuple(ReportPart(section.title, section.content) for section in template.sections)

    return Reports(
        structure=document.incident_report.structure,
        executive_summary=parts(document.executive_summary_template),
        technical=parts(document.technical_report_template),
        recipients=document.incident_report.recipients,
        organisation=document.incident_report.organisation,
        approver=document.incident_report.approver,
    )


def _closing(document: PolicyDocument) -> Closing:
    terms = document.closing
    if not terms.enabled:
        return Closing()
    return Closing(
        from_level=terms.from_level,
        facts=terms.facts,
        checklists=terms.checklists,
        sign_off_from=None if terms.sign_off_from == "never" else terms.sign_off_from,
        remind_every=terms.remind_every,
    )


def _critical_threshold(document: PolicyDocument) -> float | None:
    thresholds = (content.critical_threshold for content in document.sections.values() if content.enabled)
    return max((each for each in thresholds if each is not None), default=None)


def _disabled(document: PolicyDocument) -> Iterator[str]:
    basic = document.incident_response
    if not basic.enabled:
        yield BASIC
    if basic.detection and not basic.detection.enabled:
        yield f"{BASIC}.detection"
    yield from (name for name, content in document.sections.items() if not content.enabled)
