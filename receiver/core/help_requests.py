"""Requests for help with an acknowledged incident, and giving it back.

The owner keeps the incident, and no response time runs, since it was met. A request pages the next step at once, and
again every escalation time, until another person answers or the requester withdraws it. A request by a person other
than the owner doubts the owner: the channels paged before are paged too, and the owner's answer also ends it. For an
open incident, a request takes the next escalation step, and the paging windows run on.
"""

from collections.abc import Mapping

from receiver.core.draft import NO_WORDS, Draft, RefusedError
from receiver.core.lifecycle import escalate, renew_acknowledgement, reopen
from receiver.core.model import Fact, Kind, Reason, State, Window
from receiver.core.paging import lift_silence, page_step, tell_responders
from receiver.core.responder_history import remember
from receiver.core.response import Deed


def ask(draft: Draft, by: str, note: str) -> None:
    """Page the next step because a person asks for help."""
    if draft.incident.state is State.OPEN:
        escalate(draft, by, note)
        return
    incident, asked_by = draft.incident, draft.incident.response.asked_by
    doubted = incident.holder if by != incident.holder else ""
    was_paused = incident.is_paused
    lift_silence(draft)
    draft.respond(asked_by={**asked_by, by: asked_by.get(by, draft.now)})
    remember(draft, Deed.ASKED_FOR_HELP, by)
    draft.set(step=incident.step + 1)
    draft.enter(Fact.HELP_ASKED, by, note=note, step=draft.incident.step, whom=doubted)
    draft.arm(Window.HELP, draft.now + draft.plan.escalation_time)
    _page(draft, {"by": by, "note": note})
    if was_paused or not doubted:  # a doubt is no activity of the owner
        renew_acknowledgement(draft)


def ask_again(draft: Draft) -> None:
    """Page the next step, as the request is unanswered. The caller has set the next window."""
    draft.set(step=draft.incident.step + 1)
    draft.enter(Fact.HELP_UNANSWERED, whom=", ".join(draft.incident.response.asked_by), step=draft.incident.step)
    _page(draft)


def _page(draft: Draft, words: Mapping[str, str] = NO_WORDS) -> None:
    incident = draft.incident
    doubted = incident.holder not in incident.response.asked_by
    page_step(draft, Reason.HELP, words, [each.channel for each in incident.paged] if doubted else ())


def withdraw(draft: Draft, by: str, note: str) -> None:
    """Withdraw a person's request; the owner withdraws all requests. Raises RefusedError."""
    incident = draft.incident
    asked_by = incident.response.asked_by
    if not asked_by:
        raise RefusedError("nobody asks for help with the incident")
    if by != incident.holder and by not in asked_by:
        raise RefusedError(f"{', '.join(asked_by)} asked for help: acknowledge the incident to answer")
    left = {} if by == incident.holder else {name: at for name, at in asked_by.items() if name != by}
    draft.respond(asked_by=left)
    remember(draft, Deed.WITHDREW, by)
    draft.enter(Fact.HELP_WITHDRAWN, by, note=note)
    if not left:
        draft.disarm(Window.HELP, Window.RESCUE)
        draft.supersede([Kind.PAGE])
        tell_responders(draft, Reason.WITHDRAWN, {"by": by, "note": note})
    if by == incident.holder:
        renew_acknowledgement(draft)


def give_back(draft: Draft, by: str, note: str) -> None:
    """Reopen the incident without an owner, and page as at the opening. Raises RefusedError."""
    if draft.incident.state is State.OPEN:
        raise RefusedError("nobody has the incident")
    whom = draft.incident.holder
    draft.enter(Fact.GIVEN_BACK, by, whom=whom if whom != by else "", note=note)
    reopen(draft, Reason.GIVEN_BACK, {"by": by, "note": note, "acknowledged_by": whom})
