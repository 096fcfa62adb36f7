"""`/act/…`: acknowledges by a link in a mail or an SMS, without a login.

A link only acknowledges, for one message, for a day; its possession authorises, as it does for readers of the mail. A
message about several incidents has one link for exactly those. Rules: a GET only shows a page (mail scanners follow
links), a POST acts; a link for an incident that is over or acknowledged changes nothing and shows the state. The seal
is made with the key that signs sessions, so a link cannot be guessed or altered; it covers the link's content and is
verified before any read, so that guesses cost no database time.
"""

from collections.abc import Callable

from aiohttp import web

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge
from receiver.core.model import Incident, Instant, Notification, State
from receiver.web.auth.access import refuse_other_sites
from receiver.web.auth.message_tokens import ANSWERS, LASTS, MessageTokens
from receiver.web.auth.sessions import Sessions
from receiver.web.auth.signing import Signing
from receiver.web.callbacks.actions import LATER, CallbackActions, stands
from receiver.web.console.pages import draw
from receiver.web.http.problem_details import Handler


class Links:
    """Makes links."""

    def __init__(self, signing: Signing, installation: str, external_url: str | None) -> None:
        """`external_url`: where people reach Tocsin; None: there are no links."""
        self.tokens = MessageTokens(signing, installation, ANSWERS)
        self._external_url = external_url

    def url(self, incident: Incident, name: str) -> str:
        """The link of the message with that name; empty without an external URL.

        `incident`: the message's incident, for a bundle the first.
        """
        return f"{self._external_url}/act/{self.tokens.make(incident, name)}" if self._external_url else ""


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
        who = self._queue.whom(pages[0])
        origin = Origin(who, "link", self._access.address(request))
        if len(pages) > 1:
            answer = await self._queue.answer(pages, origin, lambda page: _acknowledge(who, page))
            words = " ".join(answer.words("Acknowledged")) if answer else LATER
            return self._page(incident, words, 200 if answer and answer.done else 409, pages=len(pages))
        outcome = await self._queue.act(incident.id, _acknowledge(who, pages[0]), origin)
        return self._page(outcome.incident or incident, outcome.words, status=200 if outcome.done else 409)

    def _page(
        self, incident: Incident | None, said: str = "", status: int = 200, *, pages: int = 1, asks: bool = False
    ) -> web.Response:
        """Shows the incident's state (`pages`: it is the first of so many); None: the link is not valid."""
        now = self._clock()
        return draw("link.html", now, status, incident=incident, said=said, pages=pages, asks=asks)

    async def _read(self, token: str) -> tuple[Incident, list[Notification]] | None:
        """The first incident and all notifications of a link; None: invalid or expired."""
        sent = await self._queue.by_token(self._links.tokens, token)
        if sent is None or sent.notifications[0].created_at + LASTS <= self._clock():
            return None
        return sent.incident, sent.notifications


def _acknowledge(who: str, page: Notification) -> Acknowledge:
    return Acknowledge(who, "by link", expects=State.OPEN, answers=page.page or None)
