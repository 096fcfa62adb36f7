"""Notices to customers, partners and regulators: held until a person approves exactly that text.

From the group's `from_level` on, the breach and the acknowledgement each hold a notice for each external group. A group
that was told of the incident also gets updates and the end, at any level and in any episode. A notice describes one
state: when the incident leaves it, the notice is void. Approvers and the owner are told of each waiting notice, again
after half of its time, and why one is void. The template's proposal is stored beside the approved text.

In an exercise the approvers get the approved text, marked; no external recipient does.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import ApproveNotice, EditNotice, RejectNotice
from receiver.core.model import Fact, Incident, Instant, Kind, Reason, State, Status, Target, Window
from receiver.core.notice_checks import faults, promises
from receiver.core.outside import EXERCISE
from receiver.core.paging import thread_targets
from receiver.core.response import Moment, Notice, Standing
from rules.policy import Stakeholders

SETTLED = frozenset({Standing.HELD, Standing.SENT, Standing.REJECTED})
"""A notice of this moment exists or was decided on: no further one is held."""

REPLACED = "the next update takes its place"
SAID_ELSEWHERE = "another notice tells how it stands"

PRACTISED = "to whoever approves it, as this is an exercise"
"""Recipients of the approved text in an exercise."""


def keep_notices(draft: Draft) -> None:
    """Void the notices of an earlier state, hold those due in this one, and announce both."""
    groups = _external(draft)
    if not (groups or draft.incident.response.notices):
        return
    for notice in _held_of(draft.incident):
        why = _why_void(draft.incident, notice, groups.get(notice.group))
        if why:
            _void(draft, notice, why)
    _renew_promises(draft)
    moment = _moment(draft.incident)
    for group in groups.values():
        if moment is not None and _is_due(draft.incident, group, moment):
            _hold(draft, group, moment)
    _announce(draft)
    _watch(draft)


def _renew_promises(draft: Draft) -> None:
    """Renew a past promise of the next update in unedited notices; an edited one cannot be approved then."""
    following = draft.incident.windows.get(Window.UPDATE)
    for notice in _held_of(draft.incident):
        is_past = notice.next_at is not None and notice.next_at <= draft.now
        if is_past and following is not None and following > draft.now and not notice.edited_by:
            _replace(draft, replace(notice, next_at=following))


def _external(draft: Draft) -> dict[str, Stakeholders]:
    return {group.name: group for group in draft.context.groups_of(draft.incident) if group.external}


def _held_of(incident: Incident) -> list[Notice]:
    return [each for each in incident.response.notices if each.standing is Standing.HELD]


def _why_void(incident: Incident, notice: Notice, group: Stakeholders | None) -> str:
    """Returns why the notice does not describe the incident's state; empty: it does. The approval checks its group."""
    moment = _moment(incident)
    if moment is Moment.RESOLVED:
        return "" if notice.moment is Moment.RESOLVED else "the incident was resolved before anybody approved it"
    if notice.moment is Moment.RESOLVED:
        return "the incident is open again"
    if group and incident.level < group.from_level and not _sent(incident, group.name):
        return f"the level is {incident.level} now, and the group hears of {group.from_level} and worse"
    if notice.moment is Moment.UPDATED or notice.moment is moment:
        return ""
    return "nobody has the incident any more" if moment is None else f"the incident is {incident.state} by now"


def _void(draft: Draft, notice: Notice, why: str) -> None:
    _replace(draft, replace(notice, standing=Standing.VOID, decided_at=draft.now, subject="", body="", why=why))
    draft.enter(Fact.NOTICE_VOID, notice=notice.id, group=notice.group, why=why)


def _moment(incident: Incident) -> Moment | None:
    """The state of the incident that external groups may be told; None: none."""
    if incident.recorded_only:
        return None
    if not incident.is_live:
        return Moment.RESOLVED
    if incident.state is State.ACKNOWLEDGED:
        return Moment.ACKNOWLEDGED
    return Moment.BREACHED if incident.breached_at is not None else None


def _is_due(incident: Incident, group: Stakeholders, moment: Moment) -> bool:
    mine = [
        each for each in incident.response.notices if each.group == group.name and each.episode == incident.recurrences
    ]
    if any(each.moment is moment and each.standing in SETTLED for each in mine):
        return False
    if moment is Moment.RESOLVED:
        return awaits_the_end(incident, group.name)
    return incident.level >= group.from_level or bool(_sent(incident, group.name))


def awaits_the_end(incident: Incident, group: str) -> bool:
    """Whether the group was told of the incident, in any episode, but not of its end."""
    sent = _sent(incident, group)
    return bool(sent) and sent[-1].moment is not Moment.RESOLVED


def _sent(incident: Incident, group: str) -> list[Notice]:
    sent = [each for each in incident.response.notices if each.group == group and each.standing is Standing.SENT]
    return sorted(sent, key=lambda each: each.decided_at or 0)


