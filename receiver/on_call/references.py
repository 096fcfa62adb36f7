"""References: whom `@schedule` and `@person` stand for."""

from collections.abc import Iterable
from dataclasses import replace

from receiver.on_call.shift import Roster, Shift
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


def resolved(policy: Policy, rosters: Iterable[Roster], at: int) -> Policy:
    """The policy as it is for whoever is on call at an instant: addresses instead of references, for drills."""
    known = tuple(rosters)

    def addresses(recipients: Iterable[str], types: Iterable[str]) -> tuple[str, ...]:
        wanted = tuple(types)
        found: list[str] = []
        for each in recipients:
            people = people_of(each, policy, known, at) if each.startswith(REFERENCE) else None
            found += [each] if people is None else [mail for one in people for mail in contacts(one, wanted)]
        return tuple(dict.fromkeys(found))

    by_name = {channel.name: channel.type for channel in policy.channels}
    return replace(
        policy,
        channels=tuple(replace(each, recipients=addresses(each.recipients, (each.type,))) for each in policy.channels),
        stakeholders=tuple(
            replace(each, recipients=addresses(each.recipients, (by_name.get(name, name) for name in each.channels)))
            for each in policy.stakeholders
        ),
    )


def contacts(person: Person, types: Iterable[str]) -> tuple[str, ...]:
    """The person's addresses for these channel types, in that order."""
    return tuple(address for each in types if (address := person.contact(each)) is not None)


def names_schedule(policy: Policy, recipient: str) -> bool:
    """Whether a recipient stands for whoever is on call in a schedule."""
    return recipient.startswith(REFERENCE) and policy.schedule(recipient.removeprefix(REFERENCE)) is not None


def shift_of(reference: str, person: str, rosters: Iterable[Roster], at: int) -> Shift | None:
    """The shift by which a schedule's reference stands for that person at an instant; None: it is no schedule's."""
    name = reference.removeprefix(REFERENCE)
    own = (shift for roster in rosters if roster.name == name for shift in roster.at(at))
    return next((each for each in own if each.person == person), None)
