"""`/act/…`: acknowledges by a link in a mail or an SMS, without a login.

A link only acknowledges, for one message, for a day; its possession authorises, as it does for readers of the mail. A
message about several incidents has one link for exactly those. Rules: a GET only shows a page (mail scanners follow
links), a POST acts; a link for an incident that is over or acknowledged changes nothing and shows the state. The seal
is made with the key that signs sessions, so a link cannot be guessed or altered; it covers the link's content and is
verified before any read, so that guesses cost no database time.
"""

import re
from base64 import b32encode
from collections.abc import Callable
from hmac import compare_digest

from aiohttp import web

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge
from receiver.core.model import Incident, Instant, Notification, State
from receiver.web.auth.access import refuse_other_sites
from receiver.web.auth.sessions import Sessions
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.actions import LATER, CallbackActions, stands
from receiver.web.console.pages import draw
from receiver.web.http.problem_details import Handler
from rules.channel_types import CHANNEL_TYPES
from rules.policy import HOUR

LASTS = 24 * HOUR

PURPOSE = "acknowledge"
SEAL, MARK = 13, 4
"""Characters of a link's parts, of five bits each: the seal, and the mark that identifies the message beside its
number. A link must be short for an SMS; 65 bits cannot be guessed over the network within its day.
"""
OLD_SEAL, OLD_MARK = 24, 8
"""Hexadecimal digits of both in links of earlier versions."""

_TOKEN = re.compile(
    rf"((\d{{1,9}})-(\d{{1,9}}(?:-\d{{1,18}})?))-"
    rf"(?:([a-z2-7]{{{SEAL}}})[a-z2-7]{{{MARK}}}|([0-9a-f]{{{OLD_SEAL}}})[0-9a-f]{{{OLD_MARK}}})",
    re.ASCII,
)
"""Groups: number of the (first) incident, rest of the message's name, and the seal."""


class Links:
    """Makes and reads links."""

    def __init__(self, signing: Signing, installation: str, external_url: str | None) -> None:
        """`installation`: distinguishes installations with the same key, each of which has a #12."""
        self._signing = signing
        self._installation = installation
        self._external_url = external_url

    def url(self, incident: Incident, name: str) -> str:
        """The link of the message with that name; empty without an external URL.

        `incident`: the message's incident, for a bundle the first.
        """
        if not self._external_url:
            return ""
        rest = name.removeprefix(f"{incident.id}-")
        what = f"{incident.number}-{rest}"
        return f"{self._external_url}/act/{what}-{self._seal(what, SEAL)}{self._mark(name, MARK)}"

    def read(self, token: str) -> tuple[int, str] | None:
        """Incident number and rest of the message's name of a valid link; None: invalid."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        said = parts[4] or parts[5]
        if not compare_digest(self._seal(parts[1], len(said)), said):
            return None
        return int(parts[2]), parts[3]

    def is_about(self, token: str, name: str) -> bool:
        """Whether a valid link belongs to this message: a restored database reuses numbers."""
        length = OLD_MARK if len(token.rpartition("-")[2]) == OLD_SEAL + OLD_MARK else MARK
        return compare_digest(self._mark(name, length), token[-length:])

    def _seal(self, what: str, length: int) -> str:
        return _written(self._signing.seal(PURPOSE, f"{self._installation}/{what}"), length)

    def _mark(self, name: str, length: int) -> str:
        return _written(self._signing.seal(PURPOSE, name), length)


def _written(seal: str, length: int) -> str:
    """The first `length` characters of a seal: base32, or hexadecimal for links of earlier versions."""
    if length in {OLD_SEAL, OLD_MARK}:
        return seal[:length]
    return b32encode(bytes.fromhex(seal)).decode().lower()[:length]


class LinkPages:
    """Handlers of the links."""

    def __init__(self, queue: CallbackActions, links: Links, sessions: Sessions, clock: Callable[[], Instant]) -> None:
        self._queue = queue
        self._clock = clock
        self._links = links
        self._access = sessions.access

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("GET", "/act/{token}", self.show), ("POST", "/act/{token}", self.act))

    async def show(self, request: web.Request) -> web.Response:
        """Shows a confirmation page; never acts."""
        found = await self._read(request.match_info["token"])
        if found is None:
            return self._page(None, status=404)
        incident, pages = found
        if len(pages) > 1:
            return self._page(incident, pages=len(pages), asks=True)
        is_wanted = incident.wants_answer
        return self._page(incident, "" if is_wanted else stands(incident), asks=is_wanted)

    async def act(self, request: web.Request) -> web.Response:
        """Acknowledges in the name of the message's recipient."""
        refuse_other_sites(request, self._access.external)
        found = await self._read(request.match_info["token"])
        if found is None:
            return self._page(None, status=404)
        incident, pages = found
        who = self._whom(pages[0])
        origin = Origin(who, "link", self._access.address(request))
        if len(pages) > 1:
            answer = await self._queue.answer(pages, origin, lambda page: _acknowledge(who, page))
            words = " ".join(answer.words("Acknowledged")) if answer else LATER
            return self._page(incident, words, 200 if answer and answer.done else 409, pages=len(pages))
        outcome = await self._queue.act(incident.id, _acknowledge(who, pages[0]), origin)
        return self._page(outcome.incident or incident, outcome.words, status=200 if outcome.done else 409)

    def _whom(self, page: Notification) -> str:
        """The name under which the link acts."""
        policy, who = self._queue.policy, self._queue.name(page.recipient, CHANNEL_TYPES)
        channel = policy.channel(page.channel)
        is_group = channel is not None and channel.facts.has_names and policy.person(who) is None
        return f"{who} ({channel.facts.label})" if channel and is_group else who

    def _page(
        self, incident: Incident | None, said: str = "", status: int = 200, *, pages: int = 1, asks: bool = False
    ) -> web.Response:
        """Shows the incident's state (`pages`: it is the first of so many); None: the link is not valid."""
        now = self._clock()
        return draw("link.html", now, status, incident=incident, said=said, pages=pages, asks=asks)

    async def _read(self, token: str) -> tuple[Incident, list[Notification]] | None:
        """The first incident and all notifications of a link; None: invalid or expired."""
        named = self._links.read(token)
        incident = await self._queue.by_number(named[0]) if named else None
        if named is None or incident is None:
            return None
        name = f"{incident.id}-{named[1]}"
        pages = await self._queue.message(name) if self._links.is_about(token, name) else []
        if not pages or pages[0].created_at + LASTS <= self._clock():
            return None
        return incident, pages


def _acknowledge(who: str, page: Notification) -> Acknowledge:
    return Acknowledge(who, "by link", expects=State.OPEN, answers=page.page or None)
