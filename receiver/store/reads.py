"""The queries of pages, API and metrics. They never block the writer: own connections, read-only transactions.

Called on the readers' thread. Lists are paged by key: a cursor names the last incident of a page, so every page costs
the same, and incidents opened meanwhile do not shift the next one.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, true

from receiver.core.audit_log import Audit
from receiver.core.canary import Canary
from receiver.core.doubles import Double
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Notification, State
from receiver.core.reconcile import HeldAlert
from receiver.errors import CursorError
from receiver.on_call.override_log import OverrideChange
from receiver.store import audit_chain, codec, evidence_bytes, schema
from receiver.store.database import Database
from receiver.store.doubts import Doubts
from receiver.store.figures import StoreFigures, count, oldest_emergency
from receiver.store.overview import Overview
from receiver.store.people_rows import HandoffRows
from receiver.store.search import of_person, of_system, with_words
from receiver.store.session import Session
from receiver.store.statements import (
    BUNDLE,
    CALENDAR_TEXTS,
    FIRING,
    NOTIFICATIONS,
    OVERRIDE_CHANGES,
    POLICY_HISTORY,
    RELATED_CLOSED,
    RELATED_NOW,
    SIMILAR,
)
from receiver.store.statistics import Tally, tallies

LIMIT = 50
"""Default number of incidents on a page."""

_DONE = """
SELECT * FROM entries WHERE incident_id = :id AND ("by" <> '' OR fact = 'breached') ORDER BY position
"""
_FIRING = """
SELECT incidents.id, incidents.key, alerts.doc, alerts.held_source
FROM incidents JOIN alerts ON alerts.incident_id = incidents.id
WHERE incidents.state IN ('open', 'acknowledged', 'resolved') AND alerts.firing
"""
_HELD = """
SELECT incidents.id, incidents.key, alerts.doc, alerts.held_source
FROM alerts JOIN incidents ON alerts.incident_id = incidents.id WHERE alerts.held_until IS NOT NULL
"""
_DOUBLES = """
SELECT incidents.id, incidents.doc AS incident, alerts.fingerprint, alerts.doc
FROM incidents JOIN alerts ON alerts.incident_id = incidents.id
WHERE incidents.state IN ('open', 'acknowledged', 'resolved') AND alerts.firing AND alerts.held_source IS NULL
"""
_HOLDING = "SELECT incident_id, doc FROM alerts WHERE fingerprint = :fingerprint AND held_source = :source"
_ANSWERABLE = """
SELECT n.*, i.doc FROM incidents i JOIN notifications n ON n.incident_id = i.id
WHERE i.state IN ('open', 'acknowledged') AND n.status IN ('accepted', 'delivered') AND n.recipient = :recipient
  AND n.kind = 'page'
  AND n.done_at <= :until
ORDER BY i.number, n.sequence
"""
_IN_THREAD = """
SELECT n.incident_id FROM incidents i JOIN notifications n ON n.incident_id = i.id
WHERE i.state IN ('open', 'acknowledged', 'resolved') AND n.status IN ('accepted', 'delivered')
  AND (n.reference = :reference OR (n.kind = 'room' AND substr(n.reference, 1, :length) = :room))
"""
_WITH_EVIDENCE = "SELECT DISTINCT incident_id FROM evidence_files"
_READABLE = schema.incidents.c.state != "set_aside"


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy version that has been in use."""

    digest: str
    since: Instant
    """When it was first in use."""
    document: bytes
    """As `rules.stored.dump` wrote it."""
    incidents: tuple[Incident, ...] = ()
    """Incidents of whose follow-up actions it is a result."""


LAST = (1 << 63) - 1
"""Greater than every number: the largest BIGINT."""

OUTLINED = 1000
"""Entries at each end of a timeline that a report shows."""

# Booleans and numbers sort descending, the fingerprint ascending.
_AFTER_ALERT = """
AND ((firing, level, starts_at) < (:firing, :level, :at)
     OR ((firing, level, starts_at) = (:firing, :level, :at) AND fingerprint > :fingerprint))
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a numbered list: the first `limit` items after `after`; with `before`, the last `limit` before it."""

    after: int = -1
    before: int | None = None
    limit: int | None = None


WHOLE = Span()


