"""The policy's `reach` of people: ways by which a person is paged at once, and later ones until an answer.

At levels 3 and 4 it removes no channel that wakes and that the step names. The first page never waits: a person who
would get no message at once, or whose message failed, gets their next step at once.
"""

from collections.abc import Collection, Container, Iterable, Iterator

from receiver.core.draft import Draft
from receiver.core.model import Instant, Target, Window
from receiver.core.response import PendingReach
from rules.channel_types import CHANNEL_FACTS
from rules.policy import CRITICAL, Person, ReachStep


def targets_of(draft: Draft, channels: Iterable[str], besides: Collection[str] = ()) -> tuple[Target, ...]:
    """Returns the targets of a page now; stores people's later steps, with their window.

    `besides`: names of people to leave out.
    """
    found: dict[tuple[str, str], Target] = {}
    offered: dict[Person, list[str]] = {}
    for name in channels:
        for recipient in draft.context.recipients(name):
            on_call = draft.context.people(recipient)
            if on_call is None:
                _add(draft, found, Target(name, recipient))
            for person in on_call or ():
                if person.name not in besides and not _is_spared(draft, person):
                    _add(draft, found, *_on_channel(draft, person, name))
                    offered.setdefault(person, []).append(name)
    for person, names in offered.items():
        _add(draft, found, *_at_once(draft, person, names, found))
    return tuple(found.values())


def _add(draft: Draft, found: dict[tuple[str, str], Target], *targets: Target) -> None:
    """Add targets that are not reached in the same way already."""
    for each in targets:
        found.setdefault(way(draft, each), each)


def way(draft: Draft, target: Target) -> tuple[str, str]:
    """How a target is reached: (channel type, address); one number may serve calls and SMS."""
    channel = draft.context.channel(target.channel)
    return channel.type if channel else "", target.recipient


def forget(draft: Draft) -> None:
    """Paging restarts: drop the pending steps of the alarm before."""
    if draft.incident.response.reach:
        draft.respond(reach=())
    draft.disarm(Window.REACH)


def take_due(draft: Draft) -> tuple[Target, ...]:
    """Returns the targets of the steps that are due, and removes those steps."""
    due = [each for each in draft.incident.response.reach if each.due_at <= draft.now]
    _keep(draft, [each for each in draft.incident.response.reach if each not in due])
    found: dict[Target, None] = {}
    for each in due:
        person = draft.context.current.policy.person(each.person)
        if person is not None and each.step < len(person.reach) and _is_meant(draft, person):
            found.update(dict.fromkeys(_ways(draft, person, person.reach[each.step])))
    return tuple(found)


def hasten(draft: Draft, name: str) -> bool:
    """Make a person's next step due, as a message failed. Returns whether there is one."""
    own = [each for each in draft.incident.response.reach if each.person == name]
    if not own:
        return False
    first = min(own, key=lambda each: each.due_at)
    others = [each for each in draft.incident.response.reach if each != first]
    _keep(draft, [*others, PendingReach(first.person, first.step, draft.now)])
    return True


def _is_spared(draft: Draft, person: Person) -> bool:
    """Whether a person paged already is spared at the escalation, as `repeat` says; never from a call for help."""
    incident = draft.incident
    if person.repeat or incident.step != 1 or incident.breached_at is not None or incident.response.asked_by:
        return False
    heard = (each for each in incident.paged if (each.channel, each.recipient) not in incident.response.unheard)
    return any(way(draft, each) in person.contacts for each in heard)


def _on_channel(draft: Draft, person: Person, name: str) -> Iterator[Target]:
    """The person's address on a channel of the step, if it is used at once."""
    channel = draft.context.channel(name)
    wakes = channel is not None and channel.facts.wakes and draft.incident.level >= CRITICAL
    if (
        channel is None
        or not person.reach
        or wakes
        or any(_is_by(draft, step, channel.type) for step in _first(person))
    ):
        yield from _contact(draft, person, name)


def _contact(draft: Draft, person: Person, name: str) -> list[Target]:
    """The person's address on a channel; empty: none."""
    channel = draft.context.channel(name)
    address = person.contact(channel.type) if channel else None
    return [] if address is None else [Target(name, address)]


def _at_once(draft: Draft, person: Person, offered: Iterable[str], found: Container[tuple[str, str]]) -> list[Target]:
    """Further targets of a person's own steps that are due at once; stores the later steps.

    A person without any gets the first later step, or else every contact on the channels `offered`.
    """
    told = any(each in found for each in person.contacts)
    more = [target for step in _first(person) for target in _ways(draft, person, step)]
    later = [(index, step) for index, step in enumerate(person.reach) if step.after and _ways(draft, person, step)]
    if not (told or more) and later:
        (_, first), *later = sorted(later, key=lambda each: each[1].after)
        more = _ways(draft, person, first)
    elif not (told or more):
        more = [target for name in offered for target in _contact(draft, person, name)]
    known = {(each.person, each.step) for each in draft.incident.response.reach}
    fresh = [
        PendingReach(person.name, index, Instant(draft.now + step.after))
        for index, step in later
        if (person.name, index) not in known
    ]
    _keep(draft, [*draft.incident.response.reach, *fresh])
    return more


def _first(person: Person) -> list[ReachStep]:
    return [step for step in person.reach if not step.after]


def _is_by(draft: Draft, step: ReachStep, type_: str) -> bool:
    """Whether the step uses that type of channel, for an incident of this level."""
    level = draft.incident.level
    wanted = level in step.levels if step.levels else level >= CRITICAL or not CHANNEL_FACTS[type_].wakes
    return type_ in step.by and wanted


def _ways(draft: Draft, person: Person, step: ReachStep) -> list[Target]:
    """The person's addresses of a step, each on the first usable channel of its type."""
    wanted = (type_ for type_ in step.by if _is_by(draft, step, type_))
    return [target for type_ in wanted if (target := draft.context.way_to(person, type_)) is not None]


def _is_meant(draft: Draft, person: Person) -> bool:
    """Whether the current page still concerns the person: a shift may have ended."""
    return any(
        person in (draft.context.people(recipient) or ())
        for name in draft.incident.page.told
        for recipient in draft.context.recipients(name)
    )


def _keep(draft: Draft, pending: list[PendingReach]) -> None:
    if tuple(pending) != draft.incident.response.reach:
        draft.respond(reach=tuple(pending))
    if pending:
        draft.arm(Window.REACH, min(each.due_at for each in pending))
    else:
        draft.disarm(Window.REACH)
