"""Database rows of people's devices (`receiver.core.devices`)."""

from msgspec.structs import replace

from receiver.core.devices import Device
from receiver.core.model import Instant
from receiver.store import codec
from receiver.store.database import Database
from receiver.store.statements import DEVICES, FORGET_DEVICE, KEEP_DEVICE


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
