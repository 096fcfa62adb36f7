"""The deadlines of an incident and their results, from its timeline. Pure.

All parts of a report that name a deadline use `deadlines_of`, so that they agree.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.core.plan import PolicyVersion
from receiver.core.responder_history import without_undone
from receiver.core.response import FollowUp
from receiver.messages.times import as_set
from receiver.reports.deadline_outcome import DeadlineOutcome, result_of
from receiver.reports.duties_kept import duty_outcomes
from receiver.reports.level_history import level_after
from rules.policy import Policy


@dataclass(frozen=True, slots=True)
class Alarm:
    """The time from one start of paging to the next, with its own deadlines."""

    since: str
    is_new: bool
    """The incident opened or recurred, so the limits of the initial response apply too."""
    level: int
    """The incident's level at the start; 0: not in the timeline."""
    rules: frozenset[str]
    """The rules that had fired at the start."""
    entries: list[Entry] = field(default_factory=list)
    """The timeline's lines in that time; the first is the start itself."""

    @property
    def began_at(self) -> Instant:
        """The start of paging."""
        return self.entries[0].at

    @property
    def is_taken(self) -> bool:
        """Whether a person answered, or the incident was resolved."""
        return self.first(Fact.ACKNOWLEDGED, Fact.RESOLVED) is not None

    @property
    def is_paused(self) -> bool:
        """Whether a silence stopped the paging; emergencies page in spite of silences."""
        return any(each.data.get("pauses") for each in self.entries)

    def first(self, *facts: Fact, by_a_person: bool = False) -> Entry | None:
        """Returns the first line that records one of these facts."""
        return next((each for each in self.entries if each.fact in facts and (each.by or not by_a_person)), None)


RESPONSE = "response"
"""The name of the response time's deadline."""

BEGINNINGS: Mapping[Fact, str] = {
    Fact.OPENED: "the opening",
    Fact.DECLARED: "the declaration",
    Fact.REOPENED: "the reopening",
    Fact.ACK_VOIDED: "the new danger",
    Fact.ACK_EXPIRED: "the expiry of the acknowledgement",
    Fact.GIVEN_BACK: "the giving back",
    Fact.SILENCE_ENDED: "the end of the silence",
}
"""Facts that restart paging and its deadlines."""


def deadlines_of(
    incident: Incident, timeline: Sequence[Entry], policy_version: PolicyVersion, now: Instant
) -> list[DeadlineOutcome]:
    """Returns all deadlines of an incident, in the order in which they began; follow-up actions last."""
    alarms = alarms_of(without_undone(timeline))
    found: list[DeadlineOutcome] = []
    for number, alarm in enumerate(alarms):
        last = number == len(alarms) - 1
        following = None if last else alarms[number + 1].began_at
        found += _paging(incident, alarm, policy_version, now, following)
    found += _assessments(incident, alarms, policy_version, now)
    found += duty_outcomes(incident, timeline, policy_version, now)
    found += [_follow_up(each, now) for each in incident.response.follow_ups if each.due_at is not None]
    return sorted((_in_words(each, policy_version.policy) for each in found), key=lambda each: each.began_at)


def _in_words(each: DeadlineOutcome, policy: Policy) -> DeadlineOutcome:
    return dataclasses.replace(each, set_to=each.set_to or as_set(each.limit, policy.spellings))


def alarms_of(timeline: Iterable[Entry]) -> list[Alarm]:
    """Returns the timeline divided at each start of paging."""
    found: list[Alarm] = []
    level, rules = 0, frozenset[str]()
    for each in timeline:
        level = level_after(each, level)
        if each.fact in {Fact.OPENED, Fact.RULE_JOINED} and "rule" in each.data:
            rules |= {each.data["rule"]}
        since = _begins(each, found[-1] if found else None)
        if since:
            found.append(Alarm(since, begins_an_occurrence(each), level, rules))
        if found:
            found[-1].entries.append(each)
    return found


def begins_an_occurrence(entry: Entry) -> bool:
    """Whether the incident opened, or came back after a resolution."""
    came_back = entry.fact is Fact.REOPENED and "recurrences" in entry.data
    return came_back or entry.fact in {Fact.OPENED, Fact.DECLARED}


