"""Time limits of acknowledgement and assessment (guide: initial_response), and the incident's owner and roles.

An incident is handed over only to a person whom Tocsin knows: a misspelt name would leave it without an owner.

A limit never shortens the response time. What is overdue is recorded and told to the internal stakeholders.
"""

from difflib import get_close_matches

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Assign, Change, Handover
from receiver.core.model import Fact, Kind, Reason, State, Window
from receiver.core.paging import tell_internal, tell_threads
from receiver.core.responder_history import people_of, remember
from receiver.core.response import Deed
from rules.durations import as_spelled, in_words

NAMED = 12
"""Maximum names in a refusal; the others are counted."""


def begin_assessment(draft: Draft) -> None:
    """Start the assessment's limit at the acknowledgement, unless it is done."""
    limit, since = draft.plan.assess_within, draft.incident.acknowledged_at
    if limit is None or since is None or draft.incident.response.assessed_at is not None:
        return
    if since + limit > draft.now:
        draft.arm(Window.ASSESS_LIMIT, since + limit)


def note_assessment(draft: Draft, change: Change) -> None:
    """A change of level or impact counts as the assessment."""
    if change.level is not None or any("impact" in name.lower() for name in change.facts):
        draft.respond(assessed_at=draft.now)
        draft.disarm(Window.ASSESS_LIMIT)


def miss_acknowledgement(draft: Draft, _at: int) -> None:
    """The incident is unacknowledged at the limit. Stakeholders who were told of the breach are not told of this.

    Does nothing if the level was lowered to one without the limit: then only its response time applies.
    """
    if draft.plan.acknowledge_within is None:
        return
    limit = _limit(draft, draft.plan.acknowledge_within)
    draft.enter(Fact.OVERDUE, what="acknowledgement", limit=f"(limit {limit})")
    if draft.incident.breached_at is None:
        tell_internal(draft, Kind.REMINDER, Reason.OVERDUE, {"what": "acknowledgement", "limit": limit})


def miss_assessment(draft: Draft, _at: int) -> None:
    """The incident is acknowledged, and its severity not assessed within the limit."""
    words = {"what": "severity assessment", "limit": _limit(draft, draft.plan.assess_within or 0)}
    draft.enter(Fact.OVERDUE, what=words["what"], limit=f"(limit {words['limit']})")
    tell_internal(draft, Kind.REMINDER, Reason.OVERDUE, words)


def _limit(draft: Draft, micros: int) -> str:
    return in_words(as_spelled(micros, draft.context.policy_version.policy.spellings))


def hand_over(draft: Draft, action: Handover) -> None:
    """Make another person the owner. Raises RefusedError."""
    incident = draft.incident
    if incident.state is State.CLOSED:
        raise RefusedError("the incident is closed")
    if incident.state is State.OPEN:
        raise RefusedError("nobody has acknowledged the incident: acknowledge it instead")
    to = _known(draft, action.to, action.by)
    if to == incident.response.owner:
        raise RefusedError(f"{to} has the incident already")
    draft.enter(Fact.HANDED_OVER, action.by, to=to, note=action.note)
    draft.respond(owner=to)
    remember(draft, Deed.HANDED_OVER, action.by, to)
    tell_threads(draft, Kind.NOTICE, Reason.HANDED_OVER, {"by": action.by, "to": to, "note": action.note})


def _known(draft: Draft, name: str, by: str) -> str:
    """The person's name as Tocsin spells it: of the policy, the logins, those involved in the incident, or `by`.
    Without `known_names`, any name is accepted. Raises RefusedError.
    """
    names = draft.context.known_names
    if not names:
        return name
    involved = (*people_of(draft.incident), *draft.incident.response.roles.values(), by)
    known = {each.casefold(): each for each in (*involved, *names)}
    wanted = " ".join(name.split()).casefold()
    if wanted not in known:
        near = get_close_matches(wanted, known, 1)
        meant = f"; did you mean {known[near[0]]}?" if near else "."
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise RefusedError(f"nobody is known as {name}{meant} Known are {', '.join(names[:NAMED])}{more}")
    return known[wanted]


def assign(draft: Draft, action: Assign) -> None:
    """Give a role to a person; empty `to`: take it from its holder. Raises RefusedError."""
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
