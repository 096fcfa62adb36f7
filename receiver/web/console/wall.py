"""`/wall`: an overview for a wall screen: open incidents by level, the most urgent, deadlines, and who is on call.

The page has no buttons. A screen cannot log in, so there is a link to this page alone: sealed with the key that signs
sessions, and bound to a viewer's token of the settings. The link gives access to this page and its changes, not to
incidents' pages, lists or the API. It becomes invalid when that token is changed or removed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import web

from receiver.core.model import State
from receiver.on_call.shift import Roster
from receiver.on_call.standing import ScheduleStanding, standing
from receiver.settings import ApiToken, Role, Settings
from receiver.web.api.rosters import RosterReader
from receiver.web.auth.access import Caller
from receiver.web.auth.signing import Signing
from receiver.web.console.live import Live
from receiver.web.console.now import NAMED, Now, urgency
from receiver.web.console.open_standing import worst_open
from receiver.web.console.pages import Visit
from receiver.web.http.connections import know
from receiver.web.http.problem_details import HttpProblem
from rules.policy import LEVELS

SHOWN = 8
"""Incidents on the wall; Now shows the others."""

READ = 50
"""Incidents read, before exercises are left out: they are only counted."""

PURPOSE = "wall"


class WallLinks:
    """Links for each viewer's token, and their verification."""

    def __init__(self, settings: Settings, signing: Signing, installation: str) -> None:
        """`installation`: distinguishes installations with the same key and a token of the same name."""
        self._tokens = {each.name: each for each in settings.api_tokens if each.role is Role.VIEWER}
        self._signing = signing
        self._installation = installation

    def paths(self, caller: Caller) -> Mapping[str, str]:
        """Name of a viewer's token → the link's path from the root, as far as the caller may see it.

        An admin sees all; a caller with such a token sees its own.
        """
        return {
            name: f"/wall/{quote(name, safe='')}/{self._signing.seal(PURPOSE, self._sealed(token))}"
            for name, token in self._tokens.items()
            if caller.role is Role.ADMIN or (caller.name, caller.role) == (name, Role.VIEWER)
        }

    def caller(self, request: web.Request) -> Caller:
        """The caller of a link. Raises HttpProblem 404 for an invalid one."""
        token = self._tokens.get(request.match_info["name"])
        if token is None or not self._signing.is_sealed(PURPOSE, self._sealed(token), request.match_info["mark"]):
            raise HttpProblem(404, "this link shows nothing, or nothing any more")
        know(request)
        return Caller(f"wall of {token.name}", Role.VIEWER, "link")

    def _sealed(self, token: ApiToken) -> str:
        return f"{self._installation}\0{token.name}\0{token.token.get_secret_value()}"


@dataclass(frozen=True, slots=True)
class LevelCount:
    """Open and acknowledged incidents of a level."""

    level: int
    name: str
    open: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Wall:
    """Handlers of the wall page."""

    now: Now
    rosters: RosterReader
    links: WallLinks
    live: Live

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page to a person who is logged in, with the links for screens."""
        return await self._page(visit, links=self.links.paths(visit.caller), events="events")

    async def show_linked(self, visit: Visit) -> web.Response:
        """Shows the page by a link."""
        here = visit.request.rel_url.raw_path.removeprefix("/")
        return await self._page(visit, links={}, events=f"{here}/events")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Streams changes by a link. Raises HttpProblem 404."""
        return await self.live.serve(request, self.links.caller(request))

    async def _page(self, visit: Visit, links: Mapping[str, str], events: str) -> web.Response:
        rosters = await self.rosters.about(visit.now)
        return self.now.frame.page(
            visit,
            "wall.html",
            **await self.now.queue.read(self._read, visit),
            duties=_duties(rosters, visit.now),
            worries=self.now.worries(),
            links=links,
            events=events,
        )

    def _read(self, visit: Visit) -> dict[str, Any]:
        overview, reads = self.now.reads.overview, self.now.reads
        urgent = [each for each in overview.urgent(READ) if not each.exercise]
        firing = reads.first_firing([each.id for each in urgent], NAMED)
        cards = sorted((self.now.card(each, firing.get(each.id, ()), visit) for each in urgent), key=urgency)
        live = overview.live()
        counts = self._counts(live)
        total = sum(each.open + each.acknowledged for each in counts)
        return {
            "cards": cards[:SHOWN],
            "more": total - len(cards[:SHOWN]),
            "counts": counts,
            "open": sum(each.open for each in counts),
            "worst": worst_open(live),
            "exercises": sum(count for (_, _, is_exercise), count in live.items() if is_exercise),
        }

    def _counts(self, live: Mapping[tuple[int, State, bool], int]) -> list[LevelCount]:
        found: Counter[tuple[int, State]] = Counter()
        for (level, state, is_exercise), count in live.items():
            found[level, state] += 0 if is_exercise else count
        policy = self.now.engine.current.policy
        return [
            LevelCount(level, policy.level(level).name, found[level, State.OPEN], found[level, State.ACKNOWLEDGED])
            for level in sorted(LEVELS, reverse=True)
        ]


def _duties(rosters: Sequence[Roster], now: int) -> list[tuple[Roster, ScheduleStanding]]:
    return [(each, standing(each, now)) for each in rosters]
