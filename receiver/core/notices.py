"""What customers, partners and regulators are told: held until a person approves exactly that text.

From level 3, on the breach and on the acknowledgement, a notice is held for each external group; on the
resolution for those that were told before. It speaks of one state: when the incident leaves that, it is void.
The text is rendered where words are made, shown with its hash, and comes back with the approval.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.events import ApproveNotice, RejectNotice
from receiver.core.model import Fact, Incident, Kind, Reason, State, Status, Target
from receiver.core.response import Moment, Notice, Standing
from rules.policy import CRITICAL, Stakeholders

SETTLED = frozenset({Standing.HELD, Standing.SENT, Standing.REJECTED})
"""A notice of this moment exists, or a person has decided on it: no further one."""


def keep_notices(draft: Draft) -> None:
    """Void the notices that speak of another state by now, and hold those that are due in this one."""
    moment = _moment(draft.incident)
    for notice in draft.incident.response.notices:
        if notice.standing is Standing.HELD and notice.moment is not moment:
            _decide(draft, notice, Standing.VOID)
            draft.enter(Fact.NOTICE_VOID, notice=notice.id, group=notice.group)
    if moment is None:
        return
    for group in draft.book.current.policy.stakeholders:
        if group.external and _is_due(draft.incident, group, moment):
            _hold(draft, group, moment)


def _moment(incident: Incident) -> Moment | None:
    """What of the incident there is to tell the outside world, if it is bad enough."""
    if incident.recorded_only:
        return None
    if incident.state is State.RESOLVED:
        return Moment.RESOLVED
    if incident.level < CRITICAL:
        return None
    if incident.state is State.ACKNOWLEDGED:
        return Moment.ACKNOWLEDGED
    return Moment.BREACHED if incident.state is State.OPEN and incident.breached_at is not None else None


def _is_due(incident: Incident, group: Stakeholders, moment: Moment) -> bool:
    mine = [
        each for each in incident.response.notices if each.group == group.name and each.episode == incident.recurrences
    ]
    if any(each.moment is moment and each.standing in SETTLED for each in mine):
        return False
    return moment is not Moment.RESOLVED or any(each.standing is Standing.SENT for each in mine)


def _hold(draft: Draft, group: Stakeholders, moment: Moment) -> None:
    notices = draft.incident.response.notices
    notice = Notice(f"n{len(notices) + 1}", group.name, moment, draft.now, draft.incident.recurrences)
    draft.respond(notices=(*notices, notice))
    draft.enter(Fact.NOTICE_HELD, notice=notice.id, group=group.name, moment=moment)


def approve(draft: Draft, action: ApproveNotice) -> str:
    """Send a held notice as the approver read it. Returns why not; empty: it goes out."""
    notice = find(draft.incident, action.notice)
    group = next(
        (each for each in draft.book.current.policy.stakeholders if notice and each.name == notice.group), None
    )
    if refusal := _refuse(notice, action.notice):
        return refusal
    if notice is None or group is None:
        return f"the policy has no group {notice.group if notice else ''} any more"
    _decide(draft, notice, Standing.SENT, action.by, subject=action.subject, body=action.body)
    targets, by_hand, unusable = draft.book.reach(group)
    words = {"by": action.by, "group": group.name, "notice": notice.id}
    draft.enter(Fact.NOTICE_SENT, action.by, notice=notice.id, group=group.name, subject=action.subject)
    said = {**words, "subject": action.subject, "body": action.body}
    draft.notify(Kind.EXTERNAL, Reason.APPROVED, targets, said)
    for name in unusable:
        draft.notify(Kind.EXTERNAL, Reason.APPROVED, [Target(name, group.name)], said, Status.UNDELIVERABLE)
        draft.enter(Fact.UNDELIVERABLE, channel=name, why="disabled or not configured")
    _ask_for_calls(draft, [f"Call {recipient} ({group.name}): {action.subject}" for recipient in by_hand])
    return ""


def reject(draft: Draft, action: RejectNotice) -> str:
    """Nobody is told. Returns why not; empty: so it is."""
    notice = find(draft.incident, action.notice)
    if refusal := _refuse(notice, action.notice):
        return refusal
    if notice is not None:
        _decide(draft, notice, Standing.REJECTED, action.by)
        draft.enter(Fact.NOTICE_REJECTED, action.by, notice=notice.id, group=notice.group, note=action.note)
    return ""


def find(incident: Incident, id_: str) -> Notice | None:
    """The incident's notice of that id."""
    return next((each for each in incident.response.notices if each.id == id_), None)


def _refuse(notice: Notice | None, id_: str) -> str:
    if notice is None:
        return f"the incident has no notice {id_!r}"
    return "" if notice.standing is Standing.HELD else f"the notice {id_} is {notice.standing} already"


def _decide(
    draft: Draft, notice: Notice, standing: Standing, by: str = "", *, subject: str = "", body: str = ""
) -> None:
    decided = replace(notice, standing=standing, by=by, decided_at=draft.now, subject=subject, body=body)
    draft.respond(notices=tuple(decided if each.id == notice.id else each for each in draft.incident.response.notices))


def _ask_for_calls(draft: Draft, calls: list[str]) -> None:
    """Who has no number is called by hand: steps of the checklist `calls`."""
    if calls:
        known = draft.incident.response.checklists
        draft.respond(checklists=replace(known, calls=tuple(dict.fromkeys((*known.calls, *calls)))))
        draft.enter(Fact.CALLS_NEEDED, calls="; ".join(calls))