class Reads:
    """Read-only queries. All raise StoreUnavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.overview = Overview(database)
        """Queries of the console across incidents."""
        self.doubts = Doubts(database)
        """Queries for damaged rows."""
        self.handoffs = HandoffRows(database)
        """The shift log and the handoff messages."""

    def is_audited(self, reference: str) -> bool:
        """Whether the audit log has an entry with that reference."""
        with self._database.read() as connection:
            return bool(audit_chain.seen(Session(connection), {reference}))

    def audit_head(self) -> str:
        """The audit log's last entry, ``POSITION:HASH``; empty: the log is empty."""
        return audit_chain.head(self._database)

    def override_changes(self) -> list[tuple[int, OverrideChange]]:
        """Changes to schedule overrides, with their numbers, in order."""
        rows = self._database.rows(OVERRIDE_CHANGES, after=0)
        return [(row.position, codec.read_override_change(row.doc)) for row in rows]

    def calendar_texts(self) -> dict[str, str]:
        """Schedule → the last good copy of its fetched calendar."""
        return {row.schedule: row.text for row in self._database.rows(CALENDAR_TEXTS)}

    def incident(self, incident_id: str) -> Incident | None:
        """The incident with that id; None: no such incident."""
        return self._one(schema.incidents.c.id == incident_id)

    def by_number(self, number: int) -> Incident | None:
        """The incident with that number (``#12``); None: no such incident."""
        return self._one(schema.incidents.c.number == number)

    def by_numbers(self, numbers: Sequence[int]) -> list[Incident]:
        """The incidents with these numbers, in order."""
        columns = schema.incidents.c
        query = select(columns.id, columns.doc).where(columns.number.in_(numbers)).order_by(columns.number)
        with self._database.read() as connection:
            return [codec.read_incident(row.doc, row.id) for row in connection.execute(query)]

    def similar(self, incident: Incident, limit: int) -> list[Incident]:
        """Earlier resolved or closed incidents of the same type or system with recorded findings, the newest first."""
        asked = {"type": incident.type, "system": incident.system, "below": incident.number, "limit": limit}
        return codec.readable(_incident, self._database.rows(SIMILAR, **asked))

    def related(self, incident: Incident, since: Instant, limit: int) -> tuple[list[Incident], list[Incident]]:
        """Other incidents of the same system, at most `limit` each, the newest first: (not closed, closed).

        Closed ones are opened at `since` or later, and no exercises. None for an incident without a system.
        """
        if not incident.system:
            return [], []
        asked = {"system": incident.system, "number": incident.number, "limit": limit}
        with self._database.read() as connection:
            session = Session(connection)
            now, closed = session.rows(RELATED_NOW, **asked), session.rows(RELATED_CLOSED, **asked, since=since)
        return codec.readable(_incident, now), codec.readable(_incident, closed)

    def incidents(  # noqa: PLR0913 - each is one filter of the list, all by name
        self,
        *,
        state: AbstractSet[State] | None = None,
        level: int | None = None,
        type: str | None = None,  # noqa: A002 - as the API calls it
        system: str = "",
        person: str = "",
        search: str = "",
        on_hold: bool | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int = LIMIT,
        cursor: str | None = None,
    ) -> tuple[list[Incident], str | None]:
        """Incidents, the newest first, and the cursor of the next page (None: this is the last).

        `person`: acknowledged it, answered a call for help, or got it handed over; `search`: text in titles, labels,
        names of people and notes; `on_hold`: whether under legal hold; `since` (included) and `until` (excluded): when
        it was opened. Raises CursorError.
        """
        columns = schema.incidents.c
        wanted: list[ColumnElement[bool]] = []
        if level is not None:
            wanted.append(columns.level == level)
        if type is not None:
            wanted.append(columns.type == type)
        if on_hold is not None:
            held = columns.id.in_(select(schema.legal_holds.c.incident_id))
            wanted.append(held if on_hold else ~held)
        wanted += _opened(since, until)
        below = None if cursor is None else _read_cursor(cursor)
        is_narrowed = state is not None or len(wanted) > 0 or system != "" or person != ""
        if below is not None:
            wanted.append(columns.number < below)
        with self._database.read() as connection:
            if system:
                wanted.append(of_system(connection, system))
            if person:
                wanted.append(of_person(connection, person))
            newest = None if is_narrowed else limit + 1
            for words in with_words(connection, search, below, newest) if search else (true(),):
                found = self._newest(connection, [*wanted, words], state, limit + 1)
                if len(found) > limit:
                    break
        following = _write_cursor(found[limit - 1].number) if len(found) > limit else None
        return found[:limit], following

    def _newest(
        self,
        connection: Connection,
        wanted: Sequence[ColumnElement[bool]],
        states: AbstractSet[State] | None,
        limit: int,
    ) -> list[Incident]:
        """Queries each state on its own: the index then yields the order, and closed incidents are not sorted."""
        columns = schema.incidents.c
        query = select(columns.number, columns.doc).where(*wanted, _READABLE)
        query = query.order_by(columns.number.desc()).limit(limit)
        queries = [query] if states is None else [query.where(columns.state == state.value) for state in sorted(states)]
        rows = [row for each in queries for row in connection.execute(each)]
        rows.sort(key=lambda row: -row.number)
        return codec.readable(_incident, rows[:limit])

    def evidence_upload(self, incident_id: str, digest: str) -> str | None:
        """The upload with an evidence file's content; None: the content is missing or changed."""
        with self._database.read() as connection:
            session = Session(connection)
            if not evidence_bytes.is_whole(session, incident_id, digest):
                return None
            return evidence_bytes.find_upload(session, incident_id, digest)

    def evidence_chunk(self, upload: str, position: int) -> bytes | None:
        """A chunk of an upload's content; None: past its end."""
        with self._database.read() as connection:
            return evidence_bytes.read_chunk(Session(connection), upload, position)

    def has_room(self, size: int) -> bool:
        """Whether `size` bytes of evidence can be stored with enough space left for alerts."""
        return evidence_bytes.has_room(self._database.file, size)

    def verify_evidence(self, said: Mapping[str, Sequence[Audit]]) -> tuple[int, list[str]]:
        """Check the evidence files of all incidents; returns their number and the problems.

        `said`: incident id → entries of the audit log about its evidence.
        """
        kept = {row.incident_id for row in self._database.rows(_WITH_EVIDENCE)}
        count = 0
        wrong: list[str] = []
        for incident_id in sorted(kept | said.keys()):
            incident = self.incident(incident_id)
            if incident is None:
                continue  # deleted by the policy's retention
            count += len(incident.response.files)
            with self._database.read() as connection:
                wrong += evidence_bytes.problems(Session(connection), incident, said.get(incident_id, ()))
        return count, wrong

    def _one(self, condition: ColumnElement[bool]) -> Incident | None:
        with self._database.read() as connection:
            row = connection.execute(
                select(schema.incidents.c.id, schema.incidents.c.doc).where(condition, _READABLE)
            ).first()
        return codec.read_incident(row.doc, row.id) if row else None

    def first_firing(self, incident_ids: Sequence[str], most: int) -> dict[str, tuple[Alert, ...]]:
        """Incident id → at most `most` of its firing alerts, the highest level first, then the oldest."""
        rows = self._database.rows(FIRING, ids=list(incident_ids), most=most)
        found: dict[str, tuple[Alert, ...]] = {}
        for incident_id, alert in codec.readable(_of_incident, rows):
            found[incident_id] = (*found.get(incident_id, ()), alert)
        return found

    def alerts(self, incident_id: str, limit: int = 1000, after: Alert | None = None) -> list[Alert]:
        """An incident's alerts: firing first, then the highest level, then the newest; those that follow `after`."""
        last: dict[str, Any] = {}
        if after is not None:
            last = {
                "firing": after.firing,
                "level": after.level,
                "at": after.starts_at,
                "fingerprint": after.fingerprint,
            }
        rows = self._database.rows(
            f"SELECT doc FROM alerts WHERE incident_id = :id {_AFTER_ALERT if after else ''}"  # noqa: S608 - our own
            " ORDER BY firing DESC, level DESC, starts_at DESC, fingerprint LIMIT :limit",
            id=incident_id,
            limit=limit,
            **last,
        )
        return codec.readable(lambda row: codec.read_alert(row.doc, incident_id), rows)

    def alert(self, incident_id: str, fingerprint: str) -> Alert | None:
        """One alert of an incident."""
        rows = self._database.rows(
            "SELECT doc FROM alerts WHERE incident_id = :id AND fingerprint = :fingerprint",
            id=incident_id,
            fingerprint=fingerprint,
        )
        return codec.read_alert(rows[0].doc, incident_id) if rows else None

    def firing_alerts(self) -> list[HeldAlert]:
        """All firing alerts of incidents that are not closed."""
        return self._held(_FIRING)

    def held_alerts(self) -> list[HeldAlert]:
        """All alerts held as possible echoes."""
        return self._held(_HELD)

    def doubles(self) -> list[Double]:
        """Firing alerts in an incident that does not hold them, with the holder's copy of each."""
        with self._database.read() as connection:
            session = Session(connection)
            return codec.readable(lambda row: _double(session, row), session.rows(_DOUBLES))

    def _held(self, statement: str) -> list[HeldAlert]:
        rows = self._database.rows(statement)
        return codec.readable(
            lambda row: HeldAlert(row.key, codec.read_alert(row.doc, row.id), row.held_source or ""), rows
        )

    def canary(self, channel: str) -> Canary | None:
        """The state of a channel's canaries; None: none was sent yet, or the row is unreadable."""
        rows = self._database.rows("SELECT value FROM meta WHERE name = :name", name=f"canary/{channel}")
        return next(iter(codec.readable(lambda row: codec.read_canary(row.value), rows)), None)

    def calendar_fetches(self, schedule: str) -> CalendarFetches | None:
        """Results of the fetches of a schedule's calendar; None: none was tried, or the row is unreadable."""
        rows = self._database.rows("SELECT value FROM meta WHERE name = :name", name=f"calendar/{schedule}")
        return next(iter(codec.readable(lambda row: codec.read_calendar_fetches(row.value), rows)), None)

    def timeline(self, incident_id: str, span: Span = WHOLE, facts: Collection[Fact] = ()) -> list[Entry]:
        """An incident's timeline, from the beginning. `facts`: only entries that record one of these."""
        only = " AND fact = ANY(:facts)" if facts else ""
        wanted = {"facts": [str(fact) for fact in facts]} if facts else {}
        rows = self._within("entries", "position", incident_id, span, only, **wanted)
        return codec.readable(codec.read_entry, rows)

    def outline(self, incident: Incident) -> list[Entry]:
        """An incident's timeline; of a long one the first and last OUTLINED entries."""
        if incident.entries <= 2 * OUTLINED:
            return self.timeline(incident.id, Span(limit=2 * OUTLINED))
        end = Span(before=incident.entries + 1, limit=OUTLINED)
        return self.timeline(incident.id, Span(limit=OUTLINED)) + self.timeline(incident.id, end)

    def messages(self, incident: Incident) -> list[Notification]:
        """An incident's notifications; of very many the first and last OUTLINED."""
        if incident.sequence <= 2 * OUTLINED:
            return self.notifications(incident.id)
        first = self.notifications(incident.id, Span(limit=OUTLINED))
        end = Span(after=first[-1].sequence if first else -1, before=LAST, limit=OUTLINED)
        return first + self.notifications(incident.id, end)

    def notifications(self, incident_id: str, span: Span = WHOLE) -> list[Notification]:
        """An incident's notifications, in the order they were planned."""
        rows = self._within("notifications", "sequence", incident_id, span, "AND status <> 'set_aside'")
        return codec.readable(codec.read_notification, rows)

    def _within(
        self, table: str, column: str, incident_id: str, span: Span, only: str = "", **parameters: Any
    ) -> Sequence[Row[Any]]:
        """The rows of a span, in order."""
        limit = {} if span.limit is None else {"limit": span.limit}
        order = "ASC" if span.before is None else "DESC"
        sql = f"""
        SELECT * FROM {table} WHERE incident_id = :id AND {column} > :after AND {column} < :before {only}
        ORDER BY {column} {order} {"LIMIT :limit" if limit else ""}
        """  # noqa: S608 - formatted with this module's own fragments
        bounds = {"after": span.after, "before": LAST if span.before is None else span.before}
        rows = self._database.rows(sql, id=incident_id, **bounds, **limit, **parameters)
        return rows if span.before is None else list(reversed(rows))

    def message(self, name: str) -> list[Notification]:
        """The notifications of one message, given a notification's id or a bundle's name; in the message's order."""
        with self._database.read() as connection:
            session = Session(connection)
            bundles = session.rows(BUNDLE, name=name)
            ids = codec.read_ids(bundles[0].notifications) if bundles else [name]
            found = {row.id: codec.read_notification(row) for row in session.rows(NOTIFICATIONS, ids=ids)}
        return [found[each] for each in ids if each in found]

    def answerable(self, recipient: str, until: Instant) -> list[Notification]:
        """Per incident that expects an answer, the last page delivered to a recipient by then, on any channel."""
        rows = self._database.rows(_ANSWERABLE, recipient=recipient, until=until)
        last = {row.incident_id: row for row in rows}.values()
        wanted = (row for row in last if codec.read_incident(row.doc, row.incident_id).wants_answer)
        return [codec.read_notification(row) for row in wanted]

    def incident_of(self, reference: str) -> str:
        """Id of the incident that is not closed and has a message with that reference of its provider, or whose own
        channel the message is in; empty: none.
        """
        known = reference.replace("\0", "")
        room = f"{known.partition(':')[0]}:"
        rows = self._database.rows(_IN_THREAD, reference=known, room=room, length=len(room))
        return str(rows[0].incident_id) if rows else ""

    def notification(self, notification_id: str) -> Notification | None:
        """The notification with that id; None: no such notification."""
        rows = self._database.rows("SELECT * FROM notifications WHERE id = :id", id=notification_id.replace("\0", ""))
        return codec.read_notification(rows[0]) if rows else None

    def policy(self, digest: str) -> bytes | None:
        """A policy version's document (`rules.stored.parse`)."""
        rows = self._database.rows("SELECT document FROM policies WHERE digest = :digest", digest=digest)
        return bytes(rows[0].document) if rows else None

    def policy_history(self, limit: int) -> list[PolicyEntry]:
        """The policy versions that have been in use, the newest first."""
        rows = self._database.rows(POLICY_HISTORY, limit=limit)
        found: dict[str, PolicyEntry] = {}
        for row in rows:
            entry = found.setdefault(row.digest, PolicyEntry(row.digest, row.created_at, bytes(row.document)))
            if row.doc is not None:
                incidents = codec.readable(_incident, [row])
                found[row.digest] = replace(entry, incidents=(*entry.incidents, *incidents))
        return list(found.values())

    def inquiring(self, limit: int) -> list[Incident]:
        """Incidents with open Prometheus queries, the oldest first."""
        columns = schema.incidents.c
        query = (
            select(columns.number, columns.doc)
            .join(schema.inquiries, schema.inquiries.c.incident_id == columns.id)
            .order_by(columns.number)
            .limit(limit)
        )
        with self._database.read() as connection:
            return codec.readable(_incident, connection.execute(query))

    def tallies(self, since: Instant, until: Instant) -> list[Tally]:
        """Statistics of the incidents opened from `since` to `until` (excluded)."""
        with self._database.read() as connection:
            return tallies(Session(connection), since, until)

    def drills(self, since: Instant, until: Instant, limit: int = 200) -> list[tuple[Incident, list[Entry]]]:
        """Exercises opened from `since` to `until` (excluded), the newest first, with what people did in them."""
        columns = schema.incidents.c
        wanted = [columns.exercise, columns.opened_at >= since, columns.opened_at < until]
        with self._database.read() as connection:
            found = self._newest(connection, wanted, None, limit)
            session = Session(connection)
            rows = {each.id: session.rows(_DONE, id=each.id) for each in found}
        return [(each, codec.readable(codec.read_entry, rows[each.id])) for each in found]

    def oldest_emergency(self) -> Instant | None:
        """When the longest-unreached open emergency began to page; None: every one has reached a responder."""
        with self._database.read() as connection:
            return oldest_emergency(Session(connection))

    def figures(self, now: Instant) -> StoreFigures:
        """The metrics of the store at `now`."""
        with self._database.read() as connection:
            return count(Session(connection), now)


