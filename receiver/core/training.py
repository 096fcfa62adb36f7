"""Reminders of training that is due or overdue: to the person and, when overdue, to the owner of training.

`receiver.jobs.training_watch` reads the record of drills (`receiver.reports.training_roster`). One incident of Tocsin's
own lists what is due soon; it is never paged, needs no owner, and closes when no training is due.
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
"""Microseconds from a person's reminder to the deadline; a quarter of `drills_every`, if shorter."""

EVERYBODY = "everybody"
"""The `training` value of reminders to the owner of training, in place of a person's name."""


def _lead(policy: Policy) -> int:
    return min(LONGEST_LEAD, (policy.drills_every or 0) // 4)


def take_roster(incident: Incident | None, event: TrainingRead, now: Instant, context: DecisionContext) -> Effects:
    """Store what is due soon; keeps which reminders were sent."""
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
    """Set the window to the next reminder."""
    lead = _lead(draft.context.current.policy)
    training = draft.incident.response.training
    moments = [each.due_at - lead for each in training if not (each.reminded or each.overdue)]
    moments += [each.due_at for each in training if not each.overdue]
    if moments:
        draft.arm(Window.TRAINING, max(draft.now + 1, min(moments)))
    else:
        draft.disarm(Window.TRAINING)


def remind_of_training(draft: Draft) -> None:
    """Remind each person once of due and once of overdue training; the owner of training of overdue ones."""
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
    """The person's first contact that a channel can reach; empty: none."""
    known = whose_name(draft.context.current.policy, person)
    addresses = contacts(known, CHANNEL_TYPES) if known else ((person,) if "@" in person else ())
    found = (draft.context.mailbox(address) for address in addresses)
    return tuple(each for each in found if each is not None)[:1]


def due_of(incident: Incident, person: str) -> Iterator[Practice]:
    """The person's training in this incident; for EVERYBODY all of it."""
    yield from (each for each in incident.response.training if person in {EVERYBODY, each.person})
