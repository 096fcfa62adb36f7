"""How somebody wants to be told (`reach` in the policy's `people`): at once by some ways, by others later, unless
somebody answers before.

At levels 3 and 4 it takes away no channel that wakes and that the step names. Nobody is kept waiting for the first
page: where nothing is to be sent to a person at once, or what was sent failed, their next step is taken at once.
"""

from collections.abc import Collection, Container, Iterable, Iterator

from receiver.core.draft import Draft
from receiver.core.model import Instant, Target, Window
from receiver.core.response import PendingReach
from rules.channel_types import CHANNEL_FACTS
from rules.policy import CRITICAL, Person, ReachStep


def targets_of(draft: Draft, channels: Iterable[str], besides: Collection[str] = ()) -> tuple[Target, ...]:
    """Whom a page on these channels goes to now; what their people want later is noted, with its window.

    `besides`: people who are left out.
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
    """Nobody is told twice by one page in the same way, however many channels and references name them."""
    for each in targets:
        found.setdefault(way(draft, each), each)


def way(draft: Draft, target: Target) -> tuple[str, str]:
    """How a target is told: the type of the channel, and the address. A number may be that of calls and of SMS."""
    channel = draft.context.channel(target.channel)
    return channel.type if channel else "", target.recipient


def forget(draft: Draft) -> None:
    """Paging begins anew: what was to come of the alarm before comes no more."""
    if draft.incident.response.reach:
        draft.respond(reach=())
    draft.disarm(Window.REACH)


def take_due(draft: Draft) -> tuple[Target, ...]:
    """Whom the steps that are due are for; they are done with."""
    due = [each for each in draft.incident.response.reach if each.due_at <= draft.now]
    _keep(draft, [each for each in draft.incident.response.reach if each not in due])
    found: dict[Target, None] = {}
    for each in due:
        person = draft.context.current.policy.person(each.person)
        if person is not None and each.step < len(person.reach) and _is_meant(draft, person):
            found.update(dict.fromkeys(_ways(draft, person, person.reach[each.step])))
    return tuple(found)


def hasten(draft: Draft, name: str) -> bool:
    """What was sent to a person failed: their next step is due now. Returns whether there is one."""
    own = [each for each in draft.incident.response.reach if each.person == name]
    if not own:
        return False
    first = min(own, key=lambda each: each.due_at)
    others = [each for each in draft.incident.response.reach if each != first]
    _keep(draft, [*others, PendingReach(first.person, first.step, draft.now)])
    return True


def _is_spared(draft: Draft, person: Person) -> bool:
    """Whether a person who was told already is not told again: at the escalation (step 1) before the breach, if they
    want so. A call for help is no repetition.
    """
    incident = draft.incident
    if person.repeat or incident.step != 1 or incident.breached_at is not None or incident.response.asked_by:
        return False
    heard = (each for each in incident.paged if (each.channel, each.recipient) not in incident.response.unheard)
    return any(way(draft, each) in person.contacts for each in heard)


def _on_channel(draft: Draft, person: Person, name: str) -> Iterator[Target]:
    """The person's address on a channel that the step names, if it is to be used at once."""
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
    """The person's address on a channel, where they have one."""
    channel = draft.context.channel(name)
    address = person.contact(channel.type) if channel else None
    return [] if address is None else [Target(name, address)]


def _at_once(draft: Draft, person: Person, offered: Iterable[str], found: Container[tuple[str, str]]) -> list[Target]:
    """What else a person's own steps want at once; the later ones are noted. Where that leaves the person with nothing,
    the first of the later ones is taken at once, and where there is none, all that the channels `offered` have.
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
    """Whether the step is by that type of channel, for an incident of this level."""
    level = draft.incident.level
    wanted = level in step.levels if step.levels else level >= CRITICAL or not CHANNEL_FACTS[type_].wakes
    return type_ in step.by and wanted


def _ways(draft: Draft, person: Person, step: ReachStep) -> list[Target]:
    """The person's addresses of a step, each on the first usable channel of its type."""
    wanted = (type_ for type_ in step.by if _is_by(draft, step, type_))
    return [target for type_ in wanted if (target := draft.context.way_to(person, type_)) is not None]


def _is_meant(draft: Draft, person: Person) -> bool:
    """Whether the page under way is for the person still: a shift may have ended."""
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
