"""What the engine needs of a store: the transactions it runs, and all that one of them writes.

`receiver.store` keeps these promises in SQL, `receiver.drill.memory_store` in memory; the engine knows neither. One
suite of tests holds both to them.
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
    """(source, fingerprint) of alerts that an incident takes over from one that is closed."""
    inquiring: Mapping[str, bool] = field(default_factory=dict)
    """Incident id → whether something is open to be asked about it, where that changed."""
    unreached: Mapping[str, Instant | None] = field(default_factory=dict)
    """Incident id → since when its alarm has reached nobody (`Incident.unreached_since`), where that changed."""
    files: Sequence[tuple[str, FileChange]] = ()
    """(incident id, what becomes of the content of one of its evidence files), in order."""
    on_hold: Mapping[str, bool] = field(default_factory=dict)
    """Incident id → whether it is under legal hold, where that changed."""


class Transaction(Protocol):
    """What the engine needs of a store, within one transaction."""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:
        """Lock and read incidents: not closed ones by key, any by id; in key order, each once."""

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        """Ids of incidents with a window due, the most overdue first; not locked."""

    def open_incidents(self, limit: int) -> list[str]:
        """Ids of open incidents, the most severe and then the oldest first; not locked."""

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

    def first_firing(self, incident_ids: Sequence[str], most: int) -> Mapping[str, tuple[Alert, ...]]:
        """Incident id → its first alerts that fire, so many at most: the worst, and of them the oldest, first."""

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        """Due notifications that no earlier waiting one of the same incident, channel and recipient precedes.

        None on the channels (by name) that are busy.
        """

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        """Notifications by id, as stored now."""

    def withdrawn(self, incident_id: str) -> list[Notification]:
        """Messages of an incident that were overtaken and have not left, in the order they were planned."""

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:
        """Notification id → reference of the first delivered message to the same incident, channel, recipient."""

    def buckets(self, keys: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        """Lock and read the keys' buckets, in order."""

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

    def override_changes(self, after: int) -> list[tuple[int, OverrideChange]]:
        """Overrides of schedules that were made or cancelled, with their numbers, those above `after`; in order."""

    def add_override_change(self, change: OverrideChange) -> int:
        """Keep one more; returns its number."""

    def calendar_digests(self) -> dict[str, str]:
        """Schedule → digest of the last good copy of its fetched calendar."""

    def calendar_text(self, schedule: str) -> str:
        """The last good copy of a schedule's fetched calendar; empty: there is none."""

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
