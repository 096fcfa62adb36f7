"""One transaction's work: what is loaded, decided and written, and what it needs of a store.

The engine makes a Work per transaction. Several events of a batch may concern one incident: each is decided
on the incident as the one before left it, and everything is written once, at the end.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from receiver.core.audit_log import Audit
from receiver.core.decide import decide
from receiver.core.draft import Effects
from receiver.core.episodes import route
from receiver.core.events import AlertsReceived, Event
from receiver.core.model import Alert, Entry, Incident, Instant, Notification, State, Supersede
from receiver.core.plan import DecisionContext
from receiver.core.rate_limit import Bucket, RateLimitKey
from rules.policy import LEVELS


class Changes(Struct, frozen=True):
    """All that one transaction writes. A new incident (`number` given, not stored yet) is in `opened`."""

    opened: Sequence[Incident]
    changed: Sequence[Incident]
    alerts: Sequence[tuple[Incident, Alert]]
    """(its incident, alert): inserted, or replacing the one with that fingerprint."""
    planned: Sequence[Notification]
    """New notifications."""
    settled: Sequence[Notification]
    """Stored notifications in their new form."""
    supersedes: Sequence[tuple[str, Supersede]]
    """(incident id, what): applied after `planned`."""
    entries: Sequence[Entry]
    moved: Sequence[tuple[str, str]] = ()
    """(source, fingerprint) of alerts that an incident takes over from one that is closed."""
    inquiring: Mapping[str, bool] = field(default_factory=dict)
    """Incident id → whether something is open to be asked about it, where that changed."""
    unreached: Mapping[str, Instant | None] = field(default_factory=dict)
    """Incident id → since when its alarm has reached nobody (`Incident.unreached_since`), where that changed."""


class Transaction(Protocol):
    """What the engine needs of a store, within one transaction."""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:
        """Lock and read incidents: not closed ones by key, any by id; in key order, each once."""

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        """Ids of incidents with a window due, the most overdue first; not locked."""

    def sendable_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents with a notification at the head of its queue that is due, on a channel that is not busy.

        Of those levels, the highest first. Not of those that leave in a bundle.
        """

    def bundled_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents with a notification whose bundle leaves now, likewise."""

    def holders(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(source, fingerprint) -> id of the incident that holds that alert, where one does; not locked.

        An incident that is closed holds only what still fired when it closed.
        """

    def held_alerts(self, incident_ids: Sequence[str]) -> dict[str, dict[str, Alert]]:
        """The alerts of these incidents that are held as possible echoes: incident id -> fingerprint -> alert."""

    def alerts(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Alert]]:
        """Stored alerts: incident id → fingerprints wanted gives incident id → fingerprint → alert."""

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        """Due notifications that no earlier waiting one of the same incident, channel and recipient precedes.

        None on the channels (by name) that are busy.
        """

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        """Notifications by id, as stored now."""

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:
        """Notification id → reference of the first delivered message to the same incident, channel, recipient."""

    def buckets(self, lanes: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        """Lock and read the lanes' buckets, in order."""

    def keep_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Remember which notifications leave in a message: the bundle's name → their ids."""

    def bundle(self, name: str) -> list[str]:
        """Ids of the notifications that left in the bundle of that name, in its order. Empty: there is none."""

    def save_buckets(self, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        """Store buckets."""

    def next_numbers(self, count: int) -> int:
        """The first of `count` incident numbers that nobody else gets."""

    def save(self, changes: Changes) -> None:
        """Write everything that was decided."""

    def audited(self, references: Collection[str]) -> set[str]:
        """Those of the references that the audit log has already."""

    def append_audits(self, audits: Sequence[Audit]) -> None:
        """Append to the audit log; last of all, because it waits for whoever else appends."""

    def postpone(self, incident_id: str, until: Instant) -> None:
        """Leave an incident's windows and waiting notifications alone until then; reads nothing of it."""

    def save_policy(self, digest: str, document: bytes, now: Instant) -> None:
        """Keep a policy version, once."""

    def policy(self, digest: str) -> bytes | None:
        """A policy version's document."""


class Store(Protocol):
    """Where everything is kept. Errors are StoreUnavailable and StoreConflict (`receiver.errors`)."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed when the block ends well, undone when it raises."""

    def next_due(self) -> Instant | None:
        """When the next window or notification is due."""

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Note that a heartbeat is not expected any more, and who said so."""


class UnitOfWork:
    """The incidents of one transaction, as decided so far, and all that has to be written for them."""

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

    def load_received(self, events: Sequence[AlertsReceived], keys: Sequence[str], ids: Sequence[str]) -> None:
        """Lock and read the incidents that the batch is about: those that hold its alerts, those of its keys, these.

        Then read the stored alerts that the events name.
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

    def load_held(self) -> None:
        """Read the alerts that are held as possible echoes, of the incidents loaded that have any."""
        holding = [each.id for each in self._incidents.values() if each.held]
        for incident_id, alerts in self._transaction.held_alerts(holding).items() if holding else ():
            self._alerts.setdefault(incident_id, {}).update(alerts)

    def route(self, event: AlertsReceived) -> list[AlertsReceived]:
        """The event, cut by the incidents that hold its alerts as decided so far.

        What fires in the incident of its own key stays there: under an older release two incidents could have an alert.
        """
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
        """Lock and read the incidents that the batch is about."""
        for incident in self._transaction.lock(keys, ids, skip_locked=skip_locked):
            self._incidents[incident.id] = incident
            if incident.state is not State.CLOSED:
                self._by_key[incident.key] = incident.id

    def incidents(self) -> list[Incident]:
        """Those loaded, as they are now."""
        return list(self._incidents.values())

    def by_key(self, key: str) -> Incident | None:
        """The incident of that key that is not closed."""
        found = self._by_key.get(key)
        return self._incidents[found] if found else None

    def by_id(self, incident_id: str) -> Incident | None:
        """The incident of that id."""
        return self._incidents.get(incident_id)

    def decide(self, incident: Incident | None, event: Event) -> Effects:
        """Decide, and take the effects into what will be written."""
        known = self._alerts.get(incident.id, {}) if incident else {}
        effects = decide(incident, event, self._now, self._context(incident.policy if incident else None), known)
        if effects.incident is not None:
            self._take(incident, effects, effects.incident)
        return effects

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

    def _hold(self, incident: Incident, alert: Alert) -> None:
        """From now on this incident holds the alert; one that is closed gives it up."""
        name = incident.source, alert.fingerprint
        before = self._holders.get(name)
        if before is not None and before != incident.id and before not in self._opened:
            self._moved[name] = None
        self._holders[name] = incident.id

    def settle(self, notifications: Iterable[Notification]) -> None:
        """Write stored notifications in their new form."""
        self._settled.update((each.id, each) for each in notifications)

    def planned(self) -> Iterable[Notification]:
        """New notifications, in the order they were planned."""
        return self._planned.values()

    def plan(self, notifications: Iterable[Notification]) -> None:
        """New notifications in a changed form."""
        self._planned.update((each.id, each) for each in notifications)

    def entries(self) -> list[tuple[Incident, Entry]]:
        """What was entered into timelines, each with its incident as it is now (numbered, once saved)."""
        return [(self._incidents[each.incident_id], each) for each in self._entries]

    def save(self) -> None:
        """Number the new incidents, and write it all."""
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
            )
        )
