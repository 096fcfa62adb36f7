"""Handoffs: who goes off call before anybody answered is relieved, and who is on call then is paged.

An open incident pages the new person at once; one that is acknowledged stays with its owner. What was planned for
somebody who is off call when the message would leave goes to who is on call by then.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.model import Fact, Notification, Reason, Status, Target
from receiver.core.paging import page_nobody, page_targets, step_channels
from receiver.core.personal_reach import targets_of
from receiver.core.plan import DecisionContext


def is_relieved(context: DecisionContext, notification: Notification) -> bool:
    """Whether a page waits for somebody for whom its reference does not stand any more, or at another address."""
    target = Target(notification.channel, notification.recipient)
    if not notification.via or target in context.targets(notification.channel):
        return False
    is_own_way = notification.via not in context.recipients(notification.channel)
    return not (is_own_way and target in context.stand_ins(notification.channel, notification.via))


def relieve(draft: Draft, notification: Notification) -> Notification:
    """A page that waits goes to who is on call now; returns the old one, superseded. What somebody's own `reach` had
    added goes to nobody else by that way: who is on call now is told as the step and their own `reach` have it.
    """
    context, name, told = draft.context, notification.channel, draft.incident.page.targets
    standing = context.stand_ins(name, notification.via)
    is_own_way = notification.via not in context.recipients(name)
    fresh = [each for each in standing if each not in told and not is_own_way]
    people = ", ".join(filter(None, map(context.person, fresh)))
    draft.enter(Fact.RELIEVED, channel=name, whom=notification.person, by_whom=people)
    if fresh:
        page_targets(draft, notification.reason, fresh, notification.data)
    elif not context.people(notification.via) and draft.incident.wants_answer and not draft.incident.is_paused:
        draft.enter(Fact.NOBODY_ON_CALL, whom=notification.via)
        page_nobody(draft, [notification.via])
    elif is_own_way:
        hand_off(draft)
    return replace(notification, status=Status.SUPERSEDED, due_at=None, leased_by="", done_at=draft.now)


def hand_off(draft: Draft) -> None:
    """A shift or a gap has ended, or an override was made or cancelled: who is on call now, and was not told by the
    page under way, is paged if nobody has answered. Where nobody is on call any more, the fallback is told.
    """
    incident, context = draft.incident, draft.context
    if not incident.wants_answer or incident.is_paused:
        return
    names = dict.fromkeys((*incident.page.told, *step_channels(draft)))
    channels = [name for name in names if context.usable(name)]
    told = frozenset(filter(None, map(context.person, incident.page.targets)))
    fresh = [each for each in targets_of(draft, channels, told) if each not in incident.page.targets]
    people = dict.fromkeys(filter(None, map(context.person, fresh)))
    if fresh:
        draft.enter(Fact.HANDED_OFF, whom=", ".join(people))
    page_targets(draft, Reason.HANDOFF, fresh)
    vacant = context.vacant(incident.page.told)
    if vacant:
        draft.enter(Fact.NOBODY_ON_CALL, whom=", ".join(vacant))
        page_nobody(draft, vacant)
