"""The decision of `receiver.on_call.calendar_copy` on a fetched copy of a calendar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """Whether to use a copy."""

    is_taken: bool
    alarm: str = ""
    """The alarm in one sentence; empty: none."""
    before: int = 0
    """Microseconds of the coming weeks that the last copy covers."""
    covered: int = 0
    """Microseconds that this copy covers."""
