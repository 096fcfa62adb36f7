"""The console's lists of a simulated world: the pages' own code, over the world's store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from receiver.core.instant import Instant
from receiver.core.plan import DecisionContext
from receiver.engine.service_state import ServiceState
from receiver.store import SqlStore
from receiver.web.auth.access import LOCAL
from receiver.web.console.history import History
from receiver.web.console.now import Now
from receiver.web.console.pages import Visit, draw
from tests.faults.stores import database

if TYPE_CHECKING:
    from tests.faults.world import World

MORE = {"may_act": False, "csrf": ""}
"""What a page is given beside its own values."""


class Shelf:
    """Draws pages for a caller with read access only."""

    def __init__(self, world: World, context: DecisionContext) -> None:
        reads = SqlStore(database()).reads()
        asked = SimpleNamespace(query={}, cookies={})
        self._visit = cast("Visit", SimpleNamespace(now=world.now, request=asked, caller=LOCAL))
        engine = SimpleNamespace(context=lambda _version: context, current=world.version)
        api = SimpleNamespace(policy_version=lambda _incident: world.version)
        parts: Any = (_Frame(world.lie.counts), Immediate(world), engine, reads)
        self._now = Now(*parts, cast("Any", api), ServiceState())
        self._history = History(*parts, cast("Any", _NoWeeks()))

    def now(self) -> str:
        """The page `/`."""
        return _text(self._now.show(self._visit))

    def history(self) -> str:
        """The page `/history`."""
        return _text(self._history.show(self._visit))


def _text(page: Any) -> str:
    return str(asyncio.run(page).text)


class Immediate:
    """A queue that does at once what it is asked for."""

    def __init__(self, world: World) -> None:
        self._world = world

    def clock(self) -> Instant:
        """The world's time."""
        return self._world.now

    async def read(self, what: Callable[..., Any], *arguments: Any, **_more: Any) -> Any:
        """What was asked for."""
        return what(*arguments)

    browse = run = read


class _Frame:
    """Draws a page without asking who looks. `counts`: a lie about how many there are, or none."""

    def __init__(self, counts: Callable[[Any], Any]) -> None:
        self._counts = counts

    def page(self, visit: Visit, template: str, **values: Any) -> Any:
        if "counts" in values:
            values["counts"] = self._counts(values["counts"])
        return draw(template, visit.now, **MORE, **values)


class _NoWeeks:
    """The figures of the weeks are counted elsewhere (tests/store)."""

    async def latest(self, _now: int) -> tuple[list[Any], bool]:
        return [], True
