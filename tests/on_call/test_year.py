"""A simulated year of two schedules, one by layers and one by calendar: the right person is paged by the right way."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from receiver.core.events import RosterChanged
from receiver.core.fetched_calendars import begin, confirm, fail, take, tell
from receiver.core.model import Fact, Instant, Kind, Status
from receiver.core.plan import PolicyVersion
from receiver.on_call.calendar_copy import judge
from receiver.on_call.expand import shifts
from receiver.on_call.shift import Override
from rules.stored import digest
from tests.core.world import World
from tests.on_call.test_calendars import calendar, event
from tests.on_call.year import (
    DAY,
    EPOCH,
    HOUR,
    LORD_HOWE,
    MINUTE,
    POLICY,
    SECOND,
    WITHOUT_FINN,
    Expected,
    Truth,
    micros,
)
from tests.on_call.zones import changes

DESK = "desk"
RULES = {2: "slow", 3: "late", 4: "margin"}
FROM, UNTIL = micros(2026, 1, 1), micros(2027, 1, 1)
LOST, SHORT, WHOLE, LEFT = (FROM + day * DAY for day in (40, 61, 82, 181))
"""The calendar's URL is lost, is there again and covers less, covers all; finn leaves."""


def written(until=""):
    """The calendar: erin and finn take turns by the week, over every change of Lord Howe's half hour."""
    rule = f"RRULE:FREQ=WEEKLY;INTERVAL=2{until and f';UNTIL={until}'}"
    weeks = (("erin", "20251229", "20260105"), ("finn", "20260105", "20260112"))
    zone = f"TZID={LORD_HOWE}"
    return calendar(
        *(event(who, f"{zone}:{first}T090000", f"{zone}:{last}T090000", rule) for who, first, last in weeks)
    )


class Year:
    """What the receiver knows: policy, overrides and the calendar's copy; shifts are made once for some weeks."""

    def __init__(self):
        self.truth = Truth()
        self.versions = {id(each): PolicyVersion.of(each, digest(each)) for each in (POLICY, WITHOUT_FINN)}
        self.copy, self.alarms = written(), []
        self.fetches = confirm(begin(None, "u", Instant(FROM)))
        self._known = {}

    @property
    def version(self):
        return self.versions[id(self.truth.policy)]

    def rosters(self, at):
        """Shifts of about that time."""
        key = at // (16 * DAY), id(self.truth.policy), self.copy, tuple(self.truth.overrides)
        if key not in self._known:
            since = key[0] * 16 * DAY
            taken = [Override(*each, "ann") for each in self.truth.overrides if each[3] > since - DAY]
            known = shifts(self.truth.policy, {"secondary": self.copy}, taken, since - DAY, since + 25 * DAY)
            self._known = {key: known}
        return self._known[key]

    def fetch(self, at):
        """Once a day: whom it tells of the calendar; the event, or None."""
        begun, last = begin(self.fetches, "u", Instant(at)), self.fetches
        wanted = written("20260322T000000") if SHORT <= at < WHOLE else written()
        if LOST <= at < SHORT:
            self.fetches = fail(begun, "404")
        elif wanted == self.copy:
            self.fetches = confirm(begun)
        else:
            verdict = judge(self.truth.policy, POLICY.schedule("secondary"), self.copy, wanted, at)
            self.fetches, self.copy = take(begun, verdict, "", ""), wanted
            self.truth.ends = (
                datetime.fromisoformat("2026-03-23T09:00") if at < WHOLE else datetime.fromisoformat("2030-01-01")
            )
        return tell("secondary", last, self.fetches)


class Episode(World):
    """One incident of the year."""

    def __init__(self, year, at):
        self.year = year
        super().__init__(year.version, ("email", "sms", "phone", "pagerduty"))
        self.now = Instant(at)

    def use(self, version):
        self.current = version
        self.policy_versions[version.digest] = version

    def _rosters(self):
        return self.year.rosters(self.now)

    def go(self, at):
        """Until then."""
        self.advance(seconds=(at - self.now) / SECOND)

    def pages(self):
        """When, on which channel and to which address pages were planned."""
        found = (
            each for each in self.outbox.values() if each.kind is Kind.PAGE and each.status is not Status.UNDELIVERABLE
        )
        return {(each.created_at, each.channel, "desk" if each.recipient == DESK else each.recipient) for each in found}


