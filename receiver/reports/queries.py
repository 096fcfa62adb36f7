"""Gathers stored data for the reports. The API and the dispatcher call it on a reader thread."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.core.response import ApprovedReport
from receiver.engine.engine import Engine
from receiver.messages import MessageRenderer
from receiver.messages.plain import line
from receiver.reports import HeldDrill, IncidentRecord, Report, held, review, training, write
from receiver.reports.exhibits import MOST_MARKS, STANDING
from receiver.reports.incident_record import SELDOM
from receiver.reports.render import says_the_same, thaw
from receiver.reports.report import Cover
from receiver.reports.report_clock import ReportClock
from receiver.reports.revision import changes
from receiver.reports.training_roster import Training, roster, training_section
from receiver.store import LAST, Reads, Span

MOST_SIMILAR = 2
"""Earlier incidents that a page describes."""

MOST_DRILLS = 500
"""Newest drills that are read for the training roster."""

EXHIBITS = Span(before=LAST, limit=100)
"""The kept signals that may be drawn: the last ones of the incident."""


def drawable(reads: Reads, incident_id: str) -> list[Entry]:
    """Returns the timeline lines that are drawn: events and signals. Call on a reader thread."""
    beside = reads.timeline(incident_id, Span(limit=MOST_MARKS), STANDING)
    return beside + reads.timeline(incident_id, EXHIBITS, {Fact.EVIDENCE})


log = structlog.get_logger()

OURSELVES = "Tocsin"
"""Prepared by, for reports that no person requested: the report that is mailed at the close."""


class Records:
    """Reports of stored data. All methods raise StoreUnavailable."""

    def __init__(self, reads: Reads, renderer: MessageRenderer, engine: Engine) -> None:
        """`renderer` sanitises text from outside; `engine` has the policy versions."""
        self._reads = reads
        self._renderer = renderer
        self._engine = engine

    def incident(self, incident: Incident, now: Instant, by: str = OURSELVES, version: int | None = None) -> Report:
        """Returns one incident's report: the requested version, else the newest that is up to date.

        That is the approved version until facts change, then the draft of the next. `by`: the person who asks. Raises
        KeyError if the version does not exist.
        """
        approved = incident.response.reports
        if version is not None and version <= len(approved):
            return self._approved(incident, approved[version - 1])
        if version is not None and version != len(approved) + 1:
            raise KeyError(version)
        record = self.record(incident, now)
        draft = write(record)
        before = self._before(incident)
        if before and version is None and says_the_same(before, draft):
            return before
        changed = replace(draft, changes=changes(before, draft)) if before else draft
        return self._covered(changed, by, record.clock.stamp(now))

    def _before(self, incident: Incident) -> Report | None:
        """Returns the last approved version; None: none, or its stored content is damaged."""
        try:
            return self._approved(incident, incident.response.reports[-1]) if incident.response.reports else None
        except KeyError:
            return None

    def _approved(self, incident: Incident, approved: ApprovedReport) -> Report:
        """Returns the report as approved. Raises KeyError if its stored content cannot be read."""
        entries = self._reads.timeline(incident.id, facts={Fact.REPORT_APPROVED})
        try:
            [document] = [each.data["document"] for each in entries if each.data["version"] == str(approved.version)]
            kept = thaw(document)
        except (ValueError, LookupError) as error:
            log.error("an approved report cannot be read", incident=incident.number, version=approved.version)
            raise KeyError(approved.version) from error
        signed = replace(
            kept.cover,
            prepared_by=line(approved.prepared_by),
            approved_by=line(approved.by),
            approved_as=line(approved.role),
            approved_at=ReportClock(self.policy_version(incident).policy.time_zone).stamp(approved.at),
            audit_head=approved.audit_head,
        )
        return replace(kept, cover=signed)

    def _covered(self, report: Report, by: str, as_of: str) -> Report:
        return replace(report, cover=Cover(as_of, line(by), audit_head=self._reads.audit_head()))

    def _of_period(self, report: Report, now: Instant, by: str) -> Report:
        policy = self._engine.current.policy
        organised = replace(report, organisation=line(policy.reports.organisation))
        return self._covered(organised, by, ReportClock(policy.time_zone).stamp(now))

    def record(self, incident: Incident, now: Instant) -> IncidentRecord:
        """Returns all data of one incident, under the policy version it ran under."""
        context = DecisionContext(self.policy_version(incident), self._engine.current, frozenset())
        alerts = self._reads.alerts(incident.id)
        timeline = self._reads.outline(incident)
        is_whole = len(timeline) >= incident.entries
        return IncidentRecord(
            self._renderer.case(incident, context, now, [each for each in alerts if each.firing]),
            alerts,
            timeline,
            self._reads.messages(incident),
            () if is_whole else self._reads.timeline(incident.id, facts=SELDOM),
        )

    def period(self, length: int, now: Instant, by: str = OURSELVES) -> Report:
        """Returns the report of the incidents opened in the last `length` microseconds."""
        since = Instant(now - length)
        policy = self._engine.current.policy
        report = review(self._reads.tallies(since, now), policy, since, now)
        if policy.drills_every is not None:
            section = training_section(self.trained_by_now(now), policy, now)
            report = replace(report, sections=(*report.sections, section))
        return self._of_period(report, now, by)

    def trained_by_now(self, now: Instant) -> list[Training]:
        """Returns the training from the newest drills of any age, by the current policy."""
        drills = self._reads.drills(Instant(0), Instant(now + 1), MOST_DRILLS)
        return self.trained([held(*each) for each in drills])

    def drills(self, length: int, now: Instant, by: str = OURSELVES) -> tuple[list[HeldDrill], Report]:
        """Returns the live drills of the last `length` microseconds, as data and as a report."""
        since = Instant(now - length)
        found = [held(*each) for each in self._reads.drills(since, now)]
        report = training(found, self._engine.current.policy, since, now)
        return found, self._of_period(report, now, by)

    def trained(self, drills: Sequence[HeldDrill]) -> list[Training]:
        """Returns the training from these drills, by the current policy."""
        return roster(drills, self._engine.current.policy)

    def similar(self, incident: Incident) -> list[Incident]:
        """Returns the newest similar earlier incidents with a recorded cause, fix or lesson."""
        return self._reads.similar(incident, MOST_SIMILAR)

    def policy_version(self, incident: Incident) -> PolicyVersion:
        """Returns the policy version that an incident runs under."""
        return self._engine.find_policy_version(incident.policy, self._reads.policy)
