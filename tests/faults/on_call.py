"""Who is on call in a simulated world, by plain counting: turns, a calendar's events and overrides as they were made.

Nothing here asks `receiver.on_call`: it is what the engine's answers are held against.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from receiver.on_call.override_log import OverrideChange
from rules.policy import (
    HOUR,
    MINUTE,
    Channel,
    DutyHours,
    Layer,
    Micros,
    OnCallSchedule,
    Person,
    Policy,
    ReachStep,
    Rule,
)
from rules.rota import DAYS
from tests.core.alerts import START
from tests.core.truth.shifts import Counted
from tests.faults.policy import POLICY

NAMES = ("ada", "ben", "cleo", "dana")
GONE = "zoe"
"""A person whom an override names and the policy does not."""
ZONES = (("UTC", 0), ("Asia/Kathmandu", 345), ("Australia/Lord_Howe", 660))
"""With minutes ahead of UTC in October."""
DAY = 24 * HOUR
PAST, COMING = 40 * DAY, 100 * DAY
"""How far it is counted: farther than any page looks."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RULES = (
    Rule("s", "slo", "slo > 0", 3, ("email", "sms")),
    Rule("s", "budget", "budget > 0", 3, ("slack", "pagerduty", "sms")),
    Rule("s", "safety", "safety > 0", 4, ("slack", "sms", "phone")),
    Rule("s", "drift", "drift > 0", 2, ("email",)),
)
REACHES: tuple[tuple[ReachStep, ...], ...] = (
    (),
    (ReachStep(("sms",)), ReachStep(("phone",), Micros(MINUTE))),
    (ReachStep(("email",), Micros(MINUTE)), ReachStep(("phone", "sms"), Micros(3 * MINUTE), (2, 3, 4))),
    (ReachStep(("email", "phone")),),
)


@dataclass(frozen=True)
class Turns:
    """People who take turns from an instant on; `hours`: only so long after each handoff."""

    name: str
    people: tuple[str, ...]
    starts: int
    every: int
    hours: int = DAY

    def at(self, at: int) -> str:
        """Whose turn it is; empty: no person's."""
        number, since = divmod(at - self.starts, self.every)
        return self.people[number % len(self.people)] if number >= 0 and since < self.hours else ""

    def layer(self, zone: str, ahead: int) -> Layer:
        """As the policy has it."""
        begins = _wall(self.starts, ahead)
        ends = begins + timedelta(microseconds=self.hours)
        only = (DutyHours(DAYS, f"{begins:%H:%M}", f"{ends:%H:%M}"),) if self.hours < self.every else ()
        every = "1d" if self.every == DAY else f"{self.every // HOUR}h"
        return Layer(self.name, self.people, f"{begins:%Y-%m-%dT%H:%M}", every, zone, only)


@dataclass(frozen=True)
class Event:
    """A person's time on call by the calendar. `summary`: as it stands there."""

    starts: int
    ends: int
    summary: str

    @property
    def level(self) -> int:
        """As Grafana OnCall marks it: ``[L2]``; 0: it has none."""
        return 2 if self.summary.startswith("[L2]") else 0

    def written(self) -> str:
        """As iCalendar has it."""
        times = (f"{_EPOCH + timedelta(microseconds=at):%Y%m%dT%H%M%SZ}" for at in (self.starts, self.ends))
        begins, ends = times
        return (
            f"BEGIN:VEVENT\r\nUID:{self.starts}{self.summary}\r\nSUMMARY:{self.summary}\r\nDTSTART:{begins}\r\n"
            f"DTEND:{ends}\r\nEND:VEVENT\r\n"
        )


