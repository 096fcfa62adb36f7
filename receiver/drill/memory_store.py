"""The in-memory store of drills and of the core's tests: dictionaries instead of tables, for speed.

It keeps the contract of `receiver.core.storage.Store` for one thread and one owner. It needs no locks and no rollback,
because the engine writes once, at the end of a decision.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from receiver.core.audit_log import Audit
from receiver.core.model import Alert, Entry, Incident, Instant, Notification, State, Status, Supersede
from receiver.core.rate_limit import Bucket, RateLimitKey, is_page
from receiver.core.storage import Changes
from receiver.on_call.override_log import OverrideChange
from rules.policy import LEVELS

Queue = tuple[str, str]
"""Channel and recipient: within an incident, each queue is sent in order."""


class MemoryStore:
    """A store and its only transaction, as `receiver.core.storage` documents them. Only `save` writes its content."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        """In the order of opening."""
        self.stored_alerts: dict[str, dict[str, Alert]] = {}
        """Incident id → fingerprint → alert."""
        self.outbox: dict[str, Notification] = {}
        """All notifications, in the order of planning."""
        self.timeline: list[Entry] = []
        self._waiting: dict[str, dict[str, Notification]] = {}
        """Incident id → its waiting notifications of the outbox, in order of `sequence`."""
        self._known_heads: dict[str, list[Notification]] = {}
        """The same → its heads, until one of its notifications changes."""
        self._open: dict[str, str] = {}
        self._holders: dict[tuple[str, str], str] = {}
        self.stored_buckets: dict[RateLimitKey, Bucket] = {}
        self._policies: dict[str, bytes] = {}
        self._override_changes: list[OverrideChange] = []

    @contextmanager
    def transaction(self) -> "Iterator[MemoryStore]":
        yield self

    def next_due(self) -> Instant | None:
        windows = (at for each in self._open.values() if (at := self.incidents[each].due_at) is not None)
        messages = (each.due_at for some in self._waiting for each in self._heads(some) if each.due_at is not None)
        return min((*windows, *messages), default=None)

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Does nothing: drills have no heartbeats."""

    def override_changes(self, after: int) -> list[tuple[int, OverrideChange]]:
        return list(enumerate(self._override_changes, 1))[after:]

    def add_override_change(self, change: OverrideChange) -> int:
        self._override_changes.append(change)
        return len(self._override_changes)

    def calendar_digests(self) -> dict[str, str]:
        """Empty: a drill's calendars are in the policy."""
        return {}

    def calendar_text(self, schedule: str) -> str:  # noqa: ARG002 - there is none
        """Empty: no calendar is fetched."""
        return ""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:  # noqa: ARG002 - no concurrent locks
        found = {self._open[key] for key in keys if key in self._open} | {
            each for each in ids if each in self.incidents
        }
        return sorted((self.incidents[each] for each in found), key=lambda incident: (incident.key, incident.id))

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        open_ones = (self.incidents[each] for each in self._open.values())
        due = [each for each in open_ones if each.due_at is not None and each.due_at <= now]
        return [each.id for each in sorted(due, key=lambda incident: incident.due_at or 0)[:limit]]

    def open_incidents(self, limit: int) -> list[str]:
        found = [self.incidents[each] for each in self._open.values() if self.incidents[each].is_live]
        order = sorted(found, key=lambda incident: (incident.state is not State.OPEN, -incident.level, incident.number))
        return [each.id for each in order[:limit]]

    def sendable_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        due = self._due(list(self._waiting), now, busy)
        return self._worst(limit, [each for each in due if not each.bundle_at and each.level in levels])

    def bundled_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        due = self._due(list(self._waiting), now, busy)
        return self._worst(limit, [each for each in due if each.bundle_at and each.level in levels])

    def _worst(self, limit: int, due: Iterable[Notification]) -> list[str]:
        by_level = sorted(due, key=lambda each: (-each.level, each.due_at or 0))
        return list(dict.fromkeys(each.incident_id for each in by_level))[:limit]

    def holders(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return {each: self._holders[each] for each in wanted if each in self._holders}

    def held_alerts(self, incident_ids: Sequence[str]) -> dict[str, dict[str, Alert]]:
        return {
            each: {
                name: alert for name, alert in self.stored_alerts.get(each, {}).items() if alert.held_until is not None
            }
            for each in incident_ids
        }

    def alerts(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Alert]]:
        return {
            incident_id: {name: known[name] for name in names if name in known}
            for incident_id, names in wanted.items()
            if (known := self.stored_alerts.get(incident_id)) is not None
        }

    def first_firing(self, incident_ids: Sequence[str], most: int) -> dict[str, tuple[Alert, ...]]:
        found: dict[str, tuple[Alert, ...]] = {}
        for each in incident_ids:
            firing = (alert for alert in self.stored_alerts.get(each, {}).values() if alert.firing and alert.level)
            found[each] = tuple(sorted(firing, key=lambda alert: (-alert.level, alert.starts_at))[:most])
        return found

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        due = self._due(incident_ids, now, busy)
        return sorted(due, key=lambda each: (-each.level, each.created_at, each.incident_id, each.sequence))

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        return {each: self.outbox[each] for each in ids if each in self.outbox}

    def withdrawn(self, incident_id: str) -> list[Notification]:
        gone = {Status.WAITING, Status.SUPERSEDED}
        mine = (each for each in self.outbox.values() if each.incident_id == incident_id)
        return [each for each in mine if each.superseded and each.status in gone]

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:  # noqa: ARG002 - no provider, no references
        """Empty: no message has a provider's reference."""
        return {}

    def buckets(self, keys: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        return {key: self.stored_buckets[key] for key in keys if key in self.stored_buckets}

    def keep_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Does nothing: drills have no replies to messages."""

    def bundle(self, name: str) -> list[str]:  # noqa: ARG002 - no replies from outside
        """Empty: bundles are not stored."""
        return []

    def save_buckets(self, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        self.stored_buckets.update(buckets)

    def next_numbers(self, count: int) -> int:  # noqa: ARG002 - the next batch counts what this one saved
        return len(self.incidents) + 1

    def save(self, changes: Changes) -> None:
        for incident in (*changes.opened, *changes.changed):
            self.incidents[incident.id] = incident
            if incident.state is not State.CLOSED:
                self._open[incident.key] = incident.id
            elif self._open.get(incident.key) == incident.id:
                del self._open[incident.key]
        for incident, kept in changes.alerts:
            self.stored_alerts.setdefault(incident.id, {})[kept.fingerprint] = kept
            self._holders[incident.source, kept.fingerprint] = incident.id
        for notification in changes.planned:
            self._put(notification)
        for notification in changes.settled:
            self._put(self._still_superseded(notification))
        for incident_id, what in changes.supersedes:
            for each in list(self._waiting.get(incident_id, {}).values()):
                if _is_overtaken(each, what):
                    self._put(_overtaken(each))
        self.timeline.extend(changes.entries)

    def audited(self, references: Collection[str]) -> set[str]:  # noqa: ARG002 - no requests from outside
        """Empty: drills have no external requests."""
        return set()

    def append_audits(self, audits: Sequence[Audit]) -> None:
        """Does nothing: drills have no audit log."""

    def postpone(self, incident_id: str, until: Instant) -> None:
        """Not called: in a drill, an undecidable incident raises an error."""
        raise NotImplementedError(f"nothing postpones {incident_id} to {until} in memory")

    def save_policy(self, digest: str, document: bytes, now: Instant) -> None:  # noqa: ARG002 - no queries by time
        self._policies.setdefault(digest, document)

    def policy(self, digest: str) -> bytes | None:
        return self._policies.get(digest)

    @property
    def is_waiting(self) -> bool:
        """Whether any notification in the outbox is not final."""
        return any(self._waiting.values())

    def leap(self, incident: Incident, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        """Move an incident and the buckets ahead in time (`receiver.drill.repeats`)."""
        self.incidents[incident.id] = incident
        self.stored_buckets.update(buckets)

    def waiting(self) -> list[Notification]:
        """Notifications that are not final, in the order of planning."""
        return [each for each in self.outbox.values() if each.status is Status.WAITING]

    def _due(self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str]) -> list[Notification]:
        return [
            each
            for incident_id in incident_ids
            for each in self._heads(incident_id)
            if each.due_at is not None and each.due_at <= now and each.channel not in busy
        ]

    def _heads(self, incident_id: str) -> list[Notification]:
        """The first of each queue; also the first page behind news that only waits for its bundle."""
        if incident_id not in self._known_heads:
            self._known_heads[incident_id] = self._find_heads(incident_id)
        return self._known_heads[incident_id]

    def _find_heads(self, incident_id: str) -> list[Notification]:
        heads: list[Notification] = []
        begun: set[Queue] = set()
        blocked: set[Queue] = set()
        for each in self._waiting.get(incident_id, {}).values():
            queue = each.channel, each.recipient
            if queue not in (blocked if is_page(each) else begun):
                heads.append(each)
            begun.add(queue)
            if is_page(each) or each.bundle_at is None or each.leased_by:
                blocked.add(queue)
        return heads

    def _put(self, notification: Notification) -> None:
        self.outbox[notification.id] = notification
        self._known_heads.pop(notification.incident_id, None)
        queue = self._waiting.setdefault(notification.incident_id, {})
        if notification.status is Status.WAITING:
            queue[notification.id] = notification
        else:
            queue.pop(notification.id, None)
            if not queue:
                del self._waiting[notification.incident_id]

    def _still_superseded(self, notification: Notification) -> Notification:
        """Superseded is final: a leased notification may be superseded before its report arrives."""
        stored = self.outbox.get(notification.id)
        overtaken = stored is not None and stored.superseded and not notification.superseded
        return replace(notification, superseded=True) if overtaken else notification


def _is_overtaken(notification: Notification, what: Supersede) -> bool:
    return (
        notification.kind in what.kinds
        and notification.sequence < what.before
        and (what.channels is None or notification.channel in what.channels)
    )


def _overtaken(notification: Notification) -> Notification:
    """A message that is not leased becomes due at once, so that it is finished (and recorded) soon."""
    waits = not notification.leased_by and (notification.due_at or 0) > notification.created_at
    return replace(notification, superseded=True, due_at=notification.created_at if waits else notification.due_at)
