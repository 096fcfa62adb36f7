"""Planted bugs: an engine or a store that breaks one promise, as real ones have done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from receiver.core.cluster import Cluster
from receiver.core.draft import Effects
from receiver.core.events import AlertsReceived, Delivered, Rejected, Reported, TimePassed
from receiver.core.model import Alert, Fact, Instant, Reason, State, Status, Window
from receiver.core.plan import DecisionContext
from receiver.core.sight import SIGHTED
from receiver.core.storage import Changes
from receiver.engine.engine import Engine
from receiver.engine.unit_of_work import UnitOfWork
from receiver.errors import StoreUnavailable
from receiver.store import SqlStore
from rules.policy import MINUTE
from tests.faults.lies import tell_everybody
from tests.faults.stores import database


class Hands:
    """A transaction that a bug has its hands in."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Wrapped:
    """A store whose transactions are of that kind."""

    def __init__(self, inner: SqlStore, hands: type[Hands] = Hands) -> None:
        self._inner, self._hands = inner, hands
        self.installation = inner.installation

    @contextmanager
    def transaction(self) -> Iterator[Hands]:
        with self._inner.transaction() as transaction:
            yield self._hands(transaction)

    def next_due(self) -> Instant | None:
        return self._inner.next_due()


class _SkipsOutbox(Hands):
    def save(self, changes: Changes) -> None:
        planned = [each for each in changes.planned if each.sequence % 7]
        self._inner.save(replace(changes, planned=planned))


class _LosesTimeline(Hands):
    def save(self, changes: Changes) -> None:
        self._inner.save(replace(changes, entries=[each for each in changes.entries if each.fact is not Fact.NOTED]))


class _DropsLeases(Hands):
    def save(self, changes: Changes) -> None:
        settled = [replace(each, due_at=each.created_at) if each.leased_by else each for each in changes.settled]
        self._inner.save(replace(changes, settled=settled))


class _IgnoresOrder(Hands):
    def heads(self, incident_ids: list[str], now: Instant, busy: frozenset[str] = frozenset()) -> Any:
        heads = self._inner.heads(incident_ids, now, busy)
        ids = [f"{each.incident_id}-{each.sequence + 1}" for each in heads]
        following = self._inner.notifications(ids).values()
        due = [each for each in following if each.due_at is not None and each.due_at <= now and not each.leased_by]
        return [*(each for each in due if each.id not in {head.id for head in heads}), *heads]


class _Optimist(Wrapped):
    """A commit that failed is taken for one that went well."""

    @contextmanager
    def transaction(self) -> Iterator[Hands]:
        try:
            with self._inner.transaction() as transaction:
                yield Hands(transaction)
        except StoreUnavailable:
            return


def skips_outbox(inner: SqlStore) -> Wrapped:
    """Some planned messages are not written with the incident."""
    return Wrapped(inner, _SkipsOutbox)


def loses_timeline(inner: SqlStore) -> Wrapped:
    """What people note is not kept."""
    return Wrapped(inner, _LosesTimeline)


def drops_leases(inner: SqlStore) -> Wrapped:
    """A claimed message is free again at once."""
    return Wrapped(inner, _DropsLeases)


def ignores_order(inner: SqlStore) -> Wrapped:
    """A message may go out before the one planned earlier for the same recipient."""
    return Wrapped(inner, _IgnoresOrder)


def believes_failed_commits(inner: SqlStore) -> Wrapped:
    """A transaction that was undone counts as stored."""
    return _Optimist(inner)


def forget_windows() -> None:
    """At a restart the due times are gone."""
    with database().write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET due_at = NULL")


def rename_installation() -> None:
    """At a restart the installation has a new name."""
    with database().write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = value || 'x' WHERE name = 'installation'")


class NeverLooksAgain(Engine):
    """A worker that wakes late sends without a second look at its lease."""

    def holds(self, claimed: Any, now: Instant) -> bool:
        return True


