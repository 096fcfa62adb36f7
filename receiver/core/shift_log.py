"""The shift log: who came on call and went off, when; and the messages to both about it.

`receiver.jobs.handoffs` compares every few seconds. Any difference from the last entry (a handoff, an override, a
calendar, another policy) is a new entry, stored with its messages in one transaction: a restart repeats none, and only
one of several replicas sends them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as roster_of

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.backoff import retry_delay, schedule_of
from receiver.core.events import Delivered, Outcome, Overtaken, Rejected, Retry
from receiver.core.model import Incident, Instant, Status, Target
from receiver.core.plan import DecisionContext
from receiver.on_call.override_log import KeptOverride, OverrideChange
from receiver.on_call.references import whose_name
from receiver.on_call.shift import Gap, Roster, Shift, clipped, gaps, merged, without
from receiver.on_call.standing import standing
from rules.policy import HOUR, SECOND, Person

LISTED = 20
"""The most incidents that one message lists; it counts the others."""

GIVE_UP_AFTER = 4 * HOUR
"""Microseconds after which a handoff message is out of date."""

LEASE = 45 * SECOND
"""Microseconds that a claimed message is reserved for its sender."""

ON, OFF, VOID = "on", "off", "void"
"""What a message says: its reader came on call, went off call, or made an override without effect."""


class LoggedShift(Struct, frozen=True):
    """A person on call from an entry on, and the source: ``layer 1``, ``override by ann``."""

    person: str
    source: str


class ShiftEntry(Struct, frozen=True):
    """Who is on call in a schedule from then on, or that an override is void. It never changes."""

    at: Instant
    schedule: str
    on_call: tuple[LoggedShift, ...] = ()
    override: int = 0
    """The number of the override that the entry is about; 0: it is about the schedule."""
    void: str = ""
    """Why that override puts no person on call; empty: it is valid again."""

    @property
    def key(self) -> str:
        """The subject of the entry; the last entry per key gives the current state."""
        return f"override {self.override}" if self.override else self.schedule

    @property
    def people(self) -> tuple[str, ...]:
        """Who is on call from then on."""
        return tuple(dict.fromkeys(each.person for each in self.on_call))


class OpenIncident(Struct, frozen=True):
    """An open incident, as listed in a handoff message."""

    number: int
    level: int
    title: str
    holder: str = ""
    """The owner; empty: none."""
    exercise: bool = False


class HandoffMessage(Struct, frozen=True):
    """One message about an entry of the log, and its delivery state."""

    id: str
    about: str
    """ON, OFF or VOID."""
    schedule: str
    at: Instant
    """When the entry begins."""
    person: str
    channel: str
    recipient: str
    created_at: Instant
    due_at: Instant | None
    """When to try (again); while it is being sent, when the lease ends; None when final."""
    others: tuple[str, ...] = ()
    """ON: who went off; OFF: who is on call now."""
    source: str = ""
    """ON: the shift's source; VOID: who made the override, if not the recipient."""
    until: Instant | None = None
    """ON: when the shift ends; None: after the end of the roster."""
    incidents: tuple[OpenIncident, ...] = ()
    more: int = 0
    """The number of further open incidents."""
    change: OverrideChange | None = None
    """VOID: the override."""
    why: str = ""
    """VOID: why it has no effect. OFF: why no shift follows, if the schedule was removed."""
    status: Status = Status.WAITING
    attempts: int = 0
    detail: str = ""
    reference: str = ""


class ShiftNotes(Struct, frozen=True):
    """The result of one comparison."""

    entries: tuple[ShiftEntry, ...] = ()
    messages: tuple[HandoffMessage, ...] = ()


class OpenIncidents(Struct, frozen=True):
    """The open incidents, the most urgent first, and the number of further ones."""

    listed: tuple[OpenIncident, ...] = ()
    more: int = 0


