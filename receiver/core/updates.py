"""Status updates: every recipient told of an incident gets one at least every `update_interval`, until its end.

The clock starts with the first answer or the breach, which is reported beyond the responders. Without a person's text
an update gives the state, and since when it is unchanged. Before that the owner is reminded, and external groups that
were told get a draft to approve.
"""

from receiver.core.draft import Draft
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, Window
from receiver.core.notices import hold_updates
from receiver.core.paging import tell_everybody, tell_threads
from rules.policy import MINUTE

LONGEST_LEAD = 15 * MINUTE
"""Microseconds from the owner's reminder to an update; a quarter of the interval, if shorter."""

NEWS = frozenset(
    {
        Fact.ALERT_JOINED,
        Fact.RULE_JOINED,
        Fact.LEVEL_ROSE,
        Fact.ALERT_CLEARED,
        Fact.UNREPORTED,
        Fact.RECOVERED,
        Fact.FIRED_AGAIN,
        Fact.FLASHED,
        Fact.FLAPPING,
        Fact.FLAPPED,
        Fact.FLAPPING_ENDED,
        Fact.ECHO_BELIEVED,
        Fact.CHECKED,
        Fact.RECOVERY_CONFIRM,
        Fact.RECOVERY_UNVERIFIED,
        Fact.ESCALATED,
        Fact.BREACHED,
        Fact.ACKNOWLEDGED,
        Fact.ACK_VOIDED,
        Fact.ACK_EXPIRED,
        Fact.ACK_UNDONE,
        Fact.GIVEN_BACK,
        Fact.HELP_ASKED,
        Fact.HELP_UNANSWERED,
        Fact.HELP_WITHDRAWN,
        Fact.CONFIRMED,
        Fact.REOPENED,
        Fact.NOTED,
        Fact.CHANGED,
        Fact.REPLANNED,
        Fact.STALE,
        Fact.HEARD_AGAIN,
        Fact.SILENCED,
        Fact.SILENCE_ENDED,
        Fact.INHIBITED,
        Fact.STEP_DONE,
        Fact.STEP_UNDONE,
        Fact.HANDED_OVER,
        Fact.HANDED_OFF,
        Fact.ROLE_TAKEN,
        Fact.ROLE_LEFT,
        Fact.IMPACT,
        Fact.OVERDUE,
        Fact.FOLLOW_UP_ADDED,
        Fact.FOLLOW_UP_DONE,
        Fact.OBLIGATION_APPLIES,
        Fact.OBLIGATION_JUDGED,
        Fact.REPORT_FILED,
        Fact.FILING_WITHDRAWN,
    }
)
"""Facts that change an incident's state, or what is known or done about it."""

TELLINGS = frozenset({Fact.ACKNOWLEDGED, Fact.UPDATED})
"""Facts that tell every recipient the state."""


def keep_updates(draft: Draft) -> None:
    """Record news, and start the clock where it is needed."""
    note_news(draft)
    incident = draft.incident
    is_promised = incident.acknowledged_at or incident.breached_at or Window.UPDATE in incident.windows
    if incident.is_live and not incident.recorded_only and is_promised:
        _run(draft)


def note_news(draft: Draft) -> None:
    """Record whether there is news since the last update, and when the last change was."""
    if any(entry.fact in NEWS or (entry.fact is Fact.UPDATED and entry.by) for entry in draft.entered):
        draft.set(changed_at=draft.now)
    if _has_news(draft):
        draft.set(changed=True)
    elif draft.has(Fact.ACKNOWLEDGED):
        draft.set(changed=False)


def request_update(draft: Draft) -> None:
    """A person acted: send an update once the interval since the last one has passed."""
    draft.set(changed=True)
    _run(draft)


def _has_news(draft: Draft) -> bool:
    """Whether this decision has news after the last message that told every recipient the state."""
    told = max((n for n, entry in enumerate(draft.entered, 1) if entry.fact in TELLINGS), default=0)
    return any(entry.fact in NEWS for entry in draft.entered[told:])


def _run(draft: Draft) -> None:
    """Start the clock, or shorten it; a promised update is never postponed."""
    due = max(draft.now, _last_told(draft.incident) + draft.plan.update_interval)
    if due < draft.incident.windows.get(Window.UPDATE, due + 1):
        _set_clock(draft, due)


def _last_told(incident: Incident) -> Instant:
    """When the recipients were last told the state."""
    told = (incident.acknowledged_at, incident.breached_at, incident.updated_at, incident.alarmed_at)
    return max((each for each in told if each is not None), default=incident.opened_at)


def _set_clock(draft: Draft, due: int) -> None:
    draft.arm(Window.UPDATE, due)
    reminder = due - min(draft.plan.update_interval // 4, LONGEST_LEAD)
    if reminder > draft.now:
        draft.arm(Window.UPDATE_REMINDER, reminder)
    else:
        draft.disarm(Window.UPDATE_REMINDER)


def remind(draft: Draft, _at: int) -> None:
    """An update is due soon: the owner may write it, and external groups get a draft."""
    incident = draft.incident
    due = incident.windows.get(Window.UPDATE)
    if due is None or not incident.is_live:
        return
    following = Instant(max(due, draft.now) + draft.plan.update_interval)
    hold_updates(draft, due if due > draft.now else following, following)
    if due > draft.now and incident.holder and not incident.is_paused:
        tell_threads(draft, Kind.REMINDER, Reason.UPDATE_DUE, {"whom": incident.holder, "due_at": str(due)})


def send_due(draft: Draft, _at: int) -> None:
    """Send the due update, even without news. If it is not delivered, the next one replaces it."""
    if not draft.incident.is_live:
        return
    unchanged = draft.incident.changed_at if not (draft.incident.changed or _has_news(draft)) else None
    words = {"unchanged_since": str(unchanged)} if unchanged is not None else {}
    _tell(draft, "", words, Instant(draft.now + draft.plan.update_interval))


def write(draft: Draft, by: str, text: str) -> None:
    """Send a person's update to every recipient; external groups get a draft without that text."""
    _tell(draft, by, {"by": by, "text": text})
    due = draft.incident.windows.get(Window.UPDATE)
    if due is not None:
        hold_updates(draft, due, due)


def _tell(draft: Draft, by: str, words: dict[str, str], until: Instant | None = None) -> None:
    draft.set(changed=False, updated_at=draft.now)
    draft.enter(Fact.UPDATED, by, text=words.get("text", ""), unchanged_since=words.get("unchanged_since", ""))
    if draft.incident.is_live:
        _set_clock(draft, draft.now + draft.plan.update_interval)
    tell_everybody(draft, Kind.UPDATE, Reason.ACTION, words, until)
