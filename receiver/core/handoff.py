"""Handoffs: who goes off call before anybody answered is relieved, and who is on call then is paged.

An open incident pages the new person at once; one that is acknowledged stays with its owner. What was planned for
somebody who is off call when the message would leave goes to who is on call by then.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.instant import Instant
from receiver.core.model import Fact, Notification, Reason, Status, Target
from receiver.core.paging import page_targets, rescue
from receiver.core.plan import DecisionContext


def is_relieved(context: DecisionContext, notification: Notification) -> bool:
    """Whether a page waits for somebody for whom its reference does not stand any more."""
    target = Target(notification.channel, notification.recipient)
    return bool(notification.via) and target not in context.targets(notification.channel)


def relieve(draft: Draft, notification: Notification) -> Notification:
    """A page that waits goes to who is on call now; returns the old one, superseded."""
    context, name = draft.context, notification.channel
    # Whom another recipient of the channel stands for has a page of their own.
    told = context.targets(name, besides=notification.via)
    fresh = [each for each in context.stand_ins(name, notification.via) if each not in told]
    people = ", ".join(filter(None, map(context.person, fresh)))
    draft.enter(Fact.RELIEVED, channel=name, whom=notification.person, by_whom=people)
    if fresh:
        page_targets(draft, notification.reason, fresh, notification.data)
    elif notification.via in context.vacant([name]):
        draft.enter(Fact.NOBODY_ON_CALL, whom=notification.via)
        rescue(draft, failed=name)
    return replace(notification, status=Status.SUPERSEDED, due_at=None, leased_by="", done_at=draft.now)


def hand_off(draft: Draft, at: int) -> None:
    """A shift of those who were paged has ended: who has come on call since is paged, if nobody has answered."""
    incident = draft.incident
    if not incident.wants_answer or incident.is_paused:
        return
    channels, before = incident.page.told, Instant(at - 1)
    fresh = [
        target
        for name in channels
        if draft.context.usable(name)
        for target in draft.context.targets(name)
        if target not in draft.context.targets(name, before)
    ]
    people = dict.fromkeys(filter(None, map(draft.context.person, fresh)))
    vacant = draft.context.vacant(channels)
    if fresh:
        draft.enter(Fact.HANDED_OFF, whom=", ".join(people))
    page_targets(draft, Reason.HANDOFF, fresh)
    if vacant:
        draft.enter(Fact.NOBODY_ON_CALL, whom=", ".join(vacant))
        rescue(draft)
