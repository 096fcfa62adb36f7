"""The first minutes: acknowledging and assessing have time limits of their own (guide: initial_response), and
an incident has an owner, who may hand it over.

A limit never tightens the response time. What is overdue is recorded and told to the internal stakeholders.
"""

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Assign, Change, Handover
from receiver.core.model import Fact, Kind, Reason, State, Window
from receiver.core.paging import tell_internal, tell_threads
from receiver.core.responder_history import remember
from receiver.core.response import Deed
from rules.durations import as_spelled, in_words


def begin_assessment(draft: Draft) -> None:
    """Somebody has acknowledged: from then on the severity assessment's time runs, unless it is done."""
    limit, since = draft.plan.assess_within, draft.incident.acknowledged_at
    if limit is None or since is None or draft.incident.response.assessed_at is not None:
        return
    if since + limit > draft.now:
        draft.arm(Window.ASSESS_LIMIT, since + limit)


def note_assessment(draft: Draft, change: Change) -> None:
    """Whoever says the level or an impact has assessed it."""
    if change.level is not None or any("impact" in name.lower() for name in change.facts):
        draft.respond(assessed_at=draft.now)
        draft.disarm(Window.ASSESS_LIMIT)


def miss_acknowledgement(draft: Draft, _at: int) -> None:
    """Nobody acknowledged within the limit. Who has just heard of the breach need not hear of this too.

    Where the level was lowered to one without the limit, its response time holds.
    """
    if draft.plan.acknowledge_within is None:
        return
    limit = _limit(draft, draft.plan.acknowledge_within)
    draft.enter(Fact.OVERDUE, what="acknowledgement", limit=f"(limit {limit})")
    if draft.incident.breached_at is None:
        tell_internal(draft, Kind.REMINDER, Reason.OVERDUE, {"what": "acknowledgement", "limit": limit})


def miss_assessment(draft: Draft, _at: int) -> None:
    """Acknowledged, and nobody has said how bad it is."""
    words = {"what": "severity assessment", "limit": _limit(draft, draft.plan.assess_within or 0)}
    draft.enter(Fact.OVERDUE, what=words["what"], limit=f"(limit {words['limit']})")
    tell_internal(draft, Kind.REMINDER, Reason.OVERDUE, words)


def _limit(draft: Draft, micros: int) -> str:
    return in_words(as_spelled(micros, draft.context.policy_version.policy.spellings))


def hand_over(draft: Draft, action: Handover) -> None:
    """Another person has it from now on. Raises RefusedError."""
    incident = draft.incident
    if incident.state is State.CLOSED:
        raise RefusedError("the incident is closed")
    if incident.state is State.OPEN:
        raise RefusedError("nobody has acknowledged the incident: acknowledge it instead")
    if action.to == incident.response.owner:
        raise RefusedError(f"{action.to} has the incident already")
    draft.enter(Fact.HANDED_OVER, action.by, to=action.to, note=action.note)
    draft.respond(owner=action.to)
    remember(draft, Deed.HANDED_OVER, action.by, action.to)
    tell_threads(draft, Kind.NOTICE, Reason.HANDED_OVER, {"by": action.by, "to": action.to, "note": action.note})


def assign(draft: Draft, action: Assign) -> None:
    """Somebody takes a role, or gives it back. Raises RefusedError."""
    incident, known = draft.incident, [each.name for each in draft.context.policy_version.policy.roles]
    holder = incident.response.roles.get(action.role, "")
    if incident.state is State.CLOSED:
        raise RefusedError("the incident is closed")
    if action.role not in known and not (holder and not action.to):
        raise RefusedError(f"the policy has no role {action.role}; it has {', '.join(known) or 'none'}")
    if action.to == holder:
        raise RefusedError(f"{action.to} is {action.role} already" if holder else f"nobody is {action.role}")
    roles = {name: person for name, person in incident.response.roles.items() if name != action.role}
    draft.respond(roles={**roles, action.role: action.to} if action.to else roles)
    words = {"role": action.role, "note": action.note}
    if action.to:
        draft.enter(Fact.ROLE_TAKEN, action.by, to=action.to, **words)
    else:
        draft.enter(Fact.ROLE_LEFT, action.by, whom=holder, **words)
