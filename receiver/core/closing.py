"""When a resolved incident may close: required facts, steps and signatures, and reminders of what is missing.

When the monitoring ends, the incident closes if nothing is outstanding. Otherwise the owner is reminded, from the
second reminder on the internal stakeholders too, and it closes as soon as nothing is missing. A person with the role
for it may close it anyway, with a reason.
"""

import re
from collections.abc import Iterator

from receiver.core.checklists import attached, done
from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Close, SignOff
from receiver.core.lifecycle import close
from receiver.core.model import Fact, Incident, Kind, Reason, State, Window
from receiver.core.obligations import obligations_outstanding
from receiver.core.paging import tell_internal, tell_threads
from receiver.core.plan import PolicyVersion
from receiver.core.procedures import Checklist
from receiver.on_call.references import whose_name

SAYS_NOTHING = frozenset(
    ("", "?", "-", "n/a", "na", "none", "not known", "not yet known", "tba", "tbd", "unclear", "unknown")
)
"""Values of a fact that mean that it is not known."""

_WHAT_FOLLOWS = re.compile(r' (?:to|of|for|with|")')
"""Separates the name of a thing from what it is about."""

MOST_STEPS = 3
"""Maximum open steps of a checklist that are named."""


def outstanding(incident: Incident, policy_version: PolicyVersion) -> list[str]:
    """What keeps the incident from closing, each in words; empty: nothing."""
    if incident.recorded_only:
        return []
    signature = list(_sign_off(incident)) if _is_to_be_signed(incident, policy_version) else []
    owed = obligations_outstanding(incident, policy_version.policy)
    unfiled = (f"the {each.what} {is_or_are(each.what)} not filed" for each in owed)
    return [*_unfinished(incident, policy_version), *signature, *unfiled]


def _unfinished(incident: Incident, policy_version: PolicyVersion) -> list[str]:
    terms = policy_version.policy.closing
    if terms.from_level is None or incident.level < terms.from_level:
        return []
    return [*_unknown(incident, terms.facts), *_open_steps(incident, policy_version)]


def _unknown(incident: Incident, facts: tuple[str, ...]) -> Iterator[str]:
    for name in facts:
        if incident.facts.get(name, "").strip(" .").lower() in SAYS_NOTHING:
            called = name.replace("_", " ")
            yield f"the {called} {is_or_are(called)} not known"


def is_or_are(what: str) -> str:
    """The verb for a name: root cause is; lessons learned are; final results to an authority are."""
    called = _WHAT_FOLLOWS.split(what, maxsplit=1)[0]
    named = next((word for word in reversed(called.split()) if not word.endswith("ed")), "")
    return "are" if named.endswith("s") and not named.endswith(("ss", "us", "is")) else "is"


def _open_steps(incident: Incident, policy_version: PolicyVersion) -> Iterator[str]:
    for checklist in attached(incident, policy_version):
        if checklist.key in policy_version.policy.closing.checklists:
            yield from _open_of(incident, checklist)


def _open_of(incident: Incident, checklist: Checklist) -> Iterator[str]:
    left = [step for step in checklist.numbered() if done(incident, *step) is None]
    if left:
        more = f" and {len(left) - MOST_STEPS} more" if len(left) > MOST_STEPS else ""
        named = "; ".join(f"{id_} ({text})" for id_, text in left[:MOST_STEPS])
        yield f"{len(left)} of {len(checklist.steps)} steps of {checklist.key} not ticked: {named}{more}"


def _sign_off(incident: Incident) -> Iterator[str]:
    if not (incident.is_live or incident.response.signed_off_by):
        other = f" other than {incident.resolved_by}, who resolved it," if incident.resolved_by else ""
        lowered = incident.response.lowered_from
        was = f" (it was level {lowered} before it was lowered)" if lowered > incident.level else ""
        yield f"nobody{other} has signed it off{was}"


def wants_sign_off(incident: Incident, policy_version: PolicyVersion) -> bool:
    """Whether a resolved incident lacks a second person's signature."""
    return incident.state is State.RESOLVED and _is_to_be_signed(incident, policy_version) and any(_sign_off(incident))


def _is_to_be_signed(incident: Incident, policy_version: PolicyVersion) -> bool:
    """A person who lowers the level takes no signature away: the worst level counts."""
    first = policy_version.policy.closing.sign_off_from
    worst = max(incident.level, incident.response.lowered_from)
    return not incident.recorded_only and first is not None and worst >= first


