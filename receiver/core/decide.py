"""The decision function: an incident, an event and an instant give the effects.

The service, the drill, the fault tests and the policy checker all call `decide`. The caller loads the incident (None
if its key has no incident that is not closed) and the stored alerts that the event names, and stores the effects in
one transaction.
"""

from collections.abc import Mapping
from typing import assert_never

from msgspec.structs import replace

from receiver.core import closing, evidence_files, follow_ups, impact, notices, obligations, rooms, updates
from receiver.core.alerts import receive, take_listing
from receiver.core.assignment import assign, hand_over, note_assessment
from receiver.core.checklists import tick, tick_acknowledgement
from receiver.core.closing import void_sign_off
from receiver.core.delivery import learn, settle
from receiver.core.draft import NO_ALERTS, Draft, Effects, Refusal, RefusedError
from receiver.core.events import (
    Acknowledge,
    Action,
    AddFollowUp,
    AlertsReceived,
    ApproveNotice,
    ApproveReport,
    Arrived,
    Assign,
    AttachFile,
    Bounced,
    Change,
    Close,
    Declare,
    EchoesListed,
    EditNotice,
    Escalate,
    Event,
    FileReport,
    FinishFollowUp,
    GiveBack,
    Handover,
    JudgeObligation,
    Note,
    OpenRoom,
    PlaceHold,
    RedactFile,
    RejectNotice,
    ReleaseHold,
    Relieved,
    Replan,
    Reported,
    Resolve,
    ResponseAction,
    RosterChanged,
    SignOff,
    SilenceAnswered,
    Silenced,
    Tick,
    TimePassed,
    TrainingRead,
    Undo,
    Unheard,
    Update,
    Withdraw,
    WithdrawFiling,
)
from receiver.core.evidence import take_answer
from receiver.core.handoff import hand_off, relieve
from receiver.core.help_requests import ask, give_back, withdraw
from receiver.core.inquiry import Answered
from receiver.core.lifecycle import (
    acknowledge,
    new_incident,
    note_revision,
    renew_acknowledgement,
    resolve,
    take_risen_level,
)
from receiver.core.model import Alert, Fact, Incident, Instant, Reason, Recovery, State
from receiver.core.paging import lift_silence, start_paging
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.report_approval import approve_report
from receiver.core.silences import hear, note_answer
from receiver.core.staleness import mark
from receiver.core.training import take_roster
from receiver.core.undo import keep_way_back, undo
from receiver.core.upkeep import keep_up
from receiver.core.windows import pass_time, put_off
from rules.alert_text import general


def decide(
    incident: Incident | None,
    event: Event,
    now: Instant,
    context: DecisionContext,
    alerts: Mapping[str, Alert] = NO_ALERTS,
) -> Effects:
    """Decide on an event. `alerts`: the incident's stored alerts that the event concerns, by fingerprint.

    It concerns the alerts that it names; TimePassed concerns those held as possible echoes.
    """
    if incident is not None and context.jumps:
        incident = put_off(incident, context.jumps)
    if isinstance(event, AlertsReceived):
        return receive(incident, event, alerts, now, context)
    if isinstance(event, Declare | TrainingRead):
        return _begin(incident, event, now, context)
    if incident is None:
        return Effects(refusal=Refusal("there is no such incident", State.CLOSED))
    draft = Draft(incident, now, context, alerts)
    match event:
        case Answered():
            take_answer(draft, event)
            keep_up(draft)
            return draft.effects()
        case TimePassed() | RosterChanged():
            (pass_time if isinstance(event, TimePassed) else hand_off)(draft)
            keep_up(draft)
            return draft.effects()
        case Reported() | Relieved():
            settled = settle(draft, event) if isinstance(event, Reported) else relieve(draft, event.notification)
            return draft.effects(settled)
        case EchoesListed() | Silenced() | Unheard():
            return draft.effects() if _look(draft, event) else Effects()
        case SilenceAnswered():
            note_answer(draft, event)
            return draft.effects()
        case Bounced() | Arrived():
            learned = learn(draft, event)
            return draft.effects(learned) if learned else Effects()
        case _:
            refusal = _act(draft, event)
            if refusal:
                return Effects(refusal=refusal)
            keep_up(draft)
            return draft.effects()


