"""The shift log: who came on call and went off when, as it was; and the message of it to both.

`receiver.jobs.handoffs` looks every few seconds. What differs from the last line of the log is a new line, whatever
made it differ: a handoff, the begin or the end of an override, a calendar, another policy. The line and its messages
are stored together, once, so a restart tells nobody anything, and of several replicas one tells it.
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
"""Incidents that one message lists; of others it gives the number."""

GIVE_UP_AFTER = 4 * HOUR
"""A handoff is no news any more after that."""

LEASE = 45 * SECOND
"""How long a claimed message belongs to its sender."""

ON, OFF, VOID = "on", "off", "void"
"""What a message tells: somebody came on call, went off, or made an override that puts nobody on call."""


class LoggedShift(Struct, frozen=True):
    """Somebody who is on call from a line on, and by what: ``layer 1``, ``override by ann``."""

    person: str
    source: str


class ShiftEntry(Struct, frozen=True):
    """One line: who is on call in a schedule from then on, or that an override is void. It is never changed."""

    at: Instant
    schedule: str
    on_call: tuple[LoggedShift, ...] = ()
    override: int = 0
    """The number of the override that the line is about; 0: it is about the schedule."""
    void: str = ""
    """Why that override puts nobody on call; empty: it does again."""

    @property
    def key(self) -> str:
        """What the line is about: the last of each tells how it is now."""
        return f"override {self.override}" if self.override else self.schedule

    @property
    def people(self) -> tuple[str, ...]:
        """Who is on call from then on."""
        return tuple(dict.fromkeys(each.person for each in self.on_call))


class OpenIncident(Struct, frozen=True):
    """An open incident, as a handoff's message lists it."""

    number: int
    level: int
    title: str
    holder: str = ""
    """Who has it; empty: nobody."""
    exercise: bool = False


class HandoffMessage(Struct, frozen=True):
    """One message about a line of the log, and what became of it."""

    id: str
    about: str
    """ON, OFF or VOID."""
    schedule: str
    at: Instant
    """When the line begins."""
    person: str
    channel: str
    recipient: str
    created_at: Instant
    due_at: Instant | None
    """When to try (again); while it is being sent, when the lease ends; None when final."""
    others: tuple[str, ...] = ()
    """ON: who went off; OFF: who is on call now."""
    source: str = ""
    """ON: by what; VOID: who made the override, where that is not the reader."""
    until: Instant | None = None
    """ON: until when the shift lasts; None: longer than was looked ahead."""
    incidents: tuple[OpenIncident, ...] = ()
    more: int = 0
    """Further open incidents."""
    change: OverrideChange | None = None
    """VOID: the override."""
    why: str = ""
    """VOID: why it puts nobody on call. OFF: why not, where the schedule itself is gone."""
    status: Status = Status.WAITING
    attempts: int = 0
    detail: str = ""
    reference: str = ""


class ShiftNotes(Struct, frozen=True):
    """What a look has found."""

    entries: tuple[ShiftEntry, ...] = ()
    messages: tuple[HandoffMessage, ...] = ()


class OpenIncidents(Struct, frozen=True):
    """The open incidents, the most urgent first, and how many there are beyond them."""

    listed: tuple[OpenIncident, ...] = ()
    more: int = 0


def as_it_was(roster: Roster, entries: Sequence[ShiftEntry], now: int) -> Roster:
    """A schedule's roster whose past is as the log has it; before the log begins, as the policy in use would have it.

    `entries`: the schedule's lines from before the roster's beginning on, in order.
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
    """`total`: how many are open in all."""
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
    """What is new since the last lines (by their keys). `void`: overrides that are not over, each with why it puts
    nobody on call (empty: it does). `looked_at`: when the log was last found to be true; None: not since the start.
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
    """The schedule's new line; None: it is as the last one says."""
    on_call = tuple(dict.fromkeys(LoggedShift(each.person, each.source) for each in roster.at(now)))
    if last is not None and last.on_call == on_call:
        return None
    return ShiftEntry(_since(roster, now, last, looked_at), roster.name, on_call)


def _since(roster: Roster, now: Instant, last: ShiftEntry | None, looked_at: Instant | None) -> Instant:
    """The handoff, where there was one since the last look; else it became so just now, or nobody knows when."""
    earliest = looked_at if looked_at is not None else last.at if last else now
    return Instant(max((edge for edge in _edges(roster) if earliest < edge <= now), default=now))


def _edges(roster: Roster) -> list[int]:
    """When shifts and gaps begin and end."""
    pieces: list[Shift | Gap] = [*roster.shifts, *roster.gaps]
    return [edge for each in pieces for edge in (each.starts, each.ends)]


def _gone(context: DecisionContext, last: Mapping[str, ShiftEntry]) -> Iterator[ShiftEntry]:
    """The last lines of schedules that the policy has no more, where somebody is on call by them."""
    known = {roster.name for roster in context.rosters}
    return (each for each in last.values() if not each.override and each.on_call and each.schedule not in known)


def _handed_over(
    context: DecisionContext, roster: Roster, last: ShiftEntry | None, entry: ShiftEntry, incidents: OpenIncidents
) -> Iterator[HandoffMessage]:
    """To whoever came on call and whoever went off. The first line of all tells nobody: nothing has changed."""
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
    """To whoever made the override; where that is none of the people, to those who count on it."""
    maker = whose_name(context.current.policy, kept.change.by)
    entry = ShiftEntry(context.at, kept.change.schedule, (), kept.number, why)
    for name in (maker.name,) if maker else _concerned(context, kept.change):
        message = _message(context, VOID, entry, name, OpenIncidents())
        if message is not None:
            yield replace(message, change=kept.change, why=why, source="" if maker else kept.change.by)


def _concerned(context: DecisionContext, change: OverrideChange) -> tuple[str, ...]:
    """Whom a void override concerns: who was to be on call by it, else whoever has turns in its schedule."""
    if context.current.policy.person(change.person):
        return (change.person,)
    turns = (each.person for roster in context.rosters if roster.name == change.schedule for each in roster.shifts)
    return tuple(dict.fromkeys(turns))


def _message(
    context: DecisionContext, about: str, entry: ShiftEntry, name: str, incidents: OpenIncidents
) -> HandoffMessage | None:
    """To a person, by the first of the schedule's quiet ways that they have; None: they have none."""
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


def settle_message(message: HandoffMessage, outcome: Outcome, context: DecisionContext, now: Instant) -> HandoffMessage:
    """The message after a try: done, tried again later, or given up."""
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
            return replace(message, due_at=now)
