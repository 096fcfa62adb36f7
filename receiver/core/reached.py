"""Whether a page has reached a person: one rule for the rescue, the report and the age of an emergency.

At levels 3 and 4 only a channel type that wakes counts, with the proof that it names (`ChannelFacts.reached_when`). At
levels 1 and 2, and where no channel wakes, the provider's acceptance is enough. `Notification.reached_at` keeps it.
"""

from receiver.core.draft import Draft
from receiver.core.model import Kind, Notification, Status
from rules.channel_types import ChannelFacts
from rules.policy import CRITICAL


def has_reached(status: Status, facts: ChannelFacts | None, level: int, *, receipts: bool, can_wake: bool) -> bool:
    """Whether a page with that status reached a person.

    `facts`: of its channel's type; None: the channel is gone. `receipts`: whether providers can call back. `can_wake`:
    whether any channel of the policy wakes.
    """
    if status not in {Status.ACCEPTED, Status.DELIVERED}:
        return False
    if level < CRITICAL or not can_wake:
        return True
    if facts is None or not facts.wakes:
        return False
    if status is Status.DELIVERED:
        return True
    return facts.reached_when == "accepted" or (facts.reached_when == "delivered" and not receipts)


def reaches(draft: Draft, notification: Notification) -> bool:
    """Whether this notification is a page that has reached a person."""
    context = draft.context
    return notification.kind is Kind.PAGE and has_reached(
        notification.status,
        context.facts(notification.channel),
        draft.incident.level,
        receipts=context.receipts,
        can_wake=context.can_wake,
    )


def awaits_receipt(draft: Draft, notification: Notification) -> bool:
    """Whether a receipt may still prove that this accepted page has reached a person."""
    facts = draft.context.facts(notification.channel)
    is_unproved = notification.status is Status.ACCEPTED and notification.reached_at is None
    if notification.kind is not Kind.PAGE or not is_unproved:
        return False
    return draft.context.receipts and facts is not None and facts.wakes and facts.reached_when != "accepted"
