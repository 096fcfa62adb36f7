"""The results of duties with deadlines: checklists with a time limit, and reports to authorities. Pure."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from receiver.core.checklists import attached, done
from receiver.core.model import Entry, Incident, Instant
from receiver.core.obligations import owed_or_filed
from receiver.core.occurrences import begun_at
from receiver.core.plan import PolicyVersion
from receiver.reports.deadline_outcome import DeadlineOutcome, result_of
from receiver.reports.level_history import level_course
from rules.durations import stage_period


def duty_outcomes(
    incident: Incident, timeline: Sequence[Entry], policy_version: PolicyVersion, now: Instant
) -> Iterator[DeadlineOutcome]:
    """Yields the deadline of each such checklist and report of the incident."""
    yield from _checklists(incident, timeline, policy_version, now)
    over_at = incident.resolved_at if incident.exercise and not incident.is_live else None  # the drill is over
    for each in owed_or_filed(incident, policy_version.policy):
        if not (each.is_owed or each.filings):
            continue
        first = each.filings[0] if each.filings else None
        met_at, by = (first.filed_at, first.by) if first else (None, "")
        result = result_of(each.due_at, now, met_at, over_at, suspended=False)
        lasts = stage_period(each.stage)
        yield DeadlineOutcome(each.what, each.since, each.began_at, each.due_at, result, met_at, by, lasts)


def _checklists(
    incident: Incident, timeline: Sequence[Entry], policy_version: PolicyVersion, now: Instant
) -> Iterator[DeadlineOutcome]:
    """Checklists of earlier occurrences too; undone steps were not needed after the incident came back."""
    for each in incident.response.occurrences:
        then = replace(incident, response=replace(incident.response, checklists=each.checklists))
        levels = level_course(timeline, each.began_at, each.ended_at, incident.level)
        yield from _limits(then, levels, policy_version, now, each.resolved_at or each.ended_at, each.ended_at)
    ended_at = incident.closed_at if incident.exercise else None  # a closed exercise owes no checklist
    levels = level_course(timeline, begun_at(incident), None, incident.level)
    yield from _limits(incident, levels, policy_version, now, incident.resolved_at, ended_at)


def _limits(
    incident: Incident,
    levels: Sequence[tuple[Instant, int]],
    policy_version: PolicyVersion,
    now: Instant,
    resolved_at: Instant | None,
    ended_at: Instant | None,
) -> Iterator[DeadlineOutcome]:
    """`levels`: of the occurrence. `resolved_at` ends the checklists about the trouble, `ended_at` all."""
    for checklist in attached(incident, policy_version):
        known, limit = incident.response.checklists, checklist.time_limit
        at = known.limit_began_at(checklist.key)
        if at is None or limit is None or max(level for _, level in levels) < checklist.from_level:
            continue
        ticks = [done(incident, *step) for step in checklist.numbered()]
        last = max((each for each in ticks if each), key=lambda each: each.at, default=None)
        met_at, by = (last.at, last.by) if last is not None and all(ticks) else (None, "")
        ends = (ended_at if checklist.outlives else resolved_at, _lowered_at(levels, checklist.from_level))
        over_at = min((each for each in ends if each is not None), default=None)
        due_at = Instant(at + limit)
        since = "when its limit began" if checklist.key in known.limited_since else "when it got the checklist"
        result = result_of(due_at, now, met_at, over_at, suspended=False)
        yield DeadlineOutcome(f'checklist "{checklist.title}"', since, at, due_at, result, met_at, by)


def _lowered_at(levels: Sequence[tuple[Instant, int]], least: int) -> Instant | None:
    """Returns since when the level has been below `least` for the rest of the occurrence; None: it is not."""
    worse = [number for number, (_, level) in enumerate(levels) if level >= least]
    return levels[worse[-1] + 1][0] if worse and worse[-1] + 1 < len(levels) else None
