"""A year of two schedules, and whom a page must go to in it: worked out minute by minute from what clocks show, and
from the rules for steps, handoffs and `reach` in their plainest words. Nothing here asks what it is held against.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

from rules.load import load_text
from tests.on_call.test_oracle import Slow
from tests.on_call.zones import offsets

SECOND, MINUTE = 1_000_000, 60_000_000
HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
NEVER = 1 << 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)
LORD_HOWE = "Australia/Lord_Howe"
FIRST = datetime.fromisoformat("2025-12-29T09:00")
"""Of the calendar's weeks, in its zone."""

NO_END = datetime.fromisoformat("2030-01-01")

TEXT = """\
incident_response:
  classification:
    severity_levels:
      - {level: 2, name: Warning, response_time: "1h", escalation_time: "30m"}
      - {level: 3, name: Critical, response_time: "20m", escalation_time: "8m"}
      - {level: 4, name: Emergency, response_time: "12m", escalation_time: "5m"}
  alert_channels:
    - {name: email, type: email, recipients: ["@primary"]}
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: phone, type: phone, recipients: ["@secondary"]}
    - {name: pagerduty, type: pagerduty, service: desk}
  detection:
    rules:
      - {name: slow, condition: "slow > 1", severity: 2, channels: [email]}
      - {name: late, condition: "late > 1", severity: 3, channels: [email, sms]}
      - {name: margin, condition: "margin < 1", severity: 4, channels: [sms, phone]}
fallback: [pagerduty]
people:
  - name: dana
    contacts: {email: dana@example.org, sms: "+4917010000001", phone: "+4917010000001"}
    reach: [{by: [sms, email]}, {by: [phone], after: 3m}]
  - {name: ben, contacts: {email: ben@example.org, sms: "+4917010000002", phone: "+4917010000002"}}
  - {name: chris, contacts: {email: chris@example.org, sms: "+4917010000003"}, repeat: false}
  - {name: erin, contacts: {email: erin@example.org, phone: "+4917010000004"}}
  - {name: finn, contacts: {sms: "+4917010000005", phone: "+4917010000005"}, reach: [{by: [phone]}, {by: [sms], after: 2m}]}
schedules:
  - name: primary
    time_zone: America/Chicago
    layers:
      - {people: [dana, ben, chris], starts: "2025-12-29T09:00", every: 1w}
      - people: [ben, dana]
        starts: "2025-12-29T09:00"
        every: 1d
        time_zone: Europe/Berlin
        only: [{days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}]
  - {name: secondary, time_zone: Australia/Lord_Howe, calendar: "https://example.org/secondary.ics"}
"""
POLICY = load_text(TEXT).policy
WITHOUT_FINN = load_text("\n".join(each for each in TEXT.split("\n") if "finn" not in each)).policy
"""He has left; the calendar and an override still name him."""

STEPS = {
    2: (["email"], ["email", "sms"], ["email", "sms", "phone"]),
    3: (["email", "sms"], ["email", "sms", "phone"], ["email", "sms", "phone"]),
    4: (["sms", "phone"], ["sms", "phone"], ["sms", "phone"]),
}
"""Level → channels of its steps."""
TIMES = {2: (30 * MINUTE, HOUR), 3: (8 * MINUTE, 20 * MINUTE), 4: (5 * MINUTE, 12 * MINUTE)}
"""Level → until the escalation, and the response time."""
BY = {"email": "primary", "sms": "primary", "phone": "secondary"}
WISHES = {"dana": (("sms", "email"), ("phone",), 3 * MINUTE), "finn": (("phone",), ("sms",), 2 * MINUTE)}
"""Person → ways at once, later, and after how long."""


