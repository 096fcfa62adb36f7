"""Checklists: procedures attached at moments of an incident, and who ticked which step when.

`attach_due` runs at the end of every decision, so the incident has the checklists of every moment it has reached.
Ticking is activity, like a note.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Tick
from receiver.core.model import Fact, Incident, Recovery, State
from receiver.core.plan import PolicyVersion
from receiver.core.procedures import Checklist
from receiver.core.response import Checklists, Done
from rules.policy import Attach

CALLS = "calls"


def moments(incident: Incident) -> set[Attach]:
    """The moments that the incident has reached; a resolution counts as a recovery, even if none was measured."""
    resolved = incident.state is State.RESOLVED
    reached: dict[Attach, bool] = {
        "opened": True,
        "escalated": incident.step > 0,
        "acknowledged": incident.state is State.ACKNOWLEDGED,
        "recovered": incident.recovery is not Recovery.NONE or resolved,
        "resolved": resolved,
    }
    return {moment for moment, is_reached in reached.items() if is_reached}


def attach_due(draft: Draft) -> None:
    """Attach the checklists due at the incident's moments."""
    incident = draft.incident
    if incident.state is State.CLOSED or incident.recorded_only:
        return
    known = incident.response.checklists.attached
    new = [each for each in draft.context.policy_version.checklists(incident) if each.key not in known]
    reached = moments(incident) if new else ()
    due = [each for each in new if each.attach in reached]
    if due:
        _set(draft, attached={**known, **{each.key: draft.now for each in due}})
        draft.enter(Fact.PROCEDURE_ATTACHED, procedures=", ".join(each.key for each in due))


def attached(incident: Incident, policy_version: PolicyVersion) -> list[Checklist]:
    """The incident's checklists, in order of attachment."""
    at, calls = incident.response.checklists.attached, incident.response.checklists.calls
    found = sorted(
        (each for each in policy_version.checklists(incident) if each.key in at), key=lambda each: at[each.key]
    )
    return [*found, Checklist(CALLS, "Calls to make", calls, "opened")] if calls else found


LATE = "late, after the response time"
"""The note of the step that an acknowledgement ticks after the breach."""


def steps(incident: Incident, policy_version: PolicyVersion) -> dict[str, str]:
    """Every step of the incident's checklists: id → text."""
    return {id_: text for checklist in attached(incident, policy_version) for id_, text in checklist.numbered()}


def done(incident: Incident, step: str, text: str) -> Done | None:
    """Who ticked the step; None: unticked, or ticked when the policy had another text for it."""
    found = incident.response.checklists.done.get(step)
    return found if found is not None and found.text == text else None


def next_steps(incident: Incident, policy_version: PolicyVersion) -> list[str]:
    """The texts of the open steps, the next first. After a breach without those that ask for the acknowledgement in
    time.
    """
    is_late = incident.breached_at is not None
    return list(
        dict.fromkeys(
            text
            for id_, text in steps(incident, policy_version).items()
            if done(incident, id_, text) is None and not (is_late and _asks_acknowledgement(text))
        )
    )


def _asks_acknowledgement(text: str) -> bool:
    return text.lower().startswith("acknowledge ")


def tick(draft: Draft, action: Tick) -> None:
    """Mark a step as done or not done. Raises RefusedError."""
    known = steps(draft.incident, draft.context.policy_version)
    text = known.get(action.step)
    if text is None:
        raise RefusedError(f"the incident has no step {action.step!r}; it has {', '.join(known) or 'none'}"[:1000])
    before = done(draft.incident, action.step, text)
    if not action.done:
        if before is not None:
            _set(draft, done={id_: each for id_, each in _done(draft).items() if id_ != action.step})
            draft.enter(Fact.STEP_UNDONE, action.by, step=action.step, text=text, note=action.note)
        return
    if before is None or (action.note, action.link) not in {("", ""), (before.note, before.link)}:
        ticked = Done(action.by, draft.now, text, action.note, action.link)
        _set(draft, done={**_done(draft), action.step: ticked})
        draft.enter(Fact.STEP_DONE, action.by, step=action.step, text=text, note=action.note, link=action.link)


def tick_acknowledgement(draft: Draft, by: str) -> None:
    """Tick the steps that ask for the acknowledgement (guide: "Acknowledge incident within response time"). After the
    response time the tick says that it is late.
    """
    note = "" if draft.incident.breached_at is None else LATE
    for id_, text in steps(draft.incident, draft.context.policy_version).items():
        if _asks_acknowledgement(text) and done(draft.incident, id_, text) is None:
            tick(draft, Tick(by, id_, note=note))


def untick(draft: Draft, step: str, by: str) -> None:
    """Mark a step as not done; a step that the incident no longer has is ignored."""
    if step in steps(draft.incident, draft.context.policy_version):
        tick(draft, Tick(by, step, done=False))


def _done(draft: Draft) -> Mapping[str, Done]:
    return draft.incident.response.checklists.done


def _set(draft: Draft, **changes: Mapping[str, object] | tuple[str, ...]) -> None:
    checklists: Checklists = replace(draft.incident.response.checklists, **changes)
    draft.respond(checklists=checklists)
