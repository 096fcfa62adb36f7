"""Undoing a mistaken answer: within two minutes, by its author, if nothing else happened since.

The state before the answer is restored; deadlines do not restart. Withdrawn pages are sent after all; recipients told
of the answer are told that it was undone. A channel that keeps a state per page is paged anew, because an acknowledged
page cannot be reopened there.
"""

from msgspec.structs import replace

from receiver.core.checklists import untick
from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Undo
from receiver.core.handoff import hand_off
from receiver.core.lifecycle import ACK_WINDOWS, PAGING_WINDOWS
from receiver.core.model import Fact, Incident, Instant, Reason, State, Target, Window
from receiver.core.paging import keeping_state, page_targets, tell_undone
from receiver.core.responder_history import remember
from receiver.core.response import Before, Deed
from rules.policy import MINUTE

UNDO_WITHIN = 2 * MINUTE
"""Microseconds from an answer during which it can be undone."""

ENDED = frozenset((*PAGING_WINDOWS, *ACK_WINDOWS))


def keep_way_back(draft: Draft, before: Incident, by: str) -> None:
    """Store what this answer ended. If no answer was due, there is nothing to undo."""
    if not before.wants_answer or draft.incident.response.owner == "":
        draft.respond(before=None)
        return
    done = draft.incident.response.checklists.done
    draft.respond(
        before=Before(
            by=by,
            at=draft.now,
            windows={window.value: at for window, at in before.windows.items() if window in ENDED},
            ticked=tuple(step for step in done if step not in before.response.checklists.done),
            asked_by=before.response.asked_by,
            acknowledged_by=before.acknowledged_by,
            acknowledged_at=before.acknowledged_at,
            ack_holds=before.ack_holds,
            owner=before.response.owner,
        )
    )


def undo(draft: Draft, action: Undo) -> None:
    """Undo the answer. Raises RefusedError."""
    before = _answered(draft.incident, action.by, draft.now)
    draft.enter(Fact.ACK_UNDONE, action.by, helps=before.owner)
    remember(draft, Deed.UNDONE, action.by)
    for step in before.ticked:
        untick(draft, step, action.by)
    _put_back(draft, before)
    _page(draft, action, before)


def can_undo(incident: Incident, by: str, now: Instant) -> bool:
    """Whether this person may undo their answer."""
    before = incident.response.before
    return (
        before is not None
        and before.by == by
        and now < before.at + UNDO_WITHIN
        and incident.state is State.ACKNOWLEDGED
        and not incident.response.asked_by
        and incident.holder == (before.owner or by)
        and incident.page.serial == incident.pages_acknowledged
    )


def _answered(incident: Incident, by: str, now: Instant) -> Before:
    before = incident.response.before
    if before is None or not can_undo(incident, by, now):
        raise RefusedError(
            "only whoever answered last can take that back, within two minutes and as long as nothing comes between; "
            "give the incident back instead, and it pages from the beginning"
        )
    return before


def _put_back(draft: Draft, before: Before) -> None:
    draft.disarm(*ENDED)
    for window, at in before.windows.items():
        draft.arm(Window(window), at)
    draft.set(
        state=State.ACKNOWLEDGED if before.owner else State.OPEN,
        acknowledged_by=before.acknowledged_by,
        acknowledged_at=before.acknowledged_at,
        ack_holds=before.ack_holds,
    )
    draft.respond(owner=before.owner, asked_by=before.asked_by, before=None)


def _page(draft: Draft, action: Undo, before: Before) -> None:
    """Send the withdrawn pages after all; channels that keep a state per page get a new page."""
    words = {"by": action.by, "helps": before.owner}
    tell_undone(draft, words)
    pagers = keeping_state(draft)
    under_way = draft.incident.page
    if pagers:
        draft.set(page=replace(under_way, serial=under_way.serial + 1))
        page_targets(draft, Reason.UNDONE, pagers, words)
    for each in action.withdrawn:
        target = Target(each.channel, each.recipient)
        is_by_the_answer = each.page == under_way.serial and (each.done_at or draft.now) >= before.at
        if is_by_the_answer and target not in pagers:
            page_targets(draft, each.reason, [target], each.data)
    hand_off(draft)  # a person who came on call since was not paged
