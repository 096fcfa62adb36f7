"""The receiver's notion of time: whole microseconds, UTC. Zones exist only at the edges."""

from typing import NewType

from msgspec import Struct

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""


class Jump(Struct, frozen=True):
    """A jump of the clock that our time has followed forward."""

    before: Instant
    """What was recorded up to then is in the time before it."""
    by: int
    """Microseconds, above 0."""
