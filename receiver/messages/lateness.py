"""Whether a message is still true when it is sent: its incident may have changed while it waited."""

from receiver.core.model import Incident, Kind, Notification, Reason, Recovery, State, Window
from receiver.core.notices import find
from receiver.core.response import Standing
from receiver.core.training import due_of
from receiver.messages.incident_text import IncidentText

_FIRES = frozenset(
    {Reason.REPEATED, Reason.RECURRED, Reason.STILL_FIRING, Reason.FIRED_AGAIN, Reason.STEADY, Reason.SILENCE_ENDED}
)
"""Reasons whose label states that alerts fire or that an answer is due now."""

_FIRES_NOW = frozenset({Reason.STILL_FIRING, Reason.STEADY})
"""Reasons whose label states in the present tense that alerts fire."""

_WAITS_FOR_A_PERSON = frozenset({Recovery.CONFIRM, Recovery.UNVERIFIED})


def holds(notification: Notification, case: IncidentText) -> bool:
    """Whether the message is still true. If not, it states what was true and the present state."""
    match notification.kind:
        case Kind.PAGE:
            return _page_holds(notification.reason, case)
        case Kind.NOTICE:
            return _notice_holds(notification.reason, case)
        case Kind.REMINDER:
            return _reminder_holds(notification, case)
        case Kind.ACKNOWLEDGED:
            asked = notification.reason is Reason.WITHDRAWN and case.incident.response.asked_by
            return case.incident.state is State.ACKNOWLEDGED and not asked
        case Kind.RESOLVED:
            resolved_at = case.incident.resolved_at
            return not case.live and (resolved_at is None or resolved_at <= notification.created_at)
        case Kind.APPROVAL if notification.reason in {Reason.WAITS, Reason.STILL_WAITS}:
            waits = (find(case.incident, each) for each in notification.data.get("waits", "").split())
            return any(each is not None and each.standing is Standing.HELD for each in waits)
        case _:
            return True


def _page_holds(reason: Reason, case: IncidentText) -> bool:
    incident = case.incident
    if reason is Reason.HELP and not incident.response.asked_by:
        return False
    if (reason is Reason.FALLBACK and incident.page.delivered) or (reason in _FIRES_NOW and not incident.is_firing):
        return False
    return incident.wants_answer and not (case.recovered and reason in _FIRES)


def _notice_holds(reason: Reason, case: IncidentText) -> bool:
    incident = case.incident
    match reason:
        case reason if reason in _FIRES:
            return case.live and not case.recovered and (incident.is_firing or reason not in _FIRES_NOW)
        case Reason.RECOVERED:
            return case.recovered or not (case.live or incident.is_firing)
        case Reason.CONFIRM:
            return incident.recovery in _WAITS_FOR_A_PERSON
        case Reason.SILENCED | Reason.INHIBITED:
            return incident.is_paused and incident.inhibited is (reason is Reason.INHIBITED)
        case Reason.UNDONE:
            return incident.wants_answer
        case Reason.FLAPPING:
            return incident.flapping_since is not None
        case _:
            return True


def _reminder_holds(notification: Notification, case: IncidentText) -> bool:
    incident = case.incident
    if notification.data.get("duty"):
        duty = incident.response.duties.get(notification.data["duty"])
        is_late = duty is not None and duty.due_at <= case.now
        return duty is not None and is_late is (notification.reason is Reason.OVERDUE)
    if notification.data.get("training"):
        return any(due_of(incident, notification.data["training"]))
    match notification.reason:
        case Reason.CONFIRM:
            return incident.recovery in _WAITS_FOR_A_PERSON
        case Reason.KEPT_OPEN:
            return incident.state is State.RESOLVED
        case Reason.ACK_EXPIRED:
            return incident.state is State.ACKNOWLEDGED and Window.ACK_EXPIRY in incident.windows
        case Reason.UPDATE_DUE:
            return str(incident.windows.get(Window.UPDATE, "")) == notification.data.get("due_at")
        case _:
            return _is_missing(notification, incident)


def _is_missing(notification: Notification, incident: Incident) -> bool:
    """Whether the overdue task is still not done."""
    match notification.data.get("what", ""):
        case "acknowledgement":
            return incident.state is State.OPEN
        case "severity assessment":
            return incident.is_live and incident.response.assessed_at is None
        case "follow-up action":
            said = notification.data.get("text", "")
            return any(said.startswith(each.text) for each in incident.response.follow_ups if each.done_at is None)
        case _:
            return True
