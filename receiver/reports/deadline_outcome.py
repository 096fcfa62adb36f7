"""A deadline of an incident, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum

from receiver.core.model import Instant


class DeadlineResult(StrEnum):
    """What became of a deadline."""

    KEPT = "kept"
    BREACHED = "breached"
    RUNNING = "running"
    NOT_NEEDED = "not needed"
    """What it was about ended first, without anybody's answer."""
    SUSPENDED = "suspended"
    """Silenced in Alertmanager: nobody was asked."""


@dataclass(frozen=True, slots=True)
class DeadlineOutcome:
    """One deadline. Instants and durations in microseconds."""

    name: str
    since: str
    """What began it: ``the opening``."""
    began_at: Instant
    due_at: Instant
    result: DeadlineResult
    met_at: Instant | None = None
    """The first answer after it began, in time or late; None: there was none."""
    by: str = ""
    """Who answered."""
    set_to: str = ""
    """How long it lasts, in the policy's words (``72 hours``); empty: `limit` says it."""

    @property
    def limit(self) -> int:
        """How long it lasts."""
        return self.due_at - self.began_at

    @property
    def late(self) -> int | None:
        """By how much the answer came late; negative: so long before the end. None: there was no answer."""
        return None if self.met_at is None else self.met_at - self.due_at


def result_of(
    due_at: Instant, now: Instant, met_at: Instant | None, ended_at: Instant | None, *, suspended: bool
) -> DeadlineResult:
    """A deadline is kept or breached by the first answer after it began; at `ended_at` none was needed any more."""
    if met_at is not None and met_at <= due_at:
        return DeadlineResult.KEPT
    if suspended:
        return DeadlineResult.SUSPENDED
    if met_at is not None or (ended_at or now) > due_at:
        return DeadlineResult.BREACHED
    return DeadlineResult.RUNNING if ended_at is None else DeadlineResult.NOT_NEEDED
