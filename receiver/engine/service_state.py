"""What a running service knows about itself: what `/-/ready`, `/metrics` and the console say about it.

The service makes one ServiceState and gives it to each part that finds something out or shows it. Rules: a part writes
here what it found, and keeps to itself only what it needs to find it; `failing` is the one answer to "is it ready?".
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
    """Its name, which everybody may read."""
    why: str = ""
    """The rest of the sentence; may name paths and hosts: only for callers with a role."""

    def __str__(self) -> str:
        return f"{self.part} {self.why}" if self.why else self.part


class ServiceState:
    """The state of one service."""

    def __init__(self, clock: Callable[[], int] = steady_clock) -> None:
        """`clock`: microseconds that only ever grow."""
        self.is_stopping = False
        """Whether webhooks are refused because the service stops."""
        self.writing = Writing(clock)
        """Whether the database takes writes."""
        self.is_damage_suspected = False
        """Whether a read or a write met damage in the database file since `receiver.jobs.soundness` last looked."""
        self.policy_problems: tuple[str, ...] = ()
        """Why the policy in the files is not the one in use; empty: it is in use."""
        self.policy_warnings: tuple[str, ...] = ()
        """What `tocsin check` warns of in the policy in use."""
        self.policy_read_at: Instant | None = None
        """When a policy was last read and taken into use."""
        self.loaded_rules = RulesVerdict.UNKNOWN
        """Whether the rules that Prometheus evaluates are those of the policy in use."""
        self.clock_skew = 0
        """Microseconds that the reference clock was ahead of ours (negative: behind) when last compared."""
        self.clock_jumps = 0
        """How often the reference clock jumped since the start."""
        self._checks: list[Callable[[], Sequence[Failing]]] = []

    def add_check(self, check: Callable[[], Sequence[Failing]]) -> None:
        """Ask it too, whenever somebody asks whether the service is ready; empty: nothing fails there."""
        self._checks.append(check)

    def failing(self) -> list[Failing]:
        """Why the service is not ready; empty: it is."""
        found = [Failing("it is stopping")] if self.is_stopping else []
        if problem := self.writing.problem:
            found.append(Failing("the database", f"is unavailable: {problem}"))
        return [*found, *(each for check in self._checks for each in check())]
