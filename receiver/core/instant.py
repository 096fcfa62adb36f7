"""Time in the receiver: whole microseconds, UTC. Time zones are used only at input and output."""

from typing import NewType

from msgspec import Struct

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""


class Jump(Struct, frozen=True):
    """A forward jump of the system clock that the receiver's time has followed."""

    before: Instant
    """Instants recorded up to this one are in the time before the jump."""
    by: int
    """Microseconds, above 0."""
