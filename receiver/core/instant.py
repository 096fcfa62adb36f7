"""The receiver's notion of time: whole microseconds, UTC. Zones exist only at the edges."""

from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""
