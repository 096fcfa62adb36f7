"""A deadline of an incident and its result."""

from dataclasses import dataclass
from enum import StrEnum

from receiver.core.model import Instant


class DeadlineResult(StrEnum):
    """The result of a deadline."""

    KEPT = "kept"
    BREACHED = "breached"
    RUNNING = "running"
    NOT_NEEDED = "not needed"
    """Its subject ended first, without an answer."""
    SUSPENDED = "suspended"
    """Silenced in Alertmanager: no answer was requested."""


@dataclass(frozen=True, slots=True)
class DeadlineOutcome:
    """One deadline. Instants and durations in microseconds."""

    name: str
    since: str
    """The event that began it: ``the opening``."""
    began_at: Instant
    due_at: Instant
    result: DeadlineResult
    met_at: Instant | None = None
    """The first answer after it began, in time or late; None: no answer."""
    by: str = ""
    """The person who answered."""
    set_to: str = ""
    """Its duration in the policy's words (``72 hours``); empty: `limit` has it."""

    @property
    def limit(self) -> int:
        """Its duration."""
        return self.due_at - self.began_at

    @property
    def late(self) -> int | None:
        """How late the answer came; negative: how early. None: no answer."""
        return None if self.met_at is None else self.met_at - self.due_at


def result_of(
    due_at: Instant, now: Instant, met_at: Instant | None, ended_at: Instant | None, *, suspended: bool
) -> DeadlineResult:
    """Returns the result: the first answer keeps or breaches a deadline; from `ended_at` on no answer was needed."""
    if met_at is not None and met_at <= due_at:
        return DeadlineResult.KEPT
    if suspended:
        return DeadlineResult.SUSPENDED
    if met_at is not None or (ended_at or now) > due_at:
        return DeadlineResult.BREACHED
    return DeadlineResult.RUNNING if ended_at is None else DeadlineResult.NOT_NEEDED