def hold_updates(draft: Draft, due_at: Instant, next_at: Instant) -> None:
    """Hold a status update for each group that was told. `next_at`: the promised time of the one after it.

    It replaces a waiting update. A waiting notice of another kind describes the state already.
    """
    for group in _external(draft).values():
        waiting = [each for each in _held_of(draft.incident) if each.group == group.name]
        is_next = awaits_the_end(draft.incident, group.name) and all(each.moment is Moment.UPDATED for each in waiting)
        for each in waiting:
            if each.moment is Moment.UPDATED:
                _void(draft, each, REPLACED if is_next else SAID_ELSEWHERE)
            elif not each.edited_by:
                _replace(draft, replace(each, next_at=next_at))
        if is_next:
            _hold(draft, group, Moment.UPDATED, due_at, next_at)


def _hold(
    draft: Draft, group: Stakeholders, moment: Moment, due_at: Instant | None = None, next_at: Instant | None = None
) -> None:
    incident, notices = draft.incident, draft.incident.response.notices
    notice = Notice(
        id=f"n{len(notices) + 1}",
        group=group.name,
        moment=moment,
        held_at=draft.now,
        episode=incident.recurrences,
        due_at=due_at,
        next_at=None if moment is Moment.RESOLVED else next_at or incident.windows.get(Window.UPDATE),
        recipients=() if moment not in {Moment.UPDATED, Moment.RESOLVED} else _told(incident, group.name),
    )
    draft.respond(notices=(*notices, notice))
    draft.enter(Fact.NOTICE_HELD, notice=notice.id, group=group.name, moment=moment)


def _told(incident: Incident, group: str) -> tuple[str, ...]:
    """The group's recipients who were told of the incident; empty: all."""
    sent = _sent(incident, group)
    if any(not each.recipients for each in sent):
        return ()
    return tuple(dict.fromkeys(recipient for each in sent for recipient in each.recipients))


def _announce(draft: Draft) -> None:
    """Tell approvers and the owner which notices wait since this decision, and which are void."""
    fresh = [entry.data["notice"] for entry in draft.entered if entry.fact is Fact.NOTICE_HELD]
    waits = [each for each in _held_of(draft.incident) if each.id in fresh or each.due_at is None]
    for each in waits:
        _replace(draft, replace(each, due_at=each.due_at or Instant(draft.now + draft.plan.update_interval)))
    void = [entry.data["notice"] for entry in draft.entered if entry.fact is Fact.NOTICE_VOID]
    _tell(draft, Reason.WAITS if waits else Reason.VOIDED, [each.id for each in waits], void)


def remind_of_notices(draft: Draft) -> None:
    """Tell approvers and the owner again of notices that still wait after half of their time."""
    due = [each for each in _held_of(draft.incident) if not each.reminded and (_half(each) or draft.now) <= draft.now]
    for each in due:
        _replace(draft, replace(each, reminded=True))
    _tell(draft, Reason.STILL_WAITS, [each.id for each in due], [])


