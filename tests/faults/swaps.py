"""People who swap shifts, in the worlds that have schedules: overrides come and go, and so do copies of the calendar."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from receiver.core.audit_log import Audit
from receiver.core.fetched_calendars import begin, confirm
from receiver.core.model import Instant
from receiver.on_call.override_log import OverrideChange
from receiver.store import SqlStore
from rules.policy import MINUTE
from tests.faults.duty_desk import DutyDesk
from tests.faults.on_call import GONE, NAMES, OnCall, events_of
from tests.faults.stores import database

if TYPE_CHECKING:
    from tests.faults.world import World


class Swaps:
    """What is done about who is on call."""

    def __init__(self, world: World, on_call: OnCall) -> None:
        self.world, self.on_call = world, on_call
        self.desk = DutyDesk(world, on_call)
        self._dice = Random(f"{world.seed}, who swaps")

    def plan(self, begins: int, lasts: int) -> None:
        """The calendar is there from the first; what follows comes at any time."""
        self._keep_copy()
        self.desk.plan(begins, lasts)
        for _ in range(self._dice.choice((0, 2, 5))):
            self.world.at(begins + self._dice.randrange(lasts), self._swap)
        if self._dice.random() < 0.3:
            self.world.at(begins + self._dice.randrange(lasts), self._fetch)

    def _swap(self) -> None:
        """A person takes a schedule for a while, or takes that back."""
        dice, now, up = self._dice, self.world.now, self.world.up()
        by = dice.choice(("ann", "ben"))
        change = OverrideChange(now, by, cancels=dice.choice(list(self.on_call.overrides) or [0]))
        if not self.on_call.overrides or dice.random() < 0.7:
            starts = now + dice.choice((-2, 0, 0, 3)) * MINUTE
            ends = now + dice.choice((1, 4, 15)) * MINUTE + dice.randrange(MINUTE)
            person = dice.choice((*NAMES, *NAMES, GONE))
            change = OverrideChange(now, by, "swap", dice.choice(("primary", "second")), person, starts, ends)
        if up:
            self.world.say(f"override: {change}")
            dice.choice(up).override(change, Audit(now, by, "cli", "", "override"))
            self.desk.soon()

    def _fetch(self) -> None:
        """The calendar changes, and the person on call by it is paged for the open incidents."""
        self.on_call.calendar = events_of(self._dice)
        self._keep_copy()
        self.world.say(f"the calendar is {self.on_call.calendar}")
        self.desk.soon()
        for worker in self.world.up()[:1]:
            worker.page_on_call()

    def _keep_copy(self) -> None:
        text, now = self.on_call.calendar_text(), Instant(self.world.now)
        fetched = confirm(begin(None, "url", now))
        SqlStore(database()).keep_calendar("second", fetched, text, sha256(text.encode()).hexdigest())
