"""The state of a running service, as `/-/ready`, `/metrics` and the console show it.

The service makes one ServiceState and passes it to each part that detects or shows a state. Rules: a part writes its
findings here, and keeps only what it needs to detect them; `failing` alone decides whether the service is ready.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from receiver.clock import steady_clock
from receiver.core.loaded_rules import RulesVerdict
from receiver.core.model import Instant
from receiver.engine.write_health import Writing


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
