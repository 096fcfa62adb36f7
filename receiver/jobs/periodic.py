"""The service's loops, and their watchdogs: one that has ended, or does not come round, shows in `/-/ready`.

Each look is made again and again, whatever happens in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from receiver.engine.service_state import Failing
from receiver.errors import StoreUnavailable
from rules.policy import MINUTE, SECOND

MISSES = 3
"""Rounds that a loop may miss, and a minute more for one that takes long."""

Look = Callable[[], Awaitable[None]]

log = structlog.get_logger()


@dataclass(slots=True)
class _Loop:
    task: asyncio.Task[None]
    patience: int
    beat: int


class Loops:
    """The loops of one service, and when each came round last."""

    def __init__(self, clock: Callable[[], int], on_unavailable: Callable[[str], None]) -> None:
        """`clock`: microseconds that only ever grow. `on_unavailable` hears why the database cannot be used."""
        self._clock = clock
        self._on_unavailable = on_unavailable
        self._loops: dict[str, _Loop] = {}

    def start(self, name: str, look: Look, every: float) -> None:
        """Look, now and every so many seconds. `name` is for people: what stands still if it does."""
        task = asyncio.create_task(self._keep_looking(name, look, every))
        self._loops[name] = _Loop(task, round(MISSES * every * SECOND) + MINUTE, self._clock())

    def problems(self) -> list[Failing]:
        """Loops that have ended, or have not come round for long, in words."""
        found = []
        for name, loop in self._loops.items():
            silent = self._clock() - loop.beat
            if loop.task.done():
                found.append(Failing(name, "it has ended; restart this process"))
            elif silent > loop.patience:
                found.append(Failing(name, f"it has not come round for {silent // SECOND} s"))
        return found

    async def stop(self) -> None:
        """End them all."""
        tasks = [loop.task for loop in self._loops.values()]
        self._loops.clear()
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
                log.exception("a look failed; the next is made all the same", look=name)
            self._loops[name].beat = self._clock()
            await asyncio.sleep(every)
