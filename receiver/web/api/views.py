"""Converts the core's data to response models: instants become RFC 3339 in UTC, secrets are left out."""

from collections.abc import Collection, Iterable, Sequence

from receiver.core.duties import UndoneTask
from receiver.core.impact import words, worst
from receiver.core.model import Alert, Entry, Incident, Instant, Notification, Window
from receiver.core.plan import PolicyVersion
from receiver.core.response import Duty, Occurrence, Turn
from receiver.messages.deadlines import deadlines
from receiver.messages.incident_text import IncidentText
from receiver.messages.timeline import readable, sentence
from receiver.messages.times import rfc3339
from receiver.reports import HeldDrill
from receiver.reports.training_roster import Training
from receiver.web.api.related_incidents import RelatedIncidents, what_helped
from receiver.web.api.responses import (
    AccountView,
    AlertView,
    ChannelView,
    CountdownView,
    DoneStepView,
    DrillView,
    DutyView,
    EntryView,
    EscalationView,
    ImpactScaleView,
    ImpactView,
    IncidentView,
    LevelView,
    LinkView,
    NotificationView,
    NotTakenView,
    OccurrenceView,
    PolicyView,
    RelatedIncidentsView,
    RelatedIncidentView,
    RoleView,
    ScaleView,
    SimilarIncidentsView,
    SimilarIncidentView,
    TakenView,
    TrainedView,
    TurnView,
)
from receiver.web.api.several import Taken
from rules.channel_types import ChannelFacts, as_shown, ends_of
from rules.policy import SECOND, ResponseRole

STEPS = frozenset({Window.ESCALATE, Window.BREACH, Window.HELP})
"""Windows whose end runs the next escalation step."""


def _maybe(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)


def show_incident(
    case: IncidentText, alerts: Iterable[Alert], duties: Iterable[tuple[UndoneTask, Duty]], missing: Sequence[str] = ()
) -> IncidentView:
    """An incident. `missing`: what keeps it from closing."""
    incident, policy_version = case.incident, case.context.current
    coming = [at for window, at in incident.windows.items() if window in STEPS]
    return IncidentView(
        id=incident.id,
        number=incident.number,
        type=incident.type,
        level=incident.level,
        level_name=policy_version.policy.level(incident.level).name,
        state=incident.state,
        recovery=incident.recovery,
        title=incident.title,
        account=_show_account(case),
        source=incident.source,
        labels=incident.labels,
        alerts=[show_alert(alert) for alert in alerts],
        firing=sum(incident.firing),
        firing_by_level={str(level): count for level, count in enumerate(incident.firing, 1)},
        opened_at=rfc3339(incident.opened_at),
        acknowledged_at=_maybe(incident.acknowledged_at),
        acknowledged_by=incident.acknowledged_by or None,
        owner=incident.response.owner or None,
        help_asked_by=list(incident.response.asked_by),
        history=[_show_turn(turn) for turn in incident.response.history],
        roles=show_roles(incident, policy_version),
        assessed_at=_maybe(incident.response.assessed_at),
        duties=[_show_duty(task, duty) for task, duty in duties],
        acknowledgement_expires_at=_maybe(incident.windows.get(Window.ACK_EXPIRY)),
        silenced_until=_maybe(incident.silenced_until),
        stale_since=_maybe(incident.stale_since),
        recovered_at=_maybe(incident.recovered_at),
        resolved_at=_maybe(incident.resolved_at),
        resolved_by=incident.resolved_by or None,
        closed_at=_maybe(incident.closed_at),
        outstanding=list(missing),
        signed_off_by=incident.response.signed_off_by or None,
        occurrences=[_show_occurrence(each) for each in incident.response.occurrences],
        escalation=EscalationView(step=incident.step, next_at=_maybe(min(coming, default=None))),
        response_due_at=rfc3339(incident.response_due_at),
        breached_at=_maybe(incident.breached_at),
        recurrences=incident.recurrences,
        declared=incident.declared,
        exercise=incident.exercise,
        on_legal_hold=incident.is_on_hold,
        recorded_only=incident.recorded_only,
        impact=_show_impact(incident, policy_version),
        facts=incident.facts,
        rules=list(incident.rules),
        confirmed_by=list(incident.confirmed_by),
        policy=incident.policy,
        version=incident.version,
    )


