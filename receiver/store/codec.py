"""Conversion between the core's data and rows. Rows are tuples in the order of the tables' columns; JSON by msgspec.

A row that cannot be read raises RowUnreadable, which names the row and none of its values.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import structlog
from sqlalchemy import Row

from receiver.core.canary import Canary
from receiver.core.devices import Device
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.heartbeat import HeartbeatClock
from receiver.core.loaded_rules import LoadedRules
from receiver.core.model import Alert, Entry, Incident, Instant, Notification, State
from receiver.core.rate_limit import RateLimitKey
from receiver.core.shift_log import HandoffMessage, ShiftEntry
from receiver.errors import RowUnreadable
from receiver.on_call.override_log import OverrideChange
from receiver.store import schema
from rules.policy import MINUTE

POSTPONED = 10 * MINUTE
"""Microseconds by which a row's due time may be later than its document's: the longest postponement, with a margin."""

log = structlog.get_logger()

SqlRow = tuple[Any, ...]
Kept = TypeVar("Kept")

_BAD = (msgspec.DecodeError, UnicodeError, TypeError)
"""What decoding a damaged row raises: invalid JSON, invalid UTF-8, or NULL."""

_encode = msgspec.json.Encoder(enc_hook=dict).encode  # words may be a read-only view of a mapping
_incident = msgspec.json.Decoder(Incident).decode
_alert = msgspec.json.Decoder(Alert).decode
_words = msgspec.json.Decoder(dict[str, str]).decode

INCIDENT_COLUMNS = tuple(schema.incidents.columns.keys())
INCIDENT_CHANGES = INCIDENT_COLUMNS[INCIDENT_COLUMNS.index("open_key") :]
"""The mutable columns of an incident's row."""
INCIDENT_PLACE = INCIDENT_COLUMNS[INCIDENT_COLUMNS.index("open_key") : INCIDENT_COLUMNS.index("due_at")]
INCIDENT_OFTEN = INCIDENT_COLUMNS[INCIDENT_COLUMNS.index("due_at") :]
"""Those that nearly every change of an incident writes."""

NOTIFICATION_COLUMNS = tuple(schema.notifications.columns.keys())
NOTIFICATION_CHANGES = NOTIFICATION_COLUMNS[NOTIFICATION_COLUMNS.index("due_at") : NOTIFICATION_COLUMNS.index("person")]
"""The mutable columns of a notification's row."""
NOTIFICATION_WAITS = tuple(name for name in NOTIFICATION_CHANGES if name != "status")
"""Those that change while it waits."""

_VALUES = {name: f"{name}._value_" for name in ("kind", "reason", "status")}  # `value` is a slow property
_notification_fixed = attrgetter(
    *(_VALUES.get(name, name) for name in NOTIFICATION_COLUMNS[: NOTIFICATION_COLUMNS.index("data")])
)
_notification_changes = attrgetter(*(_VALUES.get(name, name) for name in NOTIFICATION_CHANGES))
_notification_waits = attrgetter(*NOTIFICATION_WAITS)


def to_json(value: object) -> str:
    """JSON of a struct, mapping or list."""
    return _encode(value).decode()


def incident_row(incident: Incident) -> SqlRow:
    """The row of an incident."""
    return (incident.number, incident.id, incident.key, incident.opened_at, incident.exercise, *_changing(incident))


def incident_change(incident: Incident) -> SqlRow:
    """INCIDENT_CHANGES, and the id; parameters of its UPDATE."""
    return (*_changing(incident), incident.id)


def incident_often(incident: Incident) -> SqlRow:
    """INCIDENT_OFTEN, and the id."""
    return (incident.due_at, to_json(incident), incident.id)


def learned_row(incident: Incident) -> SqlRow | None:
    """The recorded findings of an incident, earlier occurrences included; None: there are none."""
    facts = (incident.facts, *(each.facts for each in incident.response.occurrences))
    if not any(facts):
        return None
    words = "\n".join(folded(value) for each in facts for value in each.values() if value)
    return (incident.number, *map(_without_nul, (incident.type, incident.system, words)))


def folded(words: str) -> str:
    """Words as they are searched for: in lower case of every alphabet, which SQLite does not know, and on one line."""
    return " ".join(words.lower().split())


def policy_change_rows(incident: Incident) -> list[SqlRow]:
    """The policy versions that resulted from an incident's follow-up actions."""
    return [(each.brought, incident.number) for each in incident.response.follow_ups if each.brought]


def incident_place(incident: Incident) -> SqlRow:
    """The other values of INCIDENT_CHANGES; most indexes of the table are on these."""
    return (
        None if incident.state is State.CLOSED else incident.key,
        incident.state.value,
        incident.level,
        _without_nul(incident.type),
        _without_nul(incident.title),
        incident.policy,
        incident.resolved_at,
        incident.closed_at,
    )


def _changing(incident: Incident) -> SqlRow:
    return (*incident_place(incident), incident.due_at, to_json(incident))


def _without_nul(text: str) -> str:
    """Text without NUL characters, which PostgreSQL rejects; in a `doc` they are escaped."""
    return text.replace("\0", "")


