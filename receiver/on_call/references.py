"""References: whom `@schedule` and `@person` stand for."""

from collections.abc import Iterable

from receiver.on_call.shift import Roster, Shift
from rules.channel_types import CHANNEL_FACTS, as_shown, ends_of
from rules.policy import REFERENCE, Person, Policy


def people_of(reference: str, policy: Policy, rosters: Iterable[Roster], at: int) -> tuple[Person, ...]:
    """The people that a recipient such as ``@primary`` stands for at an instant; nobody: empty."""
    name = reference.removeprefix(REFERENCE)
    if policy.schedule(name) is None:
        person = policy.person(name)
        return (person,) if person else ()
    on_call = (shift.person for roster in rosters if roster.name == name for shift in roster.at(at))
    found = (policy.person(each) for each in dict.fromkeys(on_call))
    return tuple(each for each in found if each is not None)


def contacts(person: Person, types: Iterable[str]) -> tuple[str, ...]:
    """The person's addresses for these channel types, in that order."""
    return tuple(address for each in types if (address := person.contact(each)) is not None)


def owner_of(policy: Policy, address: str, types: Iterable[str]) -> str:
    """The name of the person whose contact of these channel types an address is; empty: nobody's, or that of several,
    of whom it could be any.
    """
    wanted = tuple(types)
    found = [each.name for each in policy.people if address in contacts(each, wanted)]
    return found[0] if len(found) == 1 else ""


def whom(policy: Policy, channel: str, recipient: str) -> str:
    """A recipient of a channel (by name) as people may read it: ``dana (+49…567)`` where it is somebody's contact, else
    as everybody may see it.
    """
    found = policy.channel(channel)
    type_ = found.type if found else ""
    owner = owner_of(policy, recipient, (type_,))
    if owner:
        return f"{owner} ({ends_of(recipient)})"
    is_contact = any(each.contact(type_) == recipient for each in policy.people)
    return ends_of(recipient) if is_contact else as_shown(recipient, CHANNEL_FACTS.get(type_))


def whose_name(policy: Policy, name: str) -> Person | None:
    """The policy's person of whom that is the name, or another name; None: it is nobody's, or two people's."""
    wanted = name.casefold()
    found = [each for each in policy.people if wanted in {each.name.casefold(), *map(str.casefold, each.aliases)}]
    return found[0] if len(found) == 1 else None


def names_schedule(policy: Policy, recipient: str) -> bool:
    """Whether a recipient stands for whoever is on call in a schedule."""
    return recipient.startswith(REFERENCE) and policy.schedule(recipient.removeprefix(REFERENCE)) is not None


def shift_of(reference: str, person: str, rosters: Iterable[Roster], at: int) -> Shift | None:
    """The shift by which a schedule's reference stands for that person at an instant; None: it is no schedule's."""
    name = reference.removeprefix(REFERENCE)
    own = (shift for roster in rosters if roster.name == name for shift in roster.at(at))
    return next((each for each in own if each.person == person), None)