def micros(*when):
    """Microseconds since 1970 of a time in UTC."""
    return (datetime(*when, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@cache
def _clock(zone):
    """When the zone's clocks change, how far they are ahead from then on, and what they showed just before."""
    known = offsets(zone, 2026)
    before = [datetime.fromisoformat("0001-01-01")]
    for (_, ahead), (change, _) in pairwise(known):
        before.append((change - timedelta(minutes=1) + ahead).replace(tzinfo=None))
    return [(each - EPOCH) // timedelta(microseconds=1) for each, _ in known], [ahead for _, ahead in known], before


def latest(zone, at):
    """The latest wall time that clocks of the zone have shown: what comes twice counts once."""
    changes, ahead, before = _clock(zone)
    place = bisect_right(changes, at) - 1
    shown = (EPOCH + timedelta(microseconds=at // MINUTE * MINUTE) + ahead[place]).replace(tzinfo=None)
    return max(shown, before[place])


@dataclass
class Truth:
    """Who is on call, as it is known at the moment: `policy`, overrides that are not cancelled, the calendar's end."""

    policy: object = POLICY
    overrides: list = field(default_factory=list)
    ends: datetime = NO_END
    """Of the calendar's copy, in its zone."""

    def who(self, schedule, at):
        """The person's name, or an empty one."""
        for name, person, starts, ends in reversed(self.overrides):
            if name == schedule and starts <= at < ends:
                return person if self.policy.person(person) else ""
        if schedule == "secondary":
            return self._listed(at)
        layers = ((SLOW[each.name], latest(each.time_zone, at)) for each in reversed(POLICY.schedule("primary").layers))
        return next((person for slow, shown in layers if (person := slow.person(shown))), "")

    def _listed(self, at):
        shown = latest(LORD_HOWE, at)
        person = ("erin", "finn")[(shown - FIRST) // WEEK % 2]
        return person if shown < self.ends and self.policy.person(person) else ""

    def contact(self, person, way):
        """The address, or None."""
        known = self.policy.person(person)
        return known.contact(way) if known else None


SLOW = {each.name: Slow(each) for each in POLICY.schedule("primary").layers}


class Expected:
    """One incident: who is to be told, when, and by which way; providers take everything."""

    def __init__(self, truth, level, begins, until, up=0):
        """`up`: until then nothing can be sent."""
        self.truth, self.level, self.until, self.up = truth, level, until, up
        self.pages = set()
        """(when, way, address)."""
        self.heard, self.spared = set(), False
        self._begin(begins)

    def _begin(self, at):
        self.pending, self.breached, self.rescues = {}, False, NEVER
        escalation, response = TIMES[self.level]
        self.escalates, self.breaches = at + escalation, at + response
        self._step(0, at)

    def live(self, begins, taken=None, given_back=None, swap=None):
        """Minute by minute; a person owns it from `taken` until `given_back`, and `swap` is (when, override)."""
        at, swaps = begins, dict([swap] if swap else [])
        while (at := min(self._next(at), taken or self.until, *swaps, self.until)) < self.until:
            if at in swaps:
                self.truth.overrides.append(swaps.pop(at))
                self._look(at)
            elif at == taken:
                if given_back is None or given_back >= self.until:
                    return self
                at, taken = given_back, None
                self.truth.overrides += [swaps.pop(each) for each in list(swaps) if each <= at]
                self._begin(at)
            elif at == self.rescues:
                self._fall_back(at)
            elif at in self.pending.values():
                self._reach(at)
            elif at == self.breaches:
                self.breached, self.escalates = True, at + TIMES[self.level][0]
                self._step(2, at)
            elif at == self.escalates:
                self.escalates += TIMES[self.level][0] if self.breached else NEVER
                self._step(min(self.step + 1, 2), at)
            else:
                self._look(at)
        return self

    def _next(self, at):
        minute = (at // MINUTE + 1) * MINUTE
        return min(
            each for each in (minute, self.escalates, self.breaches, self.rescues, *self.pending.values()) if each > at
        )

    def _on_call(self, at, names):
        """Person → the ways that channels of these names offer; and the schedules by which no person can be told."""
        found, vacant = {}, set()
        for way in names:
            person = self.truth.who(BY[way], at)
            if person and self.truth.contact(person, way):
                found.setdefault(person, []).append(way)
            else:
                vacant.add(BY[way])
                if person in WISHES:
                    found.setdefault(person, [])
        return found, vacant

    def _step(self, step, at, known=()):
        self.step, self.told, self.rescues, self.fell_back = step, set(), NEVER, False
        before = set(self.pages)
        found, self.vacant = self._on_call(at, STEPS[self.level][step])
        for person, ways in found.items():
            if not (person == "chris" and step == 1 and "chris" in self.heard and not self.breached):
                self._tell(person, ways, at)
        fresh = self.vacant - set(known)
        if (fresh or not any(found.values())) and step < 2:
            self._step(step + 1, at, {*known, *fresh})
        elif self.vacant or known:
            self._fall_back(at)
        elif self.level > 2 and {way for _, way, _ in self.pages - before} == {"phone"}:
            self.rescues = at + MINUTE  # it rings, and there is no answer

    def _tell(self, person, offered, at):
        """By all that is offered; else as the person wishes, and at levels 3 and 4 by all that wakes."""
        ways = dict.fromkeys(offered)
        if person in WISHES:
            first, later, after = WISHES[person]
            wanted = [each for each in first if self._may(each)]
            ways = dict.fromkeys(each for each in offered if each in wanted or (self.level > 2 and each != "email"))
            ways |= dict.fromkeys(wanted)
            if any(self._may(each) for each in later):
                self.pending.setdefault(person, at + after)
            if not ways:
                ways = dict.fromkeys(offered)
        for way in ways:
            self._add(at, way, person)
        self.told.add(person)
        if at > 0:
            self.heard.add(person)

    def _may(self, way):
        return way == "email" or self.level > 2

    def _add(self, at, way, person):
        address = self.truth.contact(person, way)
        if address:
            self.rescues = NEVER if way == "sms" else self.rescues
            self.pages.add((at, way, address))

    def _reach(self, at):
        for person in [each for each, due in self.pending.items() if due == at]:
            del self.pending[person]
            if person in self._on_call(at, STEPS[self.level][self.step])[0]:
                for way in WISHES[person][1]:
                    self._add(at, way, person)

    def _look(self, at):
        """The person on call may have changed. One who went off call before the first delivery has not been told."""
        found, vacant = self._on_call(at, STEPS[self.level][self.step])
        if at < self.up:
            self.told &= found.keys()
        for person, ways in found.items():
            if person not in self.told and not (
                person == "chris" and self.step == 1 and "chris" in self.heard and not self.breached
            ):
                self._tell(person, ways, at)
        fresh = vacant - self.vacant
        self.vacant = vacant
        if fresh and self.step < 2:
            self._step(self.step + 1, at, vacant)
        elif fresh:
            self._fall_back(at)

    def _fall_back(self, at):
        """The one fallback, which wakes: once by each page, and from level 3 on."""
        self.rescues = NEVER
        if self.level > 2 and not self.fell_back:
            self.fell_back = True
            self.pages.add((at, "pagerduty", "desk"))