@dataclass
class OnCall:
    """What is known of who is on call, as it is committed."""

    policy: Policy
    layers: tuple[Turns, ...]
    calendar: tuple[Event, ...]
    overrides: dict[int, OverrideChange] = field(default_factory=dict)
    """Number → what was made and not cancelled."""

    def heed(self, number: int, change: OverrideChange) -> None:
        """An override was made or cancelled."""
        if change.cancels:
            self.overrides.pop(change.cancels, None)
        else:
            self.overrides[number] = change

    def at(self, at: int) -> Mapping[str, Mapping[str, str]]:
        """Reference → who is on call by it, each with where the schedule has them from."""
        layered = next(((who, each.name) for each in reversed(self.layers) if (who := each.at(at))), None)
        listed = dict.fromkeys(self._listed(at), "calendar")
        usual = {"primary": dict([layered]) if layered else {}, "second": listed}
        found = {f"@{name}": self._over(name, at, who) for name, who in usual.items()}
        return found | {f"@{name}": {name: ""} for name in NAMES}

    def _listed(self, at: int) -> list[str]:
        """Whom the calendar names: of those at once the highest level goes over the others."""
        meant = [(each.level, who) for each in self.calendar if each.starts <= at < each.ends for who in _meant(each)]
        return [who for level, who in meant if level == max(meant)[0]]

    def _over(self, schedule: str, at: int, usual: Mapping[str, str]) -> Mapping[str, str]:
        for change in reversed(self.overrides.values()):
            if change.schedule == schedule and change.starts <= at < change.ends:
                return {change.person: f"override by {change.by}"} if change.person in NAMES else {}
        return usual

    def counted(self, now: int) -> Counted:
        """All of that, as far as a quarter before and after."""
        first, last = now - PAST, now + COMING
        edges = {now, first, last}
        for each in self.layers:
            begins = range(each.starts + (first - each.starts) // each.every * each.every, last, each.every)
            edges |= {at for at in begins if at >= each.starts}
            edges |= {at + each.hours for at in begins if at >= each.starts and each.hours < each.every}
        for span in (*self.calendar, *self.overrides.values()):
            edges |= {span.starts, span.ends}
        known = sorted(at for at in edges if first <= at <= last)
        zone = self.policy.schedules[0].time_zone
        return Counted(self.at, known, now, dict(ZONES)[zone], self.overrides, NAMES)

    def calendar_text(self) -> str:
        """The calendar as a server has it."""
        events = "".join(each.written() for each in self.calendar)
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n"


def reachable(policy: Policy, channel: str, people: Iterable[str]) -> list[str]:
    """Who of these has a contact for that channel."""
    found = next(each for each in policy.channels if each.name == channel)
    return [each for each in people if (known := policy.person(each)) and known.contact(found.type)]


def _meant(event: Event) -> tuple[str, ...]:
    name = event.summary.removeprefix("[L2] ").lower()
    return (name,) if name in NAMES else ()


def _wall(at: int, ahead: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=at, minutes=ahead)).replace(tzinfo=None)


# What a world has.


def on_call_of(seed: int) -> OnCall:
    """People, two schedules and a policy that pages them."""
    dice = Random(f"{seed}, who is on call")
    minute = START // MINUTE * MINUTE
    base = Turns(
        "layer 1",
        tuple(dice.sample(NAMES, dice.choice((1, 2, 3)))),
        minute + dice.choice((1, 4, 9)) * MINUTE - dice.choice((0, 4, 4, 4)) * DAY,
        dice.choice((DAY, 12 * HOUR)),
    )
    some = Turns(
        "layer 2",
        tuple(dice.sample(NAMES, 2)),
        minute + dice.choice((0, 3, 6)) * MINUTE - 2 * DAY,
        DAY,
        dice.choice((2, 5, 12)) * MINUTE,
    )
    layers = (base, some) if dice.random() < 0.6 else (base,)
    zone, ahead = dice.choice(ZONES)
    schedules = (
        OnCallSchedule("primary", zone, tuple(each.layer(zone, ahead) for each in layers)),
        OnCallSchedule("second", zone, calendar="https://example.org/second.ics"),
    )
    return OnCall(_policy(dice, schedules), layers, events_of(dice))


def events_of(dice: Random) -> tuple[Event, ...]:
    """A calendar: shifts of some minutes one after the other, with gaps, overlaps and strangers, and one for the night."""
    at, found = START // 1_000_000 * 1_000_000 - HOUR, []
    for _ in range(dice.choice((2, 5, 8))):
        lasts = dice.choice((61, 63, 3, 5, 8)) * MINUTE + dice.randrange(60) * 1_000_000
        summary = dice.choice((*NAMES, *map(str.upper, NAMES), "[L2] ada", "somebody else"))
        found.append(Event(at, at + lasts, summary))
        at += max(lasts + dice.choice((0, 0, 0, -60, 90)) * 1_000_000, MINUTE)
    return (*found, Event(at, at + DAY, dice.choice(NAMES)))[: dice.choice((1, 9, 9, 9))]


def _policy(dice: Random, schedules: tuple[OnCallSchedule, ...]) -> Policy:
    def person(name: str, *contacts: tuple[str, str]) -> Person:
        repeat = dice.random() < 0.6
        return Person(name, contacts, reach=dice.choice(REACHES), repeat=repeat, aliases=(f"[L2] {name}",))

    people = (
        person("ada", ("email", "ada@x"), ("sms", "+11"), ("phone", "+21")),
        person("ben", ("sms", "+12"), ("phone", "+12")),
        person("cleo", ("email", "cleo@x")),
        person("dana", ("email", "dana@x"), ("sms", "+14")),
    )
    mail = ("on@call", "@primary") if dice.random() < 0.7 else ("@primary",)
    channels = (
        Channel("email", "email", recipients=mail),
        Channel("slack", "slack", recipients=("#inc",)),
        Channel("pagerduty", "pagerduty", recipients=("ml",)),
        Channel("sms", "sms", recipients=("@primary", "@second")),
        Channel("phone", "phone", recipients=("@second", "@ada", "+49") if dice.random() < 0.5 else ("@second",)),
    )
    return replace(POLICY, channels=channels, rules=RULES, people=people, schedules=schedules)
