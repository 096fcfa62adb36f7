"""`/act/…`: acknowledging by a link in a mail or an SMS, without logging in.

A link is good for one thing (to acknowledge), for one notification, for a day; whoever has it may, as whoever reads
the mail may. Rules: a GET only shows a page (mail scanners follow links), a POST acts; a link that answers what is
over, or what somebody has already, changes nothing and says how it stands. The seal is made with the key that signs
sessions, so no link can be guessed or turned into another.
"""

import re

from aiohttp import web

from receiver.audit import Origin
from receiver.core.events import Acknowledge
from receiver.core.model import Incident, Notification, State
from receiver.web.access import refuse_other_sites
from receiver.web.body import read_body
from receiver.web.callbacks.desk import CallbackDesk, stands
from receiver.web.console.frame import draw
from receiver.web.problems import Handler
from receiver.web.sessions import Sessions
from receiver.web.signing import Signing
from rules.policy import HOUR

LASTS = 24 * HOUR

PURPOSE = "acknowledge"
_TOKEN = re.compile(r"(\d{1,9})-(\d{1,9})-([0-9a-f]{32})", re.ASCII)


class Links:
    """Makes the links."""

    def __init__(self, signing: Signing, external_url: str | None) -> None:
        self._signing = signing
        self._external_url = external_url

    def url(self, incident: Incident, notification: Notification) -> str:
        """Where this notification's reader may acknowledge; empty where nobody can reach us."""
        if not self._external_url:
            return ""
        seal = self._signing.seal(PURPOSE, notification.id)
        return f"{self._external_url}/act/{incident.number}-{notification.sequence}-{seal}"


class LinkPages:
    """What the links lead to."""

    def __init__(self, desk: CallbackDesk, signing: Signing, sessions: Sessions) -> None:
        self._desk = desk
        self._signing = signing
        self._access = sessions.access

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("GET", "/act/{token}", self.show), ("POST", "/act/{token}", self.act))

    async def show(self, request: web.Request) -> web.Response:
        """Ask; never act."""
        found = await self._read(request.match_info["token"])
        if found is None:
            return self._page(None, status=404)
        incident, _ = found
        is_open = incident.state is State.OPEN
        return self._page(incident, "" if is_open else stands(incident), asks=is_open)

    async def act(self, request: web.Request) -> web.Response:
        """Acknowledge, in the name of whom the message was for."""
        refuse_other_sites(request, self._access.external)
        await read_body(request)
        found = await self._read(request.match_info["token"])
        if found is None:
            return self._page(None, status=404)
        incident, notification = found
        who = notification.recipient
        origin = Origin(who, "link", self._access.address(request))
        action = Acknowledge(who, "by link", expects=State.OPEN, answers=notification.page or None)
        outcome = await self._desk.act(incident.id, action, origin)
        return self._page(outcome.incident or incident, outcome.words, status=200 if outcome.done else 409)

    def _page(
        self, incident: Incident | None, said: str = "", status: int = 200, *, asks: bool = False
    ) -> web.Response:
        """How the incident stands; None: the link is over."""
        now = self._desk.desk.clock()
        return draw("link.html", now, status, incident=incident, said=said, asks=asks)

    async def _read(self, token: str) -> tuple[Incident, Notification] | None:
        """What a link is about; None: it is none of ours, or over."""
        parts = _TOKEN.fullmatch(token)
        incident = await self._desk.by_number(int(parts[1])) if parts else None
        if parts is None or incident is None:
            return None
        notification_id = f"{incident.id}-{int(parts[2])}"
        if not self._signing.is_sealed(PURPOSE, notification_id, parts[3]):
            return None
        notification = await self._desk.notification(notification_id)
        if notification is None or notification.created_at + LASTS <= self._desk.desk.clock():
            return None
        return incident, notification
