"""Flapping: an alert that fires and clears repeatedly is notified once, then counted with its start.

The policy's `flapping` sets the number of cycles and the period. An unacknowledged incident keeps escalating. An
acknowledgement holds through the cycles of its alerts, and expires as usual; a new alert, a further rule or a risen
level is new danger as usual.
"""

from collections.abc import Sequence

from receiver.core.draft import Draft
from receiver.core.lifecycle import renew_acknowledgement, void_acknowledgement
from receiver.core.model import Alert, Fact, Instant, Kind, Reason, Recovery, State, Window
from receiver.core.paging import tell_threads
from rules.policy import EMERGENCY, Flapping


def is_flapping(alert: Alert, now: Instant, terms: Flapping) -> bool:
    """Whether the alert, which fires now, has completed the policy's number of cycles within its period."""
    lately = [at for at in alert.firings if now - at <= terms.within]
    return len(lately) > terms.cycles


def flap(draft: Draft, fired: Sequence[Alert]) -> bool:
    """Handle alerts that fire again if all of them flap; returns whether they do."""
    terms = draft.context.current.policy.flapping
    if not all(is_flapping(each, draft.now, terms) for each in fired):
        return False
    incident = draft.incident
    began = incident.flapping_since is None
    since = min(each.firings[-terms.cycles - 1] for each in fired) if began else incident.flapping_since
    draft.set(
        flapping_since=since,
        flaps=terms.cycles if began else incident.flaps + 1,
        flapping=tuple(dict.fromkeys((*incident.flapping, *(each.fingerprint for each in fired)))),
        recovery=Recovery.NONE,
        recovered_at=None,
        confirmed_by=(),
    )
    draft.disarm(Window.VERIFY, Window.CONFIRM_REMINDER)
    draft.arm(Window.STEADY, draft.now + terms.within)
    words = {"rule": fired[0].rule, "times": str(draft.incident.flaps), "since": str(since)}
    draft.enter(Fact.FLAPPING if began else Fact.FLAPPED, **words)
    if began:
        tell_threads(draft, Kind.NOTICE, Reason.FLAPPING, words)
    if incident.state is State.ACKNOWLEDGED and Window.ACK_EXPIRY not in draft.incident.windows:
        renew_acknowledgement(draft)
    return True


def cease(draft: Draft, cleared: Sequence[Alert]) -> None:
    """Remove cleared alerts from the flapping ones that fire."""
    if draft.incident.flapping:
        gone = {each.fingerprint for each in cleared}
        draft.set(flapping=tuple(name for name in draft.incident.flapping if name not in gone))


def end_flapping(draft: Draft) -> None:
    """It has not cleared for the policy's period: tell the threads if it fires; void an emergency's acknowledgement."""
    fires = bool(draft.incident.flapping)
    words = calm_down(draft)
    if not (words and fires):
        return
    if draft.incident.state is State.ACKNOWLEDGED and draft.incident.level == EMERGENCY:
        void_acknowledgement(draft, {"rule": list(draft.incident.rules)[-1]})
    else:
        tell_threads(draft, Kind.NOTICE, Reason.STEADY, words)


def calm_down(draft: Draft) -> dict[str, str]:
    """End the flapping, of alerts that have not fired for long too; returns what is told about it."""
    since = draft.incident.flapping_since
    if since is None:
        return {}
    words = {"times": str(draft.incident.flaps), "since": str(since)}
    draft.enter(Fact.FLAPPING_ENDED, firing=sum(draft.incident.firing), **words)
    draft.set(flapping_since=None, flapping=(), flaps=0)
    draft.disarm(Window.STEADY)
    return words
