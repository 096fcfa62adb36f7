"""Converts checklists, notices and follow-up actions to response models."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from receiver.core import checklists
from receiver.core.model import Incident
from receiver.core.plan import PolicyVersion
from receiver.core.procedures import Checklist
from receiver.core.response import Notice
from receiver.messages.notice_text import fingerprint
from receiver.messages.times import rfc3339
from receiver.web.api.response_shapes import (
    ChecklistsView,
    ChecklistView,
    FollowUpsView,
    FollowUpView,
    NoticeView,
    StepView,
)
from rules.policy import Stakeholders


def show_checklists(incident: Incident, policy_version: PolicyVersion) -> ChecklistsView:
    """All checklists of an incident. `policy_version`: the one that the incident runs under."""
    shown = [_show_checklist(incident, each) for each in checklists.attached(incident, policy_version)]
    following = (step for checklist in shown for step in checklist.steps if not step.done)
    return ChecklistsView(next_step=next(following, None), checklists=shown)


def show_every_checklist(incident: Incident, policy_version: PolicyVersion) -> Iterator[tuple[int, ChecklistView]]:
    """Yields (occurrence number, checklist) for every occurrence that the incident keeps."""
    for each in incident.response.occurrences:
        as_it_was = replace(incident, response=replace(incident.response, checklists=each.checklists))
        for checklist in show_checklists(as_it_was, policy_version).checklists:
            yield each.number, checklist
    for checklist in show_checklists(incident, policy_version).checklists:
        yield incident.recurrences + 1, checklist


def _show_checklist(incident: Incident, checklist: Checklist) -> ChecklistView:
    at = incident.response.checklists.attached.get(checklist.key)
    return ChecklistView(
        key=checklist.key,
        title=checklist.title,
        attached_at=None if at is None else rfc3339(at),
        steps=[_show_step(incident, id_, text) for id_, text in checklist.numbered()],
    )


def _show_step(incident: Incident, id_: str, text: str) -> StepView:
    done = checklists.done(incident, id_, text)
    return StepView(
        id=id_,
        text=text,
        done=done is not None,
        done_by=done.by if done else None,
        done_at=rfc3339(done.at) if done else None,
        note=done.note if done else "",
        link=done.link if done else "",
    )


def show_notice(
    notice: Notice,
    subject: str,
    body: str,
    group: Stakeholders | None,
    problems: Sequence[str] = (),
    choices: Sequence[str] = (),
) -> NoticeView:
    """A notice with its text."""
    return NoticeView(
        id=notice.id,
        group=notice.group,
        moment=notice.moment,
        standing=notice.standing,
        held_at=rfc3339(notice.held_at),
        subject=subject,
        text=body,
        proposed_subject=notice.proposed_subject or subject,
        proposed_text=notice.proposed_body or body,
        edited_by=notice.edited_by or None,
        edited_at=None if notice.edited_at is None else rfc3339(notice.edited_at),
        problems=list(problems),
        hash=fingerprint(subject, body),
        recipients=list(group.recipients) if group else [],
        channels=list(group.channels) if group else [],
        choices=list(choices),
        only_to=list(notice.recipients),
        due_at=None if notice.due_at is None else rfc3339(notice.due_at),
        why_void=notice.why,
        decided_by=notice.by or None,
        decided_at=None if notice.decided_at is None else rfc3339(notice.decided_at),
    )


def show_follow_ups(incident: Incident) -> FollowUpsView:
    """An incident's follow-up actions."""
    return FollowUpsView(
        follow_ups=[
            FollowUpView(
                id=each.id,
                text=each.text,
                owner=each.owner or None,
                due_at=None if each.due_at is None else rfc3339(each.due_at),
                link=each.link,
                added_by=each.by,
                added_at=rfc3339(each.at),
                done_at=None if each.done_at is None else rfc3339(each.done_at),
                done_by=each.done_by or None,
                policy=each.brought or None,
            )
            for each in incident.response.follow_ups
        ]
    )
