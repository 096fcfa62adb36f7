"""What a provider's callbacks are made of. Each module with callbacks has ``configure(context)``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from receiver.core.model import Instant
from receiver.settings import Settings
from receiver.web.api.rosters import RosterReader
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.actions import CallbackActions
from receiver.web.http.problem_details import Handler


class Callbacks(Protocol):
    """The callbacks of one provider."""

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackContext:
    """The parts of the receiver that callbacks use."""

    app: web.Application
    settings: Settings
    actions: CallbackActions
    rosters: RosterReader
    signing: Signing
    installation: str
    """Distinguishes installations with the same key, each of which has a #12."""
    clock: Callable[[], Instant]

    def keep(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs `work` from the application's start until its end, which cancels it."""

        async def kept(_app: web.Application) -> AsyncIterator[None]:
            task = asyncio.create_task(work())
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self.app.cleanup_ctx.append(kept)