def _show_account(case: IncidentText) -> AccountView:
    firing = case.firing
    return AccountView(
        what=case.what,
        system=case.system,
        stands=case.stands,
        who_has_it=case.who_has_it if case.live else "",
        description=firing.description if case.live else "",
        value=firing.value,
        value_told_at=_maybe(firing.told_at) if firing.value else None,
        condition=case.conditions,
        firing=firing.counted,
        firing_since=_maybe(firing.since),
        impact=case.impact,
        first_actions=list(case.first_actions) if case.live else [],
        labels=dict(case.labels),
        countdowns=[
            CountdownView(label=each.label, at=rfc3339(each.at), tells=list(each.tells), passed=each.passed)
            for each in deadlines(case.incident, case.context.policy_version, case.now)
        ],
        links=[LinkView(label=label, url=url) for label, url in case.links],
    )


def show_similar(incidents: Iterable[Incident]) -> SimilarIncidentsView:
    """Earlier incidents with their cause, fix and lessons."""
    return SimilarIncidentsView(
        incidents=[
            SimilarIncidentView(
                number=each.number,
                title=each.title,
                type=each.type,
                system=each.system,
                level=each.level,
                opened_at=rfc3339(each.opened_at),
                resolved_at=_maybe(each.resolved_at),
                root_cause=each.facts.get("root_cause", ""),
                fix_description=each.facts.get("fix_description", ""),
                lessons_learned=each.facts.get("lessons_learned", ""),
            )
            for each in incidents
        ]
    )


def show_related(system: str, related: RelatedIncidents) -> RelatedIncidentsView:
    """Other incidents of that system."""
    return RelatedIncidentsView(
        system=system,
        now=[_show_related(each) for each in related.now],
        lately=[_show_related(each) for each in related.lately],
        more_now=related.more_now,
        more_lately=related.more_lately,
    )


def _show_related(each: Incident) -> RelatedIncidentView:
    return RelatedIncidentView(
        number=each.number,
        title=each.title,
        type=each.type,
        level=each.level,
        state=each.state,
        exercise=each.exercise,
        holder=each.holder or None,
        opened_at=rfc3339(each.opened_at),
        resolved_at=_maybe(each.resolved_at),
        resolved_by=each.resolved_by or None,
        helped=what_helped(each),
    )


def _show_occurrence(each: Occurrence) -> OccurrenceView:
    return OccurrenceView(
        number=each.number,
        began_at=rfc3339(each.began_at),
        resolved_at=_maybe(each.resolved_at),
        resolved_by=each.resolved_by or None,
        came_back_at=rfc3339(each.ended_at),
        facts=each.facts,
        steps=[
            DoneStepView(
                id=id_, text=done.text, done_by=done.by, done_at=rfc3339(done.at), note=done.note, link=done.link
            )
            for id_, done in each.checklists.done.items()
        ],
    )


def _show_duty(task: UndoneTask, duty: Duty) -> DutyView:
    return DutyView(key=task.key, what=task.what, due_at=rfc3339(duty.due_at), overdue=duty.overdue)


def _show_turn(turn: Turn) -> TurnView:
    return TurnView(deed=turn.deed, at=rfc3339(turn.at), by=turn.by, to=turn.to or None)


def show_roles(incident: Incident, policy_version: PolicyVersion) -> list[RoleView]:
    """The policy's roles in its order, then held roles that only an older policy had."""
    held = incident.response.roles
    known = {each.name: each for each in policy_version.policy.roles}
    duties = [*known.values(), *(ResponseRole(name) for name in held if name not in known)]
    return [
        RoleView(
            name=each.name,
            description=each.description,
            held_by=held.get(each.name),
            wanted=each.name in known and incident.level >= each.from_level,
        )
        for each in duties
    ]


def show_trained(training: Training, now: Instant) -> TrainedView:
    """A person's practice of a type or role."""
    return TrainedView(
        person=training.person,
        subject=training.subject,
        last=rfc3339(training.last),
        due_at=_maybe(training.due_at),
        overdue=training.is_overdue(now),
    )


