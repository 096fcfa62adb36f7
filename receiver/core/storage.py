"""The engine's interface to a store: transactions, and what one of them writes.

`receiver.store` implements it in SQL, `receiver.drill.memory_store` in memory; one test suite checks both.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct, field

from receiver.core.audit_log import Audit
from receiver.core.model import Alert, Entry, FileChange, Incident, Instant, Notification, Supersede
from receiver.core.rate_limit import Bucket, RateLimitKey
from receiver.on_call.override_log import OverrideChange
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
    """(source, fingerprint) of alerts that an incident takes over from a closed one."""
    inquiring: Mapping[str, bool] = field(default_factory=dict)
    """Incident id → whether it has an open question to Prometheus, where that changed."""
    unreached: Mapping[str, Instant | None] = field(default_factory=dict)
    """Incident id → since when its pages have reached no person (`Incident.unreached_since`), where that changed."""
    files: Sequence[tuple[str, FileChange]] = ()
    """(incident id, change to the content of one of its evidence files), in order."""
    on_hold: Mapping[str, bool] = field(default_factory=dict)
    """Incident id → whether it is under legal hold, where that changed."""


class Transaction(Protocol):
    """The engine's operations within one transaction."""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:
        """Lock and read incidents: unclosed ones by key, any by id; in key order, each once."""

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        """Ids of incidents with a window due, the most overdue first; not locked."""

    def open_incidents(self, limit: int) -> list[str]:
        """Ids of open incidents, then of acknowledged ones, the most severe and then the oldest first; not locked."""

    def sendable_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents whose queue's head is due on a channel that is not busy.

        Only of those levels, the highest first; notifications that wait for a bundle do not count.
        """

    def bundled_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        """Ids of incidents with a notification whose bundle is due, with the same conditions."""

    def holders(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(source, fingerprint) → id of the incident that has that alert, if one does; not locked.

        A closed incident has only alerts that still fired when it closed.
        """

    def held_alerts(self, incident_ids: Sequence[str]) -> dict[str, dict[str, Alert]]:
        """The alerts of these incidents held as possible echoes: incident id → fingerprint → alert."""

    def alerts(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Alert]]:
        """Stored alerts. `wanted`: incident id → fingerprints; returns incident id → fingerprint → alert."""

    def first_firing(self, incident_ids: Sequence[str], most: int) -> Mapping[str, tuple[Alert, ...]]:
        """Incident id → its first firing alerts, `most` at most: the worst first, then the oldest."""

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        """Due notifications without an earlier waiting one of the same incident, channel and recipient.

        None on channels in `busy` (by name).
        """

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        """Notifications by id, as stored now."""

    def withdrawn(self, incident_id: str) -> list[Notification]:
        """Messages of an incident that were superseded before they were sent, in the order of planning."""

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:
        """Notification id → reference of the first delivered message to the same incident, channel, recipient."""

    def buckets(self, keys: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        """Lock and read the keys' buckets, in order."""

    def keep_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Store which notifications a message bundles: the bundle's name → their ids."""

    def bundle(self, name: str) -> list[str]:
        """Ids of the notifications sent in that bundle, in its order. Empty: no such bundle."""

    def save_buckets(self, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        """Store buckets."""

    def next_numbers(self, count: int) -> int:
        """Reserves `count` incident numbers; returns the first."""

    def save(self, changes: Changes) -> None:
        """Write everything that was decided."""

    def audited(self, references: Collection[str]) -> set[str]:
        """Those of the references that the audit log has already."""

    def append_audits(self, audits: Sequence[Audit]) -> None:
        """Append to the audit log; must come last, because it waits for other transactions that append."""

    def postpone(self, incident_id: str, until: Instant) -> None:
        """Ignore an incident's windows and waiting notifications until then; reads nothing of it."""

    def override_changes(self, after: int) -> list[tuple[int, OverrideChange]]:
        """Overrides of schedules that were made or cancelled, with their numbers, those above `after`; in order."""

    def add_override_change(self, change: OverrideChange) -> int:
        """Store an override change; returns its number."""

    def calendar_digests(self) -> dict[str, str]:
        """Schedule → digest of the last good copy of its fetched calendar."""

    def calendar_text(self, schedule: str) -> str:
        """The last good copy of a schedule's fetched calendar; empty: none."""

    def save_policy(self, digest: str, document: bytes, now: Instant) -> None:
        """Store a policy version, unless it is stored already."""

    def policy(self, digest: str) -> bytes | None:
        """A policy version's document; None: unknown."""


class Store(Protocol):
    """The database. Its errors are StoreUnavailable and StoreConflict (`receiver.errors`)."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed when the block ends normally, rolled back when it raises."""

    def next_due(self) -> Instant | None:
        """When the next window or notification is due; None: none."""

    def retire_heartbeat(self, key: str, entry: Audit) -> None:
        """Record that a heartbeat is no longer expected, with the audit entry of the person's action."""