def _of_incident(row: Row[Any]) -> tuple[str, Alert]:
    return row.incident_id, codec.read_alert(row.doc, row.incident_id)


def _incident(row: Row[Any]) -> Incident:
    return codec.read_incident(row.doc, row.number)


def _double(session: Session, row: Row[Any]) -> Double:
    incident, alert = codec.read_incident(row.incident, row.id), codec.read_alert(row.doc, row.id)
    rows = session.rows(_HOLDING, fingerprint=row.fingerprint, source=incident.source)
    held = codec.read_alert(rows[0].doc, rows[0].incident_id) if rows else None
    return Double(incident.key, incident.source, alert, held)


def _opened(since: Instant | None, until: Instant | None) -> list[ColumnElement[bool]]:
    """Conditions on the opening time, and on the numbers of the first and last match: lists are read by number, so rows
    outside are skipped. "+ 0" keeps the planner from walking the index of numbers to find the ends.
    """
    columns = schema.incidents.c
    when = [] if since is None else [columns.opened_at >= since]
    when += [] if until is None else [columns.opened_at < until]
    if not when:
        return []
    first, last = (select(end(columns.number + 0)).where(*when).scalar_subquery() for end in (func.min, func.max))
    return [*when, columns.number >= first, columns.number <= last]


def _write_cursor(number: int) -> str:
    return f"before-{number}"


def _read_cursor(cursor: str) -> int:
    kind, _, number = cursor.partition("-")
    if kind != "before" or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise CursorError(f"{cursor[:40]!r} is no cursor; take it from the `next` of the list before")
    return int(number)