def show_drill(drill: HeldDrill) -> DrillView:
    """A live drill."""
    incident = drill.incident
    return DrillView(
        number=incident.number,
        type=incident.type,
        level=incident.level,
        state=incident.state,
        opened_at=rfc3339(incident.opened_at),
        acknowledged_after=_seconds(drill.acknowledged_after),
        kept=drill.kept,
        resolved_after=_seconds(drill.resolved_after),
        people=list(drill.people),
        roles=incident.response.roles,
    )


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / SECOND


def _show_impact(incident: Incident, policy_version: PolicyVersion) -> ImpactView:
    impacts = incident.response.impacts
    return ImpactView(
        grade=worst(impacts.values()) or None,
        scales=[
            ScaleView(scale=name, grade=each.grade, said=each.said, means=words(policy_version.policy, name, each))
            for name, each in impacts.items()
        ],
    )


def show_alert(alert: Alert) -> AlertView:
    """An alert."""
    return AlertView(
        fingerprint=alert.fingerprint,
        status="firing" if alert.firing else "resolved",
        level=alert.level,
        rule=alert.rule,
        type=alert.type,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=rfc3339(alert.starts_at),
        ended_at=_maybe(alert.ended_at),
        twin=alert.twin,
        level_note=alert.level_note,
        repairs=list(alert.repairs),
        generator_url=alert.generator_url,
    )


def show_entry(entry: Entry) -> EntryView:
    """A timeline entry."""
    return EntryView(
        position=entry.position,
        at=rfc3339(entry.at),
        fact=entry.fact,
        by=entry.by or None,
        text=sentence(entry),
        data=readable(entry),
    )


def show_notification(notification: Notification, facts: ChannelFacts | None) -> NotificationView:
    """A notification. `facts`: of its channel's type; None: the policy no longer has the channel."""
    return NotificationView(
        id=notification.id,
        sequence=notification.sequence,
        kind=notification.kind,
        reason=notification.reason,
        channel=notification.channel,
        recipient=ends_of(notification.recipient) if notification.person else as_shown(notification.recipient, facts),
        level=notification.level,
        status=notification.status,
        attempts=notification.attempts,
        created_at=rfc3339(notification.created_at),
        next_try_at=_maybe(notification.due_at),
        done_at=_maybe(notification.done_at),
        reached_at=_maybe(notification.reached_at),
        detail=notification.detail,
        person=notification.person,
        via=notification.via,
        shift=notification.shift,
    )


def show_policy(policy_version: PolicyVersion, known_names: Sequence[str] = ()) -> PolicyView:
    """The policy in use, without secrets: masked recipients, no headers.

    `known_names`: valid recipients of a handover.
    """
    policy = policy_version.policy
    return PolicyView(
        digest=policy_version.digest,
        levels=[
            LevelView(
                level=level.level,
                name=level.name,
                response_time=level.response_time / SECOND,
                escalation_time=level.escalation_time / SECOND,
                resolve_after=level.resolve_after / SECOND,
                resolution=level.resolution,
                channels=list(policy_version.level_channels[level.level - 1]),
                description=level.description,
                impact=level.impact,
                examples=list(level.examples),
            )
            for level in policy.levels
        ],
        channels=[
            ChannelView(
                name=channel.name,
                type=channel.type,
                enabled=channel.enabled,
                recipients=[as_shown(each, channel.facts) for each in channel.recipients],
            )
            for channel in policy.channels
        ],
        disabled_sections=list(policy.disabled_sections),
        impact_scales=[
            ImpactScaleView(name=scale.name, description=scale.description, choices=dict(scale.thresholds))
            for scale in policy.impact_scales
        ],
        incident_types=sorted({kind.name for kind in policy.incident_types} | {rule.name for rule in policy.rules}),
        roles=[role.name for role in policy.roles],
        people=list(known_names),
    )


def show_taken(taken: Taken, unknown: Collection[int]) -> TakenView:
    """Result of a bulk request; `unknown`: requested numbers without an incident."""
    refused = {incident.number: why for incident, why in taken.refused} | dict.fromkeys(unknown, "there is none")
    return TakenView(
        taken=sorted(incident.number for incident in taken.done),
        not_taken=[NotTakenView(number=number, reason=refused[number]) for number in sorted(refused)],
        lost=taken.lost,
    )
