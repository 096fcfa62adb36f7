"""Duties with deadlines: checklists that have a time limit, and reports to authorities.

Each task with a deadline has a Duty on the incident until it is done. The owner is reminded before the deadline and
told at it. An escalation time later, or at the deadline if the incident has no owner, the internal stakeholders are
told: of a checklist those of the incident's level, of a report all. Duties outlive the incident, except checklists
that concern only a live incident.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from receiver.core.checklists import done
from receiver.core.draft import Draft
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Target, Window
from receiver.core.obligations import reports
from receiver.core.paging import thread_targets
from receiver.core.plan import PolicyVersion
from receiver.core.response import Duty, Response
from rules.durations import as_spelled, in_words, stage_period
from rules.policy import EMERGENCY

LEFT = 4
"""A checklist's owner is reminded when a quarter (1 / LEFT) of its time is left."""


@dataclass(frozen=True, slots=True)
class UndoneTask:
    """A task with a deadline that is not done yet."""

    key: str
    """A checklist's key, or ``obligation/stage``."""
    what: str
    """In words."""
    began_at: Instant
    limit: int
    lead: int
    """How long before the deadline its owner is reminded; microseconds, like `limit`."""
    lasts: str
    """`limit` in words, as the policy spells it: ``72 hours``."""
    approver: str = ""
    """Who is reminded besides the owner: an e-mail address or a role."""

    @property
    def is_report(self) -> bool:
        """Whether it is a report to an authority. Names in a policy have no slash."""
        return "/" in self.key


