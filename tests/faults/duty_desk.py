"""Handoffs in the worlds with schedules: the real job keeps the shift log and tells people, and what it says, and what
the pages show of it, is held against who is on call by plain counting.
"""

from __future__ import annotations

import asyncio
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from receiver.channels import Outgoing
from receiver.core.events import Delivered, Outcome, Rejected
from receiver.core.model import Instant
from receiver.core.shift_log import ShiftEntry
from receiver.jobs.handoffs import Handoffs
from receiver.on_call.shift import Roster
from receiver.store import SqlStore
from receiver.web.api.rosters import RosterReader
from receiver.web.auth.access import LOCAL
from receiver.web.console.on_call_page import OnCallPage
from receiver.web.console.pages import Visit, draw
from receiver.web.console.person_page import PersonPage
from rules.policy import SECOND
from tests.core.truth.record import UntrueError
from tests.core.truth.shifts import (
    Counted,
    check_failures,
    check_handoff,
    check_on_call,
    check_person,
    check_shift_entry,
)
from tests.faults.mirror import Broken
from tests.faults.on_call import NAMES, OnCall
from tests.faults.shelf import MORE, Immediate
from tests.faults.stores import database

if TYPE_CHECKING:
    from tests.faults.world import World

SHARE = 0.15
"""Of the worlds with schedules, in which handoffs are told and read."""
LOOKS = 40
"""At most, in one world."""


class DutyDesk:
    """Looks whenever who is on call may be another by now, as the service does every few seconds."""

    def __init__(self, world: World, on_call: OnCall) -> None:
        self.world, self.on_call = world, on_call
        self._dice = Random(f"{world.seed}, who is told of handoffs")
        self.is_open = self._dice.random() < SHARE or world.lie.in_handoffs
        self._log: dict[str, list[ShiftEntry]] = {"primary": [], "second": []}
        self._looked_at = 0
        self._last: dict[str, ShiftEntry] = {}
        self._job: Handoffs | None = None

    def plan(self, begins: int, lasts: int) -> None:
        """The first look, and one soon after everything that is known to come."""
        if not self.is_open:
            return
        edges = [each for each in self.on_call.counted(begins).edges if begins < each < begins + lasts]
        for at in (begins, *edges[:LOOKS]):
            self.world.at(at + self._dice.randrange(1, 9) * SECOND, self.look)
        self.world.at(begins + self._dice.randrange(lasts), self.read)

    def soon(self) -> None:
        """Something was changed just now."""
        if self.is_open:
            self.world.at(self.world.now + self._dice.randrange(1, 9) * SECOND, self.look)

    def look(self) -> None:
        """Once, as the service does."""
        worker = next((each for each in self.world.workers if each.engine is not None), None)
        if worker is None or worker.engine is None:
            return
        if self._job is None:
            engine: Any = _Engine(self.world)
            senders: Any = _Senders(self)
            store = SqlStore(database())
            self._job = Handoffs(cast("Any", Immediate(self.world)), engine, store, senders, "https://t.example")
        asyncio.run(self._job.look())
        self._looked_at = self.world.now
        self._check_log()

    def _check_log(self) -> None:
        rows = SqlStore(database()).handoffs
        counted = self.on_call.counted(self.world.now)
        for schedule, known in self._log.items():
            entries = rows.entries(schedule, Instant(0))
            if entries[: len(known)] != known:
                raise Broken(f"the shift log of {schedule} has changed: {known}, {entries}")
            self._log[schedule] = entries
        last = rows.last()[1]
        for key in (key for key in last if last[key] != self._last.get(key)):
            self._try(check_shift_entry, last[key], counted)
        self._last = last

    def hear(self, outgoing: Outgoing) -> Outcome:
        """A message of a handoff leaves for the first time, at the moment at which it was made."""
        world, message = self.world, self.world.lie.handoff(outgoing.message)
        log = self._log.get(outgoing.notification.id.partition("/")[0], [])
        before, counted = log[-1].people if log else (), self.on_call.counted(world.now)
        records = [world.mirror.record(each, world.now) for each in world.mirror.incidents.values()]
        self._try(check_handoff, message, outgoing.notification.person, before, self._looked_at, counted, records)
        return Delivered("ok") if self._dice.random() < 0.8 else Rejected("no such mailbox")

    def read(self) -> None:
        """The pages."""
        if self._job is None:
            return
        counted, rosters = self.on_call.counted(self.world.now), _Rosters(self.world)
        frame = cast("Any", _Frame())
        page = _drawn(OnCallPage(frame, rosters, cast("Any", None)).show(self._visit()))
        self._try(check_on_call, page, self._log, counted)
        for name in NAMES:
            self._read_person(name, rosters, frame, counted)

    def _read_person(self, name: str, rosters: RosterReader, frame: Any, counted: Counted) -> None:
        last_to = SqlStore(database()).reads().overview.last_to
        shown = SimpleNamespace(last_to=lambda name: self.world.lie.last(last_to(name)))
        feeds: Any = SimpleNamespace(path=lambda _name: "/feeds/x")
        tests: Any = SimpleNamespace(
            queue=Immediate(self.world), can_send=lambda _channel: False, reads=SimpleNamespace(overview=shown)
        )
        page = _drawn(PersonPage(frame, rosters, feeds, tests).show(self._visit(person=name)))
        self._try(check_person, page, name, counted, tuple(self._log))
        person = self.on_call.policy.person(name)
        channels = {each.name: each.type for each in self.on_call.policy.channels}
        messages = [
            (channels[each.channel], each)
            for known in self.world.mirror.messages.values()
            for each in known.values()
            if each.person == name
        ]
        self._try(check_failures, page, dict(person.contacts) if person else {}, messages)

    def _visit(self, **match: str) -> Visit:
        asked = SimpleNamespace(query={}, cookies={}, match_info=match)
        return cast("Visit", SimpleNamespace(now=self.world.now, request=asked, caller=LOCAL, form={}))

    def _try(self, check: Any, *about: Any) -> None:
        try:
            check(*about)
        except UntrueError as lie:
            raise Broken(str(lie)) from lie


def _drawn(page: Any) -> str:
    return str(asyncio.run(page).text)


class _Engine:
    """What the job asks of an engine; who comes on call is paged by the worlds' own windows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.current = world.version

    def context(self, *about: Any) -> Any:
        worker = next(each for each in self._world.workers if each.engine is not None)
        assert worker.engine is not None
        return worker.engine.context(*about)

    def page_on_call(self, _now: Instant) -> None:
        """Does nothing."""


class _Rosters(RosterReader):
    """Of a world; its lies included."""

    def __init__(self, world: World) -> None:
        reads = SqlStore(database()).reads()
        super().__init__(cast("Any", Immediate(world)), cast("Any", _Engine(world)), reads)
        self._lie = world.lie

    async def between(self, from_: int, until: int) -> tuple[Roster, ...]:
        return tuple(map(self._lie.roster, await super().between(from_, until)))


class _Senders:
    """Senders that bring every message to the desk."""

    def __init__(self, desk: DutyDesk) -> None:
        self._desk = desk

    def get(self, _type: str) -> Any:
        async def send(outgoing: Outgoing) -> Outcome:
            return self._desk.hear(outgoing)

        return SimpleNamespace(send=send)


class _Frame:
    """Draws a page without asking who looks."""

    def page(self, visit: Visit, template: str, **values: Any) -> Any:
        return draw(template, visit.now, **MORE, **values)
