"""Changed copies of what has many fields, in half the time `dataclasses.replace` takes: a storm makes three a page.

For slotted dataclasses whose ``__init__`` does nothing but fill them.
"""

from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

from receiver.core.model import Incident, Notification

Kept = TypeVar("Kept", Incident, Notification)


_names = {kind: tuple(each.name for each in fields(kind)) for kind in (Incident, Notification)}
_values = {kind: attrgetter(*names) for kind, names in _names.items()}


def changed(kept: Kept, **changes: Any) -> Kept:
    """A copy in which these fields are different."""
    kind = type(kept)
    copy = object.__new__(kind)
    put = object.__setattr__
    for name, value in zip(_names[kind], _values[kind](kept), strict=True):
        put(copy, name, value)
    for name, value in changes.items():
        put(copy, name, value)
    return copy
