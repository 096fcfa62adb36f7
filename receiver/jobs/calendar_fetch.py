"""Fetches the calendars of schedules that are given by a URL. The service runs `CalendarFetching.look` every minute.

`receiver.core.fetched_calendars` decides when a fetch is due and what its result means;
`receiver.on_call.calendar_copy` whether a copy is accepted. A replica records a fetch before it starts, so several
replicas fetch once. Logs name the schedule and never the URL, which may be a secret.
"""

import asyncio
from hashlib import sha256

import structlog

from receiver.clients.calendar_download import CalendarFeeds, FeedFailed, FetchedCalendar
from receiver.core.fetched_calendars import CalendarFetches, begin, confirm, fail, is_due, source_of, take, tell
from receiver.core.model import Instant
from receiver.core.urgency import STEPS
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.on_call.calendar_copy import COMING, judge
from receiver.on_call.copy_verdict import CopyVerdict
from receiver.on_call.expand import shifts
from receiver.store import SqlStore
from receiver.telemetry.metrics import Metrics
from rules.policy import OnCallSchedule, Policy

EVERY = 60.0
"""Seconds between two runs."""

log = structlog.get_logger()


class CalendarFetching:
    """Fetches due calendars, and stores the last good copy of each."""

    def __init__(
        self, queue: CommandQueue, engine: Engine, store: SqlStore, metrics: Metrics, feeds: CalendarFeeds
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._store = store
        self._metrics = metrics
        self._feeds = feeds
        self._unknown: dict[str, tuple[str, ...]] = {}
        """Schedule → names in its calendar that match no person, as last logged."""

    async def look(self) -> None:
        """Fetch due calendars. Raises StoreUnavailable."""
        policy = self._engine.current.policy
        fetched = [each for each in policy.schedules if each.is_fetched]
        self._metrics.keep_calendars({each.name for each in fetched})
        ends = await asyncio.gather(*(self._look_at(policy, each) for each in fetched), return_exceptions=True)
        for failure in filter(None, ends):
            raise failure

    async def _look_at(self, policy: Policy, schedule: OnCallSchedule) -> None:
        name, source, now = schedule.name, source_of(schedule.calendar), self._queue.clock()
        last = await self._queue.read(self._store.reads().calendar_fetches, name)
        if last is not None:
            self._metrics.calendar(name, last)
        if not is_due(last, source, now):
            return
        begun = begin(last, source, now)
        if not await self._queue.run(self._store.take_calendar_turn, name, last, begun):
            return  # another replica fetches it
        known = (await self._queue.read(self._store.reads().calendar_texts)).get(name, "")
        after, text = await self._fetch(policy, schedule, begun, known)
        await self._tell(schedule, last, after)
        await self._queue.run(self._store.keep_calendar, name, after, text, sha256(text.encode()).hexdigest())
        self._metrics.calendar(name, after)
        if text and text != known:
            await self._queue.run(self._engine.page_on_call, self._queue.clock(), urgency=STEPS)
            await self._say_unknown(policy, schedule, text, now)

    async def _fetch(
        self, policy: Policy, schedule: OnCallSchedule, begun: CalendarFetches, known: str
    ) -> tuple[CalendarFetches, str]:
        """Fetch; returns the new state, and the copy to store (empty: the last one stays)."""
        names = (begun.etag, begun.modified) if known else ("", "")
        try:
            fetched = await self._feeds.fetch(schedule.calendar, *names)
        except FeedFailed as error:
            return fail(begun, f"the calendar of {schedule.name} cannot be fetched: {error.reason}"), ""
        if fetched.is_unchanged:
            return confirm(begun), ""
        verdict = await self._judge(policy, schedule, known, fetched, begun.tried_at)
        after = take(begun, verdict, fetched.etag, fetched.modified)
        return after, fetched.text if verdict.is_taken else ""

    async def _judge(
        self, policy: Policy, schedule: OnCallSchedule, known: str, fetched: FetchedCalendar, now: Instant
    ) -> CopyVerdict:
        """Judge a copy in a thread, because reading a large calendar takes long."""
        return await asyncio.to_thread(judge, policy, schedule, known, fetched.text, now)

    async def _tell(self, schedule: OnCallSchedule, last: CalendarFetches | None, after: CalendarFetches) -> None:
        """Log and report a change of state; before it is stored, because repeated reports change nothing."""
        before = last.detail if last else ""
        place = schedule.calendar_shown
        if after.detail and after.detail != before:
            log.warning("a calendar was not taken", schedule=schedule.name, at=place, reason=after.detail)
        elif before and not after.detail:
            log.info("a calendar is fetched again", schedule=schedule.name, at=place)
        if after.thinner_since is not None and (last is None or last.thinner_since != after.thinner_since):
            log.warning(
                "a calendar covers less than its last copy", schedule=schedule.name, at=place, what=after.thinner
            )
        event = tell(schedule.name, last, after)
        if event is not None:
            await self._queue.handle([event])

    async def _say_unknown(self, policy: Policy, schedule: OnCallSchedule, text: str, now: Instant) -> None:
        """Log names in the coming weeks' shifts that match no person, when they change."""
        found = await asyncio.to_thread(shifts, policy, {schedule.name: text}, (), now, now + COMING)
        roster = next(each for each in found if each.name == schedule.name)
        unknown = roster.unknown
        if roster.backwards:  # once for each new copy
            names = ", ".join(roster.backwards)
            log.warning("events of a calendar end before they begin", schedule=schedule.name, events=names)
        if unknown != self._unknown.get(schedule.name, ()):
            log.warning(
                "a calendar names people that the policy does not have",
                schedule=schedule.name,
                names=", ".join(unknown),
            )
        self._unknown[schedule.name] = unknown
