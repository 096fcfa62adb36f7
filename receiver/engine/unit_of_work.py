"""One transaction of the engine: its loading, deciding and writing.

The engine makes a UnitOfWork per transaction. Several events of a batch may concern one incident: each decision starts
from the result of the one before, and everything is written once, at the end.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from msgspec.structs import replace

from receiver.core.alerts import loses_title
from receiver.core.decide import decide
from receiver.core.draft import Effects
from receiver.core.episodes import route
from receiver.core.events import AlertsReceived, Event, Undo
from receiver.core.model import Alert, Entry, FileChange, Incident, Instant, Notification, State, Supersede
from receiver.core.plan import DecisionContext
from receiver.core.shared_fingerprints import fingerprint, tell_apart
from receiver.core.storage import Changes, Transaction


class UnitOfWork:
    """The incidents of one transaction, as decided so far, and all changes to write."""

    def __init__(
        self, transaction: Transaction, context: Callable[[str | None], DecisionContext], now: Instant
    ) -> None:
        self._transaction = transaction
        self._context = context
        self._now = now
        self._incidents: dict[str, Incident] = {}
        self._by_key: dict[str, str] = {}
        self._alerts: dict[str, dict[str, Alert]] = {}
        self._holders: dict[tuple[str, str], str] = {}
        self._moved: dict[tuple[str, str], None] = {}
        self._opened: dict[str, None] = {}
        self._touched: dict[str, None] = {}
        self._kept: dict[tuple[str, str], Alert] = {}
        self._planned: dict[str, Notification] = {}
        self._settled: dict[str, Notification] = {}
        self._supersedes: list[tuple[str, Supersede]] = []
        self._entries: list[Entry] = []
        self._inquiring: dict[str, bool] = {}
        self._unreached: dict[str, Instant | None] = {}
        self._files: list[tuple[str, FileChange]] = []
        self._on_hold: dict[str, bool] = {}

    def load_received(self, events: Sequence[AlertsReceived], keys: Sequence[str], ids: Sequence[str]) -> None:
        """Lock and read a batch's incidents: those that hold its alerts, those with these keys, and these ids.

        Then read the stored alerts with the events' fingerprints.
        """
        told = {(event.source, alert.fingerprint) for event in events for alert in event.alerts}
        self._holders = self._transaction.holders(told) if told else {}
        self.load(keys, [*ids, *set(self._holders.values())])
        names: dict[str, dict[str, None]] = {}
        for event in events:
            by_key = self._by_key.get(event.key)
            for alert in event.alerts:
                for incident_id in (by_key, self._holders.get((event.source, alert.fingerprint))):
                    if incident_id is not None:
                        names.setdefault(incident_id, {})[alert.fingerprint] = None
        if names:
            self._alerts = self._transaction.alerts({each: list(some) for each, some in names.items()})
        self._load_named_by_labels(events, told)

    def _load_named_by_labels(self, events: Sequence[AlertsReceived], told: AbstractSet[tuple[str, str]]) -> None:
        """Find alerts by labels where the fingerprint is unknown or stored with other labels; lock and read them.

        These locks come after the others, so replicas may deadlock: that is a conflict, and the batch runs again.
        """
        names = {
            (event.source, fingerprint(alert.labels))
            for event in events
            for alert in event.alerts
            if (known := self._known(event, alert.fingerprint)) is None or known.labels != alert.labels
        } - told
        held = self._transaction.holders(names) if names else {}
        self._holders |= held
        self.load([], sorted(set(held.values()) - self._incidents.keys()))
        by_incident: dict[str, list[str]] = {}
        for (_, name), incident_id in held.items():
            by_incident.setdefault(incident_id, []).append(name)
        for incident_id, alerts in self._transaction.alerts(by_incident).items() if by_incident else ():
            self._alerts.setdefault(incident_id, {}).update(alerts)

    def _known(self, event: AlertsReceived, name: str) -> Alert | None:
        """The alert with that fingerprint as decided so far, in the incident that holds it, else in the event's."""
        for incident_id in (self._holders.get((event.source, name)), self._by_key.get(event.key)):
            found = self._alerts.get(incident_id, {}).get(name) if incident_id is not None else None
            if found is not None:
                return found
        return None

    def load_held(self) -> None:
        """Read the alerts held as possible echoes, of the loaded incidents that have any."""
        holding = [each.id for each in self._incidents.values() if each.held]
        for incident_id, alerts in self._transaction.held_alerts(holding).items() if holding else ():
            self._alerts.setdefault(incident_id, {}).update(alerts)

    def route(self, event: AlertsReceived) -> list[AlertsReceived]:
        """Split the event by the incidents that hold its alerts, as decided so far, with alerts told apart by labels.

        An alert that fires in the incident of the event's key stays there: earlier releases let two incidents have it.
        """
        event = replace(event, alerts=tell_apart(event.alerts, partial(self._known, event)))
        own = self.by_key(event.key)
        firing = {name for name, each in self._alerts.get(own.id, {}).items() if each.firing} if own else set()
        holders: dict[str, str] = {}
        for alert in event.alerts:
            if alert.fingerprint in firing:
                continue
            incident = self._incidents.get(self._holders.get((event.source, alert.fingerprint), ""))
            if incident is not None and incident.state is not State.CLOSED and incident.key != event.key:
                holders[alert.fingerprint] = incident.key
        return route(event, holders)

    def load(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> None:
        """Lock and read incidents."""
        for incident in self._transaction.lock(keys, ids, skip_locked=skip_locked):
            self._incidents[incident.id] = incident
            if incident.state is not State.CLOSED:
                self._by_key[incident.key] = incident.id

    def incidents(self) -> list[Incident]:
        """The loaded incidents, as decided so far."""
        return list(self._incidents.values())

    def by_key(self, key: str) -> Incident | None:
        """The incident with that key that is not closed."""
        found = self._by_key.get(key)
        return self._incidents[found] if found else None

    def by_id(self, incident_id: str) -> Incident | None:
        """The incident with that id."""
        return self._incidents.get(incident_id)

    def decide(self, incident: Incident | None, event: Event) -> Effects:
        """Decide on an event, and add the effects to the changes to write."""
        known = self._known_to(incident, event) if incident else {}
        if isinstance(event, Undo) and incident is not None:
            event = replace(event, withdrawn=tuple(self._transaction.withdrawn(incident.id)))
        effects = decide(incident, event, self._now, self._context(incident.policy if incident else None), known)
        if effects.incident is not None:
            self._take(incident, effects, effects.incident)
        return effects

    def _known_to(self, incident: Incident, event: Event) -> dict[str, Alert]:
        """The stored alerts that a decision needs: those loaded, and further firing ones where the event may clear the
        alert that the title names.
        """
        known = self._alerts.get(incident.id, {})
        if not loses_title(incident, event, known):
            return known
        firing = self._transaction.first_firing([incident.id], len(known) + 1).get(incident.id, ())
        return {**{each.fingerprint: each for each in firing}, **known}

    def _take(self, before: Incident | None, effects: Effects, after: Incident) -> None:
        if before is None:
            self._opened[after.id] = None
        self._touched[after.id] = None
        self._incidents[after.id] = after
        if after.state is State.CLOSED:
            if self._by_key.get(after.key) == after.id:
                del self._by_key[after.key]
        else:
            self._by_key[after.key] = after.id
        for alert in effects.alerts:
            self._alerts.setdefault(after.id, {})[alert.fingerprint] = alert
            self._kept[after.id, alert.fingerprint] = alert
            self._hold(after, alert)
        for notification in effects.notifications:
            is_new = before is None or notification.sequence > before.sequence
            (self._planned if is_new else self._settled)[notification.id] = notification
        self._supersedes.extend((after.id, what) for what in effects.supersedes)
        self._entries.extend(effects.entries)
        if bool(after.inquiries) is not bool(before and before.inquiries):
            self._inquiring[after.id] = bool(after.inquiries)
        if after.unreached_since != (before and before.unreached_since):
            self._unreached[after.id] = after.unreached_since
        self._files.extend((after.id, each) for each in effects.files)
        if after.is_on_hold is not bool(before and before.is_on_hold):
            self._on_hold[after.id] = after.is_on_hold

    def _hold(self, incident: Incident, alert: Alert) -> None:
        """Make this incident the holder of the alert; a closed previous holder gives it up."""
        name = incident.source, alert.fingerprint
        before = self._holders.get(name)
        if before is not None and before != incident.id and before not in self._opened:
            self._moved[name] = None
        self._holders[name] = incident.id

    def context(self, incident: Incident) -> DecisionContext:
        """The context of decisions on the incident."""
        return self._context(incident.policy)

    def settle(self, notifications: Iterable[Notification]) -> None:
        """Add changed stored notifications to the changes to write."""
        self._settled.update((each.id, each) for each in notifications)

    def planned(self) -> Iterable[Notification]:
        """New notifications, in the order they were planned."""
        return self._planned.values()

    def plan(self, notifications: Iterable[Notification]) -> None:
        """Replace new notifications by changed ones."""
        self._planned.update((each.id, each) for each in notifications)

    def entries(self) -> list[tuple[Incident, Entry]]:
        """New timeline entries, each with its incident as decided so far (numbered after `save`)."""
        return [(self._incidents[each.incident_id], each) for each in self._entries]

    def save(self) -> None:
        """Number the new incidents, and write all changes."""
        if self._opened:
            first = self._transaction.next_numbers(len(self._opened))
            for number, incident_id in enumerate(self._opened, first):
                self._incidents[incident_id] = replace(self._incidents[incident_id], number=number)
        if not (self._touched or self._settled):
            return
        self._transaction.save(
            Changes(
                opened=sorted((self._incidents[each] for each in self._opened), key=lambda incident: incident.key),
                changed=[self._incidents[each] for each in self._touched if each not in self._opened],
                alerts=[(self._incidents[incident_id], alert) for (incident_id, _), alert in self._kept.items()],
                planned=list(self._planned.values()),
                settled=list(self._settled.values()),
                supersedes=self._supersedes,
                entries=self._entries,
                moved=list(self._moved),
                inquiring=self._inquiring,
                unreached=self._unreached,
                files=self._files,
                on_hold=self._on_hold,
            )
        )
