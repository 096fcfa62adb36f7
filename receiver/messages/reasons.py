"""Why a message is sent: a label of one or two words, and the first sentence."""

from collections.abc import Mapping
from typing import assert_never

from receiver.core.closing import is_or_are
from receiver.core.model import Instant, Kind, Notification, Reason, Recovery, State, Window
from receiver.core.notices import find
from receiver.core.response import Notice, Practice, Standing
from receiver.core.training import due_of
from receiver.messages.incident_text import MISSING, IncidentText, name
from receiver.messages.lateness import holds
from receiver.messages.plain import LINE, line, plain
from rules.reserved import TWIN

LABELS: dict[Reason, str] = {
    Reason.OPENED: "",
    Reason.ESCALATED: "Escalated",
    Reason.BREACHED: "Response time breached",
    Reason.REPEATED: "Still no answer",
    Reason.HELP: "Help wanted",
    Reason.GIVEN_BACK: "Given back",
    Reason.UNDONE: "Answer taken back",
    Reason.WITHDRAWN: "Help not wanted any more",
    Reason.FALLBACK: "Reached nobody yet",
    Reason.REACH: "No answer yet",
    Reason.HANDOFF: "Yours now",
    Reason.NEW_DANGER: "Worse",
    Reason.ACK_EXPIRED: "Acknowledgement expired",
    Reason.RECURRED: "Back again",
    Reason.STILL_FIRING: "Still firing",
    Reason.RULE_JOINED: "Further rule",
    Reason.ALERT_JOINED: "Further alert",
    Reason.RECOVERED: "Signal recovered",
    Reason.CONFIRM: "Confirm the recovery",
    Reason.FIRED_AGAIN: "Fired again",
    Reason.OVERDUE: "Overdue",
    Reason.DUE: "Due soon",
    Reason.HANDED_OVER: "Handed over",
    Reason.SILENCED: "Silenced",
    Reason.INHIBITED: "Inhibited",
    Reason.FLAPPING: "Flapping",
    Reason.STEADY: "Fires steadily",
    Reason.FLASHED: "Fired and cleared",
    Reason.SILENCE_ENDED: "Paging again",
    Reason.CLOSED: "",
    Reason.KEPT_OPEN: "Not closed yet",
    Reason.APPROVED: "",
    Reason.UPDATE_DUE: "Update due",
    Reason.WAITS: "Waits for approval",
    Reason.STILL_WAITS: "Still waits for approval",
    Reason.VOIDED: "Notice void",
    Reason.ACTION: "",
}


COUNTED = {
    "Response time breached": "with the response time breached",
    "Still no answer": "still without an answer",
    "No answer yet": "without an answer yet",
    "Help wanted": "with help wanted",
    "Help not wanted any more": "with help not wanted any more",
    "Answer taken back": "with the answer taken back",
    "Reached nobody yet": "that reached nobody yet",
    "Acknowledgement expired": "with the acknowledgement expired",
    "Further rule": "with a further rule",
    "Further alert": "with a further alert",
    "Signal recovered": "with the signal recovered",
    "Confirm the recovery": "with a recovery to confirm",
    "Fires steadily": "that fire steadily",
    "Waits for approval": "with a notice that waits for approval",
    "Still waits for approval": "with a notice that still waits for approval",
    "Notice void": "with a notice void",
    "Reminder": "with a reminder",
    "Update": "with a status update",
}
"""Label → what follows a number of incidents, where that is not the label in lower case."""

MISSING_DATA = "missing data"
"""What the alerts of missing-data twins report."""

WAS = {"is": "was", "are": "were"}

SAID_OF_REMINDERS = frozenset({Reason.OVERDUE, Reason.DUE, Reason.KEPT_OPEN})
"""Reasons that are the label of a reminder."""

OWN_WORDS = ("it ", "the ", "new danger ", "no ", "nobody ", "open", "acknowledged ")
"""Beginnings of sentences about responders that do not begin with a person's name."""


def label(notification: Notification, case: IncidentText) -> str:
    """Returns what distinguishes this message from a first page; empty for a first page, and if it
    is no longer true.
    """
    return _label(notification) if holds(notification, case) else ""


def _label(notification: Notification) -> str:
    match notification.kind:
        case Kind.PAGE | Kind.NOTICE | Kind.APPROVAL:
            return LABELS[notification.reason]
        case Kind.REMINDER:
            return LABELS[notification.reason] if notification.reason in SAID_OF_REMINDERS else "Reminder"
        case Kind.ACKNOWLEDGED:
            return LABELS[Reason.WITHDRAWN] if notification.reason is Reason.WITHDRAWN else "Acknowledged"
        case Kind.UPDATE:
            return "Update"
        case Kind.BREACH:
            return "Response time breached"
        case Kind.RESOLVED:
            return "Resolved"
        case Kind.EXTERNAL:
            return ""
        case Kind.ROOM:
            return "Incident channel"
        case Kind.REPORT:
            return "Report"
        case _:
            assert_never(notification.kind)


