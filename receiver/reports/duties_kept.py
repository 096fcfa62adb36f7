"""The results of duties with deadlines: checklists with a time limit, and reports to authorities. Pure."""

from collections.abc import Iterator

from msgspec.structs import replace

from receiver.core.checklists import attached, done
from receiver.core.model import Incident, Instant
from receiver.core.obligations import reports
from receiver.core.plan import PolicyVersion
from receiver.reports.deadline_outcome import DeadlineOutcome, result_of
from rules.durations import stage_period


def duty_outcomes(incident: Incident, policy_version: PolicyVersion, now: Instant) -> Iterator[DeadlineOutcome]:
    """Yields the deadline of each such checklist and report of the incident."""
    yield from _checklists(incident, policy_version, now)
    over_at = incident.resolved_at if incident.exercise and not incident.is_live else None  # the drill is over
    for each in reports(incident, policy_version.policy):
        first = each.filings[0] if each.filings else None
        met_at, by = (first.filed_at, first.by) if first else (None, "")
        result = result_of(each.due_at, now, met_at, over_at, suspended=False)
        lasts = stage_period(each.stage)
        yield DeadlineOutcome(each.what, each.since, each.began_at, each.due_at, result, met_at, by, lasts)


def _checklists(incident: Incident, policy_version: PolicyVersion, now: Instant) -> Iterator[DeadlineOutcome]:
    """Checklists of earlier occurrences too; undone steps were not needed after the incident came back."""
    for each in incident.response.occurrences:
        then = replace(incident, response=replace(incident.response, checklists=each.checklists))
        yield from _limits(then, policy_version, now, each.resolved_at or each.ended_at, each.ended_at)
    yield from _limits(incident, policy_version, now, incident.resolved_at, None)


def _limits(
    incident: Incident,
    policy_version: PolicyVersion,
    now: Instant,
    resolved_at: Instant | None,
    ended_at: Instant | None,
) -> Iterator[DeadlineOutcome]:
    """`resolved_at` ends the checklists about the trouble, `ended_at` all."""
    for checklist in attached(incident, policy_version):
        at, limit = incident.response.checklists.attached.get(checklist.key), checklist.time_limit
        if at is None or limit is None or incident.level < checklist.from_level:
            continue
        ticks = [done(incident, *step) for step in checklist.numbered()]
        last = max((each for each in ticks if each), key=lambda each: each.at, default=None)
        met_at, by = (last.at, last.by) if last is not None and all(ticks) else (None, "")
        over_at = ended_at if checklist.outlives else resolved_at
        due_at, since = Instant(at + limit), "when it got the checklist"
        result = result_of(due_at, now, met_at, over_at, suspended=False)
        yield DeadlineOutcome(f'checklist "{checklist.title}"', since, at, due_at, result, met_at, by)