def _half(notice: Notice) -> Instant | None:
    return None if notice.due_at is None else Instant((notice.held_at + notice.due_at) // 2)


def _watch(draft: Draft) -> None:
    """Set the window to the first notice whose approvers must be reminded."""
    halves = [half for each in _held_of(draft.incident) if not each.reminded and (half := _half(each)) is not None]
    if not halves:
        draft.disarm(Window.NOTICE)
    elif draft.incident.windows.get(Window.NOTICE) != min(halves):
        draft.arm(Window.NOTICE, min(halves))


def _tell(draft: Draft, reason: Reason, waits: list[str], void: list[str]) -> None:
    """One message to each approver about their notices, and one to the owner's threads."""
    groups, concerned = _external(draft), dict.fromkeys((*waits, *void))
    owners = thread_targets(draft) if draft.incident.holder else []
    theirs: dict[Target, list[str]] = {target: list(concerned) for target in owners}
    for id_ in concerned:
        notice = find(draft.incident, id_)
        group = groups.get(notice.group) if notice else None
        for target in draft.context.approvers(group, draft.incident.level) if group else ():
            known = theirs.setdefault(target, [])
            if id_ not in known:
                known.append(id_)
    for told, targets in _alike(theirs).items():
        words = {
            "waits": " ".join(each for each in told if each in waits),
            "void": " ".join(each for each in told if each in void),
        }
        draft.notify(Kind.APPROVAL, reason if words["waits"] else Reason.VOIDED, targets, words)


def _alike(theirs: Mapping[Target, Iterable[str]]) -> dict[tuple[str, ...], list[Target]]:
    """Groups targets that get the same notices: the notices' ids → targets."""
    found: dict[tuple[str, ...], list[Target]] = {}
    for target, told in theirs.items():
        if told:
            found.setdefault(tuple(told), []).append(target)
    return found


def edit(draft: Draft, action: EditNotice) -> None:
    """Replace the text of a held notice; the template's proposal is kept. Raises RefusedError."""
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
    """Raises RefusedError if another person edited the text since it was read."""
    if notice.edited_by and read != (notice.subject, notice.body):
        raise RefusedError(f"{notice.edited_by} has edited the notice meanwhile: read it again")


def approve(draft: Draft, action: ApproveNotice) -> None:
    """Send a held notice as the approver read it, to all its recipients or some. Raises RefusedError."""
    notice = _held(draft.incident, action.notice)
    group = next((each for each in draft.context.current.policy.stakeholders if each.name == notice.group), None)
    if group is None:
        raise RefusedError(f"the policy has no group {notice.group} any more")
    text = (action.subject, action.body)
    _require_read(notice, text)
    zone = draft.context.current.policy.time_zone
    wrong = faults(*text, notice, draft.incident, draft.now, zone)
    if wrong:
        raise RefusedError("; ".join(wrong))
    if not notice.edited_by:
        notice = replace(notice, proposed_subject=action.subject, proposed_body=action.body)
    chosen = _choose(draft.context.choices(group), notice, action)
    _decide(draft, replace(notice, recipients=chosen), Standing.SENT, action.by, subject=text[0], body=text[1])
    draft.enter(
        Fact.NOTICE_SENT,
        action.by,
        notice=notice.id,
        group=group.name,
        subject=action.subject,
        to=", ".join(chosen),
        practised=PRACTISED if draft.incident.exercise else "",
    )
    words = {"by": action.by, "group": group.name, "notice": notice.id, "subject": text[0], "body": text[1]}
    promised = [at for _, at in promises("\n".join(text), notice, zone)]
    words["promised"] = str(min(promised)) if promised else ""
    if draft.incident.exercise:
        _practise(draft, group, words)
    else:
        _send(draft, group, chosen, words)


def _choose(known: tuple[str, ...], notice: Notice, action: ApproveNotice) -> tuple[str, ...]:
    """The chosen recipients; empty: all. Raises RefusedError for an unknown recipient, or if none remains."""
    wanted = action.recipients or notice.recipients
    chosen = tuple(each for each in known if each in wanted)
    unknown = [each for each in action.recipients if each not in known]
    if unknown or (wanted and not chosen):
        raise RefusedError(f"{notice.group} has no {', '.join(unknown or wanted)}; it has {', '.join(known)}")
    return () if chosen == known else chosen


def _send(draft: Draft, group: Stakeholders, chosen: tuple[str, ...], words: Mapping[str, str]) -> None:
    targets, by_hand, unusable = draft.context.reach(group, chosen)
    draft.notify(Kind.EXTERNAL, Reason.APPROVED, targets, words)
    for name, why in unusable:
        draft.notify(Kind.EXTERNAL, Reason.APPROVED, [Target(name, group.name)], words, Status.UNDELIVERABLE)
        draft.enter(Fact.UNDELIVERABLE, channel=name, why=why)
    _ask_for_calls(draft, [f"Call {recipient} ({group.name}): {words['subject']}" for recipient in by_hand])


def _practise(draft: Draft, group: Stakeholders, words: Mapping[str, str]) -> None:
    """Send the marked text to the approvers. Recipients to telephone are only counted."""
    marked = {**words, "subject": _mark(words["subject"]), "body": _mark(words["body"])}
    targets = draft.context.approvers(group, draft.incident.level) or thread_targets(draft)
    draft.notify(Kind.EXTERNAL, Reason.APPROVED, targets, marked)
    by_hand = draft.context.reach(group)[1]
    if by_hand:
        _ask_for_calls(draft, [f"{EXERCISE}: call nobody. {len(by_hand)} of {group.name} would be called by hand"])


def _mark(text: str) -> str:
    return text if text.startswith(EXERCISE) else f"{EXERCISE}: {text}"


def reject(draft: Draft, action: RejectNotice) -> None:
    """Drop a held notice without sending it. Raises RefusedError."""
    notice = _held(draft.incident, action.notice)
    _decide(draft, notice, Standing.REJECTED, action.by)
    draft.enter(Fact.NOTICE_REJECTED, action.by, notice=notice.id, group=notice.group, note=action.note)


def find(incident: Incident, id_: str) -> Notice | None:
    """The incident's notice with that id; None: there is none."""
    return next((each for each in incident.response.notices if each.id == id_), None)


def _held(incident: Incident, id_: str) -> Notice:
    """The notice with that id, if it waits for approval. Raises RefusedError otherwise."""
    notice = find(incident, id_)
    if notice is None:
        has = ", ".join(each.id for each in incident.response.notices) or "none"
        raise RefusedError(f"the incident has no notice {id_!r}; it has {has}"[:1000])
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
    """Add steps to the checklist `calls`, for recipients that a person must telephone."""
    if calls:
        known = draft.incident.response.checklists
        draft.respond(checklists=replace(known, calls=tuple(dict.fromkeys((*known.calls, *calls)))))
        draft.enter(Fact.CALLS_NEEDED, calls="; ".join(calls))