def conclude(draft: Draft) -> None:
    """Close at the end of the monitoring, or say what is missing."""
    missing = _missing(draft)
    if missing:
        _keep_open(draft, missing)
    else:
        close(draft)


def close_when_complete(draft: Draft) -> None:
    """Close an incident that was kept open, once nothing is missing."""
    incident = draft.incident
    is_waiting = incident.state is State.RESOLVED and incident.response.kept_open > 0
    if is_waiting and not (incident.is_firing or incident.held or _missing(draft)):
        close(draft)


def _keep_open(draft: Draft, missing: list[str]) -> None:
    draft.arm(Window.CLOSE, draft.now + draft.context.policy_version.policy.closing.remind_every)
    if draft.incident.response.kept_open and _can_only_wait(draft):
        return
    times = draft.incident.response.kept_open + 1
    draft.respond(kept_open=times)
    words = {"whom": draft.incident.holder or draft.incident.resolved_by, "missing": "; ".join(missing)}
    draft.enter(Fact.KEPT_OPEN, **words)
    tell_threads(draft, Kind.REMINDER, Reason.KEPT_OPEN, words)
    if times > 1:
        tell_internal(draft, Kind.REMINDER, Reason.KEPT_OPEN, words)


def _can_only_wait(draft: Draft) -> bool:
    """Whether only reports to authorities that are not due yet, and the signature after them, are missing.

    Reports have their own reminders; the last may be due in months.
    """
    incident, policy_version = draft.incident, draft.context.policy_version
    owed = obligations_outstanding(incident, policy_version.policy)
    is_early = bool(owed) and all(each.due_at > draft.now for each in owed)
    return is_early and not _unfinished(incident, policy_version)


def record(draft: Draft, action: SignOff | Close) -> None:
    """A person signs off, or closes by hand. Raises RefusedError."""
    if isinstance(action, SignOff):
        _sign_off_by(draft, action)
    else:
        _close_anyway(draft, action)


def _sign_off_by(draft: Draft, action: SignOff) -> None:
    """A second person approves the closing, or the changes of a closed incident. Raises RefusedError."""
    if draft.incident.is_live:
        raise RefusedError(f"the incident is {draft.incident.state}: resolve it first")
    if _is_same(draft, action.by, draft.incident.resolved_by):
        raise RefusedError(f"{action.by} resolved the incident: another person signs it off")
    missing = [each for each in _missing(draft) if each not in _sign_off(draft.incident)]
    if missing:
        raise RefusedError(f"it cannot be signed off yet: {'; '.join(missing)}")
    draft.respond(signed_off_by=action.by)
    draft.enter(Fact.SIGNED_OFF, action.by, note=action.note)


def void_sign_off(draft: Draft) -> None:
    """Facts changed since the signature: it no longer applies."""
    if draft.incident.response.signed_off_by:
        draft.enter(Fact.SIGN_OFF_VOID, whom=draft.incident.response.signed_off_by)
        draft.respond(signed_off_by="")


def _close_anyway(draft: Draft, action: Close) -> None:
    """Close a resolved incident although something is missing or the monitoring goes on. Raises RefusedError."""
    _require_resolved(draft.incident)
    if draft.incident.is_firing or draft.incident.held:
        raise RefusedError("alerts of the incident fire, or may fire: it would be lost to sight")
    if not action.note:
        raise RefusedError("closing an incident by hand needs a reason")
    close(draft, action.by, action.note, "; ".join(_missing(draft)))


def _missing(draft: Draft) -> list[str]:
    return outstanding(draft.incident, draft.context.policy_version)


def _require_resolved(incident: Incident) -> None:
    if incident.state is not State.RESOLVED:
        raise RefusedError(
            f"the incident is {incident.state}: resolve it first" if incident.is_live else "the incident is closed"
        )


def _is_same(draft: Draft, one: str, other: str) -> bool:
    """Whether both names are one person's, by the policy or by spelling."""
    policy = draft.context.current.policy
    known = [whose_name(policy, each.strip()) for each in (one, other)]
    is_same_person = known[0] is not None and known[0] == known[1]
    return is_same_person or one.strip().casefold() == other.strip().casefold()
