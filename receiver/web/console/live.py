"""`/events?watch=now` or `?watch=12`: reports changes as server-sent events.

One loop per process checks once a second what open pages watch; without watchers it sleeps. An event only reports that
there was a change; the page then requests itself again, with its own rights. Every page also gets the open incidents'
state (`receiver.web.console.open_standing`): its icon shows the worst level, and new ones may ring.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from aiohttp import web

from receiver.engine.queue import CommandQueue
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.settings import Role
from receiver.store import Reads
from receiver.web.auth.access import Caller
from receiver.web.auth.sessions import Sessions
from receiver.web.console.now import READ
from receiver.web.console.open_standing import OpenStanding
from receiver.web.http.problem_details import HttpProblem

LOOK_EVERY = 1.0
"""Seconds between checks."""

ALIVE_EVERY = 15.0
"""Seconds of silence after which a ping is sent: proxies keep the stream open, and a page without pings knows that it
is outdated. No ping is sent while changes cannot be read.
"""

MOST = 500
"""Streams of one process."""

MOST_EACH = 20
"""Streams of one caller: one for each open page."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Watch:
    """What a stream watches, and the state that it was last sent."""

    what: str
    whose: str
    request: web.Request
    mark: str = ""
    standing: str = ""


class Live:
    """The streams, and the loop that feeds them."""

    def __init__(self, queue: CommandQueue, reads: Reads, sessions: Sessions, open_standing: OpenStanding) -> None:
        self._queue = queue
        self._reads = reads
        self._sessions = sessions
        self._open_standing = open_standing
        self._stood_at = ""
        """The mark of Now at which the open incidents' state was last read."""
        self._standing = ""
        self._watchers: dict[asyncio.Queue[str], _Watch] = {}
        self._wake = asyncio.Event()
        self._can_see = True
        """Whether the last read of changes succeeded."""

    async def context(self, _app: web.Application) -> AsyncIterator[None]:
        """For `app.cleanup_ctx`: runs the loop while the application runs."""
        task = asyncio.create_task(self._keep_looking())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def end(self, _app: web.Application) -> None:
        """For `app.on_shutdown`: ends the streams, which would delay the shutdown."""
        for queue in self._watchers:
            queue.put_nowait("")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serves one stream to an authenticated viewer."""
        return await self.serve(request, self._sessions.require(request, Role.VIEWER))

    async def serve(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Serves one stream to a caller who may view."""
        watched = request.query.get("watch", "now")
        if watched != "now" and not (watched.isascii() and watched.isdigit() and len(watched) < 10):
            raise HttpProblem(400, "watch: now, or an incident's number")
        if len(self._watchers) >= MOST:
            raise HttpProblem(503, "too many pages are watching; this one can be loaded again")
        if self._count(caller.name) >= MOST_EACH:
            raise HttpProblem(429, f"{caller.name} has {MOST_EACH} pages open already; this one can be loaded again")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._watchers[queue] = _Watch(
            watched, caller.name, request
        )  # registered before the first await, so that it counts from now on
        self._wake.set()
        try:
            await response.prepare(request)
            await self._send(response, queue)
        except ConnectionError:
            pass  # the client left
        finally:
            del self._watchers[queue]
        return response

    def _count(self, whose: str) -> int:
        """Streams of a caller, without those whose client left and whose next write would fail."""
        theirs = [watch for watch in self._watchers.values() if watch.whose == whose]
        return sum(watch.request.transport is not None for watch in theirs)

    async def _send(self, response: web.StreamResponse, queue: asyncio.Queue[str]) -> None:
        await response.write(b"retry: 2000\n\n")
        while True:
            try:
                told = await asyncio.wait_for(queue.get(), ALIVE_EVERY)
            except TimeoutError:
                if self._can_see:
                    await response.write(b"event: ping\ndata:\n\n")
                continue
            if not told:
                return
            await response.write(told.encode())

    async def _keep_looking(self) -> None:
        while True:
            await self._wake.wait()
            if not self._watchers:
                self._wake.clear()
                continue
            for each in {"now"} | {watch.what for watch in self._watchers.values()}:
                await self._look(each)
            self._tell_standing()
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, watched: str) -> None:
        number = None if watched == "now" else int(watched)
        try:
            mark = await self._queue.read(self._reads.overview.mark, number, READ)
            if watched == "now" and mark != self._stood_at:
                self._standing = await self._queue.read(self._open_standing.read)
                self._stood_at = mark
            self._can_see = True
        except (StoreUnavailable, StoreDamaged):
            self._can_see = False
            return
        except Exception:
            self._can_see = False
            log.exception("reading changes for open pages failed; trying again in a second")
            return
        for queue, watch in self._watchers.items():
            if watch.what == watched and watch.mark != mark:
                watch.mark = mark  # always sent to a new stream: the page may be older than it
                queue.put_nowait(f"event: change\ndata: {mark[:16]}\n\n")

    def _tell_standing(self) -> None:
        for queue, watch in self._watchers.items():
            if self._standing and watch.standing != self._standing:
                watch.standing = self._standing
                queue.put_nowait(f"event: standing\ndata: {self._standing}\n\n")
