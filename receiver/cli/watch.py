"""`tocsin watch`: the console's Now page, live in the terminal; also the live view of other commands.

The receiver reports changes (`/events`); between changes only the countdowns move. A broken stream is shown and
reopened. Ctrl-C ends with exit code 0.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from receiver.cli.incidents import LOCAL, Token, Url, base
from receiver.cli.output import console, fail, level_words, print_table, state_words
from receiver.cli.refusals import is_passing, not_tocsin, refused, why_none
from receiver.clock import wall_clock
from receiver.version import MARK
from rules.policy import SECOND

if TYPE_CHECKING:
    import aiohttp

Ask = Callable[..., AbstractAsyncContextManager["aiohttp.ClientResponse"]]
"""Context manager for a GET of a URL, with the token; ``params`` is the query."""

AGAIN = 2.0
"""Seconds until a broken stream is reopened."""

SILENCE = 40.0
"""Seconds without a sign of life after which the view is not live, as in the console: a ping comes every 15 s."""

SHOWN = 50

COLUMNS = ("#", "level", "state", "what", "next", "response time", "owner")


class Followed(Protocol):
    """Content that is shown live."""

    problem: str
    """Why the view is not live; empty: it is."""

    @property
    def what(self) -> str:
        """The value of `watch` for `/events`."""

    async def read(self, ask: Ask, url: str) -> None:
        """Reads the present state. Raises what `ask` does, ValueError and KeyError."""

    def render(self) -> RenderableType:
        """Returns the terminal's present content."""

    def tell(self) -> None:
        """Prints it for a pipe, after a read."""


@dataclass
class Board:
    """The content of `tocsin watch`, and whether its connection is live."""

    what = "now"
    incidents: Sequence[Mapping[str, Any]] = ()
    unclosed: Sequence[Mapping[str, Any]] = ()
    """Resolved incidents that cannot close yet."""
    problem: str = "connecting"
    """Why the view is not live; empty: it is."""

    def render(self) -> RenderableType:
        """Returns the terminal's present content."""
        now = wall_clock()
        open_ = sum(each["state"] == "open" for each in self.incidents)
        head = Text.assemble(("Now", "bold"), f"  {open_} open, {len(self.incidents) - open_} acknowledged  ")
        head.append_text(sign(self.problem))
        rest = [*self._missing()]
        if not self.incidents:
            return Group(head, *(rest or [Text("" if self.problem else "Nothing needs anybody.", "green")]))
        table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, expand=True)
        for each in sorted(self.incidents, key=_urgency)[:SHOWN]:
            table.add_row(*_cells(each, now))
        return Group(head, table, *rest)

    def tell(self) -> None:
        """Prints a line for each incident."""
        rows = (_cells(each, wall_clock()) for each in sorted(self.incidents, key=_urgency))
        print_table(COLUMNS, rows)

    async def read(self, ask: Ask, url: str) -> None:
        """Reads the present state."""
        self.incidents = await _list(ask, url, "open,acknowledged")
        self.unclosed = [each for each in await _list(ask, url, "resolved") if each.get("outstanding")]

    def _missing(self) -> Iterator[Text]:
        """Yields the resolved incidents that are not closed, and why."""
        if self.unclosed:
            yield Text("\nResolved, not closed", "bold")
        for each in sorted(self.unclosed, key=lambda one: (-one["level"], one["number"]))[:SHOWN]:
            title = each["title"] or each["type"]
            yield Text.assemble(f"#{each['number']} ", level_words(each), f" {title}: {'; '.join(each['outstanding'])}")


def watch(url: Url = LOCAL, token: Token = "") -> None:
    """Show the incidents that need action now, live; Ctrl-C ends it."""
    follow(Board(), url, token)


