"""Planted lies: words, lines, reports and pages that are made of what is not so, one for each kind of statement."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from receiver.core.draft import Effects
from receiver.core.model import Alert, Entry, Fact, Incident, Kind, Notification, Reason, Recovery, State, Status
from receiver.core.response import ApprovedReport
from receiver.messages import Message
from receiver.messages.timeline import sentence
from receiver.on_call.shift import Roster
from receiver.reports.held_drill import HeldDrill
from receiver.reports.incident_record import IncidentRecord
from receiver.store.statistics import Tally
from rules.policy import MINUTE


class Lie:
    """The truth: each kind of lie tells one thing of it otherwise."""

    in_forms = False
    """Whether it shows only in what a medium makes of the words."""
    in_handoffs = False
    """Whether it shows only where handoffs are told and read."""

    def incident(self, incident: Incident) -> Incident:
        """The incident that messages and pages are made of."""
        return incident

    def alerts(self, firing: Sequence[Alert]) -> Sequence[Alert]:
        """What they are told that fires."""
        return firing

    def notification(self, message: Notification) -> Notification:
        """The message whose words are made."""
        return message

    def line(self, entry: Entry) -> str:
        """A line of the timeline, in words."""
        return sentence(entry)

    def message(self, message: Message) -> Message:
        """A message, as its words were made."""
        return message

    def event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """What PagerDuty is told."""
        return event

    def reply(self, words: str) -> str:
        """The reply to an action."""
        return words

    def shell(self, view: Mapping[str, Any]) -> Mapping[str, Any]:
        """An incident, as a shell prints it."""
        return view

    def listed(self, view: Mapping[str, Any]) -> Mapping[str, Any]:
        """An incident, as a shell lists it."""
        return view

    def approved(self, reports: Sequence[ApprovedReport]) -> Sequence[ApprovedReport]:
        """The versions of a report that are approved, as its page lists them."""
        return reports

    def counts(self, counts: Mapping[State, int]) -> Mapping[State, int]:
        """How many there are, of each state."""
        return counts

    def record(self, record: IncidentRecord) -> IncidentRecord:
        """What the report is made of."""
        return record

    def tallies(self, tallies: Sequence[Tally]) -> Sequence[Tally]:
        """What the report of a period is made of."""
        return tallies

    def drills(self, drills: Sequence[HeldDrill]) -> Sequence[HeldDrill]:
        """What the report of a period's drills is made of."""
        return drills

    def handoff(self, message: Message) -> Message:
        """The message of a handoff, as its words were made."""
        return message

    def roster(self, roster: Roster) -> Roster:
        """A schedule, as pages show it."""
        return roster

    def last(self, messages: Sequence[Notification]) -> Sequence[Notification]:
        """The last message to each contact of a person, as their page is told of it."""
        return messages


TRUTH = Lie()


class OfResponders(Lie):
    """dana is said to own it."""

    def incident(self, incident: Incident) -> Incident:
        history = tuple(replace(each, by="dana") for each in incident.response.history)
        response = replace(incident.response, history=history, owner=incident.response.owner and "dana")
        return replace(incident, response=response, acknowledged_by=incident.acknowledged_by and "dana")


class OfDeadlines(Lie):
    """The response time is said to end later."""

    def incident(self, incident: Incident) -> Incident:
        return replace(incident, response_due_at=incident.response_due_at + 2 * MINUTE)


class OfDelivery(Lie):
    """The page under way is said to be undelivered."""

    def incident(self, incident: Incident) -> Incident:
        return replace(incident, page=replace(incident.page, delivered=False))


class OfRecovery(Lie):
    """What fires is said to have recovered."""

    def incident(self, incident: Incident) -> Incident:
        return replace(incident, recovery=Recovery.CONFIRM) if incident.is_firing and incident.is_live else incident


class OfUnits(Lie):
    """Another unit is said to fire."""

    def alerts(self, firing: Sequence[Alert]) -> Sequence[Alert]:
        return [
            replace(each, annotations={**each.annotations, "summary": "unit key0.z is out of bounds"})
            for each in firing
        ]


class OfValues(Lie):
    """It is said to have measured something else."""

    def alerts(self, firing: Sequence[Alert]) -> Sequence[Alert]:
        return [replace(each, annotations={**each.annotations, "value": "-1"}) for each in firing]


class OfCause(Lie):
    """The cause is said to be known."""

    def incident(self, incident: Incident) -> Incident:
        return replace(incident, facts={"root_cause": "the moon", **incident.facts})


class OfWhoWasPaged(Lie):
    """An emergency is said to page no one while it is silenced, and an unsilenced incident to be silenced."""

    def incident(self, incident: Incident) -> Incident:
        return replace(incident, silenced_until=incident.opened_at, level=min(incident.level, 3))


class OfTheTimeline(Lie):
    """What a provider accepted is said to be delivered."""

    def line(self, entry: Entry) -> str:
        told = replace(entry, fact=Fact.DELIVERED, data={**entry.data, "receipt": "sure"})
        return sentence(told if entry.fact is Fact.ACCEPTED else entry)


class OfTheReport(Lie):
    """Deadlines are said to be kept by answers that came later."""

    def record(self, record: IncidentRecord) -> IncidentRecord:
        early = [
            replace(each, at=record.case.incident.opened_at) if each.fact is Fact.ACKNOWLEDGED else each
            for each in record.timeline
        ]
        return IncidentRecord(record.case, record.alerts, early, record.notifications)


class OfSeveral(Lie):
    """Of several incidents one more is said to be in the message."""

    def message(self, message: Message) -> Message:
        return dataclasses.replace(
            message, short=message.short.replace(f"{message.count} inc", f"{message.count + 1} inc")
        )


