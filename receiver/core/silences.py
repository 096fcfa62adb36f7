"""Silences in Alertmanager: they pause paging here, and an acknowledgement may create one there.

While all firing alerts of an incident are silenced, levels 1 to 3 are not paged; an emergency is. The pause ends with
the silence as last reported, so an unreachable Alertmanager prolongs none, and with any new alert; then paging starts
at step 0. `receiver.jobs.reconcile` queries and carries out; this module decides.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from receiver.core.classify import is_by_signal
from receiver.core.draft import Draft
from receiver.core.events import SilenceAnswered, Silenced
from receiver.core.lifecycle import PAGING_WINDOWS, renew_acknowledgement
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Window
from receiver.core.paging import lift_silence, start_paging, tell_threads
from rules.policy import MINUTE

CLOSE_ENOUGH = MINUTE
"""Microseconds by which a silence may differ from the acknowledgement's end."""


class Silence(Struct, frozen=True):
    """A silence that is in force in an Alertmanager."""

    id: str
    ends_at: Instant
    by: str
    """Who made it, and why."""
    incident_id: str = ""
    """The incident for whose acknowledgement Tocsin made it; empty: another author made it."""


class Order(Struct, frozen=True):
    """A request to an Alertmanager: a silence until then, or (until None) the end of one."""

    peer: int
    silence_id: str
    """Empty: a new one."""
    until: Instant | None = None
    incident: Incident | None = None


class Wishes(Struct, frozen=True):
    """Orders, and incident ids that cannot be silenced → the reason."""

    orders: Sequence[Order] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def hear(draft: Draft, event: Silenced) -> bool:
    """Process Alertmanager's report; returns whether anything changed."""
    incident = draft.incident
    if not incident.is_live or event.alerts != sum(incident.firing):
        return False
    if event.until is None:
        if incident.silenced_until is None:
            return False
        end_silence(draft)
        return True
    if event.until == incident.silenced_until or event.until <= draft.now:
        return False
    _begin(draft, event, event.until)
    return True


def _begin(draft: Draft, event: Silenced, until: Instant) -> None:
    known = draft.incident.silenced_until is not None
    confirmed = known and draft.incident.inhibited and event.inhibited
    draft.set(silenced_until=until, inhibited=event.inhibited)
    draft.arm(Window.SILENCE, until)
    if confirmed:
        return  # each comparison confirms it again
    fact, reason = (Fact.INHIBITED, Reason.INHIBITED) if event.inhibited else (Fact.SILENCED, Reason.SILENCED)
    draft.enter(fact, until=until, whom=event.by, pauses="yes" if draft.incident.is_paused else "")
    if not draft.incident.is_paused:
        return
    draft.disarm(*PAGING_WINDOWS, Window.ACK_EXPIRY, Window.ACK_REMINDER)
    draft.supersede([Kind.PAGE, Kind.REMINDER])
    if not known:
        tell_threads(draft, Kind.NOTICE, reason, {"until": str(until), "whom": event.by})


def end_silence(draft: Draft) -> None:
    """The silence ended: what it paused starts again from the beginning."""
    paused = draft.incident.is_paused
    lift_silence(draft)
    if paused:
        resume(draft)


def resume(draft: Draft) -> None:
    """Page from step 0, or renew the acknowledgement from now."""
    if draft.incident.state is State.OPEN:
        start_paging(draft, Reason.SILENCE_ENDED)
    else:
        renew_acknowledgement(draft)


def note_answer(draft: Draft, event: SilenceAnswered) -> None:
    """Record the result of the silence for an acknowledgement."""
    if event.why_not:
        draft.enter(Fact.SILENCE_FAILED, why=event.why_not)
    else:
        draft.enter(Fact.SILENCE_MADE, until=event.until)


def silence_acknowledged(
    acknowledged: Iterable[Incident],
    standing: Sequence[Sequence[Silence] | None],
    theirs: Collection[str] = frozenset(),
) -> Wishes:
    """The orders that silence each acknowledged incident for as long as its acknowledgement holds.

    `standing`: per Alertmanager its silences, None: no answer. A new silence is ordered from one Alertmanager at a
    time: cluster peers share it before the next comparison. `theirs`: keys of incidents whose alerts they list. Others
    with a `?source=` are left out, or another cluster's alerts with the same labels would be silenced.
    """
    wanted, refused = {}, {}
    for incident in acknowledged:
        until = incident.windows.get(Window.ACK_EXPIRY)
        if not incident.is_firing or until is None or (incident.source and incident.key not in theirs):
            continue
        if not ("alertname" in incident.labels or is_by_signal(incident.key, incident.source, incident.labels)):
            refused[incident.id] = (
                "its alerts share neither alertname nor a signal of ours: strangers would be silenced"
            )
        else:
            wanted[incident.id] = (incident, until)
    orders = [each for peer, silences in enumerate(standing) for each in _amend(peer, silences or (), wanted)]
    orders += [
        _first_lack(incident, until, standing) for incident, until in wanted.values() if _lacks(incident, standing)
    ]
    return Wishes(orders, refused)


def _amend(peer: int, silences: Sequence[Silence], wanted: Mapping[str, tuple[Incident, Instant]]) -> Iterable[Order]:
    """Orders to change or end Tocsin's silences that are too long, too short, or not needed."""
    for silence in silences:
        if not silence.incident_id:
            continue
        incident, until = wanted.get(silence.incident_id, (None, None))
        if until is None or abs(silence.ends_at - until) > CLOSE_ENOUGH:
            yield Order(peer, silence.id, until, incident)


def _lacks(incident: Incident, standing: Sequence[Sequence[Silence] | None]) -> bool:
    return any(_is_lacking(incident, silences) for silences in standing)


def _is_lacking(incident: Incident, silences: Sequence[Silence] | None) -> bool:
    return silences is not None and all(each.incident_id != incident.id for each in silences)


def _first_lack(incident: Incident, until: Instant, standing: Sequence[Sequence[Silence] | None]) -> Order:
    peer = next(peer for peer, silences in enumerate(standing) if _is_lacking(incident, silences))
    return Order(peer, "", until, incident)