def as_it_was(roster: Roster, entries: Sequence[ShiftEntry], now: int) -> Roster:
    """The roster with its past taken from the log; before the log begins, from the current policy.

    `entries`: the schedule's, from the last one before the roster's beginning on, in order.
    """
    edges = _edges(roster)
    logged = [each for each in entries if each.at < now]
    if not logged or not edges:
        return roster
    ends = (*(each.at for each in logged[1:]), now)
    past = [
        Shift(entry.at, end, each.person, each.source)
        for entry, end in zip(logged, ends, strict=True)
        for each in entry.on_call
    ]
    worked_out = without(roster.shifts, [Gap(logged[0].at, now)])
    found = merged((*clipped(past, min(edges), max(edges)), *worked_out))
    return roster_of(roster, shifts=found, gaps=tuple(gaps(found, min(edges), max(edges))))


def listed(incidents: Sequence[Incident], total: int) -> OpenIncidents:
    """The incidents in the form that messages list. `total`: the number of all open ones."""
    shown = tuple(
        OpenIncident(each.number, each.level, each.title, each.holder, each.exercise) for each in incidents[:LISTED]
    )
    return OpenIncidents(shown, max(0, total - len(shown)))


def note_shifts(
    context: DecisionContext,
    last: Mapping[str, ShiftEntry],
    void: Iterable[tuple[KeptOverride, str]],
    incidents: OpenIncidents,
    looked_at: Instant | None,
) -> ShiftNotes:
    """Returns what changed since the last entries.

    `last`: the last entry per key. `void`: overrides that are not over, each with why it puts no person on call (empty:
    it does). `looked_at`: when the log was last up to date; None: not since the start.
    """
    entries: list[ShiftEntry] = []
    messages: list[HandoffMessage] = []
    for roster in context.rosters:
        entry = _entry(roster, context.at, last.get(roster.name), looked_at)
        if entry is not None:
            entries.append(entry)
            messages += _handed_over(context, roster, last.get(roster.name), entry, incidents)
    for before in _gone(context, last):
        entry = ShiftEntry(context.at, before.schedule)
        entries.append(entry)
        messages += _relieved(context, before, entry, incidents)
    for kept, why in void:
        before_it = last.get(f"override {kept.number}")
        if why != (before_it.void if before_it else ""):
            entries.append(ShiftEntry(context.at, kept.change.schedule, (), kept.number, why))
            messages += _voided(context, kept, why) if why else ()
    return ShiftNotes(tuple(entries), tuple(messages))


def _entry(roster: Roster, now: Instant, last: ShiftEntry | None, looked_at: Instant | None) -> ShiftEntry | None:
    """The schedule's new entry; None: unchanged."""
    on_call = tuple(dict.fromkeys(LoggedShift(each.person, each.source) for each in roster.at(now)))
    if last is not None and last.on_call == on_call:
        return None
    return ShiftEntry(_since(roster, now, last, looked_at), roster.name, on_call)


def _since(roster: Roster, now: Instant, last: ShiftEntry | None, looked_at: Instant | None) -> Instant:
    """When the handoff since the last comparison happened; without one, now, as the time is unknown."""
    earliest = looked_at if looked_at is not None else last.at if last else now
    return Instant(max((edge for edge in _edges(roster) if earliest < edge <= now), default=now))


def _edges(roster: Roster) -> list[int]:
    pieces: list[Shift | Gap] = [*roster.shifts, *roster.gaps]
    return [edge for each in pieces for edge in (each.starts, each.ends)]


def _gone(context: DecisionContext, last: Mapping[str, ShiftEntry]) -> Iterator[ShiftEntry]:
    """The last entries with people on call, of schedules that the policy no longer has."""
    known = {roster.name for roster in context.rosters}
    return (each for each in last.values() if not each.override and each.on_call and each.schedule not in known)


def _handed_over(
    context: DecisionContext, roster: Roster, last: ShiftEntry | None, entry: ShiftEntry, incidents: OpenIncidents
) -> Iterator[HandoffMessage]:
    """Messages to people who came on call or went off; none for the first entry, which changes nothing."""
    if last is None:
        return
    off = tuple(each for each in last.people if each not in entry.people)
    ends = {each.person: each for each in standing(roster, context.at).on_call}
    seen = max(_edges(roster), default=0)
    for each in entry.on_call:
        if each.person in last.people:
            continue
        shift = ends[each.person]
        until = Instant(shift.ends) if shift.ends < seen else None
        message = _message(context, ON, entry, each.person, incidents)
        if message is not None:
            yield replace(message, others=off, source=each.source, until=until)
    yield from _relieved(context, last, entry, incidents)


