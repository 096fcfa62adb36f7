"""Periodic background tasks: each runs repeatedly, also after errors.

A task that has ended, or has not run for too long, is reported by `/-/ready`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from receiver.engine.service_state import Failing
from receiver.errors import StoreUnavailable
from rules.policy import MINUTE, SECOND

MISSES = 3
"""Runs that a task may miss before it is reported; one more minute is allowed for long runs."""

Look = Callable[[], Awaitable[None]]

log = structlog.get_logger()


@dataclass(slots=True)
class _Periodic:
    task: asyncio.Task[None]
    patience: int
    ran_at: int


class PeriodicTasks:
    """The periodic tasks of one service, and the time of each one's last run."""

    def __init__(self, clock: Callable[[], int], on_unavailable: Callable[[str], None]) -> None:
        """`clock`: monotonic, in microseconds. `on_unavailable` is called with the reason if the database fails."""
        self._clock = clock
        self._on_unavailable = on_unavailable
        self._tasks: dict[str, _Periodic] = {}

    def start(self, name: str, look: Look, every: float) -> None:
        """Run `look` now, and then every `every` seconds. `name` is used in logs and by `/-/ready`."""
        task = asyncio.create_task(self._keep_looking(name, look, every))
        self._tasks[name] = _Periodic(task, round(MISSES * every * SECOND) + MINUTE, self._clock())

    def problems(self) -> list[Failing]:
        """Tasks that have ended, or have not run for too long."""
        found = []
        for name, each in self._tasks.items():
            silent = self._clock() - each.ran_at
            if each.task.done():
                found.append(Failing(f"background task '{name}'", "has ended; restart this process"))
            elif silent > each.patience:
                found.append(Failing(f"background task '{name}'", f"has not run for {silent // SECOND} s"))
        return found

    async def stop(self) -> None:
        """Cancel all tasks."""
        tasks = [each.task for each in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_looking(self, name: str, look: Look, every: float) -> None:
        while True:
            try:
                await look()
            except StoreUnavailable as error:
                self._on_unavailable(str(error))
            except Exception:
                log.exception("background task failed; it runs again", task=name)
            self._tasks[name].ran_at = self._clock()
            await asyncio.sleep(every)