class IgnoresBlindness(Engine):
    """The missing heartbeat is not looked at."""

    def context(self, policy_version: Any, *more: Any) -> DecisionContext:
        return replace(super().context(policy_version, *more), sight=SIGHTED)


class BelievesEchoes(Engine):
    """A firing alert is believed at once, also where it may be an echo."""

    def context(self, policy_version: Any, *more: Any) -> DecisionContext:
        return replace(super().context(policy_version, *more), cluster=Cluster(peers=1))


class Outdated(Engine):
    """Who is on call is looked up once."""

    def _rosters(self, transaction: Any, now: Instant) -> Any:
        if self._rostered is None:
            super()._rosters(transaction, now)
        return self._rostered[1] if self._rostered else ()


class KeepsCancelled(Engine):
    """An override that was cancelled is in effect still."""

    def _rosters(self, transaction: Any, now: Instant) -> Any:
        fresh = transaction.override_changes(self._overrides[-1][0] if self._overrides else 0)
        self._overrides += [(number, replace(each, cancels=0) if each.cancels else each) for number, each in fresh]
        return super()._rosters(transaction, now)


class PagesTheRelieved(Engine):
    """An override that names an unknown person is ignored: the person it relieved is paged."""

    def _rosters(self, transaction: Any, now: Instant) -> Any:
        fresh = transaction.override_changes(self._overrides[-1][0] if self._overrides else 0)
        known = {each.name for each in self.current.policy.people}
        self._overrides += [
            (number, each if each.cancels or each.person in known else replace(each, schedule=""))
            for number, each in fresh
        ]
        return super()._rosters(transaction, now)


class SendsLate(Engine):
    """A waiting page is sent to a person who is off call by now."""

    def _relieve(self, work: Any, head: Any) -> bool:
        return False


class Early(Engine):
    """Windows fire a minute before they are due."""

    def fire_due(self, now: Instant, limit: int = 500) -> int:
        return super().fire_due(Instant(now + MINUTE), limit)


class _Twisted(UnitOfWork):
    """Decisions, twisted afterwards."""

    def decide(self, incident: Any, event: Any) -> Effects:
        known, taken = self._alerts.get(incident.id, {}) if incident else {}, self._take
        twist = self.twist

        def take(before: Any, effects: Effects, after: Any) -> None:
            twisted = twist(before, event, effects, known)
            if twisted.incident is not None:
                taken(before, twisted, twisted.incident)

        self._take = take  # type: ignore[method-assign]
        try:
            return super().decide(incident, event)
        finally:
            del self._take

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        return effects


class _Swallows(_Twisted):
    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        voided = any(each.fact is Fact.ACK_VOIDED for each in effects.entries)
        return replace(effects, incident=None) if isinstance(event, AlertsReceived) and voided else effects


class _Mutters(_Twisted):
    """The acknowledgement stands, and only the timeline knows better."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        if before is None or before.state is not State.ACKNOWLEDGED or not isinstance(event, AlertsReceived):
            return effects
        kept = [
            replace(each, fact=Fact.ALERT_JOINED) if each.fact is Fact.ACK_VOIDED else each for each in effects.entries
        ]
        same = replace(effects.incident, state=before.state, windows=before.windows, sequence=before.sequence)
        return replace(effects, incident=same, notifications=(), entries=tuple(kept))


class _Silent(_Twisted):
    """What is given up is just given up."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        if not (isinstance(event, Reported) and isinstance(event.outcome, Rejected)):
            return effects
        kept = effects.entries[:1]
        given_up = tuple(each for each in effects.notifications if each.status is Status.GAVE_UP)
        after = replace(before, entries=before.entries + len(kept), version=before.version + 1, page=before.page)
        return replace(effects, incident=after, notifications=given_up, entries=kept)


