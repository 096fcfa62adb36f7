"""Dataclass ↔ row. Rows are tuples in the order of the tables' columns; JSON by orjson, read back by pydantic.

A row that cannot be read raises StoreDamaged, which names the row and none of its values.
"""

from operator import attrgetter
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Row

from receiver.core.model import Alert, Entry, Incident, Notification, State
from receiver.core.outbox import Lane
from receiver.errors import StoreDamaged
from receiver.store import schema

SqlRow = tuple[Any, ...]
Kept = TypeVar("Kept")

_INCIDENT = TypeAdapter(Incident)
_ALERT = TypeAdapter(Alert)
_NOTIFICATION = TypeAdapter(Notification)
_ENTRY = TypeAdapter(Entry)

INCIDENT_COLUMNS = tuple(schema.incidents.columns.keys())
INCIDENT_CHANGES = INCIDENT_COLUMNS[INCIDENT_COLUMNS.index("open_key") :]
"""What of an incident's row can change."""

NOTIFICATION_COLUMNS = tuple(schema.notifications.columns.keys())
NOTIFICATION_CHANGES = NOTIFICATION_COLUMNS[NOTIFICATION_COLUMNS.index("due_at") :]
"""What of a notification's row can change."""

_VALUES = {"kind": "kind.value", "reason": "reason.value", "status": "status.value"}
_notification_fixed = attrgetter(
    *(_VALUES.get(name, name) for name in NOTIFICATION_COLUMNS[: NOTIFICATION_COLUMNS.index("data")])
)
_notification_changes = attrgetter(*(_VALUES.get(name, name) for name in NOTIFICATION_CHANGES))


def to_json(value: object) -> str:
    """JSON of a dataclass, mapping or list."""
    # Windows are keys that are enums, and words may be a read-only view.
    return orjson.dumps(value, default=dict, option=orjson.OPT_NON_STR_KEYS).decode()


def incident_row(incident: Incident) -> SqlRow:
    """The row of an incident."""
    return (incident.number, incident.id, incident.key, incident.opened_at, incident.exercise, *_changing(incident))


def incident_change(incident: Incident) -> SqlRow:
    """INCIDENT_CHANGES, and the id."""
    return (*_changing(incident), incident.id)


def _changing(incident: Incident) -> SqlRow:
    return (
        None if incident.state is State.CLOSED else incident.key,
        incident.state.value,
        incident.level,
        _without_nul(incident.type),
        _without_nul(incident.title),
        incident.policy,
        incident.resolved_at,
        incident.closed_at,
        incident.due_at,
        to_json(incident),
    )


def _without_nul(text: str) -> str:
    """PostgreSQL takes no NUL in a text; in a `doc` it is escaped anyway."""
    return text.replace("\0", "")


def alert_row(incident_id: str, alert: Alert) -> SqlRow:
    """The row of an alert."""
    return (incident_id, alert.fingerprint, alert.starts_at, alert.firing, alert.level, to_json(alert))


def notification_row(notification: Notification) -> SqlRow:
    """The row of a notification."""
    return (
        *_notification_fixed(notification),
        to_json(notification.data) if notification.data else "{}",
        *_notification_changes(notification),
    )


def notification_change(notification: Notification) -> SqlRow:
    """NOTIFICATION_CHANGES, and the id."""
    return (*_notification_changes(notification), notification.id)


def entry_row(entry: Entry) -> SqlRow:
    """The row of a line of a timeline."""
    return (entry.incident_id, entry.position, entry.at, entry.fact.value, entry.by, to_json(entry.data))


def lane_name(lane: Lane) -> str:
    """The key of a lane's bucket."""
    return to_json([lane.channel, lane.recipient, lane.level])


def read_incident(doc: str, identity: object) -> Incident:
    """The incident of a `doc`; `identity` is for the error's text."""
    return _read_json(_INCIDENT, doc, f"incident {identity}")


def read_alert(doc: str, identity: object) -> Alert:
    """The alert of a `doc`; `identity` is for the error's text."""
    return _read_json(_ALERT, doc, f"an alert of incident {identity}")


def read_notification(row: Row[Any]) -> Notification:
    """The notification of a row."""
    return _read_columns(_NOTIFICATION, row, f"notification {row.id}")


def read_entry(row: Row[Any]) -> Entry:
    """The timeline entry of a row."""
    return _read_columns(_ENTRY, row, f"the timeline of incident {row.incident_id}")


def _read_json(adapter: TypeAdapter[Kept], doc: str, what: str) -> Kept:
    try:
        return adapter.validate_json(doc)
    except ValidationError:
        raise _unreadable(what) from None  # pydantic's text shows the values


def _read_columns(adapter: TypeAdapter[Kept], row: Row[Any], what: str) -> Kept:
    try:
        return adapter.validate_python({**row._asdict(), "data": orjson.loads(row.data)})
    except ValueError:
        raise _unreadable(what) from None


def _unreadable(what: str) -> StoreDamaged:
    return StoreDamaged(f"what the database holds of {what} cannot be read; the rest is not concerned")
