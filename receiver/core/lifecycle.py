"""State transitions of an incident: open, reopen, acknowledge, recover, resolve, close."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from msgspec.structs import replace

from receiver.core.assignment import begin_assessment
from receiver.core.draft import NO_WORDS, Draft
from receiver.core.model import Fact, Incident, Instant, Kind, Page, Reason, Recovery, State, Status, Target, Window
from receiver.core.occurrences import begin_anew
from receiver.core.paging import (
    EVERYTHING_WAITING,
    lift_silence,
    page_step,
    start_paging,
    tell_acknowledged,
    tell_raised,
    tell_resolved,
    tell_responders,
    tell_threads,
    worsen,
)
from receiver.core.plan import DecisionContext
from receiver.core.responder_history import has_been_answered, remember
from receiver.core.response import Deed, SentReport
from receiver.core.rooms import archive
from rules.channel_types import types_where
from rules.durations import format_duration
from rules.policy import MINUTE, SECOND

ECHOES_END = 10 * MINUTE
"""Least microseconds between resolution and closing: a slower peer's message must still find the incident."""

PAGING_WINDOWS = (Window.ESCALATE, Window.BREACH, Window.RESCUE, Window.REACH, Window.ACKNOWLEDGE_LIMIT)
BEAT_LOOK = 15 * SECOND
"""Microseconds between two checks whether a heartbeat has proved a recovery."""

REVISION_AFTER = 15 * MINUTE
"""Microseconds from a change of a closed incident's facts until its revised report is sent, to collect changes."""

ACK_WINDOWS = (
    Window.ACK_EXPIRY,
    Window.ACK_REMINDER,
    Window.CONFIRM_REMINDER,
    Window.ASSESS_LIMIT,
    Window.HELP,
)

BEYOND_THE_END = frozenset({Window.FOLLOW_UP, Window.DUTY})
"""Windows of tasks, which outlive the incident."""

ENDED_BY: Mapping[Reason, Deed] = {
    Reason.ACK_EXPIRED: Deed.EXPIRED,
    Reason.NEW_DANGER: Deed.VOIDED,
    Reason.GIVEN_BACK: Deed.GIVEN_BACK,
    Reason.RECURRED: Deed.REOPENED,
    Reason.STILL_FIRING: Deed.REOPENED,
}
"""Reason of a reopening → deed recorded for the previous owner."""

_CARRIER = types_where(lambda facts: facts.carries_reports)[0]
"""Channel name in a report's notification if the policy has no channel that carries reports."""


def incident_id(key: str, opened_at: Instant) -> str:
    """An incident's id: 32 hexadecimal digits, derived, so that deciding twice gives the same.

    The time comes first, so that the database appends new rows instead of scattering them.
    """
    return f"{opened_at:014x}{sha256(f'{key}/{opened_at}'.encode()).hexdigest()[:18]}"


def new_incident(key: str, now: Instant, context: DecisionContext, level: int, type_: str, title: str) -> Incident:
    """A new incident under the current policy, without notifications."""
    return Incident(
        id=incident_id(key, now),
        key=key,
        policy=context.current.digest,
        level=level,
        type=type_,
        title=title,
        opened_at=now,
        response_due_at=now,
    )


