"""Status updates: everybody who was told hears at least every `update_interval` how it stands, until the end.

The clock runs from the first answer, or from the breach, of which people beyond the responders hear. An update that
nobody wrote says how it stands, and since when nothing has changed. Before it is due the owner is reminded, and the
external groups that were told get a draft, which waits for approval as every notice does.
"""

from receiver.core.draft import Draft
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, Window
from receiver.core.notices import hold_updates
from receiver.core.paging import tell_everybody, tell_threads
from rules.policy import MINUTE

LONGEST_LEAD = 15 * MINUTE
"""Microseconds before an update at which the owner is reminded of it at most; of a short interval, a quarter of it."""

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
    }
)
"""What changes how an incident stands, or what is known or done about it."""

TELLINGS = frozenset({Fact.ACKNOWLEDGED, Fact.UPDATED})
"""After these everybody has been told how it stands."""


def keep_updates(draft: Draft) -> None:
    """Note what is news by now, and keep the clock running where it has to."""
    note_news(draft)
    incident = draft.incident
    is_promised = incident.acknowledged_at or incident.breached_at or Window.UPDATE in incident.windows
    if incident.is_live and not incident.recorded_only and is_promised:
        _run(draft)


def note_news(draft: Draft) -> None:
    """Note whether there is something that those who were told have not been told yet, and when anything changed."""
    if any(entry.fact in NEWS or (entry.fact is Fact.UPDATED and entry.by) for entry in draft.entered):
        draft.set(changed_at=draft.now)
    if _has_news(draft):
        draft.set(changed=True)
    elif draft.has(Fact.ACKNOWLEDGED):
        draft.set(changed=False)


def request_update(draft: Draft) -> None:
    """A person did something: who was told hears of it when the interval since they were last told has passed."""
    draft.set(changed=True)
    _run(draft)


def _has_news(draft: Draft) -> bool:
    """Whether this decision brought something new after everybody was told how it stands."""
    told = max((n for n, entry in enumerate(draft.entered, 1) if entry.fact in TELLINGS), default=0)
    return any(entry.fact in NEWS for entry in draft.entered[told:])


def _run(draft: Draft) -> None:
    """Set the clock, where it does not run or a shorter interval holds by now; a promise is never put off."""
    due = max(draft.now, _last_told(draft.incident) + draft.plan.update_interval)
    if due < draft.incident.windows.get(Window.UPDATE, due + 1):
        _set_clock(draft, due)


def _last_told(incident: Incident) -> Instant:
    """When those who were told last heard how it stands."""
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
    """An update comes soon: who has the incident may write it, and external groups get a draft of theirs."""
    incident = draft.incident
    due = incident.windows.get(Window.UPDATE)
    if due is None or not incident.is_live:
        return
    following = Instant(max(due, draft.now) + draft.plan.update_interval)
    hold_updates(draft, due if due > draft.now else following, following)
    if due > draft.now and incident.holder and not incident.is_paused:
        tell_threads(draft, Kind.REMINDER, Reason.UPDATE_DUE, {"whom": incident.holder, "due_at": str(due)})


def send_due(draft: Draft, _at: int) -> None:
    """The next update goes out, whether or not anything changed. Where it cannot, the one after it takes its place."""
    if not draft.incident.is_live:
        return
    unchanged = draft.incident.changed_at if not (draft.incident.changed or _has_news(draft)) else None
    words = {"unchanged_since": str(unchanged)} if unchanged is not None else {}
    _tell(draft, "", words, Instant(draft.now + draft.plan.update_interval))


def write(draft: Draft, by: str, text: str) -> None:
    """A person tells everybody how it stands; external groups get a draft without that person's words."""
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
