"""Who is to practise again soon, or should have: they are reminded, and whoever owns training hears what is overdue.

`receiver.jobs.training_watch` reads the record of drills (`receiver.reports.training_roster`) and tells it here. What
is due soon stands on one incident of ours that is for the history only: nobody is paged, and nobody has to take it. It
closes when everybody has practised.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from receiver.core.classify import incident_key
from receiver.core.draft import Draft, Effects
from receiver.core.events import TrainingRead
from receiver.core.lifecycle import close, new_incident
from receiver.core.model import OWN, Fact, Incident, Instant, Kind, Reason, State, Target, Window
from receiver.core.plan import DecisionContext
from receiver.core.response import Practice
from receiver.on_call.references import contacts, whose_name
from rules.channel_types import CHANNEL_TYPES
from rules.policy import HOUR, INFORMATIONAL, Policy
from rules.reserved import TRAINING

KEY = incident_key((OWN, TRAINING))
RULE = "tocsin/training"
LONGEST_LEAD = 14 * 24 * HOUR
"""Microseconds before it is due at which a person is reminded at most; of a short time, a quarter of it."""

EVERYBODY = "everybody"
"""Whom a reminder is about that goes to the owner of training. No person is called so."""


def _lead(policy: Policy) -> int:
    return min(LONGEST_LEAD, (policy.drills_every or 0) // 4)


def take_roster(incident: Incident | None, event: TrainingRead, now: Instant, context: DecisionContext) -> Effects:
    """Keep what is due soon; what was told of it before is not told again."""
    lead = _lead(context.current.policy)
    known = {(each.person, each.subject, each.due_at): each for each in incident.response.training} if incident else {}
    due = [each for each in event.practices if each.due_at - lead <= now]
    after = tuple(known.get((each.person, each.subject, each.due_at), each) for each in due)
    if after == (incident.response.training if incident else ()):
        return Effects()
    draft = Draft(incident or _open(now, context), now, context)
    draft.respond(training=after)
    if after:
        draft.enter(Fact.TRAINING, people=", ".join(dict.fromkeys(each.person for each in after)))
        _watch(draft)
    else:
        close(draft)
    return draft.effects()


def _open(now: Instant, context: DecisionContext) -> Incident:
    opened = new_incident(KEY, now, context, INFORMATIONAL, TRAINING, "Training that the policy wants")
    rules = {RULE: INFORMATIONAL}
    return replace(opened, source=OWN, rules=rules, recorded_only=True, state=State.RESOLVED, resolved_at=now)


def _watch(draft: Draft) -> None:
    """Set the window to the next moment at which somebody is to be told."""
    lead = _lead(draft.context.current.policy)
    training = draft.incident.response.training
    moments = [each.due_at - lead for each in training if not (each.reminded or each.overdue)]
    moments += [each.due_at for each in training if not each.overdue]
    if moments:
        draft.arm(Window.TRAINING, max(draft.now + 1, min(moments)))
    else:
        draft.disarm(Window.TRAINING)


def remind_of_training(draft: Draft) -> None:
    """Tell each person once what is due soon and once what is overdue; the owner what is overdue."""
    late = [each for each in draft.incident.response.training if each.due_at <= draft.now and not each.overdue]
    soon = [each for each in draft.incident.response.training if each.due_at > draft.now and not each.reminded]
    if late:
        draft.enter(Fact.OVERDUE, what=f"training of {', '.join(dict.fromkeys(each.person for each in late))}")
    for person in dict.fromkeys(each.person for each in (*late, *soon)):
        is_late = any(each.person == person for each in late)
        _tell(draft, Reason.OVERDUE if is_late else Reason.DUE, _mailboxes(draft, person), person)
    if late:
        _tell(draft, Reason.OVERDUE, draft.context.training_owners(), EVERYBODY)
    draft.respond(training=tuple(_marked(each, draft.now) for each in draft.incident.response.training))
    _watch(draft)


def _marked(practice: Practice, now: Instant) -> Practice:
    return replace(practice, reminded=True, overdue=practice.due_at <= now)


def _tell(draft: Draft, reason: Reason, targets: tuple[Target, ...], about: str) -> None:
    whom = "the owner of training" if about == EVERYBODY else about
    if targets:
        draft.enter(Fact.REMINDED, whom=whom, what="training")
        draft.notify(Kind.REMINDER, reason, targets, {"training": about})


def _mailboxes(draft: Draft, person: str) -> tuple[Target, ...]:
    """The first contact of the person that a channel can write to; empty: nothing of theirs is known."""
    known = whose_name(draft.context.current.policy, person)
    addresses = contacts(known, CHANNEL_TYPES) if known else ((person,) if "@" in person else ())
    found = (draft.context.mailbox(address) for address in addresses)
    return tuple(each for each in found if each is not None)[:1]


def due_of(incident: Incident, person: str) -> Iterator[Practice]:
    """What of it is a person's; everybody's for EVERYBODY."""
    yield from (each for each in incident.response.training if person in {EVERYBODY, each.person})
