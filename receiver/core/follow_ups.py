"""Follow-up actions: tasks that remain after the incident, with owner and due date.

They outlive the incident: an overdue one is told to the internal stakeholders once, even after the closing.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import AddFollowUp, FinishFollowUp
from receiver.core.model import Fact, Kind, Reason, Window
from receiver.core.response import FollowUp
from rules.policy import EMERGENCY

CHANGES_POLICY = "change the policy"
"""First words of a follow-up action that changes the policy; the console's button writes them."""

SHOWN = 12
"""Hexadecimal digits of a policy version that are shown."""


def record(draft: Draft, action: AddFollowUp | FinishFollowUp) -> None:
    """Carry out an action on follow-ups. Raises RefusedError."""
    match action:
        case AddFollowUp():
            add(draft, action)
        case FinishFollowUp():
            finish(draft, action)


def add(draft: Draft, action: AddFollowUp) -> None:
    """Add a follow-up action."""
    known = draft.incident.response.follow_ups
    under = draft.context.current.digest if action.text.lower().startswith(CHANGES_POLICY) else ""
    name = f"f{len(known) + 1}"
    added = FollowUp(
        name, action.text, action.owner, action.due_at, action.by, draft.now, link=action.link, under=under
    )
    draft.respond(follow_ups=(*known, added))
    draft.enter(
        Fact.FOLLOW_UP_ADDED, action.by, follow_up=added.id, text=added.text, owner=added.owner, link=added.link
    )


def finish(draft: Draft, action: FinishFollowUp) -> None:
    """Mark one as done; for one that changes the policy, note the resulting version. Raises RefusedError."""
    found = next((each for each in draft.incident.response.follow_ups if each.id == action.follow_up), None)
    if found is None:
        has = ", ".join(each.id for each in draft.incident.response.follow_ups) or "none"
        raise RefusedError(f"the incident has no follow-up action {action.follow_up!r}; it has {has}"[:1000])
    if found.done_at is None:
        current = draft.context.current.digest
        brought = current if found.under not in {"", current} else ""
        _replace(draft, replace(found, done_at=draft.now, done_by=action.by, brought=brought))
        draft.enter(
            Fact.FOLLOW_UP_DONE,
            action.by,
            follow_up=found.id,
            text=found.text,
            note=action.note,
            policy=brought[:SHOWN],
        )


def watch(draft: Draft) -> None:
    """Set the window to the earliest due date of those neither done nor reminded of."""
    due = min((each.due_at for each in _pending(draft) if each.due_at is not None), default=None)
    if due is None:
        draft.disarm(Window.FOLLOW_UP)
    elif draft.incident.windows.get(Window.FOLLOW_UP) != due:
        draft.arm(Window.FOLLOW_UP, due)


def remind(draft: Draft, _at: int) -> None:
    """Tell the internal stakeholders of overdue follow-up actions."""
    for each in _pending(draft):
        if each.due_at is not None and each.due_at <= draft.now:
            _replace(draft, replace(each, reminded=True))
            said = f"{each.text} ({each.owner or 'no owner'})"
            draft.enter(Fact.OVERDUE, what="follow-up action", note=said)
            # Every group is told, not only those of the incident's level: the task outlasts the incident.
            groups = draft.context.internal_stakeholders(EMERGENCY, draft.incident)
            draft.notify(Kind.REMINDER, Reason.OVERDUE, groups, {"what": "follow-up action", "text": f"{said}."})


def _pending(draft: Draft) -> list[FollowUp]:
    return [each for each in draft.incident.response.follow_ups if each.done_at is None and not each.reminded]


def _replace(draft: Draft, changed: FollowUp) -> None:
    known = draft.incident.response.follow_ups
    draft.respond(follow_ups=tuple(changed if each.id == changed.id else each for each in known))
