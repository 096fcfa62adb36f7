"""The store of drills and of the core's tests: dictionaries instead of tables, so that a year passes in a moment.

It keeps the contract of `receiver.core.storage.Store` for one thread and one owner: nothing is locked, and
nothing needs undoing, because the engine writes once, at the end of what it decided.
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
"""Channel and recipient: within an incident, messages leave in order."""


class MemoryStore:
    """A store, and the one transaction on it. What it holds may be read by everyone, and is written by `save` alone."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        """In the order of their opening."""
        self.stored_alerts: dict[str, dict[str, Alert]] = {}
        """Incident id → fingerprint → alert."""
        self.outbox: dict[str, Notification] = {}
        """Everything ever planned, in that order."""
        self.timeline: list[Entry] = []
        self._waiting: dict[str, dict[str, Notification]] = {}
        """Incident id → the part of the outbox that waits, in order of `sequence`."""
        self._open: dict[str, str] = {}
        self._holders: dict[tuple[str, str], str] = {}
        self.stored_buckets: dict[RateLimitKey, Bucket] = {}
        self._policies: dict[str, bytes] = {}
        self._override_changes: list[OverrideChange] = []

    @contextmanager
    def transaction(self) -> "Iterator[MemoryStore]":
        """One transaction; they follow one another."""
        yield self

    def next_due(self) -> Instant | None:
        """When the next window or the head of a queue is due."""
        windows = (at for each in self._open.values() if (at := self.incidents[each].due_at) is not None)
        messages = (each.due_at for some in self._waiting for each in self._heads(some) if each.due_at is not None)
        return min((*windows, *messages), default=None)

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """A drill has no heartbeats."""

    def override_changes(self, after: int) -> list[tuple[int, OverrideChange]]:
        """Overrides that were made or cancelled, numbered from 1."""
        return list(enumerate(self._override_changes, 1))[after:]

    def add_override_change(self, change: OverrideChange) -> int:
        """Keep one more."""
        self._override_changes.append(change)
        return len(self._override_changes)

    def calendar_digests(self) -> dict[str, str]:
        """A drill fetches nothing: its calendars stand in the policy."""
        return {}

    def calendar_text(self, schedule: str) -> str:  # noqa: ARG002 - there is none
        """There is none."""
        return ""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:  # noqa: ARG002 - nobody else locks
        """Incidents that are not closed by key, any by id; in key order, each once."""
        found = {self._open[key] for key in keys if key in self._open} | {
            each for each in ids if each in self.incidents
        }
        return sorted((self.incidents[each] for each in found), key=lambda incident: (incident.key, incident.id))

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        """Ids of incidents with a window due, the most overdue first."""
        open_ones = (self.incidents[each] for each in self._open.values())
        due = [each for each in open_ones if each.due_at is not None and each.due_at <= now]
        return [each.id for each in sorted(due, key=lambda incident: incident.due_at or 0)[:limit]]

    def open_incidents(self, limit: int) -> list[str]:
        """Ids of open incidents and then of acknowledged ones, the most severe and then the oldest first."""
        found = [self.incidents[each] for each in self._open.values() if self.incidents[each].is_live]
        order = sorted(found, key=lambda incident: (incident.state is not State.OPEN, -incident.level, incident.number))
        return [each.id for each in order[:limit]]

    def sendable_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents with a due notification at the head of its queue, the worst first."""
        due = self._due(list(self._waiting), now, busy)
        return self._worst(limit, [each for each in due if not each.bundle_at and each.level in levels])

    def bundled_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents with a notification whose bundle leaves now, the worst first."""
        due = self._due(list(self._waiting), now, busy)
        return self._worst(limit, [each for each in due if each.bundle_at and each.level in levels])

    def _worst(self, limit: int, due: Iterable[Notification]) -> list[str]:
        by_level = sorted(due, key=lambda each: (-each.level, each.due_at or 0))
        return list(dict.fromkeys(each.incident_id for each in by_level))[:limit]

    def holders(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Which incidents hold these alerts."""
        return {each: self._holders[each] for each in wanted if each in self._holders}

    def held_alerts(self, incident_ids: Sequence[str]) -> dict[str, dict[str, Alert]]:
        """What is held as possible echoes."""
        return {
            each: {
                name: alert for name, alert in self.stored_alerts.get(each, {}).items() if alert.held_until is not None
            }
            for each in incident_ids
        }

    def alerts(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Alert]]:
        """The stored alerts of those fingerprints."""
        return {
            incident_id: {name: known[name] for name in names if name in known}
            for incident_id, names in wanted.items()
            if (known := self.stored_alerts.get(incident_id)) is not None
        }

    def first_firing(self, incident_ids: Sequence[str], most: int) -> dict[str, tuple[Alert, ...]]:
        """The first alerts of each that fire: the worst, and of them the oldest, first."""
        found: dict[str, tuple[Alert, ...]] = {}
        for each in incident_ids:
            firing = (alert for alert in self.stored_alerts.get(each, {}).values() if alert.firing and alert.level)
            found[each] = tuple(sorted(firing, key=lambda alert: (-alert.level, alert.starts_at))[:most])
        return found

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        """Due notifications that no earlier waiting one of the same queue precedes."""
        due = self._due(incident_ids, now, busy)
        return sorted(due, key=lambda each: (-each.level, each.created_at, each.incident_id, each.sequence))

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        """Notifications by id."""
        return {each: self.outbox[each] for each in ids if each in self.outbox}

    def withdrawn(self, incident_id: str) -> list[Notification]:
        """Messages of an incident that were overtaken and have not left, in the order they were planned."""
        gone = {Status.WAITING, Status.SUPERSEDED}
        mine = (each for each in self.outbox.values() if each.incident_id == incident_id)
        return [each for each in mine if each.superseded and each.status in gone]

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:  # noqa: ARG002 - no provider, no references
        """No message has a reference here."""
        return {}

    def buckets(self, keys: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        """The keys' buckets."""
        return {key: self.stored_buckets[key] for key in keys if key in self.stored_buckets}

    def keep_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Nobody answers a message here."""

    def bundle(self, name: str) -> list[str]:  # noqa: ARG002 - nobody asks from outside
        """No message is found again by its name."""
        return []

    def save_buckets(self, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        """Store buckets."""
        self.stored_buckets.update(buckets)

    def next_numbers(self, count: int) -> int:  # noqa: ARG002 - the next batch counts what this one saved
        """The first of so many numbers."""
        return len(self.incidents) + 1

    def save(self, changes: Changes) -> None:
        """Take everything over, in the order that the contract names."""
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

    def audited(self, references: Collection[str]) -> set[str]:  # noqa: ARG002 - nobody asks from outside
        """Nothing here was asked for by anybody."""
        return set()

    def append_audits(self, audits: Sequence[Audit]) -> None:
        """There is no log: what happens here is an exercise."""

    def postpone(self, incident_id: str, until: Instant) -> None:
        """Never asked for: what cannot be decided here is a fault, and raised."""
        raise NotImplementedError(f"nothing postpones {incident_id} to {until} in memory")

    def save_policy(self, digest: str, document: bytes, now: Instant) -> None:  # noqa: ARG002 - nobody asks since when
        """Keep a policy version, once."""
        self._policies.setdefault(digest, document)

    def policy(self, digest: str) -> bytes | None:
        """A policy version's document."""
        return self._policies.get(digest)

    @property
    def is_waiting(self) -> bool:
        """Whether anything in the outbox is not final."""
        return any(self._waiting.values())

    def leap(self, incident: Incident, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        """Put an incident, and the buckets, where they will be later (`receiver.drill.repeats`)."""
        self.incidents[incident.id] = incident
        self.stored_buckets.update(buckets)

    def waiting(self) -> list[Notification]:
        """What is in the outbox and not final, in the order it was planned."""
        return [each for each in self.outbox.values() if each.status is Status.WAITING]

    def _due(self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str]) -> list[Notification]:
        return [
            each
            for incident_id in incident_ids
            for each in self._heads(incident_id)
            if each.due_at is not None and each.due_at <= now and each.channel not in busy
        ]

    def _heads(self, incident_id: str) -> list[Notification]:
        """The first of each queue; and the first page behind news that only waits for its bundle."""
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
        queue = self._waiting.setdefault(notification.incident_id, {})
        if notification.status is Status.WAITING:
            queue[notification.id] = notification
        else:
            queue.pop(notification.id, None)
            if not queue:
                del self._waiting[notification.incident_id]

    def _still_superseded(self, notification: Notification) -> Notification:
        """Superseded is never taken back: what was leased may be overtaken before its report comes."""
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
    """What is not under way becomes due at once, so that it is finished (and said) soon."""
    waits = not notification.leased_by and (notification.due_at or 0) > notification.created_at
    return replace(notification, superseded=True, due_at=notification.created_at if waits else notification.due_at)