def follow(followed: Followed, url: str, token: str) -> None:
    """Shows the content live, until Ctrl-C; in a pipe, prints it after each change."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_follow(followed, base(url, token), token))


def sign(problem: str) -> Text:
    """Returns whether the view is live; else why not."""
    live = ("not live: " + problem, "yellow") if problem else ("live", "green")
    return Text.assemble(live, ("  Ctrl-C ends", "dim"))


async def _follow(followed: Followed, url: str, token: str) -> None:
    import aiohttp

    from receiver.clients.egress import Egress, HttpSession

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=SILENCE)
    async with HttpSession(timeout, Egress.of_environment(os.environ)) as session:
        ask = partial(session.request, "GET", headers=headers)
        reading = asyncio.create_task(_keep_reading(ask, url, followed))
        try:
            await _show(followed, reading)
        finally:
            reading.cancel()
    fail(f"tocsin: {reading.result()}")


async def _show(followed: Followed, reading: asyncio.Task[str]) -> None:
    """Shows the content until the reading ends. Between changes only the countdowns move."""
    if not console.is_terminal:
        await asyncio.wait({reading})
        return
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while not reading.done():
            live.update(followed.render(), refresh=True)
            await asyncio.wait({reading}, timeout=1.0)


async def _keep_reading(ask: Ask, url: str, followed: Followed) -> str:
    """Reads until a retry is pointless; returns why."""
    import aiohttp

    said = ""
    while True:
        try:
            async with ask(f"{url}/events", params={"watch": followed.what}) as stream:
                if MARK not in stream.headers and not is_passing(stream.status):
                    return not_tocsin(url, stream.status).removeprefix("tocsin: ")
                if stream.status in {401, 403}:
                    return f"{url} asks for a token (--token, or TOCSIN_TOKEN)"
                refusal = await _refusal(stream)
                async for line in stream.content:
                    if line.startswith(b"event: change"):
                        await followed.read(ask, url)
                        followed.problem = said = ""
                        if not console.is_terminal:
                            followed.tell()
            followed.problem = refusal or "the receiver ended the stream"
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            followed.problem = why_none(error)
        if not console.is_terminal and followed.problem != said:
            said = followed.problem
            print(f"tocsin: not live: {said}", file=sys.stderr)
        await asyncio.sleep(AGAIN)


async def _refusal(stream: "aiohttp.ClientResponse") -> str:
    """Returns why the stream is refused for now, in the receiver's words; empty: it is not."""
    if stream.status < 400:
        return ""
    if MARK not in stream.headers:
        return f"a proxy answers for it ({stream.status})"
    return refused(await stream.json(content_type=None)).removeprefix("tocsin: ")


async def _list(ask: Ask, url: str, states: str) -> Sequence[Mapping[str, Any]]:
    query = {"state": states, "limit": "200"}
    async with ask(f"{url}/api/v1/incidents", params=query) as answer:
        answer.raise_for_status()
        found: Sequence[Mapping[str, Any]] = (await answer.json())["incidents"]
        return found


def _urgency(incident: Mapping[str, Any]) -> tuple[int, bool, str]:
    """Sort key as on the Now page: the worst level, then incidents that want an answer, then the next deadline."""
    due = incident["escalation"]["next_at"] or incident["response_due_at"]
    return -incident["level"], not _wants_answer(incident), due


def _wants_answer(incident: Mapping[str, Any]) -> bool:
    return incident["state"] == "open" or bool(incident.get("help_asked_by"))


def _who(incident: Mapping[str, Any]) -> str:
    """Returns the owner, and who asks for help."""
    has_it = incident.get("owner") or incident["acknowledged_by"] or ""
    asked_by = ", ".join(incident.get("help_asked_by") or ())
    if not asked_by:
        return has_it or ("nobody" if incident["state"] == "open" else "")
    return f"{has_it} (asks for help)" if asked_by == has_it else f"{has_it} ({asked_by} asks for help)"


def _cells(incident: Mapping[str, Any], now: int) -> Sequence[Text]:
    is_open = incident["state"] == "open"
    return (
        Text(f"#{incident['number']}"),
        level_words(incident),
        Text(state_words(incident), "bold" if is_open else "dim"),
        Text(incident["title"] or incident["type"]),
        _left(incident["escalation"]["next_at"], now),
        _left(incident["response_due_at"], now) if is_open else Text(""),
        Text(_who(incident)),
    )


def _left(at: str | None, now: int) -> Text:
    from receiver.web.console.duration_text import span

    if not at:
        return Text("")
    off = int(datetime.fromisoformat(at).timestamp() * SECOND) - now
    return Text(f"in {span(off)}") if off > 0 else Text(f"{span(-off)} ago", "red")
