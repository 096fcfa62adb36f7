"""What goes between the service and the process that writes: pickles, each with its length before it.

A policy version goes over by its digest, because both sides have it and it is large. Both ends are our own, over a
socket that nobody else has.
"""

import copyreg
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from struct import Struct
from types import MappingProxyType
from typing import Any, NoReturn

from msgspec.structs import replace

from receiver.core.events import AlertsReceived
from receiver.core.model import Incident
from receiver.core.plan import PolicyVersion
from receiver.store.codec import read_incident, to_json

LENGTH = Struct("!Q")
"""Bytes that follow."""

SLICE = 500
"""Alerts that are put into bytes at once: 5 ms."""


class _Pickler(pickle.Pickler):
    dispatch_table = {  # noqa: RUF012 - pickle's own name and kind of attribute
        **copyreg.dispatch_table,
        MappingProxyType: lambda view: (_view, (dict(view),)),
        PolicyVersion: lambda policy_version: (_policy_version, (policy_version.digest,)),
        Incident: lambda incident: (_incident, (to_json(incident),)),
        AlertsReceived: lambda event: event.__reduce__() if len(event.alerts) <= SLICE else _sliced(event),
    }


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, policy_version: Callable[[str], PolicyVersion]) -> None:
        super().__init__(BytesIO(data))
        self._own = policy_version

    def find_class(self, module: str, name: str) -> Any:
        return self._own if name == _policy_version.__name__ else super().find_class(module, name)


def _policy_version(_digest: str) -> NoReturn:
    """Stands in a pickle for what the reader looks policy versions up with."""
    raise NotImplementedError


def _view(words: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(words)


def _sliced(event: AlertsReceived) -> tuple[Callable[..., AlertsReceived], tuple[Any, ...]]:
    """Slice by slice: pickle lets no other thread run until it is through, for seconds where there are many alerts."""
    slices = [pack(event.alerts[at : at + SLICE]) for at in range(0, len(event.alerts), SLICE)]
    return _event, (replace(event, alerts=()), slices)


def _event(event: AlertsReceived, slices: Sequence[bytes]) -> AlertsReceived:
    return replace(event, alerts=tuple(alert for each in slices for alert in unpack(each[LENGTH.size :])))


def _incident(doc: str) -> Incident:
    """As the store keeps them, which is quicker than a pickle of forty fields."""
    return read_incident(doc, "on its way")


def pack(value: object) -> bytes:
    """A value with its length before it."""
    buffer = BytesIO()
    buffer.write(LENGTH.pack(0))
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    packed = buffer.getbuffer()
    LENGTH.pack_into(packed, 0, len(packed) - LENGTH.size)
    return bytes(packed)


def unpack(data: bytes, policy_version: Callable[[str], PolicyVersion] = _policy_version) -> Any:
    """The value of what followed a length; `policy_version` finds policy versions by their digest."""
    return _Unpickler(data, policy_version).load()
