"""Handoffs: when the on-call person changes before an incident is answered, the new one is paged.

An open incident pages the new person at once; an acknowledged one stays with its owner. A page planned for a person
who is off call when it would be sent goes to the person who is on call then.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.model import Fact, Notification, Reason, Status, Target
from receiver.core.paging import page_nobody, page_targets, say_nobody_on_call, step_channels
from receiver.core.personal_reach import targets_of
from receiver.core.plan import DecisionContext


def is_relieved(context: DecisionContext, notification: Notification) -> bool:
    """Whether a waiting page is for a target that its reference no longer stands for."""
    name, target = notification.channel, Target(notification.channel, notification.recipient)
    if not notification.via or target in context.stand_ins(name, notification.via):
        return False
    return target not in context.targets(name)


def relieve(draft: Draft, notification: Notification) -> Notification:
    """Drop a waiting page and page the person on call now; returns the page, superseded.

    Its recipient counts as not paged, unless on call by another reference: when on call again, they are paged again.
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
    """A shift or a gap has ended, or an override was made or cancelled: if the incident is unanswered, page those on
    call now whom the current page has not told. Where nobody is on call any more, page the fallback and the next step.
    """
    fresh = _fresh(draft)
    people = _names(draft, fresh)
    if people:
        draft.enter(Fact.HANDED_OFF, whom=", ".join(people))
    _turn_to(draft, fresh)


def _fresh(draft: Draft) -> list[Target]:
    """Targets of people on call for the current page who were not told; none if no answer is wanted."""
    incident, context = draft.incident, draft.context
    if not incident.wants_answer or incident.is_paused:
        return []
    told = frozenset(filter(None, map(context.person, incident.page.targets)))
    return [each for each in targets_of(draft, _channels(draft), told) if each not in incident.page.targets]


def _channels(draft: Draft) -> list[str]:
    """The usable channels of the current page and of its step, some of which may have had no recipient before."""
    names = dict.fromkeys((*draft.incident.page.told, *step_channels(draft)))
    return [name for name in names if draft.context.usable(name)]


def _names(draft: Draft, targets: list[Target]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(draft.context.person, targets))))


def _turn_to(draft: Draft, fresh: list[Target], gone: tuple[str, ...] = ()) -> None:
    """Page these targets; for a reference that has become vacant, record that once and page others instead.

    `gone`: vacant references that channels may no longer name.
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