def lead(notification: Notification, case: IncidentText) -> str:
    """Returns one or two sentences on why this message is sent now."""
    by, note = name(notification.data.get("by", "")), plain(notification.data.get("note", ""))
    match notification.kind:
        case Kind.PAGE:
            said = _page(notification, case, by)
        case Kind.NOTICE:
            said = _notice(notification, case)
        case Kind.REMINDER:
            said = _reminder(notification, case)
        case Kind.ACKNOWLEDGED:
            said = _acknowledged(notification, case, by)
        case Kind.UPDATE:
            said = _updated(notification, case, by)
        case Kind.BREACH:
            said = f"{_breach(notification, case)} Everyone concerned has been paged."
        case Kind.RESOLVED:
            said = _resolved(notification, case, by)
        case Kind.EXTERNAL:
            said = ""
        case Kind.ROOM:
            said = f"{by} asked for this channel. It is archived when the incident closes."
        case Kind.APPROVAL:
            said = _approval(notification, case)
        case Kind.REPORT:
            said = _report(notification.data)
        case _:
            assert_never(notification.kind)
    text = plain(notification.data.get("text", ""))
    return "\n".join(filter(None, (said, note and f"Note: {note}", text)))


def _page(notification: Notification, case: IncidentText, by: str) -> str:
    data = notification.data
    before = name(data.get("acknowledged_by", ""))
    at = case.time(notification.created_at)
    void = f" New danger voided the acknowledgement of {before} at {at}." if before else ""
    match notification.reason:
        case Reason.ESCALATED:
            return f"{by} asks for help now." if by and not case.was_answered else _unanswered(case)
        case Reason.HELP | Reason.GIVEN_BACK | Reason.ACK_EXPIRED | Reason.UNDONE:
            return _responders(notification, case, by, before)
        case Reason.BREACHED:
            return _breach(notification, case)
        case Reason.REPEATED | Reason.REACH:
            return _unanswered(case)
        case Reason.FALLBACK:
            return _fallback(notification, case)
        case Reason.HANDOFF:
            return f"You are on call now. {_unanswered(case)}"
        case Reason.NEW_DANGER:
            return f"{_worse(data, by)}{void}"
        case Reason.RECURRED:
            times = _ordinal(case.incident.recurrences)
            said = f"It {_fires(case)} again after it was resolved ({times} time){_fired(data)}."
            return f"{said}{_disproved(case)}"
        case Reason.STILL_FIRING:
            still = "do" if case.incident.is_firing else f"did at {case.time(notification.created_at)}"
            return f"It was resolved while its alerts fired, and they still {still}.{_disproved(case)}"
        case Reason.RULE_JOINED:
            return _further(data)
        case Reason.SILENCE_ENDED:
            over = ", and it is not over" if case.live else ""
            return f"Alertmanager no longer says that it is silenced or inhibited{over}."
        case _:
            return f"Declared by {by}." if by else f"Opened at {case.time(case.incident.opened_at)}."


def _worse(data: Mapping[str, str], by: str) -> str:
    rule = rule_names(data.get("rule", ""))
    why = f": {rule} fired" if rule else f", says {by}" if by else ""
    return f"It got worse{why}{_fired(data, rule)}."


def _notice(notification: Notification, case: IncidentText) -> str:
    data, so = notification.data, holds(notification, case)
    match notification.reason:
        case Reason.RECOVERED | Reason.CONFIRM:
            return _recovered(notification, case) if so else _was_well(notification, case)
        case Reason.NEW_DANGER:
            return f"{_worse(data, name(data.get('by', '')))} It is level {case.incident.level} now."
        case Reason.FIRED_AGAIN:
            return f"It {_fires(case)} again, before its recovery was believed{_fired(data)}."
        case Reason.RULE_JOINED:
            return _further(data)
        case Reason.SILENCED | Reason.INHIBITED:
            return _silenced(notification, case) if so else _was_silenced(notification, case)
        case Reason.FLAPPING:
            rule, often = rule_names(data.get("rule", "the same rule")), line(data.get("times", ""), 10)
            times = f"{often} times since {_moment(data.get('since', ''), case)}"
            if not so:
                return f"Alerts of {rule} fired and cleared again and again: {times}."
            return (
                f"Alerts of {rule} fire and clear again and again: {times}. You are told again when they fire steadily."
            )
        case Reason.STEADY:
            without = "fires without a break now" if case.incident.is_firing else "fired without a break then"
            return f"It flapped since {_moment(data.get('since', ''), case)}, and {without}."
        case Reason.FLASHED:
            rule = rule_names(data.get("rule", "the same rule"))
            return f"An alert of {rule} fired and cleared between two notifications: {line(data.get('summary', ''))}"
        case Reason.UNDONE:
            return _undone(notification, case)
        case Reason.HANDED_OVER:
            return f"{name(data.get('by', ''))} handed it over to {name(data.get('to', ''))}."
        case _:
            count = data.get("alerts", "1")
            many = "A further alert" if count == "1" else f"{line(count, 10)} further alerts"
            rule = rule_names(data.get("rule", "the same rule"))
            return f"{many} of {rule}{_fired(data, rule)}."


