"""The engine's access to the store within one transaction (`receiver.core.storage.Transaction`), in SQL.

Called on one thread. It decides nothing: the core decides which rows a change concerns. A queue is the waiting
notifications of one incident, channel and recipient, ordered by `sequence`; a leased notification counts as waiting,
so it holds back those behind it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from sqlalchemy import Row

from receiver.core.audit_log import Audit
from receiver.core.model import Alert, Incident, Instant, Notification, State, Status, Supersede
from receiver.core.rate_limit import Bucket, RateLimitKey
from receiver.core.storage import Changes
from receiver.errors import RowUnreadable
from receiver.on_call.override_log import OverrideChange
from receiver.store import audit_chain, closed_words, codec, evidence_bytes, schema, statements
from receiver.store.session import Session
from rules.policy import LEVELS

_HEADS_PER_INCIDENT = 4
"""Rows read per incident that is asked for: most incidents have several notifications due at once."""

_SET_ASIDE = {"incident": statements.SET_ASIDE_INCIDENT, "notification": statements.SET_ASIDE_NOTIFICATION}

Kept = TypeVar("Kept")

log = structlog.get_logger()


class SqlTransaction:
    """One transaction; `receiver.core.storage.Transaction` documents its methods."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._places: dict[str, codec.SqlRow] = {}
        """Incident id → its indexed columns as read: `_save_incidents` compares with them."""

    def lock(self, keys: Sequence[str], ids: Sequence[str], *, skip_locked: bool = False) -> list[Incident]:
        if not (keys or ids):
            return []
        sql = statements.LOCK_FREE if skip_locked else statements.LOCK
        rows = self._session.rows(sql, keys=list(set(keys)), ids=list(set(ids)))
        incidents = self._readable("incident", rows, lambda row: codec.read_incident(row.doc, row.id))
        self._places.update((each.id, codec.incident_place(each)) for each in incidents)
        return incidents

    def due_incidents(self, now: Instant, limit: int) -> list[str]:
        return [row.id for row in self._session.rows(statements.DUE_INCIDENTS, now=now, limit=limit)]

    def open_incidents(self, limit: int) -> list[str]:
        return [row.id for row in self._session.rows(statements.OPEN_INCIDENTS, limit=limit)]

    def sendable_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        several = limit * _HEADS_PER_INCIDENT
        rows = self._session.rows(statements.SENDABLE, now=now, limit=several, busy=list(busy), levels=list(levels))
        return list(dict.fromkeys(row.incident_id for row in rows))[:limit]

    def bundled_incidents(
        self, now: Instant, limit: int, busy: frozenset[str] = frozenset(), levels: Sequence[int] = LEVELS
    ) -> list[str]:
        several = limit * _HEADS_PER_INCIDENT
        rows = self._session.rows(statements.BUNDLED, now=now, limit=several, busy=list(busy), levels=list(levels))
        return list(dict.fromkeys(row.incident_id for row in rows))[:limit]

    def holders(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        rows = self._session.rows(statements.HOLDERS, wanted=codec.to_json(sorted(wanted)))
        held = {(row.held_source, row.fingerprint): row.incident_id for row in rows}
        for source, fingerprint in [each for each, id_ in held.items() if not isinstance(id_, str)]:
            del held[source, fingerprint]  # else no incident could hold the alert
            self._session.run(statements.RELEASE_ALERT, {"source": source, "fingerprint": fingerprint})
            self.note_damage("alert", fingerprint, "which incident holds it cannot be read, and the next one does")
        return held

    def held_alerts(self, incident_ids: Sequence[str]) -> dict[str, dict[str, Alert]]:
        found: dict[str, dict[str, Alert]] = {}
        for row in self._session.rows(statements.HELD, ids=list(incident_ids)):
            found.setdefault(row.incident_id, {})[row.fingerprint] = codec.read_alert(row.doc, row.incident_id)
        return found

    def alerts(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Alert]]:
        pairs = [(incident_id, name) for incident_id, names in wanted.items() for name in dict.fromkeys(names)]
        rows = self._session.rows(statements.ALERTS, wanted=codec.to_json(pairs))
        found: dict[str, dict[str, Alert]] = {}
        for incident_id, alert in self._readable("alert", rows, lambda row: (row.incident_id, _alert(row))):
            found.setdefault(incident_id, {})[alert.fingerprint] = alert
        return found

    def first_firing(self, incident_ids: Sequence[str], most: int) -> dict[str, tuple[Alert, ...]]:
        rows = self._session.rows(statements.FIRING, ids=list(incident_ids), most=most) if incident_ids else ()
        found: dict[str, tuple[Alert, ...]] = {}
        for incident_id, alert in self._readable("alert", rows, lambda row: (row.incident_id, _alert(row))):
            found[incident_id] = (*found.get(incident_id, ()), alert)
        return found

    def heads(
        self, incident_ids: Sequence[str], now: Instant, busy: frozenset[str] = frozenset()
    ) -> list[Notification]:
        if not incident_ids:
            return []
        rows = self._session.rows(statements.HEADS, ids=list(incident_ids), busy=list(busy))
        for row in rows:
            if row.due_at is None:
                self._session.run(statements.DUE_AT_ONCE, {"id": row.id})
                self.note_damage("notification", row.id, "it waited without a due time, and was due at once")
        due = [row for row in rows if row.due_at is None or _is_due(row.due_at, now)]
        return self._readable("notification", due, codec.read_notification)

    def notifications(self, ids: Sequence[str]) -> dict[str, Notification]:
        rows = self._session.rows(statements.NOTIFICATIONS, ids=list(ids))
        return {each.id: each for each in self._readable("notification", rows, codec.read_notification)}

    def withdrawn(self, incident_id: str) -> list[Notification]:
        rows = self._session.rows(statements.WITHDRAWN, incident_id=incident_id)
        return self._readable("notification", rows, codec.read_notification)

    def threads(self, notifications: Sequence[Notification]) -> dict[str, str]:
        if not notifications:
            return {}
        rows = self._session.rows(statements.THREADS, ids=[each.id for each in notifications])
        return {row.id: row.reference for row in rows if row.reference}

    def buckets(self, keys: Sequence[RateLimitKey]) -> dict[RateLimitKey, Bucket]:
        if not keys:
            return {}
        names = {codec.bucket_name(key): key for key in keys}
        rows = self._session.rows(statements.BUCKETS, names=list(names))
        return {
            names[row.lane]: Bucket(row.credit, Instant(row.at), row.bundle_at)
            for row in rows
            if isinstance(row.credit, int) and isinstance(row.at, int)  # a damaged bucket starts again, full
        }

    def keep_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        rows = [(name, ids[0].rpartition("-")[0], codec.to_json(ids)) for name, ids in bundles.items()]
        self._session.write(statements.KEEP_BUNDLE, rows)

    def bundle(self, name: str) -> list[str]:
        rows = self._session.rows(statements.BUNDLE, name=name)
        return codec.read_ids(rows[0].notifications) if rows else []

    def save_buckets(self, buckets: Mapping[RateLimitKey, Bucket]) -> None:
        rows = [(codec.bucket_name(key), each.credit, each.at, each.bundle_at) for key, each in buckets.items()]
        self._session.write(statements.KEEP_BUCKET, sorted(rows))

    def next_numbers(self, count: int) -> int:
        """Reserve `count` consecutive incident numbers; returns the first.

        On PostgreSQL a transaction that opens incidents waits here for the others that do: numbers have no gaps, and
        two replicas cannot deadlock on new keys.
        """
        (last,) = self._session.rows(statements.TAKE_NUMBERS, count=count)[0]
        return int(last) - count + 1

    def save(self, changes: Changes) -> None:
        session = self._session
        session.insert(schema.incidents, [codec.incident_row(each) for each in changes.opened])
        moved = self._save_incidents(changes.changed)
        closed_words.keep_systems(session, [*changes.opened, *moved])
        session.write(
            statements.KEEP_LEARNED,
            [row for each in (*changes.opened, *changes.changed) if (row := codec.learned_row(each))],
        )
        session.write(
            statements.KEEP_POLICY_CHANGE,
            [row for each in changes.changed for row in codec.policy_change_rows(each)],
        )
        self._save_alerts(changes)
        session.insert(schema.notifications, [codec.notification_row(each) for each in changes.planned])
        self._save_notifications(changes.settled)
        for incident_id, what in changes.supersedes:
            self._supersede(incident_id, what)
        session.insert(schema.entries, [codec.entry_row(each) for each in changes.entries])
        closed_words.keep(session, [*changes.opened, *changes.changed])
        if changes.inquiring:
            begun = [(incident_id,) for incident_id, open_ in changes.inquiring.items() if open_]
            ended = [(incident_id,) for incident_id, open_ in changes.inquiring.items() if not open_]
            session.write(statements.BEGIN_INQUIRY, begun)
            session.write(statements.END_INQUIRY, ended)
        if changes.unreached:
            since = changes.unreached.items()
            session.write(statements.KEEP_ALARM, [each for each in since if each[1] is not None])
            session.write(statements.END_ALARM, [(incident_id,) for incident_id, at in since if at is None])
        for on_hold, statement in ((True, statements.HOLD), (False, statements.RELEASE_HOLD)):
            session.write(statement, [(each,) for each, held in changes.on_hold.items() if held is on_hold])
        for incident_id, change in changes.files:
            if not evidence_bytes.apply(session, incident_id, change):
                raise LookupError("an upload was gone before it belonged to its incident")

    def _save_incidents(self, changed: Sequence[Incident]) -> list[Incident]:
        """Update incidents; returns those of which an indexed column has changed."""
        moved = {each.id for each in changed if self._places.get(each.id) != codec.incident_place(each)}
        often = [codec.incident_often(each) for each in changed if each.id not in moved]
        self._session.write(statements.UPDATE_INCIDENT_OFTEN, often)
        rest = [codec.incident_change(each) for each in changed if each.id in moved]
        self._session.write(statements.UPDATE_INCIDENT, rest)
        closed = [each.id for each in changed if each.id in moved and each.state is State.CLOSED]
        if closed:
            self._session.run(statements.RELEASE_ALERTS, {"ids": closed})
        return [each for each in changed if each.id in moved]

    def _save_notifications(self, settled: Sequence[Notification]) -> None:
        """Update waiting and final notifications; a final one is never updated again."""
        waiting = [codec.notification_wait(each) for each in settled if each.status is Status.WAITING]
        self._session.write(statements.UPDATE_WAITING, waiting)
        final = [codec.notification_change(each) for each in settled if each.status is not Status.WAITING]
        self._session.write(statements.UPDATE_NOTIFICATION, final)

    def _save_alerts(self, changes: Changes) -> None:
        """Insert or update alerts. Alerts of a new incident are inserted without a check for conflicts: cheaper."""
        self._session.write(statements.MOVE_ALERT, list(changes.moved))
        opened = {incident.id for incident in changes.opened}
        fresh = [codec.alert_row(*each) for each in changes.alerts if each[0].id in opened]
        kept = [codec.alert_row(*each) for each in changes.alerts if each[0].id not in opened]
        self._session.insert(schema.alerts, fresh)
        self._session.write(statements.KEEP_ALERT, kept)

    def _supersede(self, incident_id: str, what: Supersede) -> None:
        if what.before <= 1:
            return  # the first page of an incident supersedes nothing
        row = {"incident_id": incident_id, "before": what.before, "kinds": sorted(what.kinds)}
        if what.channels is None:
            self._session.run(statements.SUPERSEDE, row)
        else:
            self._session.run(statements.SUPERSEDE_ON, {**row, "channels": sorted(what.channels)})

    def _readable(self, what: str, rows: Iterable[Row[Any]], read: Callable[[Row[Any]], Kept]) -> list[Kept]:
        """Decode rows; an unreadable one is set aside, so that later transactions skip it."""
        kept = []
        for row in rows:
            try:
                kept.append(read(row))
            except RowUnreadable:
                self.set_aside(what, row.incident_id if what == "alert" else row.id)
        return kept

    def set_aside(self, what: str, id_: str) -> None:
        """Exclude an unreadable incident or notification from all queries; an unreadable alert is only reported."""
        for statement in _SET_ASIDE.get(what, ()):
            self._session.run(statement, {"id": id_})
        self.note_damage(what, id_, "it cannot be read, and was set aside")

    def note_damage(self, what: str, id_: str, why: str) -> None:
        """Record damage to a row; a person is told of it once."""
        log.error("a row of the database is damaged", what=what, id=id_, why=why)
        self._session.run(statements.NOTE_DAMAGE, {"what": what, "id": id_, "why": why})

    def put_right(self, incident_ids: Sequence[str], notification_ids: Sequence[str], now: Instant) -> None:
        """Repair rows that seem damaged: set aside unreadable ones, correct columns that contradict their document."""
        found = {incident.id: incident for incident in self.lock([], incident_ids)}
        for row in self._session.rows(statements.INCIDENTS, ids=list(found)):
            if codec.contradicts(row, found[row.id], now):
                self._session.write(statements.UPDATE_INCIDENT, [codec.incident_change(found[row.id])])
                self.note_damage("incident", row.id, "its columns contradicted its document, which counts")
        for notification in self.notifications(notification_ids).values():
            if notification.status is Status.WAITING and codec.waits_absurdly(
                notification.due_at, notification.give_up_at
            ):
                self._session.run(statements.DUE_AT_ONCE, {"id": notification.id})
                self.note_damage("notification", notification.id, "its due time made no sense, and it was due at once")

    def audited(self, references: Collection[str]) -> set[str]:
        return audit_chain.seen(self._session, references) if references else set()

    def append_audits(self, audits: Sequence[Audit]) -> None:
        if audits:
            audit_chain.append(self._session, audits)

    def override_changes(self, after: int) -> list[tuple[int, OverrideChange]]:
        rows = self._session.rows(statements.OVERRIDE_CHANGES, after=after)
        return [(row.position, codec.read_override_change(row.doc)) for row in rows]

    def add_override_change(self, change: OverrideChange) -> int:
        [row] = self._session.rows(statements.ADD_OVERRIDE_CHANGE, doc=codec.to_json(change))
        return int(row.position)

    def calendar_digests(self) -> dict[str, str]:
        return {row.schedule: row.digest for row in self._session.rows(statements.CALENDAR_DIGESTS)}

    def calendar_text(self, schedule: str) -> str:
        return next((row.text for row in self._session.rows(statements.CALENDAR_TEXT, schedule=schedule)), "")

    def postpone(self, incident_id: str, until: Instant) -> None:
        row = {"id": incident_id, "until": until}
        self._session.run(statements.POSTPONE_WINDOWS, row)
        self._session.run(statements.POSTPONE_NOTIFICATIONS, row)

    def save_policy(self, digest: str, document: bytes, now: Instant) -> None:
        self._session.run(statements.KEEP_POLICY, {"digest": digest, "now": now, "document": document})

    def policy(self, digest: str) -> bytes | None:
        rows = self._session.rows(statements.POLICY, digest=digest)
        return bytes(rows[0].document) if rows else None


def _alert(row: Row[Any]) -> Alert:
    return codec.read_alert(row.doc, row.incident_id)


def _is_due(due_at: object, now: Instant) -> bool:
    """Whether a notification is due. A value that is no number counts as due: it is read, then set aside."""
    return not isinstance(due_at, int) or due_at <= now