def tasks(incident: Incident, policy_version: PolicyVersion) -> Iterator[UndoneTask]:
    """The incident's tasks with a deadline that are not done. `policy_version`: the one the incident runs under."""
    is_over = incident.exercise and not incident.is_live  # no report of an ended exercise is owed
    if incident.exercise and incident.state is State.CLOSED:
        return  # nor any checklist of a closed one
    for each in () if is_over else reports(incident, policy_version.policy):
        if not each.filings:
            stage = each.stage
            lasts = each.due_at - each.began_at
            said = stage_period(stage)
            yield UndoneTask(each.key, each.what, each.began_at, lasts, stage.remind_before, said, stage.approver)
    for checklist in policy_version.checklists(incident):
        limit = checklist.time_limit  # most have none, and this runs at every decision
        at = None if limit is None else incident.response.checklists.limit_began_at(checklist.key)
        if limit is None or at is None or incident.level < checklist.from_level:
            continue
        if not (checklist.outlives or incident.is_live):
            continue
        if any(done(incident, id_, text) is None for id_, text in checklist.numbered()):
            said = in_words(as_spelled(limit, policy_version.policy.spellings))
            yield UndoneTask(checklist.key, f'checklist "{checklist.title}"', at, limit, limit // LEFT, said)


def running(incident: Incident, policy_version: PolicyVersion) -> list[tuple[UndoneTask, Duty]]:
    """The running duties, ordered by deadline."""
    duties = incident.response.duties
    found = [(task, duties[task.key]) for task in tasks(incident, policy_version) if task.key in duties]
    return sorted(found, key=lambda each: each[1].due_at)


def keep_duties(draft: Draft) -> None:
    """Start the duties of open tasks, drop those of done tasks, and set the window to the next reminder.

    After the closing, no checklist gets a new duty, but a report may: that it is owed may be found out later.
    """
    _limit_from_now(draft)
    known = draft.incident.response.duties
    wanted = list(tasks(draft.incident, draft.context.policy_version))
    if draft.incident.state is State.CLOSED:
        wanted = [each for each in wanted if each.is_report or each.key in known]
    duties = {each.key: _keep(known.get(each.key), each) for each in wanted}
    if duties != known:
        draft.respond(duties=duties)
    following = [at for each in wanted for at in _moments(draft, each, duties[each.key])]
    if following:
        draft.arm(Window.DUTY, max(draft.now + 1, min(following)))
    else:
        draft.disarm(Window.DUTY)


def _limit_from_now(draft: Draft) -> None:
    """If the level rose in this decision, the limits that begin with that level count from now."""
    if not any(each.fact is Fact.LEVEL_ROSE or each.data.get("field") == "level" for each in draft.entered):
        return
    response = draft.incident.response
    undone = [each for each in tasks(draft.incident, draft.context.policy_version) if not each.is_report]
    new = [each.key for each in undone if each.key not in response.duties and each.began_at < draft.now]
    if new:
        limited_since = {**response.checklists.limited_since, **dict.fromkeys(new, draft.now)}
        draft.respond(checklists=replace(response.checklists, limited_since=limited_since))


def _keep(known: Duty | None, task: UndoneTask) -> Duty:
    """The known duty, or a new one if there is none or its start or limit has changed."""
    if known is not None and (known.began_at, known.limit) == (task.began_at, task.limit):
        return known
    return Duty(task.began_at, task.limit, Instant(task.began_at + task.limit))


def _moments(draft: Draft, task: UndoneTask, duty: Duty) -> Iterator[int]:
    """The times of its reminders."""
    if not duty.reminded:
        yield duty.due_at - task.lead
    if not duty.overdue:
        yield duty.due_at
    if not duty.raised:
        yield duty.due_at + draft.plan.escalation_time


def after_jump(response: Response, by: int) -> Response:
    """The response after a clock jump of `by` microseconds: checklists are put off, authorities' deadlines stay."""
    put_off = {
        key: replace(duty, began_at=Instant(duty.began_at + by), due_at=Instant(duty.due_at + by))
        for key, duty in response.duties.items()
        if "/" not in key
    }
    began = {key: duty.began_at for key, duty in put_off.items()}
    checklists = replace(response.checklists, limited_since={**response.checklists.limited_since, **began})
    return replace(response, duties={**response.duties, **put_off}, checklists=checklists)


def tell_due(draft: Draft, _at: int) -> None:
    """Send the reminders that are due; of several due for one duty, only the last."""
    for task, duty in running(draft.incident, draft.context.policy_version):
        late = draft.now - duty.due_at
        if late >= draft.plan.escalation_time and not duty.raised:
            _tell_overdue(draft, task, duty, raises=True)
        elif late >= 0 and not duty.overdue:
            _tell_overdue(draft, task, duty, raises=not draft.incident.holder)
        elif late >= -task.lead and not duty.reminded:
            _remind(draft, task, duty)


def _remind(draft: Draft, task: UndoneTask, duty: Duty) -> None:
    _mark(draft, task, replace(duty, reminded=True))
    whom = _whom(draft, task)
    draft.enter(Fact.REMINDED, whom=whom or "whoever was paged", what=task.what)
    draft.notify(Kind.REMINDER, Reason.DUE, _owners(draft, task) or _internal(draft, task), _words(task, duty, whom))


def _tell_overdue(draft: Draft, task: UndoneTask, duty: Duty, *, raises: bool) -> None:
    """Tell the owner if not told yet; with `raises`, or without an owner's target, the internal stakeholders."""
    owners = [] if duty.overdue else _owners(draft, task)
    raises = raises or not owners
    _mark(draft, task, replace(duty, reminded=True, overdue=True, raised=duty.raised or raises))
    if not duty.overdue:
        draft.enter(Fact.OVERDUE, what=task.what, limit=f"(limit {task.lasts})")
    told = [*owners, *(_internal(draft, task) if raises else ())]
    draft.notify(Kind.REMINDER, Reason.OVERDUE, dict.fromkeys(told), _words(task, duty, _whom(draft, task)))


def _internal(draft: Draft, task: UndoneTask) -> tuple[Target, ...]:
    """The internal stakeholders: of a report all groups, of a checklist those of the incident's level.

    Those told of a live incident are recorded, so that they get the all-clear.
    """
    targets = draft.context.internal_stakeholders(EMERGENCY if task.is_report else draft.incident.level, draft.incident)
    if draft.incident.is_live:
        draft.set(told=tuple(dict.fromkeys((*draft.incident.told, *targets))))
    return targets


def _mark(draft: Draft, task: UndoneTask, duty: Duty) -> None:
    draft.respond(duties={**draft.incident.response.duties, task.key: duty})


def _words(task: UndoneTask, duty: Duty, whom: str) -> dict[str, str]:
    return {"duty": task.key, "what": task.what, "due_at": str(duty.due_at), "whom": whom}


def _whom(draft: Draft, task: UndoneTask) -> str:
    """Who is to do it: the incident's owner and the approver. Empty: there is neither."""
    held_by = draft.incident.response.roles.get(task.approver, task.approver)
    return ", ".join(dict.fromkeys(filter(None, (draft.incident.holder, held_by))))


def _owners(draft: Draft, task: UndoneTask) -> list[Target]:
    """The threads, and the approver's own address."""
    mailbox = draft.context.mailbox(task.approver) if "@" in task.approver else None
    return list(dict.fromkeys((*thread_targets(draft), *([mailbox] if mailbox else []))))