def _undone(notification: Notification, case: IncidentText) -> str:
    by, helped = (name(notification.data.get(each, "")) for each in ("by", "helps"))
    at = case.time(notification.created_at)
    if not holds(notification, case):
        return f"At {at} {by} took the answer back{_by_now(case)}."
    return f"{by} took the answer back: {f'{helped} still asks for help' if helped else 'nobody has it'}."


def _fires(case: IncidentText) -> str:
    return "fires" if case.incident.is_firing else "fired"


def _recovered(notification: Notification, case: IncidentText) -> str:
    if notification.reason is Reason.RECOVERED:
        return f"No alert fires any more ({case.recovery or case.stands})."
    if case.incident.recovery is Recovery.UNVERIFIED:
        return "No alert fires any more, but what should prove the recovery was itself missing. Check, then resolve."
    return "The signal recovered. At this level a person must confirm that it is over."


def _was_well(notification: Notification, case: IncidentText) -> str:
    """A recovery message that is late: alerts fire again, or the state is known otherwise."""
    return f"At {case.time(notification.created_at)} no alert fired any more{_by_now(case)}."


def _by_now(case: IncidentText) -> str:
    return f"; by now it is {case.stands}"


def _silenced(notification: Notification, case: IncidentText) -> str:
    if notification.reason is Reason.INHIBITED:
        return "Inhibited in Alertmanager by another alert. Nobody is paged while Alertmanager confirms that."
    until = case.incident.silenced_until
    when = f" until {case.time(until)}" if until is not None else ""
    whom = line(notification.data.get("whom", "somebody"))
    return f"Silenced in Alertmanager{when} by {whom}. Nobody is paged meanwhile."


def _was_silenced(notification: Notification, case: IncidentText) -> str:
    at, how = case.time(notification.created_at), LABELS[notification.reason].lower()
    return f"At {at} it was {how} in Alertmanager{_by_now(case)}."


def _fallback(notification: Notification, case: IncidentText) -> str:
    failed = line(notification.data.get("failed", ""))
    if not case.incident.page.delivered:
        why = "has reached nobody yet on the channels that come first"
    elif failed:
        why = f"could not be delivered on {failed}"
    else:
        why = "had reached nobody in time on the channels that come first"
    return f"This page {why}, so it comes to you."


def rule_names(keys: str, limit: int = LINE) -> str:
    """Returns rule names as people use them: ``incident_response/margin_low`` without its section, a twin by what it
    reports.
    """
    return line(", ".join(dict.fromkeys(map(_rule_name, keys.split(", ")))), limit)


def _rule_name(key: str) -> str:
    section, _, own = key.partition("/")
    named = own if own and section.islower() else key  # alerts of other rule sets keep their full name
    return MISSING_DATA if named == TWIN else named


def _further(data: Mapping[str, str]) -> str:
    rule = rule_names(data.get("rule", "a rule"))
    return f"A further rule fired: {rule}{_fired(data, rule)}."


def _fired(data: Mapping[str, str], rule: str = "") -> str:
    """Returns the summary of the alert that fired, for the end of a sentence; empty: unknown. `rule`: the name before
    it, which a summary without words of its own begins with.
    """
    said = line(data.get("summary", "")).rstrip(".")
    where = said.removeprefix(rule)
    if rule and where != said and not where[:1].isalnum():
        return where
    return f": {said}" if said else ""


