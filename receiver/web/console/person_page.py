"""`/people/NAME`: a person's coming shifts and contacts, and the shifts as a calendar feed.

The feed's link is sealed with the key that signs sessions. It needs no login, because phone calendars cannot log in,
and gives access to that person's shifts only. It is valid until the key changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from aiohttp import web

from receiver.channels.trial import Tried
from receiver.core.model import Instant, Notification, Status
from receiver.on_call.calendar_feed import calendar_feed
from receiver.web.api.rosters import AHEAD, RosterReader
from receiver.web.auth.signing import Signing
from receiver.web.console.channels_page import ChannelsPage
from receiver.web.console.pages import Frame, Visit
from receiver.web.http.problem_details import HttpProblem
from rules.channel_types import ends_of
from rules.policy import HOUR, Person

SHOWN = 8 * 7 * 24 * HOUR
"""Microseconds ahead that the page shows."""

PAST, COMING = 4 * 7 * 24 * HOUR, 26 * 7 * 24 * HOUR
"""Microseconds that the feed reaches back and ahead."""

PURPOSE = "on-call feed"


class PersonFeeds:
    """Links of calendar feeds, and their handler."""

    def __init__(
        self, rosters: RosterReader, signing: Signing, installation: str, clock: Callable[[], Instant]
    ) -> None:
        """`installation`: distinguishes installations with the same key and a person of the same name."""
        self._rosters = rosters
        self._signing = signing
        self._installation = installation
        self._clock = clock

    def path(self, person: str) -> str:
        """Path of the person's feed, from the root."""
        return f"/feeds/{quote(person, safe='')}/{self._signing.seal(PURPOSE, self._sealed(person))}.ics"

    async def serve(self, request: web.Request) -> web.Response:
        """The feed. Raises HttpProblem 404 for an invalid link, or a person who is not in the policy."""
        person, mark = request.match_info["person"], request.match_info["mark"]
        is_ours = self._signing.is_sealed(PURPOSE, self._sealed(person), mark)
        if not is_ours or self._rosters.policy.person(person) is None:
            raise HttpProblem(404, "there is no such calendar")
        now = self._clock()
        rosters = await self._rosters.between(now - PAST, now + COMING)
        return web.Response(body=calendar_feed(person, rosters, now), content_type="text/calendar", charset="utf-8")

    def _sealed(self, person: str) -> str:
        return f"{self._installation}/{person}"


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Handlers of a person's page."""

    frame: Frame
    rosters: RosterReader
    feeds: PersonFeeds
    tests: ChannelsPage

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page. Raises HttpProblem 404 for a person who is not in the policy."""
        return await self._page(visit, self._person(visit))

    async def test(self, visit: Visit) -> web.Response:
        """Sends a test message to one contact. Raises HttpProblem."""
        person, type_ = self._person(visit), visit.form.get("contact", "")
        channels = (each for each in self.rosters.policy.channels if each.type == type_ and self.tests.can_send(each))
        address, channel = person.contact(type_), next(channels, None)
        if address is None or channel is None:
            raise HttpProblem(409, "there is no such contact, or no channel that could send to it")
        tried = await self.tests.send(visit, replace(channel, recipients=(address,)), person.name)
        return await self._page(visit, person, type_, tried)

    def _person(self, visit: Visit) -> Person:
        person = self.rosters.policy.person(visit.request.match_info["person"])
        if person is None:
            raise HttpProblem(404, "the policy has nobody of that name")
        return person

    async def _page(self, visit: Visit, person: Person, tested: str = "", tried: Sequence[Tried] = ()) -> web.Response:
        rosters = await self.rosters.between(visit.now - AHEAD, visit.now + SHOWN + AHEAD)
        own = sorted(
            (shift, roster.name, roster.looked_at)
            for roster in rosters
            for shift in roster.shifts
            if shift.person == person.name and shift.ends > visit.now and shift.starts < visit.now + SHOWN
        )
        failures = await self.tests.queue.browse(self._failures, person)
        return self.frame.page(
            visit,
            "person.html",
            testable={each.type for each in self.rosters.policy.channels if self.tests.can_send(each)},
            tested=tested,
            tried=tried,
            person=person,
            shifts=own,
            contacts=[(type_, ends_of(address), failures.get((type_, address))) for type_, address in person.contacts],
            feed=self.feeds.path(person.name),
        )

    def _failures(self, person: Person) -> Mapping[tuple[str, str], Notification]:
        """(channel type, address) → the last message there, if it failed, for example after STOP by SMS."""
        last: dict[tuple[str, str], Notification] = {}
        for each in self.tests.reads.overview.last_to(person.name):
            channel = self.rosters.policy.channel(each.channel)
            if channel is not None:
                last.setdefault((channel.type, each.recipient), each)
        return {way: each for way, each in last.items() if each.status is Status.GAVE_UP}
