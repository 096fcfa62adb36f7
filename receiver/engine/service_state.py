"""The state of a running service, as `/-/ready`, `/metrics` and the console show it.

The service makes one ServiceState and passes it to each part that detects or shows a state. Rules: a part writes its
findings here, and keeps only what it needs to detect them; `failing` alone decides whether the service is ready.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from receiver.clock import steady_clock
from receiver.core.loaded_rules import RulesVerdict
from receiver.core.model import Instant
from rules.policy import SECOND


class Failing(NamedTuple):
    """A part of the service that does not work."""

    part: str
    """The part's name; may be shown to every caller."""
    why: str = ""
    """The rest of the sentence; may contain paths and hosts: only for callers with a role."""

    def __str__(self) -> str:
        return f"{self.part} {self.why}" if self.why else self.part


class ServiceState:
    """The state of one service."""

    def __init__(self, clock: Callable[[], int] = steady_clock) -> None:
        """`clock`: a monotonic clock, in microseconds."""
        self.is_stopping = False
        """Whether webhooks are refused because the service stops."""
        self.writing = Writing(clock)
        """Whether the database takes writes."""
        self.is_damage_suspected = False
        """Whether damage to the database file was met since `receiver.jobs.soundness` last checked it."""
        self.policy_problems: tuple[str, ...] = ()
        """Why the policy in the files is not in use; empty: it is in use."""
        self.policy_warnings: tuple[str, ...] = ()
        """Warnings of `tocsin check` about the policy in use."""
        self.policy_read_at: Instant | None = None
        """When a policy was last read and put into use."""
        self.loaded_rules = RulesVerdict.UNKNOWN
        """Whether the rules that Prometheus evaluates are those of the policy in use."""
        self.clock_skew = 0
        """Microseconds by which the reference clock was ahead of ours (negative: behind) at the last comparison."""
        self.clock_jumps = 0
        """Jumps of the reference clock since the start."""
        self._checks: list[Callable[[], Sequence[Failing]]] = []

    def add_check(self, check: Callable[[], Sequence[Failing]]) -> None:
        """Add a readiness check; it returns what fails in its part, empty if nothing."""
        self._checks.append(check)

    def failing(self) -> list[Failing]:
        """Why the service is not ready; empty: it is ready."""
        found = [Failing("it is stopping")] if self.is_stopping else []
        if problem := self.writing.problem:
            found.append(Failing("the database", f"is unavailable: {problem}"))
        return [*found, *(each for check in self._checks for each in check())]


PROBE_EVERY = 5 * SECOND
"""Microseconds after a successful write until a probe is due."""

WRITTEN_WITHIN = 30 * SECOND
"""Microseconds for which a successful write counts: longer than the waits for a lock and for a hanging writer."""

log = structlog.get_logger()


class Writing:
    """The last known state of the database's write access."""

    def __init__(self, clock: Callable[[], int] = steady_clock) -> None:
        """`clock`: a monotonic clock, in microseconds. Opening the database counts as a write."""
        self._clock = clock
        self._proved_at = clock()
        self._failure = ""

    @property
    def problem(self) -> str:
        """Why nothing can be written; empty: writes succeed."""
        if self._failure:
            return self._failure
        silent = self._clock() - self._proved_at
        return f"nothing was written to the database for {silent // SECOND} s" if silent > WRITTEN_WITHIN else ""

    @property
    def is_in_doubt(self) -> bool:
        """Whether a probe is due."""
        return bool(self._failure) or self._clock() - self._proved_at >= PROBE_EVERY

    def fail(self, reason: str) -> None:
        """Record that a call of the database failed."""
        if not self._failure:
            log.error("the database is unavailable", reason=reason)
        self._failure = reason

    def prove(self) -> None:
        """Record a successful write."""
        if self._failure:
            log.info("the database is available again")
        self._failure = ""
        self._proved_at = self._clock()
