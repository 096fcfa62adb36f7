"""The core's questions to Prometheus. The incident carries its open inquiries; the shell answers them."""

from enum import StrEnum

from msgspec import Struct


class Inquiry(StrEnum):
    """A question about an incident's signals, at most one of each kind open at a time."""

    OPENED = "opened"
    """Their values around the opening, as evidence."""
    CHECK = "check"
    """Whether their conditions still hold, before an all-clear."""
    RESOLVED = "resolved"
    """Their values up to the resolution, as evidence."""


class Exhibit(Struct, frozen=True):
    """The values of one signal over time, as kept in the timeline."""

    query: str
    series: str
    """JSON: [[name, [[seconds since 1970, value], …]], …], bounded by the querying code."""
    threshold: str = ""
    """The number that the condition compares with; empty: none."""


class Answered(Struct, frozen=True):
    """Event: Prometheus was queried for an inquiry."""

    inquiry: Inquiry
    ok: bool | None = None
    """Of a CHECK: True the condition no longer holds, False it still holds, None there is no data."""
    detail: str = ""
    """The answer in words."""
    exhibits: tuple[Exhibit, ...] = ()