def live(year, dice, at, opens=None):
    """One incident, from then on: held against what is expected of it. Returns what happened in it."""
    level = 3 if opens else dice.choice((2, 3, 4))
    until = at + dice.choice((3, 7, 13, 27)) * MINUTE + 17 * SECOND
    taken = at + dice.choice((41, 151, 401)) * SECOND if dice.random() < 0.5 else None
    back = taken and taken + dice.choice((2, 6)) * MINUTE + 7 * SECOND
    swap = None
    if dice.random() < 0.1:
        who = dice.choice(("dana", "ben", "erin"))
        swap = at + 77 * SECOND, (dice.choice(("primary", "secondary")), who, at, (at // MINUTE + 9) * MINUTE)
    one = Episode(year, at)
    one.down = {"email", "sms", "phone"} if dice.random() < 0.3 else set()
    up = at + 33 * SECOND if one.down else at
    if opens:
        one.decide(opens)
    else:
        one.fire("a", level=level, rule=f"incident_response/{RULES[level]}")
    for when, what in sorted(
        [(at + 33 * SECOND, "up"), (taken or until, "taken"), (swap[0] if swap else until, "swap"), (until, "end")]
    ):
        one.go(min(when, until))
        if when >= until:
            break
        if what == "up":
            one.down.clear()
            one.send(("email", "sms", "phone"))
        elif what == "taken":
            one.acknowledge("dana", hold=back - taken)
        else:
            year.truth.overrides.append(swap[1])
            one.decide(RosterChanged())
    if swap and swap[0] < until:
        year.truth.overrides.remove(swap[1])
    known = list(year.truth.overrides)
    expected = Expected(year.truth, level, at, until, up).live(at, taken, back, swap)
    year.truth.overrides[:] = known
    told = f"level {level} from {EPOCH + timedelta(microseconds=at)}, taken after {taken and (taken - at) / MINUTE}"
    assert one.pages() == expected.pages, f"{told}: {sorted(one.pages() ^ expected.pages)}"
    check_right(year.truth, one, swap)
    return Counter(each.fact for each in one.timeline)


def check_right(truth, one, swap):
    """Each reached person was on call at that very moment, by the reference that the message tells."""
    for each in one.delivered:
        if each.kind is Kind.PAGE and each.via and not swap:
            assert truth.who(each.via.removeprefix("@"), each.done_at) == each.person


def moments(truth, day, dice):
    """When incidents begin on a day: at random, just before and after who is on call changes, and as clocks change."""
    yield from (day + dice.randrange(DAY // SECOND) * SECOND for _ in range(2))
    half_hours = range(day, day + DAY, HOUR // 2)
    for schedule in ("primary", "secondary"):
        who = [truth.who(schedule, each) for each in half_hours]
        for at, before, now in zip(half_hours[1:], who, who[1:], strict=False):
            if before != now and dice.random() < 0.3:
                yield from (at + offset * SECOND for offset in dice.sample((-40, -20, -1, 1, 0), 2))


def test_the_right_person_is_paged_by_the_right_way_all_year():
    """At every step, handoff and wish, over six changes of clocks, with overrides, a person who leaves, and a calendar
    that is lost for weeks, comes back shorter and then whole.
    """
    dice, year, seen, alarms = Random(2026), Year(), Counter(), []
    clocks = {zone: changes(zone, 2026) for zone in ("America/Chicago", "Europe/Berlin", LORD_HOWE)}
    around = [
        micros(each.year, each.month, each.day, each.hour, each.minute) for some in clocks.values() for each in some
    ]
    year.truth.overrides.append(("primary", "finn", LEFT - HOUR, LEFT + 20 * HOUR))
    for day in range(FROM, UNTIL, DAY):
        if day == LEFT:
            year.truth.policy = WITHOUT_FINN
        event_ = year.fetch(day)
        if event_ is not None:
            alarms.append((day, {(each.labels["alertname"], each.firing) for each in event_.alerts}))
            if any(each.firing for each in event_.alerts):
                seen += live(year, dice, day, event_)
        if dice.random() < 0.2:
            starts = day + dice.randrange(1440) * MINUTE
            who = dice.choice(("dana", "ben", "chris", "erin", "finn"))
            year.truth.overrides.append(
                (dice.choice(("primary", "secondary")), who, starts, starts + dice.randrange(60, 3000) * MINUTE)
            )
        elif dice.random() < 0.1 and len(year.truth.overrides) > 1:
            year.truth.overrides.pop()
        shifted = [
            at + minutes * MINUTE + SECOND
            for at in around
            if day <= at < day + DAY
            for minutes in (-61, -31, -2, 0, 15, 29, 31, 59, 61)
        ]
        for at in sorted((*moments(year.truth, day, dice), *shifted)):
            seen += live(year, dice, at)
    assert len(around) >= 6
    assert alarms == [
        (LOST, {("CalendarIsOld", True)}),
        (SHORT, {("CalendarIsOld", False), ("CalendarCoversLess", True)}),
        (WHOLE, {("CalendarCoversLess", False)}),
    ]
    assert min(seen[each] for each in (Fact.HANDED_OFF, Fact.RELIEVED, Fact.NOBODY_ON_CALL, Fact.ACK_EXPIRED)) > 10
