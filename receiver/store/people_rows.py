"""Database rows of the shift log, of handoff messages (`receiver.core.shift_log`), and of devices."""

from msgspec.structs import replace

from receiver.core.devices import Device
from receiver.core.model import Instant
from receiver.core.shift_log import LEASE, HandoffMessage, ShiftEntry, ShiftNotes
from receiver.store import codec
from receiver.store.database import Database
from receiver.store.session import Session
from receiver.store.statements import (
    ADD_HANDOFF,
    ADD_SHIFT_ENTRY,
    CLAIM_HANDOFF,
    DEVICES,
    DUE_HANDOFFS,
    FORGET_DEVICE,
    KEEP_DEVICE,
    KEEP_HANDOFF,
    LAST_SHIFT_ENTRIES,
    NEWEST_HANDOFFS,
    SHIFT_ENTRIES,
)

AT_ONCE = 50
"""Messages per claim."""


class HandoffRows:
    """Reads and writes shift log entries and handoff messages. Its methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self) -> tuple[int, dict[str, ShiftEntry]]:
        """The log's last position, and the last entry of each schedule and override, by its key."""
        rows = self._database.rows(LAST_SHIFT_ENTRIES)
        found = codec.readable(lambda row: (row.key, codec.read_shift_entry(row.doc)), rows)
        return max((row.position for row in rows), default=0), dict(found)

    def entries(self, schedule: str, since: Instant) -> list[ShiftEntry]:
        """A schedule's entries from `since` on, and the one before them; in order."""
        rows = self._database.rows(SHIFT_ENTRIES, key=schedule, since=since)
        return list(codec.readable(lambda row: codec.read_shift_entry(row.doc), rows))

    def newest(self, limit: int) -> list[HandoffMessage]:
        """The newest messages, the newest first."""
        rows = self._database.rows(NEWEST_HANDOFFS, limit=limit)
        return list(codec.readable(lambda row: codec.read_handoff(row.doc), rows))

    def note(self, position: int, noted: ShiftNotes) -> bool:
        """Append entries after `position`, and store their messages; False: another replica has appended meanwhile."""
        with self._database.write() as connection:
            session = Session(connection)
            for number, entry in enumerate(noted.entries, position + 1):
                row = {"position": number, "key": entry.key, "at": entry.at, "doc": codec.to_json(entry)}
                if not session.rows(ADD_SHIFT_ENTRY, **row):
                    return False
            for each in noted.messages:
                session.run(ADD_HANDOFF, _row(each))
            return True

    def claim(self, now: Instant) -> list[HandoffMessage]:
        """Due messages, each leased to this caller; those that another replica claimed meanwhile are left out."""
        with self._database.write() as connection:
            session = Session(connection)
            rows = session.rows(DUE_HANDOFFS, now=now, limit=AT_ONCE)
            leased = Instant(now + LEASE)
            ours = [row for row in rows if session.rows(CLAIM_HANDOFF, id=row.id, due=row.due_at, leased=leased)]
        return list(codec.readable(lambda row: codec.read_handoff(row.doc), ours))

    def keep(self, message: HandoffMessage) -> None:
        """Store a message's new state."""
        self._database.run(KEEP_HANDOFF, _row(message))


def _row(message: HandoffMessage) -> dict[str, object]:
    return {"id": message.id, "due_at": message.due_at, "at": message.created_at, "doc": codec.to_json(message)}


class DeviceRows:
    """Reads and writes devices. Its methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: str) -> list[Device]:
        """A person's devices, the oldest first, including those that are gone."""
        rows = self._database.rows(DEVICES, person=person)
        return list(codec.readable(lambda row: codec.read_device(row.doc), rows))

    def keep(self, device: Device) -> None:
        """Insert or update a device."""
        row = {"id": device.id, "person": device.person, "at": device.added_at, "doc": codec.to_json(device)}
        self._database.run(KEEP_DEVICE, row)

    def lose(self, device: Device, at: Instant) -> None:
        """Mark a device as gone: its push service no longer knows it."""
        self.keep(replace(device, gone_at=at))

    def forget(self, person: str, device: str) -> None:
        """Delete a person's device."""
        self._database.run(FORGET_DEVICE, {"id": device, "person": person})