def _reminder(notification: Notification, case: IncidentText) -> str:
    if notification.data.get("duty"):
        return _duty(notification, case)
    if notification.data.get("training"):
        return _training(notification.data["training"], case)
    if notification.reason is Reason.OVERDUE:
        return _overdue(notification, case)
    if notification.reason is Reason.KEPT_OPEN:
        return _kept_open(case)
    if not holds(notification, case):
        return f"Nobody need be reminded any more{_by_now(case)}."
    whom = case.owner or name(notification.data.get("whom", "")) or "Whoever acknowledged"
    if notification.reason is Reason.CONFIRM:
        return f"{whom}: {case.recovery or 'the signal recovered, a person must confirm'}. Check, then resolve."
    if notification.reason is Reason.UPDATE_DUE:
        due = _moment(notification.data.get("due_at", ""), case)
        return (
            f"{whom}: the next status update is due at {due}. Write it, else Tocsin tells everybody how it stands then."
        )
    ends = case.incident.windows.get(Window.ACK_EXPIRY)
    when = f" at {case.time(ends)}{case.left(ends, ', ', '')}" if ends is not None else ""
    return f"{whom}: your acknowledgement expires{when}. A note, a step or an update keeps it."


def _training(whom: str, case: IncidentText) -> str:
    """Returns what one person or all people must practise, as of now."""
    told: dict[str, list[str]] = {}
    for each in due_of(case.incident, whom):
        told.setdefault(each.person, []).append(_practice(each, case))
    lines = (f"{name(person)} is to practise in a drill: {', '.join(what)}." for person, what in told.items())
    return "\n".join(lines) or "Nothing that was to be practised is due any more."


def _practice(practice: Practice, case: IncidentText) -> str:
    if not practice.subject:
        return "any (no drill yet)"
    was = "was" if practice.due_at <= case.now else "is"
    return f"{line(practice.subject, 80)} ({was} due by {case.time(practice.due_at)})"


def _kept_open(case: IncidentText) -> str:
    """Returns what is missing now; it may have been done while this message waited."""
    missing = "; ".join(line(each, MISSING) for each in case.outstanding)
    if case.incident.state is not State.RESOLVED or not missing:
        return f"Something was missing before it could close; by now it is {case.stands}."
    whom = name(case.incident.holder or case.incident.resolved_by)
    return f"{f'{whom}: it' if whom else 'It'} is resolved and cannot close yet: {missing}."


def _report(data: Mapping[str, str]) -> str:
    number, changed = (line(data.get(each, "")) for each in ("number", "changed"))
    if not number:
        return "It is closed; this is its report."
    return f"Revision {number} of its report: since the one before it was sent, this has changed: {changed}."


def _updated(notification: Notification, case: IncidentText, by: str) -> str:
    """A status update; a change after it was planned removes its "no change"."""
    since = notification.data.get("unchanged_since", "")
    is_so = since.isdigit() and not case.incident.changed and case.incident.changed_at == int(since)
    said = f"Status update{f' by {by}' if by else ''}{f': no change since {_moment(since, case)}' if is_so else ''}."
    return f"{said} Next update by {case.next_update}." if case.next_update else said


def _named(notification: Notification, case: IncidentText, which: str) -> list[Notice]:
    """Returns the incident's notices that a message to approvers names."""
    known = (find(case.incident, each) for each in notification.data.get(which, "").split())
    return [each for each in known if each is not None]


def held_notices(notification: Notification, case: IncidentText) -> list[Notice]:
    """Returns the notices that a message to approvers is about, and that wait still; of another message, none."""
    known = _named(notification, case, "waits") if notification.kind is Kind.APPROVAL else ()
    return [each for each in known if each.standing is Standing.HELD]


def _approval(notification: Notification, case: IncidentText) -> str:
    """Returns which notices wait, as of now, and why others are void."""
    said = []
    for each in _named(notification, case, "waits"):
        whom, until = f"{each.id} to {_group(each)}", each.due_at
        if each.standing is Standing.HELD:
            by = f", best by {case.time(until)}" if until is not None else ""
            outside = "before that" if not case.incident.exercise else "of an exercise, approved or not"
            said.append(f"The notice {whom} waits for approval{by}: nobody outside is told {outside}.")
        else:
            said.append(f"The notice {whom} is {each.standing} by now.")
    said += [
        f"The notice {each.id} to {_group(each)} is void: {line(each.why) or 'the incident moved on'}."
        for each in _named(notification, case, "void")
    ]
    return " ".join(said)


def _group(notice: Notice) -> str:
    return line(notice.group.replace("_", " "))