def _look(draft: Draft, event: EchoesListed | Silenced | Unheard) -> bool:
    """Apply what Alertmanager lists, or no longer repeats; returns whether anything changed."""
    match event:
        case EchoesListed():
            is_changed = take_listing(draft, event)
        case Silenced():
            is_changed = hear(draft, event)
        case Unheard():
            is_changed = mark(draft, event)
    updates.note_news(draft)
    return is_changed


def _begin(incident: Incident | None, event: Declare | TrainingRead, now: Instant, context: DecisionContext) -> Effects:
    if isinstance(event, TrainingRead):
        return take_roster(incident, event, now, context)
    return _declare(incident, event, now, context)


def _declare(incident: Incident | None, event: Declare, now: Instant, context: DecisionContext) -> Effects:
    if incident is not None:
        return Effects()  # the same declaration, repeated
    policy_version = context.current
    known = policy_version.kind(event.type)
    if known is None and not event.new_type:
        return Effects(refusal=Refusal(_unknown_type(event.type, policy_version), State.CLOSED))
    impacts = impact.of_alert(policy_version, known.key if known else "", event.labels, {})
    usual = max(
        known.level if known else policy_version.policy.default_severity,
        impact.level_for(policy_version.policy, impacts.values()),
    )
    level = event.level or usual
    title = event.title or (general(known.description) if known else "") or event.type
    draft = Draft(new_incident(event.key, now, context, level, event.type, title), now, context)
    draft.set(
        declared=True,
        exercise=event.exercise,
        labels=dict(event.labels),
        rules={known.key if known else event.type: level},
    )
    draft.enter(Fact.DECLARED, event.by, level=level, type=event.type, note=event.note)
    impact.note(draft, impacts)
    start_paging(draft, Reason.OPENED, {"by": event.by, "note": event.note})
    keep_up(draft)
    return draft.effects()


def _unknown_type(name: str, policy_version: PolicyVersion) -> str:
    """The refusal; a misspelt type would not page the recipients of the intended one."""
    near = policy_version.nearest_kind(name)
    meant = f"; did you mean {near}?" if near else "."
    return f"the policy has no incident type and no rule {name}{meant} If the type is new on purpose, say so"


def _act(draft: Draft, action: Action) -> Refusal | None:
    """Carry out a person's action, or return why it is refused."""
    try:
        _require_possible(draft.incident, action)
        _carry_out(draft, action)
    except RefusedError as refused:
        return Refusal(str(refused), draft.incident.state)
    return None


def _carry_out(draft: Draft, action: Action) -> None:
    """Raises RefusedError."""
    match action:
        case Acknowledge(by, note, hold):
            before = draft.incident
            acknowledge(draft, by, note, hold)
            tick_acknowledgement(draft, by)
            keep_way_back(draft, before, by)
        case Undo():
            undo(draft, action)
        case Escalate(by, note, _):
            ask(draft, by, note)
        case Withdraw(by, note):
            withdraw(draft, by, note)
        case GiveBack(by, note, _):
            give_back(draft, by, note)
        case Resolve(by, note, _, _):
            _resolve(draft, by, note)
        case Note(by, text):
            draft.enter(Fact.NOTED, by, text=text)
            _be_active(draft)
        case Update(by, text):
            updates.write(draft, by, text)
            renew_acknowledgement(draft)
        case Change():
            _change(draft, action)
        case Replan(by):
            draft.set(policy=draft.context.current.digest)
            draft.context = replace(draft.context, policy_version=draft.context.current)
            draft.enter(Fact.REPLANNED, by)
        case ApproveReport():
            approve_report(draft, action)
        case _:
            _work(draft, action)
            _be_active(draft)


def _work(draft: Draft, action: ResponseAction) -> None:
    """Carry out a ResponseAction. Raises RefusedError."""
    match action:
        case Tick():
            tick(draft, action)
        case Handover():
            hand_over(draft, action)
        case Assign():
            assign(draft, action)
        case EditNotice():
            notices.edit(draft, action)
        case ApproveNotice():
            notices.approve(draft, action)
        case RejectNotice():
            notices.reject(draft, action)
        case AddFollowUp() | FinishFollowUp():
            follow_ups.record(draft, action)
        case SignOff() | Close():
            closing.record(draft, action)
        case FileReport() | WithdrawFiling() | JudgeObligation():
            _record_obligation(draft, action)
        case AttachFile() | RedactFile() | PlaceHold() | ReleaseHold():
            evidence_files.record(draft, action)
        case OpenRoom():
            rooms.open_room(draft, action)
        case _:
            assert_never(action)


