"""The encoding of data between the service and the writer process: pickles, each preceded by its length.

A policy version is sent as its digest, because both processes have it and it is large. Unpickling is safe: both ends
are Tocsin's own, over a socket that no other process has.
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
"""Number of bytes that follow."""

SLICE = 500
"""Alerts encoded in one piece: 5 ms."""


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
    """Name in a pickle that the reader replaces by its lookup of policy versions."""
    raise NotImplementedError


def _view(words: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(words)


def _sliced(event: AlertsReceived) -> tuple[Callable[..., AlertsReceived], tuple[Any, ...]]:
    """Encode in slices: pickle holds the interpreter's lock throughout, for seconds with many alerts."""
    slices = [pack(event.alerts[at : at + SLICE]) for at in range(0, len(event.alerts), SLICE)]
    return _event, (replace(event, alerts=()), slices)


def _event(event: AlertsReceived, slices: Sequence[bytes]) -> AlertsReceived:
    return replace(event, alerts=tuple(alert for each in slices for alert in unpack(each[LENGTH.size :])))


def _incident(doc: str) -> Incident:
    """Decode an incident from the store's JSON, which is faster than a pickle of forty fields."""
    return read_incident(doc, "on its way")


def pack(value: object) -> bytes:
    """Encode a value, preceded by its length."""
    buffer = BytesIO()
    buffer.write(LENGTH.pack(0))
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    packed = buffer.getbuffer()
    LENGTH.pack_into(packed, 0, len(packed) - LENGTH.size)
    return bytes(packed)


def unpack(data: bytes, policy_version: Callable[[str], PolicyVersion] = _policy_version) -> Any:
    """Decode a value, without the length; `policy_version` finds policy versions by digest."""
    return _Unpickler(data, policy_version).load()
