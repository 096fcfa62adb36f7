"""Who is on call, as whom and by which shift a person was told, and how they want to be told."""

from receiver.core.model import Fact, Notification
from rules.channel_types import CHANNEL_FACTS
from tests.core.truth.record import Found, Record, statements


def is_on_call(record: Record, person: str, reference: str = "") -> bool:
    """Whether that person is on call now (by that reference; by a schedule, or because they are named themselves)."""
    if record.on_call is None:
        return True
    by = [reference] if reference else list(record.on_call)
    return any(person.lower() in map(str.lower, on_call_by(record, each)) for each in by)


def on_call_by(record: Record, reference: str) -> list[str]:
    """Who is on call now by that reference, however it is written."""
    known = record.on_call or {}
    return [who for each, people in known.items() if each.lower() == reference.lower() for who in people]


def is_vacant(record: Record, channel: str, recipient: str) -> bool:
    """Whether a recipient of a channel is a reference that resolves to no person who is reachable there now."""
    if not recipient.startswith("@") or record.on_call is None or record.policy is None:
        return recipient.startswith("@") and record.on_call is None
    policy, type_ = record.policy.policy, record.policy.channels[channel].type
    return not any(person and person.contact(type_) for person in map(policy.person, on_call_by(record, recipient)))


def told_on(record: Record, channel: str) -> set[tuple[str, str]]:
    """Channel and address of everybody whom a page on it goes to now."""
    if record.policy is None:
        return set()
    found = record.policy.channels[channel]
    named = {each for each in found.recipients if not each.startswith("@") or record.on_call is None}
    people = (who for each in found.recipients for who in on_call_by(record, each))
    known = (person.contact(found.type) for who in people if (person := record.policy.policy.person(who)))
    return {(channel, address) for address in (*named, *known) if address is not None}


def wishes(record: Record, page: Notification) -> bool:
    """Whether a later step of how that person wants to be told names such a channel, for that level."""
    person = record.policy.policy.person(page.person) if record.policy else None
    type_ = record.policy.channels[page.channel].type if record.policy else ""
    return person is not None and any(
        each.after
        and type_ in each.by
        and (page.level in each.levels if each.levels else page.level >= 3 or not CHANNEL_FACTS[type_].wakes)
        for each in person.reach
    )


def _now_on_call(record: Record, _found: Found) -> bool:
    """The timeline says that the recipient came on call, and they are, as it is claimed."""
    person = record.message.person if record.message else ""
    named = (
        each.data.get("whom" if each.fact is Fact.HANDED_OFF else "by_whom", "")
        for each in record.find(Fact.HANDED_OFF, Fact.RELIEVED)
    )
    return any(not person or (person in each.split(", ") and is_on_call(record, person)) for each in named)


def told_whom(record: Record, found: Found) -> bool:
    """Of a row of the report: such a message went then to each of those whom the policy names."""
    like = [
        each
        for each in record.notifications
        if each.kind == found["what"] and record.is_at(found["at"], each.created_at)
    ]
    people = {each.name.lower() for each in (record.policy.policy.people if record.policy else ())}
    return people & set(found["whom"].split(", ")) <= {each.person.lower() for each in like}


def _told_as(record: Record, found: Found) -> bool:
    """Of the console's list: whom such a message went to on that channel, and the reference that stood for them."""
    people = {each.name.lower() for each in (record.policy.policy.people if record.policy else ())}
    name, via = found["whom"].split()[0], found["whom"].rpartition(", ")[2]
    return name not in people or any(
        (each.channel.lower(), each.person.lower(), each.kind) == (found["on"], name, found["what"])
        and each.via.lower() == (via if via.startswith("@") else "")
        for each in record.notifications
    )


STATEMENTS = statements(
    "on call",
    {
        "you are on call now": _now_on_call,
        "^(?P<on>\\w+) to (?P<whom>[^:]+)(?=: (?P<what>\\w+) (?:waiting|accepted|delivered|overtaken|failed|undeliverable))": _told_as,
    },
)