def _record_obligation(draft: Draft, action: FileReport | WithdrawFiling | JudgeObligation) -> None:
    """No signature outlives a report that is outstanding again. Raises RefusedError."""
    obligations.record(draft, action)
    note_revision(draft, ["reports_to_authorities"])
    if obligations.obligations_outstanding(draft.incident, draft.context.policy_version.policy):
        void_sign_off(draft)


def _require_possible(incident: Incident, action: Action) -> None:
    """Raises RefusedError if the incident's state does not allow the action."""
    state = incident.state
    if isinstance(action, Acknowledge | Escalate | Withdraw | GiveBack | Undo | Resolve) and not incident.is_live:
        raise RefusedError(f"the incident is {state} already")
    if isinstance(action, Acknowledge | Escalate | GiveBack | Resolve):
        if not _is_expected(incident, action):
            raise RefusedError(f"the incident is {state} by now, not {action.expects}")
        if isinstance(action, Acknowledge) and action.answers is not None and action.answers < incident.alarm:
            raise RefusedError("something new has happened since that message; look at the incident as it is now")
    elif state is State.CLOSED and not isinstance(action, Note | Change | ResponseAction | ApproveReport):
        raise RefusedError("the incident is closed")
    if isinstance(action, Resolve) and (incident.is_firing or incident.held):
        if not action.force:
            raise RefusedError(_why_not_over(incident))
        if not action.note:
            raise RefusedError("resolving while alerts fire needs a reason")
    if isinstance(action, Change) and action.level is not None:
        if not action.reason:
            raise RefusedError("changing the level needs a reason")
        if not incident.is_live:
            raise RefusedError(f"the level of an incident that is {state} cannot change")


def _is_expected(incident: Incident, action: Acknowledge | Escalate | GiveBack | Resolve) -> bool:
    """Whether the state is the one that the person saw. A call for help is answered like an open incident."""
    is_answer = isinstance(action, Acknowledge | Escalate) and action.expects is State.OPEN and incident.wants_answer
    return is_answer or action.expects in {None, incident.state}


def _why_not_over(incident: Incident) -> str:
    if incident.is_firing:
        return f"{sum(incident.firing)} of its alerts still fire; resolve with force and a reason, if it must be"
    return (
        f"{incident.held} of its alerts may fire again: an Alertmanager told so after the end, which is checked; "
        "try again in a minute, or resolve with force and a reason"
    )


def _resolve(draft: Draft, by: str, note: str) -> None:
    """Resolve, or record a confirmation if the level asks for further persons."""
    confirmed = tuple(dict.fromkeys((*draft.incident.confirmed_by, by)))
    draft.set(confirmed_by=confirmed)
    if len(confirmed) < draft.plan.confirmations:
        draft.enter(Fact.CONFIRMED, by, note=note, have=len(confirmed), need=draft.plan.confirmations)
        renew_acknowledgement(draft)
    else:
        resolve(draft, by, note)


def _change(draft: Draft, change: Change) -> None:
    before, calls_for = draft.incident.level, impact.assess(draft, change)
    level = change.level or (max(before, calls_for) if draft.incident.is_live else before)
    note_assessment(draft, change)
    news = {name: value for name, value in change.facts.items() if value != draft.incident.facts.get(name, "")}
    draft.set(facts={**draft.incident.facts, **news})
    if news:
        void_sign_off(draft)
        note_revision(draft, news)
    for name, value in news.items():
        draft.enter(Fact.CHANGED, change.by, field=name, value=value, reason=change.reason)
    if level != before:
        reason = change.reason or "the impact calls for it"
        if level > before or not draft.incident.is_paused:  # a pause continues at a lower level
            lift_silence(draft)  # it may pause the incident at its new level: the next check decides
        draft.set(level=level)
        draft.enter(Fact.CHANGED, change.by, field="level", before=before, value=level, reason=reason)
        if level > before:
            take_risen_level(draft, {"by": change.by, "note": reason})
        else:
            draft.respond(lowered_from=max(before, draft.incident.response.lowered_from))
    _be_active(draft)


def _be_active(draft: Draft) -> None:
    """Human activity renews the acknowledgement, and calls for an update of a live incident that is not recovering."""
    renew_acknowledgement(draft)
    if draft.incident.is_live and draft.incident.recovery is Recovery.NONE:
        updates.request_update(draft)
