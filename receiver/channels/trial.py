"""One marked test message to each recipient of a channel: `tocsin test-channel`, and the console's button for it.

The message is not stored or retried: the caller gets the provider's answer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from receiver.channels import SEND_TIMEOUT, Outgoing, Sender, without_address
from receiver.core.events import Delivered, Outcome, Overtaken, Rejected, Retry
from receiver.core.model import Incident, Instant, Kind, Notification, Page, Reason, State
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.engine.commands import Delivery
from receiver.messages import MessageRenderer
from receiver.on_call.expand import shifts
from receiver.on_call.references import owner_of, people_of
from rules.policy import HOUR, INFORMATIONAL, REFERENCE, Channel, Policy

NOBODY = "nobody is on call who has a contact for this channel"

TITLE = "Test message: nothing is wrong, nobody has to act"


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of one recipient's test message."""

    recipient: str
    outcome: Outcome

    @property
    def delivered(self) -> bool:
        """Whether the provider accepted it."""
        return isinstance(self.outcome, Delivered)

    @property
    def words(self) -> str:
        """The result in words: ``accepted (…)``, or the reason."""
        match self.outcome:
            case Delivered(reference):
                return f"accepted ({reference})" if reference else "accepted"
            case Retry(reason, _):
                return f"not now: {reason}"
            case Rejected(reason):
                return f"refused: {reason}"
            case Overtaken():
                return "not sent"


async def try_channel(
    sender: Sender, policy: Policy, channel: Channel, renderer: MessageRenderer, now: Callable[[], Instant]
) -> list[Tried]:
    """Sends to every recipient at the same time; returns the results in the policy's order. A schedule stands for the
    people on call by the policy, without overrides.
    """
    recipients = await asyncio.to_thread(_addresses, policy, channel, now())
    outcomes = await asyncio.gather(*(_send(sender, policy, channel, each, renderer, now()) for each in recipients))
    tried = dict(zip(recipients, outcomes, strict=True))
    return [Tried(*each) for each in tried.items()] or [Tried(", ".join(channel.recipients), Rejected(NOBODY))]


def _addresses(policy: Policy, channel: Channel, at: Instant) -> list[str]:
    """Returns each recipient's address; references are replaced by the people they stand for now."""
    rosters = shifts(policy, {}, (), at - HOUR, at + HOUR) if policy.schedules else ()
    found: dict[str, None] = {}
    for recipient in channel.recipients:
        if not recipient.startswith(REFERENCE):
            found[recipient] = None
            continue
        people = people_of(recipient, policy, rosters, at)
        found.update((address, None) for each in people if (address := each.contact(channel.type)))
    return list(found)


async def _send(
    sender: Sender, policy: Policy, channel: Channel, recipient: str, renderer: MessageRenderer, now: Instant
) -> Outcome:
    """Sends a page, and if a page opens an alert at the provider, the resolve that closes it."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            outgoing = await asyncio.to_thread(_outgoing, policy, channel, recipient, renderer, now, Kind.PAGE)
            outcome = await sender.send(outgoing)
            if isinstance(outcome, Delivered) and channel.facts.keeps_state:
                return await sender.send(
                    await asyncio.to_thread(_outgoing, policy, channel, recipient, renderer, now, Kind.RESOLVED)
                )
            return without_address(outcome, outgoing.notification)
    except TimeoutError:
        return Retry(f"no answer within {SEND_TIMEOUT:.0f} s")


def _outgoing(
    policy: Policy, channel: Channel, recipient: str, renderer: MessageRenderer, now: Instant, kind: Kind
) -> Outgoing:
    policy_version = PolicyVersion.of(policy, "")
    incident = Incident(
        id=f"test{now:x}",
        key="test",
        policy="",
        level=INFORMATIONAL,
        type="test",
        title=TITLE,
        opened_at=now,
        response_due_at=now,
        exercise=True,
        declared=True,
        page=Page(1),
    )
    if kind is Kind.RESOLVED:
        incident = replace(incident, state=State.RESOLVED, resolved_at=now)
    notification = Notification(
        id=f"{incident.id}-1",
        incident_id=incident.id,
        sequence=1,
        kind=kind,
        reason=Reason.OPENED if kind is Kind.PAGE else Reason.ACTION,
        channel=channel.name,
        recipient=recipient,
        person=owner_of(policy, recipient, (channel.type,)),
        level=INFORMATIONAL,
        created_at=now,
        due_at=now,
        give_up_at=now,
        page=1,
    )
    delivery = Delivery(
        ((notification, incident),), "", DecisionContext(policy_version, policy_version, frozenset({channel.name}))
    )
    return Outgoing(
        notification=notification,
        incident=incident,
        channel=channel,
        message=renderer.render(delivery, now),
        thread="",
        key=f"test-{notification.id}",
        incident_ref="test-channel",
        pages=range(1, 2),
        name=notification.id,
    )
