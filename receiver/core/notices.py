"""What customers, partners and regulators are told: held until a person approves exactly that text.

From the group's `from_level` on, on the breach and on the acknowledgement, a notice is held for each external group; on
the resolution for those that were told before. It speaks of one state: when the incident leaves that, it is void.
The text is rendered where words are made, shown with its hash, and comes back with an edit or the approval. What the
template proposed is kept beside what was approved.
"""

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import ApproveNotice, EditNotice, RejectNotice
from receiver.core.model import Fact, Incident, Kind, Reason, State, Status, Target
from receiver.core.notice_checks import faults
from receiver.core.response import Moment, Notice, Standing
from rules.policy import Stakeholders

SETTLED = frozenset({Standing.HELD, Standing.SENT, Standing.REJECTED})
"""A notice of this moment exists, or a person has decided on it: no further one."""


def keep_notices(draft: Draft) -> None:
    """Void the notices that speak of another state by now, and hold those that are due in this one."""
    moment = _moment(draft.incident)
    groups = {group.name: group for group in draft.context.current.policy.stakeholders if group.external}
    for notice in draft.incident.response.notices:
        if notice.standing is Standing.HELD and not _still_tells(draft.incident, notice, groups.get(notice.group)):
            _decide(draft, notice, Standing.VOID)
            draft.enter(Fact.NOTICE_VOID, notice=notice.id, group=notice.group)
    if moment is None:
        return
    for group in groups.values():
        if _is_due(draft.incident, group, moment):
            _hold(draft, group, moment)


def _still_tells(incident: Incident, notice: Notice, group: Stakeholders | None) -> bool:
    """Whether it speaks of the incident as it is; that its group is gone, the approval says."""
    is_too_mild = notice.moment is not Moment.RESOLVED and group is not None and incident.level < group.from_level
    return notice.moment is _moment(incident) and not is_too_mild


def _moment(incident: Incident) -> Moment | None:
    """What of the incident there is to tell the outside world."""
    if incident.recorded_only:
        return None
    if incident.state is State.RESOLVED:
        return Moment.RESOLVED
    if incident.state is State.ACKNOWLEDGED:
        return Moment.ACKNOWLEDGED
    return Moment.BREACHED if incident.state is State.OPEN and incident.breached_at is not None else None


def _is_due(incident: Incident, group: Stakeholders, moment: Moment) -> bool:
    mine = [
        each for each in incident.response.notices if each.group == group.name and each.episode == incident.recurrences
    ]
    if any(each.moment is moment and each.standing in SETTLED for each in mine):
        return False
    if moment is Moment.RESOLVED:
        return awaits_the_end(incident, group.name)
    return incident.level >= group.from_level


def awaits_the_end(incident: Incident, group: str) -> bool:
    """Whether the group was told of the trouble, in whichever occurrence, and of no end since."""
    sent = [each for each in incident.response.notices if each.group == group and each.standing is Standing.SENT]
    return bool(sent) and sent[-1].moment is not Moment.RESOLVED


def _hold(draft: Draft, group: Stakeholders, moment: Moment) -> None:
    notices = draft.incident.response.notices
    notice = Notice(f"n{len(notices) + 1}", group.name, moment, draft.now, draft.incident.recurrences)
    draft.respond(notices=(*notices, notice))
    draft.enter(Fact.NOTICE_HELD, notice=notice.id, group=group.name, moment=moment)


def edit(draft: Draft, action: EditNotice) -> None:
    """Write a held notice anew; what the template proposed is kept. Raises RefusedError."""
    notice = _held(draft.incident, action.notice)
    read = (action.read_subject, action.read_body)
    _require_read(notice, read)
    subject, body = (notice.proposed_subject, notice.proposed_body) if notice.edited_by else read
    _replace(
        draft,
        replace(
            notice,
            subject=action.subject,
            body=action.body,
            proposed_subject=subject,
            proposed_body=body,
            edited_by=action.by,
            edited_at=draft.now,
        ),
    )
    draft.enter(Fact.NOTICE_EDITED, action.by, notice=notice.id, group=notice.group)


def _require_read(notice: Notice, read: tuple[str, str]) -> None:
    """Raises RefusedError where somebody wrote another text meanwhile."""
    if notice.edited_by and read != (notice.subject, notice.body):
        raise RefusedError(f"{notice.edited_by} has edited the notice meanwhile: read it again")


def approve(draft: Draft, action: ApproveNotice) -> None:
    """Send a held notice as the approver read it. Raises RefusedError."""
    notice = _held(draft.incident, action.notice)
    group = next((each for each in draft.context.current.policy.stakeholders if each.name == notice.group), None)
    if group is None:
        raise RefusedError(f"the policy has no group {notice.group} any more")
    text = (action.subject, action.body)
    _require_read(notice, text)
    wrong = faults(*text, draft.incident, draft.now)
    if wrong:
        raise RefusedError("; ".join(wrong))
    if not notice.edited_by:
        notice = replace(notice, proposed_subject=action.subject, proposed_body=action.body)
    _decide(draft, notice, Standing.SENT, action.by, subject=action.subject, body=action.body)
    targets, by_hand, unusable = draft.context.reach(group)
    words = {"by": action.by, "group": group.name, "notice": notice.id}
    draft.enter(Fact.NOTICE_SENT, action.by, notice=notice.id, group=group.name, subject=action.subject)
    said = {**words, "subject": action.subject, "body": action.body}
    draft.notify(Kind.EXTERNAL, Reason.APPROVED, targets, said)
    for name, why in unusable:
        draft.notify(Kind.EXTERNAL, Reason.APPROVED, [Target(name, group.name)], said, Status.UNDELIVERABLE)
        draft.enter(Fact.UNDELIVERABLE, channel=name, why=why)
    _ask_for_calls(draft, [f"Call {recipient} ({group.name}): {action.subject}" for recipient in by_hand])


def reject(draft: Draft, action: RejectNotice) -> None:
    """Drop a held notice: nobody is sent it. Raises RefusedError."""
    notice = _held(draft.incident, action.notice)
    _decide(draft, notice, Standing.REJECTED, action.by)
    draft.enter(Fact.NOTICE_REJECTED, action.by, notice=notice.id, group=notice.group, note=action.note)


def find(incident: Incident, id_: str) -> Notice | None:
    """The incident's notice of that id."""
    return next((each for each in incident.response.notices if each.id == id_), None)


def _held(incident: Incident, id_: str) -> Notice:
    """The notice of that id, which waits for an approver. Raises RefusedError."""
    notice = find(incident, id_)
    if notice is None:
        raise RefusedError(f"the incident has no notice {id_!r}")
    if notice.standing is not Standing.HELD:
        raise RefusedError(f"the notice {id_} is {notice.standing} already")
    return notice


def _decide(
    draft: Draft, notice: Notice, standing: Standing, by: str = "", *, subject: str = "", body: str = ""
) -> None:
    _replace(draft, replace(notice, standing=standing, by=by, decided_at=draft.now, subject=subject, body=body))


def _replace(draft: Draft, notice: Notice) -> None:
    draft.respond(notices=tuple(notice if each.id == notice.id else each for each in draft.incident.response.notices))


def _ask_for_calls(draft: Draft, calls: list[str]) -> None:
    """Who has no number is called by hand: steps of the checklist `calls`."""
    if calls:
        known = draft.incident.response.checklists
        draft.respond(checklists=replace(known, calls=tuple(dict.fromkeys((*known.calls, *calls)))))
        draft.enter(Fact.CALLS_NEEDED, calls="; ".join(calls))
