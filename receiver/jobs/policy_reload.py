"""Reloads the policy: on request (SIGHUP, `/-/reload`), and when its files change.

The service runs `PolicyFiles.look` every second. Rules: files are compared by content, not date, so that writes by an
editor and link changes by the kubelet are both detected; a change is loaded only when two runs see the same content; a
policy with problems never replaces the one in use, and is reported by a metric, a log event and the console.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from receiver.channels.configured import configured_channels
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.engine.service_state import ServiceState
from receiver.settings import Settings
from receiver.telemetry.metrics import Metrics
from rules.load import load_with_warnings
from rules.problems import PolicyError, Problem
from rules.source import fingerprint

LOOK_EVERY = 1.0
"""Seconds between two runs."""

log = structlog.get_logger()


class PolicyFiles:
    """Puts a changed policy into use, or reports its problems."""

    def __init__(
        self,
        paths: Sequence[Path],
        read_as: str,
        settings: Settings,
        queue: CommandQueue,
        engine: Engine,
        state: ServiceState,
        metrics: Metrics,
    ) -> None:
        """`read_as`: fingerprint of the files from which the policy in use was read."""
        self._paths = paths
        self._settings = settings
        self._queue = queue
        self._engine = engine
        self._state = state
        self._metrics = metrics
        self._judged = read_as
        """Fingerprint of the files when a policy was last loaded from them, or refused."""
        self._seen = read_as
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> None:
        """Load changed files once their content is the same in two runs.

        Raises StoreUnavailable; the next run tries again.
        """
        before, self._seen = self._seen, await asyncio.to_thread(fingerprint, self._paths)
        if self._seen == before and self._seen != self._judged:
            log.info("the policy's files have changed")
            await self.reload()

    async def reload(self) -> list[str]:
        """Load the policy. Returns its problems, and the one in use stays; empty: the new one is in use.

        Raises StoreUnavailable: then it is not in use.
        """
        async with self._one_at_a_time:
            held = await asyncio.to_thread(fingerprint, self._paths)
            try:
                loaded = await asyncio.to_thread(load_with_warnings, self._paths)
            except PolicyError as error:
                self._judged = held
                return self._refuse(error.problems)
            configured = configured_channels(loaded.policy, self._settings)
            await self._queue.run(self._engine.keep_policy, loaded.policy, self._queue.clock(), urgency=PEOPLE)
            self._engine.adopt(loaded.policy, configured)
            self._judged = held
            self._state.policy_problems = ()
            self._state.policy_warnings = shown(loaded.warnings)
            self._state.policy_read_at = self._queue.clock()
            self.say_channels(configured)
            log.info("policy reloaded", digest=self._engine.current.digest)
            return []

    def _refuse(self, problems: Sequence[Problem]) -> list[str]:
        self._state.policy_problems = shown(problems)
        log.error(
            "policy not reloaded: it has problems; the one in use stays",
            problems=len(problems),
            first=self._state.policy_problems[0],
        )
        return [str(problem) for problem in problems]

    def say_channels(self, configured: frozenset[str]) -> None:
        """Log what the policy in use switches off, its channels without a provider, and a missing approver."""
        current = self._engine.current
        self._metrics.policy(current.digest)
        for part in current.policy.switched_off:
            log.warning("switched off in the policy", what=part)
        if not self._settings.has_approver:
            log.warning("no person has the role approver: no notice can be approved, and no emergency signed off")
        for channel in (each for each in current.policy.channels if each.enabled):
            usable = channel.name in configured
            self._metrics.channel_configured(channel.name, configured=usable)
            if not usable:
                log.warning("channel is not configured: nothing can be sent on it", channel=channel.name)


def shown(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Problems for log and console: without the policy's lines, which not every reader may see."""
    return tuple(str(replace(problem, source="")) for problem in problems)