def reopen(draft: Draft, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Set the incident to open and page as at the opening. A recovery goes on until an alert fires.

    With an unanswered request for help, paging continues at the present step.
    """
    step = draft.incident.step if draft.incident.response.asked_by else 0
    if draft.incident.response.history and reason in ENDED_BY:
        deed = ENDED_BY[reason]
        remember(draft, deed, words.get("by", "") if deed is Deed.GIVEN_BACK else draft.incident.holder)
    draft.set(
        state=State.OPEN,
        resolved_at=None,
        resolved_by="",
        acknowledged_at=None,
        acknowledged_by="",
        confirmed_by=(),
    )
    draft.respond(owner="", asked_by={})
    draft.disarm(*ACK_WINDOWS, Window.CLOSE, Window.FORCED)
    start_paging(draft, reason, words, step)


def void_acknowledgement(draft: Draft, words: Mapping[str, str]) -> None:
    """New danger, unknown to the person who acknowledged: reopen the incident."""
    whom = draft.incident.holder
    draft.enter(Fact.ACK_VOIDED, whom=whom, level=draft.incident.level, **words)
    reopen(draft, Reason.NEW_DANGER, {**words, "acknowledged_by": whom})


def take_risen_level(draft: Draft, words: Mapping[str, str]) -> None:
    """A risen level is new danger, from an alert or a person: apply its channels, windows and stakeholders.

    Stakeholders not yet told of the incident are told only if a person raised the level; after an alert they are told
    at the breach or the acknowledgement.
    """
    if draft.incident.state is State.ACKNOWLEDGED:
        void_acknowledgement(draft, words)
    else:
        worsen(draft, words)
    if draft.incident.told or words.get("by"):
        tell_raised(draft, words)


def acknowledge(draft: Draft, by: str, note: str, hold: int | None) -> None:
    """Make a person the owner and stop paging until the acknowledgement expires.

    If the owner asked for help, they stay the owner: another person's acknowledgement answers, their own does not.
    """
    record_late_answer(draft)
    before = draft.incident
    helped = before.holder if before.holder in before.response.asked_by else ""
    draft.set(
        state=State.ACKNOWLEDGED,
        acknowledged_by=before.acknowledged_by if helped else by,
        acknowledged_at=draft.now if before.acknowledged_at is None else before.acknowledged_at,
        ack_holds=hold if hold is not None else draft.plan.response_time,
    )
    holds = "" if hold is None else format_duration(hold)
    taken_over_from = before.acknowledged_by if before.acknowledged_by != by and not helped else ""
    words = {"by": by, "note": note, "helps": helped if helped != by else ""}
    draft.enter(Fact.ACKNOWLEDGED, by, note=note, hold=holds, taken_over_from=taken_over_from, helps=words["helps"])
    if helped != by:
        again = {"again": "yes"} if has_been_answered(before) and not helped else {}
        remember(draft, Deed.ANSWERED if helped else Deed.ACKNOWLEDGED, by)
        _answer(draft, helped or by, {**words, **again})
    begin_assessment(draft)
    renew_acknowledgement(draft)


def record_late_answer(draft: Draft) -> None:
    """Record the breach of a response time that ended while Tocsin was down: the answer came before the window fired.

    The answer follows at once, so the breach is not paged.
    """
    due_at = draft.incident.windows.get(Window.BREACH)
    if due_at is not None and due_at < draft.now:
        draft.set(breached_at=draft.now)
        draft.enter(Fact.BREACHED, due_at=due_at)


def _answer(draft: Draft, owner: str, words: Mapping[str, str]) -> None:
    """Stop the paging and tell of the answer; if there was an owner, only of another owner or of a note."""
    before = draft.incident.response.owner if not words["helps"] else ""
    draft.respond(owner=owner, asked_by={})
    draft.disarm(*PAGING_WINDOWS, Window.HELP)
    draft.supersede([Kind.PAGE, Kind.NOTICE, Kind.REMINDER])
    if not before:
        tell_acknowledged(draft, words)
    elif before != owner or words["note"]:
        tell_responders(draft, Reason.ACTION, words)


def renew_acknowledgement(draft: Draft) -> None:
    """Human activity: restart the acknowledgement's time, or the reminder of a recovery that waits for a person."""
    if draft.incident.state is not State.ACKNOWLEDGED:
        return
    if draft.incident.recovery in {Recovery.CONFIRM, Recovery.UNVERIFIED}:
        draft.disarm(Window.ACK_EXPIRY, Window.ACK_REMINDER)
        draft.arm(Window.CONFIRM_REMINDER, draft.now + draft.plan.response_time)
        return
    if draft.incident.is_paused:
        draft.disarm(Window.ACK_EXPIRY, Window.ACK_REMINDER)  # it holds at least as long as the silence
        return
    draft.arm(Window.ACK_REMINDER, draft.now + draft.incident.ack_holds * 2 // 3)
    draft.arm(Window.ACK_EXPIRY, draft.now + draft.incident.ack_holds)


def begin_recovery(draft: Draft) -> None:
    """The last alert cleared. If its source has a heartbeat, only a beat evaluated after the end makes it a recovery:
    Alertmanager also resolves alerts that a dead Prometheus no longer sends. An end for lack of data is no recovery.
    """
    draft.set(recovered_at=draft.now)
    draft.disarm(Window.STEADY)
    if _has_beaten(draft) and not draft.incident.absent:
        _verify(draft)
        return
    draft.set(recovery=Recovery.UNREPORTED)
    draft.enter(Fact.UNREPORTED)
    draft.arm(Window.VERIFY, draft.now + BEAT_LOOK)


def await_beat(draft: Draft) -> bool:
    """Whether an unproved recovery waits longer; if so, sets the next window. A beat starts the verification.

    For an alert that is no longer measured a heartbeat proves nothing.
    """
    if not draft.incident.absent:
        if _has_beaten(draft):
            _verify(draft)
            return True
        if not _is_blind(draft):
            draft.arm(Window.VERIFY, draft.now + BEAT_LOOK)
            return True
    over_at = (draft.incident.recovered_at or draft.now) + draft.plan.resolve_after
    if over_at > draft.now:
        draft.arm(Window.VERIFY, over_at)
    return over_at > draft.now


def _has_beaten(draft: Draft) -> bool:
    incident = draft.incident
    return incident.is_own or draft.context.sight.has_beaten_since(incident.source, incident.cleared_at or draft.now)


def _is_blind(draft: Draft) -> bool:
    """Whether an alert of its source may have been lost; Tocsin's own alerts never are."""
    return not draft.incident.is_own and draft.context.is_blind(draft.incident.source)


def _verify(draft: Draft) -> None:
    """Start the verification: a resolve is believed only after `resolve_after`.

    A flapping incident must be clear for at least the policy's flapping period, and its threads are not told.
    """
    draft.set(recovery=Recovery.VERIFYING)
    draft.enter(Fact.RECOVERED)
    await_verification(draft)
    if draft.incident.flapping_since is None:
        tell_threads(draft, Kind.NOTICE, Reason.RECOVERED)


def await_verification(draft: Draft) -> None:
    """Set the end of the verification: `resolve_after` from the last clearing, whether or not an alert was held."""
    if draft.incident.recovery is not Recovery.VERIFYING:
        return
    wait: int = draft.plan.resolve_after
    if draft.incident.flapping_since is not None:
        wait = max(wait, draft.context.current.policy.flapping.within)
    draft.arm(Window.VERIFY, max(draft.now, (draft.incident.recovered_at or draft.now) + wait))


def conclude_recovery(draft: Draft, *, verified: bool = True, why: str = "") -> None:
    """`resolve_after` has passed without a new alert: resolve, or ask a person to confirm.

    Not `verified`: Prometheus was queried and did not confirm the recovery; `why` is its answer. While an alert is held
    as a possible echo, the conclusion is put off.
    """
    if draft.incident.held:
        draft.set(recovery=Recovery.VERIFYING)
        draft.arm(Window.VERIFY, draft.incident.windows.get(Window.ECHO, draft.now))
        return
    blind, gone = _is_blind(draft), len(draft.incident.absent)
    if draft.incident.twin_cleared_last or gone or blind or not verified:
        draft.set(recovery=Recovery.UNVERIFIED)
        absent = f": of {gone} of its alerts nothing is measured any more" if gone else ""
        draft.enter(Fact.RECOVERY_UNVERIFIED, blind="yes" if blind else "", why=why, absent=absent)
    elif draft.plan.confirmed:
        draft.set(recovery=Recovery.CONFIRM)
        draft.enter(Fact.RECOVERY_CONFIRM)
    else:
        resolve(draft, by="", note="")
        return
    tell_threads(draft, Kind.NOTICE, Reason.CONFIRM)
    renew_acknowledgement(draft)


def resolve(draft: Draft, by: str, note: str) -> None:
    """Resolve the incident: tell all who were paged, and monitor for recurrence until it closes."""
    record_late_answer(draft)
    forced = draft.incident.is_firing or draft.incident.held > 0
    draft.supersede(EVERYTHING_WAITING)
    draft.enter(Fact.RESOLVED, by, note=note, forced="yes" if forced else "")
    tell_resolved(draft, Reason.ACTION if by else Reason.RECOVERED, {"by": by, "note": note})
    echo = {window: at for window, at in draft.incident.windows.items() if window is Window.ECHO}
    draft.set(
        state=State.RESOLVED,
        recovery=Recovery.NONE,
        resolved_at=draft.now,
        resolved_by=by,
        silenced_until=None,
        inhibited=False,
        stale_since=None,
        flapping_since=None,
        flapping=(),
        flaps=0,
        absent=(),
        windows=_beyond_the_end(draft) | echo,
    )
    draft.respond(asked_by={})
    watched: int = max(draft.context.policy_version.policy.monitoring_duration, ECHOES_END)
    if forced:
        draft.arm(Window.FORCED, draft.now + draft.plan.response_time)
        watched = max(watched, draft.plan.response_time)
    draft.arm(Window.CLOSE, draft.now + watched)


def recur(draft: Draft, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Reopen a resolved incident that fires again or still, under the current policy.

    `words`: describe what fires.
    """
    serial = draft.incident.page.serial
    begin_anew(draft)
    draft.set(policy=draft.context.current.digest, pages_closed=serial, page=Page(serial), paged=(), told=())
    draft.respond(unheard=())
    draft.context = replace(draft.context, policy_version=draft.context.current)
    draft.enter(Fact.REOPENED, reason=reason, recurrences=draft.incident.recurrences, **words)
    reopen(draft, reason, words)


def _beyond_the_end(draft: Draft) -> dict[Window, Instant]:
    return {window: at for window, at in draft.incident.windows.items() if window in BEYOND_THE_END}


def close(draft: Draft, by: str = "", note: str = "", missing: str = "") -> None:
    """Close the incident, after the monitoring or by a person. `missing`: what was outstanding."""
    draft.set(state=State.CLOSED, closed_at=draft.now, windows=_beyond_the_end(draft), inquiries=())
    draft.enter(Fact.CLOSED, by, note=note, missing=missing)
    archive(draft)
    if not draft.incident.recorded_only:
        _send_report(draft)


def _send_report(draft: Draft) -> None:
    """Plan the report to the policy's `incident_report.recipients`; record unreachable ones."""
    recipients = draft.context.current.policy.reports.recipients
    named = [each for each in recipients if "@" in each]
    channel = _mail_channel(draft) or ""
    found = {each: [target.recipient for target in draft.context.stand_ins(channel, each)] for each in named}
    mailed = tuple(dict.fromkeys(address for addresses in found.values() for address in addresses))
    if mailed:
        draft.respond(sent_report=SentReport(mailed))
    _mail_report(draft, mailed)
    _say_undeliverable(
        draft, [each for each in named if not found[each]], "nobody with an e-mail address stands for it"
    )
    _say_undeliverable(draft, [each for each in recipients if "@" not in each], "reports go to e-mail addresses only")


def note_revision(draft: Draft, facts: Iterable[str]) -> None:
    """Facts of a closed incident changed: plan a revised report to the recipients of the first."""
    sent = draft.incident.response.sent_report
    if draft.incident.state is State.CLOSED and sent is not None:
        draft.respond(sent_report=replace(sent, changed=tuple(dict.fromkeys((*sent.changed, *facts)))))
        if Window.REVISION not in draft.incident.windows:
            draft.arm(Window.REVISION, draft.now + REVISION_AFTER)


def send_revision(draft: Draft) -> None:
    """Send the numbered revised report to the recipients of the first."""
    sent = draft.incident.response.sent_report
    if sent is None:
        return
    words = {"number": str(sent.number + 1), "changed": ", ".join(each.replace("_", " ") for each in sent.changed)}
    draft.respond(sent_report=SentReport(sent.to, sent.number + 1))
    draft.enter(Fact.REPORT_REVISED, **words)
    _mail_report(draft, sent.to, words)


def _mail_report(draft: Draft, mailed: Sequence[str], words: Mapping[str, str] = NO_WORDS) -> None:
    name = _mail_channel(draft)
    if name is None:
        _say_undeliverable(draft, mailed, "no usable email channel carries the report")
    else:
        draft.notify(Kind.REPORT, Reason.CLOSED, [Target(name, each) for each in mailed], words)


def _mail_channel(draft: Draft) -> str | None:
    channels = draft.context.current.channels.values()
    return next(
        (each.name for each in channels if each.facts.carries_reports and draft.context.usable(each.name)), None
    )


def _say_undeliverable(draft: Draft, recipients: Sequence[str], why: str) -> None:
    if recipients:
        targets = [Target(_CARRIER, each) for each in recipients]
        draft.notify(Kind.REPORT, Reason.CLOSED, targets, {"why": why}, Status.UNDELIVERABLE)
        draft.enter(Fact.UNDELIVERABLE, channel=f"report to {', '.join(recipients)}", why=why)


def escalate(draft: Draft, by: str, note: str) -> None:
    """Take the next step of an open incident now, for a person; the response time runs on."""
    lift_silence(draft)
    remember(draft, Deed.ASKED_FOR_HELP, by)
    draft.set(step=draft.incident.step + 1)
    draft.enter(Fact.ESCALATED, by, note=note, step=draft.incident.step)
    draft.arm(Window.ESCALATE, draft.now + draft.plan.escalation_time)
    page_step(draft, Reason.ESCALATED, {"by": by, "note": note})