class _Credulous(_Twisted):
    """Slack's ok ends the rescue of any page."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        is_ok = isinstance(event, Reported) and isinstance(event.outcome, Delivered)
        if not is_ok or event.notification.channel != "slack" or event.notification.page != before.page.serial:
            return effects
        left = {window: at for window, at in effects.incident.windows.items() if window is not Window.RESCUE}
        told = replace(effects.incident, page=replace(effects.incident.page, delivered=True), windows=left)
        return replace(effects, incident=told)


class _Oversleeps(_Twisted):
    """What fires is taken in, and the silence stays."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        if before is None or not before.is_paused or effects.incident is None or not isinstance(event, AlertsReceived):
            return effects
        silence = {Window.SILENCE: before.windows[Window.SILENCE]}
        asleep = replace(effects.incident, silenced_until=before.silenced_until, windows=silence)
        return replace(effects, incident=asleep)


class _Forgets(_Twisted):
    """What was held as a possible echo is dropped when its window has passed."""

    def decide(self, incident: Any, event: Any) -> Effects:
        if isinstance(event, TimePassed) and incident.held:
            name = incident.id
            for each in self._alerts.get(name, {}).values():
                self._kept[name, each.fingerprint] = replace(each, held_until=None)
            incident = replace(
                incident, held=0, windows={w: at for w, at in incident.windows.items() if w != Window.ECHO}
            )
            self._incidents[name], self._touched[name], self._alerts[name] = incident, None, {}
        return super().decide(incident, event)


class _Trusts(_Twisted):
    """A firing that was believed only because time passed is as good as proved: its known end counts no more."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        return replace(effects, alerts=tuple(replace(each, doubtful=False) for each in effects.alerts))


class _Divides(_Twisted):
    """An alert goes to the incident of its group, not to the one that holds it."""

    def route(self, event: AlertsReceived) -> list[AlertsReceived]:
        return [event]

    def _hold(self, incident: Any, alert: Any) -> None:
        self._moved[incident.source, alert.fingerprint] = None
        self._holders[incident.source, alert.fingerprint] = incident.id


class _TakesForOne(_Twisted):
    """Alerts with the same fingerprint count as one, despite their labels."""

    def route(self, event: AlertsReceived) -> list[AlertsReceived]:
        named: dict[str, Alert] = {}
        for each in event.alerts:
            named.setdefault(each.fingerprint, self._known(event, each.fingerprint) or each)
        alerts = [
            replace(each, labels=named[each.fingerprint].labels) if self.confuses(each) else each
            for each in event.alerts
        ]
        return super().route(replace(event, alerts=tuple(alerts)))

    def confuses(self, alert: Alert) -> bool:
        return True


class _EndsAnother(_TakesForOne):
    """Only firing alerts are told apart: an end is the end of any alert with the fingerprint."""

    def confuses(self, alert: Alert) -> bool:
        return not alert.firing


class _Shrugs(_Twisted):
    """Flapping is not recorded."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        told = {Fact.FLAPPING, Fact.FLAPPED}
        kept = [replace(each, fact=Fact.ALERT_CLEARED) if each.fact in told else each for each in effects.entries]
        return replace(effects, entries=tuple(kept))


class _Amnesia(_Twisted):
    """A former owner is forgotten once the incident is open again."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        after = effects.incident
        if after is None or after.state is not State.OPEN:
            return effects
        return replace(effects, incident=replace(after, response=replace(after.response, history=())))


class _Believes(_Twisted):
    """A call for help goes on in words when another has answered it."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        after = effects.incident
        if before is None or after is None or after.state is not State.ACKNOWLEDGED or not before.response.asked_by:
            return effects
        return replace(effects, incident=replace(after, response=replace(after.response, asked_by={"ada": 0})))


class _TellsStrangers(_Twisted):
    """An all-clear goes to a recipient who heard nothing of the trouble."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        return tell_everybody(effects)


def _without(effects: Effects, unwanted: Callable[[Any], bool]) -> Effects:
    """As if those had never been planned."""
    return replace(effects, notifications=tuple(each for each in effects.notifications if not unwanted(each)))


class _LeavesTheShift(_Twisted):
    """Who comes on call is not paged."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        return _without(effects, lambda each: each.reason is Reason.HANDOFF)


