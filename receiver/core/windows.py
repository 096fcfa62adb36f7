"""What each window does when it is due.

After downtime only the highest due step is carried out; the skipped ones are recorded as missed.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from receiver.core import follow_ups, updates
from receiver.core.alerts import pass_echo_window
from receiver.core.assignment import miss_acknowledgement, miss_assessment
from receiver.core.closing import conclude
from receiver.core.draft import Draft
from receiver.core.duties import after_jump, tell_due
from receiver.core.evidence import begin_check, give_up_check, give_up_evidence
from receiver.core.flapping import calm_down, end_flapping
from receiver.core.handoff import hand_off
from receiver.core.help_requests import ask_again
from receiver.core.instant import Instant, Jump
from receiver.core.lifecycle import await_beat, recur, renew_acknowledgement, reopen, send_revision
from receiver.core.model import Fact, Incident, Kind, Reason, Recovery, Window
from receiver.core.notices import remind_of_notices
from receiver.core.paging import LAST_PLANNED_STEP, page_as_wanted, page_step, rescue, tell_breach, tell_threads
from receiver.core.silences import end_silence
from receiver.core.training import remind_of_training

BY_THE_CLOCK = {Window.SILENCE, Window.FOLLOW_UP, Window.HANDOFF, Window.DUTY, Window.TRAINING}
"""Windows at a calendar time, set by a person or a duty; all others are durations."""


def put_off(incident: Incident, jumps: Sequence[Jump]) -> Incident:
    """The incident with its windows moved by the clock's jumps since they were set.

    Time that the clock skipped does not count.
    """
    for jump in jumps:
        if max(incident.opened_at, incident.put_off_at) <= jump.before:
            windows = {
                window: at if window in BY_THE_CLOCK else Instant(at + jump.by)
                for window, at in incident.windows.items()
            }
            incident = replace(
                incident,
                windows=windows,
                response_due_at=Instant(incident.response_due_at + jump.by),
                put_off_at=Instant(jump.before + jump.by),
                response=after_jump(incident.response, jump.by),
            )
    return incident


def pass_time(draft: Draft) -> None:
    """Carry out every due window, the earliest first; one may drop or move others."""
    while due := [window for window, at in draft.incident.windows.items() if at <= draft.now]:
        window = min(due, key=lambda each: (draft.incident.windows[each], _ORDER[each]))
        at = draft.incident.windows[window]
        draft.disarm(window)
        _ACTIONS[window](draft, at)


def _verify(draft: Draft, _at: int) -> None:
    if not draft.incident.is_live or draft.incident.is_firing:
        return
    if draft.incident.held:
        _wait_for_echo(draft, Window.VERIFY)
        return
    if draft.incident.recovery is Recovery.UNREPORTED and await_beat(draft):
        return
    calm_down(draft)
    begin_check(draft)


def _close(draft: Draft, _at: int) -> None:
    if draft.incident.held:
        _wait_for_echo(draft, Window.CLOSE)
    else:
        conclude(draft)


def _wait_for_echo(draft: Draft, window: Window) -> None:
    """Postpone recovery or closing while an alert is held as a possible echo."""
    draft.arm(window, draft.incident.windows.get(Window.ECHO, draft.now + 1))


def _forced(draft: Draft, _at: int) -> None:
    """It was resolved while it fired: if it still fires, it recurs."""
    if draft.incident.is_firing:
        recur(draft, Reason.STILL_FIRING)


def _remind(draft: Draft, _at: int) -> None:
    expires_at = draft.incident.windows.get(Window.ACK_EXPIRY, draft.now)
    if expires_at <= draft.now:
        return  # late: the acknowledgement expires at the same time
    draft.enter(Fact.REMINDED, whom=draft.incident.holder)
    words = {"whom": draft.incident.holder, "expires_at": str(expires_at)}
    tell_threads(draft, Kind.REMINDER, Reason.ACK_EXPIRED, words)


def _remind_to_confirm(draft: Draft, _at: int) -> None:
    """Recovered and acknowledged, but not confirmed: remind the owner, repeatedly."""
    draft.enter(Fact.REMINDED, whom=draft.incident.holder, reason=Reason.CONFIRM)
    tell_threads(draft, Kind.REMINDER, Reason.CONFIRM, {"whom": draft.incident.holder})
    renew_acknowledgement(draft)


def _expire_acknowledgement(draft: Draft, _at: int) -> None:
    by = draft.incident.holder
    draft.enter(Fact.ACK_EXPIRED, whom=by)
    reopen(draft, Reason.ACK_EXPIRED, {"acknowledged_by": by})


def _breach(draft: Draft, at: int) -> None:
    """No acknowledgement within the response time: page all channels of the level and above, notify stakeholders."""
    repeats = _due_repeats(draft, at + draft.plan.escalation_time)
    _miss(draft, repeats)
    draft.set(step=max(draft.incident.step, LAST_PLANNED_STEP), breached_at=draft.now)
    draft.enter(Fact.BREACHED, due_at=at)
    draft.arm(Window.ESCALATE, at + (repeats + 1) * draft.plan.escalation_time)
    words = {"due_at": str(at), "limit": str(draft.plan.response_time)}
    page_step(draft, Reason.BREACHED, words)
    tell_breach(draft, words)


def _escalate(draft: Draft, at: int) -> None:
    """No acknowledgement: page the next step, unless a breach is due too."""
    if _is_due(draft, Window.BREACH):
        _miss(draft, 1)
        return
    repeating, is_breached = draft.incident.step >= 1, Window.BREACH not in draft.incident.windows
    repeats = _due_repeats(draft, at + draft.plan.escalation_time) if is_breached else 0
    _miss(draft, repeats)
    draft.set(step=draft.incident.step + 1)
    draft.enter(Fact.ESCALATED, step=draft.incident.step)
    if is_breached:
        draft.arm(Window.ESCALATE, at + (repeats + 1) * draft.plan.escalation_time)
    page_step(draft, Reason.REPEATED if repeating else Reason.ESCALATED)


def _ask_again(draft: Draft, at: int) -> None:
    """The request for help is unanswered: page the next step, and again after the escalation time."""
    repeats = _due_repeats(draft, at + draft.plan.escalation_time)
    _miss(draft, repeats)
    draft.arm(Window.HELP, at + (repeats + 1) * draft.plan.escalation_time)
    ask_again(draft)


def _is_due(draft: Draft, window: Window) -> bool:
    return draft.incident.windows.get(window, draft.now + 1) <= draft.now


def _due_repeats(draft: Draft, first: int) -> int:
    """The number of repeats from `first` on that are due too; only the last step is paged."""
    return max(0, (draft.now - first) // draft.plan.escalation_time + 1)


def _miss(draft: Draft, steps: int) -> None:
    if steps:
        draft.enter(Fact.WINDOW_MISSED, steps=steps)


def _rescue(draft: Draft, _at: int) -> None:
    """No person was reached: page a fallback, unless a step is due, which has a rescue of its own."""
    steps = (Window.ESCALATE, Window.BREACH, Window.HELP)
    if not (draft.incident.page.delivered or any(_is_due(draft, each) for each in steps)):
        rescue(draft)


_ACTIONS: Mapping[Window, Callable[[Draft, int], None]] = {
    Window.ECHO: lambda draft, _at: pass_echo_window(draft),
    Window.STEADY: lambda draft, _at: end_flapping(draft),
    Window.VERIFY: _verify,
    Window.CLOSE: _close,
    Window.CHECK: lambda draft, _at: give_up_check(draft),
    Window.EVIDENCE: lambda draft, _at: give_up_evidence(draft),
    Window.FORCED: _forced,
    Window.ACK_EXPIRY: _expire_acknowledgement,
    Window.ACK_REMINDER: _remind,
    Window.CONFIRM_REMINDER: _remind_to_confirm,
    Window.SILENCE: lambda draft, _at: end_silence(draft),
    Window.BREACH: _breach,
    Window.ACKNOWLEDGE_LIMIT: miss_acknowledgement,
    Window.ASSESS_LIMIT: miss_assessment,
    Window.FOLLOW_UP: follow_ups.remind,
    Window.REVISION: lambda draft, _at: send_revision(draft),
    Window.REACH: lambda draft, _at: page_as_wanted(draft),
    Window.HANDOFF: lambda draft, _at: hand_off(draft),
    Window.DUTY: tell_due,
    Window.ESCALATE: _escalate,
    Window.HELP: _ask_again,
    Window.RESCUE: _rescue,
    Window.UPDATE_REMINDER: updates.remind,
    Window.UPDATE: updates.send_due,
    Window.NOTICE: lambda draft, _at: remind_of_notices(draft),
    Window.TRAINING: lambda draft, _at: remind_of_training(draft),
}

_ORDER: Mapping[Window, int] = {window: order for order, window in enumerate(Window)}
"""On a tie: a recovery is concluded before paging, a breach comes before an escalation."""
