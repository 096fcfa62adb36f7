"""What the core wants to know of Prometheus. The incident carries its open inquiries; the shell answers them."""

from enum import StrEnum

from msgspec import Struct


class Inquiry(StrEnum):
    """A question about an incident's signals, at most one of each kind open at a time."""

    OPENED = "opened"
    """Their course around the opening, as evidence."""
    CHECK = "check"
    """Whether they are well again, before any all-clear."""
    RESOLVED = "resolved"
    """Their course up to the resolution, as evidence."""


class Exhibit(Struct, frozen=True):
    """The course of one signal, as it is kept in the timeline."""

    query: str
    series: str
    """JSON: [[name, [[seconds since 1970, value], …]], …], bounded by whoever asked."""
    threshold: str = ""
    """Where the condition compares with a number."""


class Answered(Struct, frozen=True):
    """Prometheus was asked (an event)."""

    inquiry: Inquiry
    ok: bool | None = None
    """Of a CHECK: True all is well, False the condition still holds, None there is no data to tell."""
    detail: str = ""
    """The answer in words."""
    exhibits: tuple[Exhibit, ...] = ()