def _begins(entry: Entry, before: Alarm | None) -> str:
    """Returns what restarts paging; empty: the entry does not. In older releases a person's escalation of an
    acknowledged incident did.
    """
    if entry.fact is Fact.SILENCE_ENDED and (before is None or before.is_taken or not before.is_paused):
        return ""
    if entry.fact is Fact.ESCALATED and entry.by and before is not None and before.is_taken:
        return "the escalation by hand"
    return BEGINNINGS.get(entry.fact, "")


def _paging(
    incident: Incident, alarm: Alarm, policy_version: PolicyVersion, now: Instant, following: Instant | None
) -> Iterator[DeadlineOutcome]:
    """The deadlines for the response, the first escalation, and the acknowledgement if the policy limits it."""
    rules = {key: level for key, level in incident.rules.items() if key in alarm.rules or not alarm.rules}
    plan = policy_version.plan(replace(incident, level=alarm.level or incident.level, rules=rules or incident.rules))
    breached = alarm.first(Fact.BREACHED)
    response = _response_due(incident, alarm, plan.response_time, following is None, breached)
    answer = alarm.first(Fact.ACKNOWLEDGED) or alarm.first(Fact.RESOLVED, by_a_person=True)
    by_itself = alarm.first(Fact.RESOLVED)
    ended = by_itself.at if by_itself else following
    suspended = breached is None and alarm.is_paused
    limits = [(RESPONSE, response)]
    if plan.escalation_time < plan.response_time:
        escalated = next((each for each in alarm.entries[1:] if each.fact is Fact.ESCALATED and not each.by), None)
        planned = Instant(alarm.began_at + plan.escalation_time)
        limits.insert(0, ("escalation", min(planned, escalated.at) if escalated else planned))
    if plan.acknowledge_within is not None and alarm.is_new:
        limits.append(("initial response: acknowledgement", Instant(alarm.began_at + plan.acknowledge_within)))
    for name, due_at in limits:
        met_at, by = (answer.at, answer.by) if answer else (None, "")
        result = result_of(due_at, now, met_at, ended, suspended=suspended)
        yield DeadlineOutcome(name, alarm.since, alarm.began_at, due_at, result, met_at, by)


def _response_due(incident: Incident, alarm: Alarm, limit: int, is_last: bool, breached: Entry | None) -> Instant:
    """Returns the time in the incident or its breach; for an earlier alarm, from that alarm's plan."""
    if breached is not None and breached.data.get("due_at", "").isdigit():
        return Instant(int(breached.data["due_at"]))
    return incident.response_due_at if is_last else Instant(alarm.began_at + limit)


def _assessments(
    incident: Incident, alarms: Sequence[Alarm], policy_version: PolicyVersion, now: Instant
) -> Iterator[DeadlineOutcome]:
    """The deadlines for assessing the severity, from the first acknowledgement after each opening or recurrence."""
    limit = policy_version.plan(incident).assess_within
    if limit is None:
        return
    beginnings = [number for number, alarm in enumerate(alarms) if alarm.is_new]
    for place, number in enumerate(beginnings):
        until = beginnings[place + 1] if place + 1 < len(beginnings) else len(alarms)
        entries = [each for alarm in alarms[number:until] for each in alarm.entries]
        taken = next((each for each in entries if each.fact is Fact.ACKNOWLEDGED), None)
        assessed = next((each for each in entries if _assesses(each)), None)
        if taken is None or (assessed is not None and assessed.at < taken.at):
            continue
        resolved = next((each.at for each in entries if each.fact is Fact.RESOLVED), None)
        due_at = Instant(taken.at + limit)
        met_at, by = (assessed.at, assessed.by) if assessed else (None, "")
        result = result_of(due_at, now, met_at, resolved, suspended=False)
        yield DeadlineOutcome(
            "initial response: severity assessment", "the acknowledgement", taken.at, due_at, result, met_at, by
        )


def _assesses(entry: Entry) -> bool:
    changed = entry.data.get("field", "")
    said = entry.fact is Fact.CHANGED and (changed == "level" or "impact" in changed.lower())
    return bool(entry.by) and (said or entry.fact is Fact.IMPACT)


def _follow_up(each: FollowUp, now: Instant) -> DeadlineOutcome:
    due_at = each.due_at or now
    result = result_of(due_at, now, each.done_at, None, suspended=False)
    name = f"follow-up action: {each.text}"
    return DeadlineOutcome(
        name, "when it was written down", each.at, due_at, result, each.done_at, each.done_by or each.owner
    )