class _Hushes(_Twisted):
    """A person's wishes take away what wakes them."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        wishing = {"ben", "dana"}
        return _without(effects, lambda each: each.page and each.person in wishing and each.channel in {"sms", "phone"})


class _Spares(_Twisted):
    """Who wants no page twice hears nothing of the breach either."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        return _without(effects, lambda each: each.reason is Reason.BREACHED and each.via)


class _StaysSilent(_Twisted):
    """That nobody is on call is not recorded."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        kept = tuple(
            replace(each, fact=Fact.NOTED) if each.fact is Fact.NOBODY_ON_CALL else each for each in effects.entries
        )
        return replace(effects, entries=kept)


class _Repeats(_Twisted):
    """Who is named by two references is told twice."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        paged = [each for each in effects.notifications if each.via and each.reason is Reason.OPENED]
        after: Any = effects.incident
        if not paged or after is None:
            return effects
        again = replace(paged[0], id=f"{after.id}-{after.sequence + 1}", sequence=after.sequence + 1)
        grown = replace(after, sequence=after.sequence + 1)
        return replace(effects, incident=grown, notifications=(*effects.notifications, again))


class _Skips(_Twisted):
    """Steps that were slept through are not recorded."""

    def twist(self, before: Any, event: Any, effects: Effects, known: Any) -> Effects:
        if not isinstance(event, TimePassed) or not any(e.fact is Fact.WINDOW_MISSED for e in effects.entries):
            return effects
        kept = [each for each in effects.entries if each.fact is not Fact.WINDOW_MISSED]
        renumbered = [replace(each, position=before.entries + place) for place, each in enumerate(kept, 1)]
        after = replace(effects.incident, entries=before.entries + len(kept))
        return replace(effects, incident=after, entries=tuple(renumbered))


def _with(work: type[UnitOfWork], why: str) -> type[Engine]:
    class Bent(Engine):
        @contextmanager
        def _working(self, now: Instant) -> Iterator[tuple[Any, UnitOfWork]]:
            with super()._working(now) as (transaction, bent):
                bent.__class__ = work
                yield transaction, bent

    Bent.__doc__ = why
    return Bent


LeavesTheShift = _with(_LeavesTheShift, "A shift ends, and whoever follows is not told of what is open.")
Hushes = _with(_Hushes, "A wish takes away what wakes at level 3.")
Spares = _with(_Spares, "Somebody is spared the breach.")
StaysSilent = _with(_StaysSilent, "Nobody is on call, and that is not said.")
Repeats = _with(_Repeats, "Somebody who is named twice is told twice.")
Amnesia = _with(_Amnesia, "Messages say that nobody acknowledged where somebody did.")
Believes = _with(_Believes, "Messages say that nobody has answered where somebody did.")
TellsStrangers = _with(_TellsStrangers, "Somebody hears that it is over who never heard that it began.")
Forgets = _with(_Forgets, "A held alert whose window has passed is dropped.")
Trusts = _with(_Trusts, "The end of an echo that was believed is told late, and ends nothing.")
Divides = _with(_Divides, "One alert is in two incidents when its group moves.")
TakesForOne = _with(_TakesForOne, "Alerts that share a fingerprint are one alert.")
EndsAnother = _with(_EndsAnother, "Of alerts that share a fingerprint the end of one ends another.")
Shrugs = _with(_Shrugs, "An alert that flaps is told to nobody.")
Credulous = _with(_Credulous, "Slack's acceptance counts as having woken somebody.")
Oversleeps = _with(_Oversleeps, "A silenced incident hears of new alerts and stays silenced.")
Swallows = _with(_Swallows, "New danger leaves an acknowledged incident as it is.")
Mutters = _with(_Mutters, "New danger is noted, and the acknowledgement stands.")
GivesUpSilently = _with(_Silent, "A refused page is given up without its fallback.")
SkipsSilently = _with(_Skips, "Steps missed in a downtime are not recorded.")