def _relieved(
    context: DecisionContext, last: ShiftEntry, entry: ShiftEntry, incidents: OpenIncidents
) -> Iterator[HandoffMessage]:
    schedule = context.current.policy.schedule(entry.schedule)
    why = "" if schedule else f"the policy has no schedule {entry.schedule} any more"
    for name in last.people:
        message = None if name in entry.people else _message(context, OFF, entry, name, incidents)
        if message is not None:
            yield replace(message, others=entry.people, why=why)


def _voided(context: DecisionContext, kept: KeptOverride, why: str) -> Iterator[HandoffMessage]:
    """Message to the override's author or, if unknown to the policy, to the people concerned."""
    maker = whose_name(context.current.policy, kept.change.by)
    entry = ShiftEntry(context.at, kept.change.schedule, (), kept.number, why)
    for name in (maker.name,) if maker else _concerned(context, kept.change):
        message = _message(context, VOID, entry, name, OpenIncidents())
        if message is not None:
            yield replace(message, change=kept.change, why=why, source="" if maker else kept.change.by)


def _concerned(context: DecisionContext, change: OverrideChange) -> tuple[str, ...]:
    """The person that the override was to put on call, else all with shifts in its schedule."""
    if context.current.policy.person(change.person):
        return (change.person,)
    turns = (each.person for roster in context.rosters if roster.name == change.schedule for each in roster.shifts)
    return tuple(dict.fromkeys(turns))


def _message(
    context: DecisionContext, about: str, entry: ShiftEntry, name: str, incidents: OpenIncidents
) -> HandoffMessage | None:
    """A message to a person, by their first handoff way of the schedule; None: they have none."""
    person = context.current.policy.person(name)
    target = _quiet_way(context, entry.schedule, person) if person else None
    if target is None:
        return None
    return HandoffMessage(
        id=f"{entry.key}/{entry.at}/{about}/{name}",
        about=about,
        schedule=entry.schedule,
        at=entry.at,
        person=name,
        channel=target.channel,
        recipient=target.recipient,
        created_at=context.at,
        due_at=context.at,
        incidents=incidents.listed,
        more=incidents.more,
    )


def _quiet_way(context: DecisionContext, schedule: str, person: Person) -> Target | None:
    ways = (context.way_to(person, type_) for type_ in context.current.policy.handoff_ways(schedule))
    return next((each for each in ways if each is not None), None)


def is_overtaken(message: HandoffMessage, last: ShiftEntry | None) -> bool:
    """Whether a waiting message is no longer true: its reader has gone off call again since, or has come on call again.

    `last`: the schedule's last entry.
    """
    is_on_call = last is not None and message.person in last.people
    return message.about != VOID and is_on_call is (message.about == OFF)


def settle_message(message: HandoffMessage, outcome: Outcome, context: DecisionContext, now: Instant) -> HandoffMessage:
    """The message after an attempt: final, or due again later."""
    tried = replace(message, attempts=message.attempts + 1)
    match outcome:
        case Delivered(reference):
            return replace(tried, status=Status.ACCEPTED, due_at=None, reference=reference, detail="")
        case Rejected(reason):
            return replace(tried, status=Status.GAVE_UP, due_at=None, detail=reason)
        case Retry(reason, after):
            schedule = schedule_of(context.facts(message.channel))
            due_at = Instant(now + retry_delay(schedule, message.id, tried.attempts, after))
            if due_at >= message.created_at + GIVE_UP_AFTER:
                return replace(tried, status=Status.GAVE_UP, due_at=None, detail=reason)
            return replace(tried, due_at=due_at, detail=reason)
        case Overtaken():
            return replace(message, status=Status.SUPERSEDED, due_at=None)
