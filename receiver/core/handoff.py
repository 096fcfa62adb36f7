"""Handoffs: who goes off call before anybody answered is relieved, and who is on call then is paged.

An open incident pages the new person at once; one that is acknowledged stays with its owner. What was planned for
somebody who is off call when the message would leave goes to who is on call by then.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.model import Fact, Notification, Reason, Status, Target
from receiver.core.paging import page_nobody, page_targets, say_nobody_on_call, step_channels
from receiver.core.personal_reach import targets_of
from receiver.core.plan import DecisionContext


def is_relieved(context: DecisionContext, notification: Notification) -> bool:
    """Whether a page waits for somebody for whom its reference does not stand any more."""
    name, target = notification.channel, Target(notification.channel, notification.recipient)
    stands = (*context.targets(name), *context.stand_ins(name, notification.via))
    return bool(notification.via) and target not in stands


def relieve(draft: Draft, notification: Notification) -> Notification:
    """A page that waits is dropped, and who is on call now is paged; returns the page, superseded.

    Whoever it was for counts as not told, unless they are on call otherwise: back on call, they are paged again.
    """
    page, person = draft.incident.page, notification.person
    left = tuple(
        each
        for each in page.targets
        if draft.context.person(each) != person or draft.context.reference(each, page.told)
    )
    draft.set(page=replace(page, targets=left))
    fresh = _fresh(draft)
    people = ", ".join(_names(draft, fresh))
    draft.enter(Fact.RELIEVED, channel=notification.channel, whom=person, by_whom=people)
    _turn_to(draft, fresh, () if draft.context.people(notification.via) else (notification.via,))
    return replace(notification, status=Status.SUPERSEDED, due_at=None, leased_by="", done_at=draft.now)


def hand_off(draft: Draft) -> None:
    """A shift or a gap has ended, or an override was made or cancelled: who is on call now, and was not told by the
    page under way, is paged if nobody has answered. Where nobody is on call any more, the fallback and the next step
    are told.
    """
    fresh = _fresh(draft)
    people = _names(draft, fresh)
    if people:
        draft.enter(Fact.HANDED_OFF, whom=", ".join(people))
    _turn_to(draft, fresh)


def _fresh(draft: Draft) -> list[Target]:
    """How those are told who are on call for the page under way and have not been told; none where nobody is to be."""
    incident, context = draft.incident, draft.context
    if not incident.wants_answer or incident.is_paused:
        return []
    told = frozenset(filter(None, map(context.person, incident.page.targets)))
    return [each for each in targets_of(draft, _channels(draft), told) if each not in incident.page.targets]


def _channels(draft: Draft) -> list[str]:
    """Those of the page under way, and those of the step that had nobody to tell before."""
    names = dict.fromkeys((*draft.incident.page.told, *step_channels(draft)))
    return [name for name in names if draft.context.usable(name)]


def _names(draft: Draft, targets: list[Target]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(draft.context.person, targets))))


def _turn_to(draft: Draft, fresh: list[Target], gone: tuple[str, ...] = ()) -> None:
    """Page these; where a reference stands for nobody by now, that is said once, and others are told.

    `gone`: one that stands for nobody, and that no channel may name any more.
    """
    if not draft.incident.wants_answer or draft.incident.is_paused:
        return
    page = draft.incident.page
    vacant = tuple(dict.fromkeys((*draft.context.vacant((*page.told, *step_channels(draft))), *gone)))
    draft.set(page=replace(page, told=tuple(dict.fromkeys((*page.told, *_channels(draft)))), vacant=vacant))
    page_targets(draft, Reason.HANDOFF, fresh)
    left = [each for each in vacant if each not in page.vacant]
    if not left:
        return
    say_nobody_on_call(draft, left)
    page_nobody(draft, vacant)