def _duty(notification: Notification, case: IncidentText) -> str:
    """A due or overdue checklist or report to an authority; it may be done by now."""
    data = notification.data
    what, whom = line(data.get("what", "")), line(data.get("whom", "")) or case.owner
    duty = case.incident.response.duties.get(data["duty"])
    if duty is None:
        return f"The {what} {WAS[is_or_are(what)]} due, and {is_or_are(what)} done by now or not asked for any more."
    due_at = duty.due_at  # a stage filed since then may have moved it
    if due_at > case.now:
        said = f"the {what} {is_or_are(what)} due by {case.time(due_at)}{case.left(due_at, ', ', '')}"
    else:
        said = f"the {what} {WAS[is_or_are(what)]} due by {case.time(due_at)}, and {is_or_are(what)} not done"
    if not whom and case.incident.state is State.OPEN:
        return f"Nobody has it: {said}."
    return f"{whom}: {said}." if whom else _sentence(said)


def _overdue(notification: Notification, case: IncidentText) -> str:
    what, limit = (line(notification.data.get(name, "")) for name in ("what", "limit"))
    within = f": it should have come within {limit}" if limit else ""
    how = "is overdue" if holds(notification, case) else "was not done in time"
    return f"The {what or 'next step'} {how}{within}."


def _breach(notification: Notification, case: IncidentText) -> str:
    """The response time that was breached at that time; another may run by now."""
    due_at, limit = (notification.data.get(name, "") for name in ("due_at", "limit"))
    due = case.time(Instant(int(due_at)) if due_at.isdigit() else case.incident.response_due_at)
    lasted = case.as_set(int(limit) if limit.isdigit() else case.plan.response_time)
    if case.was_answered:
        return f"The response time of {lasted} is breached (due by {due}). {_sentence(case.responders)}"
    return f"Nobody has acknowledged it within the response time of {lasted} (due by {due})."


def _responders(notification: Notification, case: IncidentText, by: str, before: str) -> str:
    """A page caused by a responder's action or inaction. `before`: the owner until then."""
    reason = notification.reason
    if reason is Reason.UNDONE:
        return _undone(notification, case)
    if reason is Reason.HELP:
        return f"{_sentence(case.responders) or _sentence(case.stands)}{_doubted(case)}"
    if reason is Reason.GIVEN_BACK:
        return f"{by} gave it back{f' for {before}' if before not in {'', by} else ''}: nobody has it."
    return f"The acknowledgement of {before or 'the owner'} expired at {case.time(notification.created_at)}."


def _unanswered(case: IncidentText) -> str:
    """It waits for an answer; with earlier acknowledgements and what ended them."""
    return _sentence(case.responders) if case.was_answered else f"Nobody has acknowledged it in {case.lasted}."


def _doubted(case: IncidentText) -> str:
    """Asks an owner who did not call for help whether they still work on it."""
    incident = case.incident
    if not incident.response.asked_by or incident.holder in incident.response.asked_by:
        return ""
    return f" {case.owner} has it: acknowledge again if you are at it, or give it back."


def _acknowledged(notification: Notification, case: IncidentText, by: str) -> str:
    whom, so = by or "Somebody", holds(notification, case)
    at = case.time(notification.created_at)
    if notification.reason is Reason.WITHDRAWN:
        if not so:
            return f"At {at} {whom} withdrew the call for help{_by_now(case)}."
        return f"{whom} asks for help no more{f'; {case.owner} has it' if case.owner else ''}."
    helped = name(notification.data.get("helps", ""))
    if helped:
        has = f"{helped} goes on having it" if so and case.owner == helped else f"by now it is {case.stands}"
        return f"{whom} answers the call for help; {has}."
    if not so:
        return f"At {at} {whom} acknowledged it{_by_now(case)}."
    return f"Acknowledged by {by or case.owner or 'somebody'} at {at}, {case.after_it_began(notification.created_at)}."


def _sentence(text: str) -> str:
    """Returns the text with a full stop; a person's name at the beginning keeps its spelling."""
    begins = text[:1].upper() if text.startswith(OWN_WORDS) else text[:1]
    return f"{begins}{text[1:]}." if text else ""


def _resolved(notification: Notification, case: IncidentText, by: str) -> str:
    if not holds(notification, case):
        who = f" by {by}" if by else ""
        at = Instant(int(notification.data.get("resolved_at", notification.created_at)))
        return f"It was resolved{who}, {case.after_it_began(at)}{_by_now(case)}."
    if by:
        firing = " Alerts still fire." if case.incident.is_firing else ""
        return f"Resolved by {by} after {case.lasted}.{firing}"
    return f"Resolved after {case.lasted}: the signal recovered and stayed recovered."


def _moment(micros: str, case: IncidentText) -> str:
    return case.time(Instant(int(micros))) if micros.isdigit() else "lately"


def _disproved(case: IncidentText) -> str:
    """Returns the cause and the fix that were entered before the incident came back."""
    return f" What was entered before did not hold ({case.did_not_hold})." if case.did_not_hold else ""


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
