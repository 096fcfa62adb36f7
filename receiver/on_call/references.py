"""References: the people that `@schedule` and `@person` stand for."""

from collections.abc import Iterable

from receiver.on_call.shift import Roster, Shift
from rules.channel_types import CHANNEL_FACTS, as_shown, ends_of
from rules.policy import REFERENCE, Person, Policy


def people_of(reference: str, policy: Policy, rosters: Iterable[Roster], at: int) -> tuple[Person, ...]:
    """Returns the people that a recipient such as ``@primary`` stands for at an instant; empty: none."""
    name = reference.removeprefix(REFERENCE)
    if policy.schedule(name) is None:
        person = policy.person(name)
        return (person,) if person else ()
    on_call = (shift.person for roster in rosters if roster.name == name for shift in roster.at(at))
    found = (policy.person(each) for each in dict.fromkeys(on_call))
    return tuple(each for each in found if each is not None)


def contacts(person: Person, types: Iterable[str]) -> tuple[str, ...]:
    """Returns the person's addresses for these channel types, in that order."""
    return tuple(address for each in types if (address := person.contact(each)) is not None)


def owner_of(policy: Policy, address: str, types: Iterable[str]) -> str:
    """Returns the name of the person with that contact of these channel types; empty: none, or several."""
    wanted = tuple(types)
    found = [each.name for each in policy.people if address in contacts(each, wanted)]
    return found[0] if len(found) == 1 else ""


def whom(policy: Policy, channel: str, recipient: str) -> str:
    """Returns a channel's recipient for display: ``dana (+49…567)`` if it is a person's contact, else in its public
    form.
    """
    found = policy.channel(channel)
    type_ = found.type if found else ""
    owner = owner_of(policy, recipient, (type_,))
    if owner:
        return f"{owner} ({ends_of(recipient)})"
    is_contact = any(each.contact(type_) == recipient for each in policy.people)
    return ends_of(recipient) if is_contact else as_shown(recipient, CHANNEL_FACTS.get(type_))


def whose_name(policy: Policy, name: str) -> Person | None:
    """Returns the policy's person with that name or alias; None: none, or two."""
    wanted = name.casefold()
    found = [each for each in policy.people if wanted in {each.name.casefold(), *map(str.casefold, each.aliases)}]
    return found[0] if len(found) == 1 else None


def names_schedule(policy: Policy, recipient: str) -> bool:
    """Whether a recipient stands for the people on call of a schedule."""
    return recipient.startswith(REFERENCE) and policy.schedule(recipient.removeprefix(REFERENCE)) is not None


def shift_of(reference: str, person: str, rosters: Iterable[Roster], at: int) -> Shift | None:
    """Returns the shift by which a schedule's reference stands for that person at an instant; None:
    not a schedule's.
    """
    name = reference.removeprefix(REFERENCE)
    own = (shift for roster in rosters if roster.name == name for shift in roster.at(at))
    return next((each for each in own if each.person == person), None)