class OfLists(Lie):
    """One more is said to be open."""

    def counts(self, counts: Mapping[State, int]) -> Mapping[State, int]:
        return {**counts, State.OPEN: counts[State.OPEN] + 1}


class OfReplies(Lie):
    """A reply names another person as the one who acted."""

    def reply(self, words: str) -> str:
        return words.replace(" by ada", " by dana").replace(" by ben", " by dana")


class OfTheShell(Lie):
    """A shell is told of another owner."""

    def shell(self, view: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**view, "owner": view["owner"] and "dana"}


class OfShellLists(Lie):
    """A shell lists another owner."""

    def listed(self, view: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**view, "owner": view["owner"] and "dana"}


class OfSystems(Lie):
    """A message is said to be about another system."""

    def message(self, message: Message) -> Message:
        return dataclasses.replace(message, system="moon")


class OfApprovals(Lie):
    """dana is said to have approved a report."""

    def approved(self, reports: Sequence[ApprovedReport]) -> Sequence[ApprovedReport]:
        return [replace(each, by="dana") for each in reports]


class OfForms(Lie):
    """PagerDuty is told a lower severity than the level's."""

    in_forms = True

    def event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**event, "payload": {**event["payload"], "severity": "info"}}


class OfHandoffs(Lie):
    """The recipient of a page is said to have come on call just now."""

    def notification(self, message: Notification) -> Notification:
        return replace(message, reason=Reason.HANDOFF) if message.kind is Kind.PAGE and message.person else message


class OfVacancies(Lie):
    """Another reference is said to have no person on call."""

    def line(self, entry: Entry) -> str:
        other = {"@primary": "@second", "@second": "@primary"}.get(entry.data.get("whom", ""))
        is_so = entry.fact is Fact.NOBODY_ON_CALL and other
        return sentence(replace(entry, data={"whom": other}) if is_so else entry)


class OfShifts(Lie):
    """edna is said to have come on call."""

    def line(self, entry: Entry) -> str:
        told = replace(entry, data={**entry.data, "whom": "edna"})
        return sentence(told if entry.fact is Fact.HANDED_OFF else entry)


class OfReliefs(Lie):
    """A dropped page is said to go to its former recipient."""

    def line(self, entry: Entry) -> str:
        told = replace(entry, data={**entry.data, "by_whom": entry.data.get("whom", "")})
        return sentence(told if entry.fact is Fact.RELIEVED else entry)


class OfWishes(Lie):
    """A step's page is said to come from the recipient's `reach`, as there is no answer yet."""

    def line(self, entry: Entry) -> str:
        told = replace(entry, data={**entry.data, "reason": Reason.REACH})
        return sentence(told if entry.fact is Fact.PAGED else entry)


class OfWhoWasTold(Lie):
    """The report names other recipients of the messages."""

    def record(self, record: IncidentRecord) -> IncidentRecord:
        others = {"ada": "dana", "dana": "ada", "ben": "cleo", "cleo": "ben"}
        told = [replace(each, person=others.get(each.person, "")) for each in record.notifications]
        return IncidentRecord(record.case, record.alerts, record.timeline, told)


class OfHandoffMessages(Lie):
    """A handoff message names another shift as its cause."""

    in_handoffs = True

    def handoff(self, message: Message) -> Message:
        return dataclasses.replace(message, text=message.text.replace(", by ", ", by override by zoe after "))


class OfWhatIsOpen(Lie):
    """A handoff message says that an owned incident has no owner."""

    in_handoffs = True

    def handoff(self, message: Message) -> Message:
        return dataclasses.replace(
            message, text=re.sub(r", (?:you have|\w+ has) it: ", ", nobody has it: ", message.text)
        )


class OfRosters(Lie):
    """Pages show other people on call."""

    in_handoffs = True

    def roster(self, roster: Roster) -> Roster:
        others = {"ada": "dana", "dana": "ada", "ben": "cleo", "cleo": "ben"}
        shifts = tuple(dataclasses.replace(each, person=others[each.person]) for each in roster.shifts)
        return dataclasses.replace(roster, shifts=shifts)


class OfContacts(Lie):
    """A contact is said to work, where the last message to it failed."""

    in_handoffs = True

    def last(self, messages: Sequence[Notification]) -> Sequence[Notification]:
        return [each for each in messages if each.status is not Status.GAVE_UP]


class OfFates(Lie):
    """Messages that were accepted are said to be delivered."""

    def record(self, record: IncidentRecord) -> IncidentRecord:
        told = [
            replace(each, status=Status.DELIVERED) if each.status is Status.ACCEPTED else each
            for each in record.notifications
        ]
        return IncidentRecord(record.case, record.alerts, record.timeline, told)


class OfPeriods(Lie):
    """The report of a period says that breached response times were kept."""

    def tallies(self, tallies: Sequence[Tally]) -> Sequence[Tally]:
        return [dataclasses.replace(each, kept=each.kept + each.breached, breached=0) for each in tallies]


class OfDrills(Lie):
    """The report of the drills says that dana took part in them all."""

    def drills(self, drills: Sequence[HeldDrill]) -> Sequence[HeldDrill]:
        return [dataclasses.replace(each, people=(*each.people, "dana")) for each in drills]


def tell_everybody(effects: Effects) -> Effects:
    """An all-clear to a recipient who was never told of the trouble."""
    cleared = [each for each in effects.notifications if each.kind is Kind.RESOLVED]
    after: Any = effects.incident
    if not cleared or after is None:
        return effects
    number = after.sequence + 1
    stranger = replace(cleared[0], id=f"{after.id}-{number}", sequence=number, channel="email", recipient="stranger@x")
    return replace(effects, incident=replace(after, sequence=number), notifications=(*effects.notifications, stranger))