def alert_row(incident: Incident, alert: Alert) -> SqlRow:
    """The row of an incident's alert; a closed incident holds an alert only while it fires."""
    holds = alert.firing or incident.state is not State.CLOSED
    return (
        incident.id,
        alert.fingerprint,
        alert.starts_at,
        alert.firing,
        alert.level,
        to_json(alert),
        _without_nul(incident.source) if holds else None,
        alert.held_until,
    )


def notification_row(notification: Notification) -> SqlRow:
    """The row of a notification."""
    return (
        *_notification_fixed(notification),
        to_json(notification.data) if notification.data else "{}",
        *_notification_changes(notification),
        notification.person,
        notification.via,
        notification.shift,
    )


def notification_change(notification: Notification) -> SqlRow:
    """NOTIFICATION_CHANGES, and the id."""
    return (*_notification_changes(notification), notification.id)


def notification_wait(notification: Notification) -> SqlRow:
    """NOTIFICATION_WAITS, and the id."""
    return (*_notification_waits(notification), notification.id)


def entry_row(entry: Entry) -> SqlRow:
    """The row of a timeline entry."""
    return (entry.incident_id, entry.position, entry.at, entry.fact.value, entry.by, to_json(entry.data))


def bucket_name(key: RateLimitKey) -> str:
    """The stored name of a key's bucket."""
    return to_json([key.channel, key.recipient, key.level, *(["news"] if key.is_news else [])])


def read_incident(doc: str, identity: object) -> Incident:
    """The incident of a `doc`; `identity` names it in the error."""
    return _read_json(_incident, doc, f"incident {identity}")


def read_alert(doc: str, identity: object) -> Alert:
    """The alert of a `doc`; `identity` names its incident in the error."""
    return _read_json(_alert, doc, f"an alert of incident {identity}")


def read_notification(row: Row[Any]) -> Notification:
    """The notification of a row."""
    return _read_columns(Notification, row, f"notification {row.id}")


def read_entry(row: Row[Any]) -> Entry:
    """The timeline entry of a row."""
    return _read_columns(Entry, row, f"the timeline of incident {row.incident_id}")


def readable(read: Callable[[Any], Kept], rows: Iterable[Any]) -> list[Kept]:
    """Decode rows, without those that cannot be read; a transaction that writes sets these aside."""
    kept = []
    for row in rows:
        try:
            kept.append(read(row))
        except RowUnreadable as error:
            log.error("a row of the database is damaged", what=str(error))
    return kept


def contradicts(row: Row[Any], incident: Incident, now: Instant) -> bool:
    """Whether an incident's columns differ from its document, which only damage to the database can cause."""
    due_at: object = row.due_at
    place = tuple(row._mapping[name] for name in INCIDENT_PLACE)  # noqa: SLF001 - public API despite its name
    if place != incident_place(incident):
        return True
    if incident.due_at is None or due_at is None:
        return incident.due_at != due_at
    return not isinstance(due_at, int) or due_at > max(incident.due_at, now) + POSTPONED


def read_head(value: str) -> tuple[int, str]:
    """Position and hash of the audit log's last entry."""
    position, _, link = str(value).partition(" ")
    if not position.isascii() or not position.isdigit() or (position != "0" and not link):
        raise _unreadable("where the audit log ends")
    return int(position), link


def waits_absurdly(due_at: Instant | None, give_up_at: Instant) -> bool:
    """Whether a waiting notification has no due time, or one long after its deadline."""
    return due_at is None or due_at > give_up_at + POSTPONED


def _read_json(decode: Callable[[str], Kept], doc: str, what: str) -> Kept:
    try:
        return decode(doc)
    except _BAD:
        raise _unreadable(what) from None  # the original error may contain values


def _reader(kind: type[Kept], what: str) -> Callable[[str], Kept]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda value: _read_json(decode, value, what)


def _read_columns(kind: type[Kept], row: Row[Any], what: str) -> Kept:
    try:
        columns = {**row._mapping, "data": _words(row.data)}  # noqa: SLF001 - public API despite its name
        return msgspec.convert(columns, kind, strict=False)  # SQLite has no booleans, only 0 and 1
    except _BAD:
        raise _unreadable(what) from None


def _unreadable(what: str) -> RowUnreadable:
    return RowUnreadable(f"what the database holds of {what} cannot be read; the rest is not concerned")


# Each reads what `to_json` wrote.
read_heartbeat = _reader(HeartbeatClock, "a heartbeat")
read_canary = _reader(Canary, "a canary")
read_loaded_rules = _reader(LoadedRules, "which rules were heard of")
read_shift_entry = _reader(ShiftEntry, "a line of the shift log")
read_device = _reader(Device, "a device")
read_handoff = _reader(HandoffMessage, "the message of a handoff")
read_calendar_fetches = _reader(CalendarFetches, "the fetches of a calendar")
read_override_change = _reader(OverrideChange, "an override of a schedule")
read_ids = _reader(list[str], "a bundle")
