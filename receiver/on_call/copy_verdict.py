"""What `receiver.on_call.calendar_copy` decides about a fetched copy of a calendar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """What to do with a copy."""

    is_taken: bool
    alarm: str = ""
    """What people must know, in a sentence; empty: all is well."""
    before: int = 0
    """Microseconds of the coming weeks in which the last copy puts somebody on call."""
    covered: int = 0
    """The same of this one."""
