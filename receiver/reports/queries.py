"""What the store holds, gathered for the reports. The API and the dispatcher call it, on the readers' thread."""

from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.core.plan import DecisionContext, PolicyVersion
from receiver.engine.engine import Engine
from receiver.messages import MessageRenderer
from receiver.reports import HeldDrill, IncidentRecord, Report, held, review, training, write
from receiver.reports.exhibits import MOST_MARKS, STANDING
from receiver.store import LAST, Reads, Span

MESSAGES = Span(limit=2000)
"""Of the messages about an incident, those that a report is made of: the first ones."""

EXHIBITS = Span(before=LAST, limit=100)
"""Of the signals that were kept with an incident, those that may be drawn: the last ones."""


def drawable(reads: Reads, incident_id: str) -> list[Entry]:
    """The lines of a timeline that are drawn: what stands out, and the signals. On a readers' thread."""
    beside = reads.timeline(incident_id, Span(limit=MOST_MARKS), STANDING)
    return beside + reads.timeline(incident_id, EXHIBITS, {Fact.EVIDENCE})


class Records:
    """Reports of what is stored. All raise StoreUnavailable."""

    def __init__(self, reads: Reads, renderer: MessageRenderer, engine: Engine) -> None:
        """`renderer` makes foreign text harmless; `engine` knows the policy versions."""
        self._reads = reads
        self._renderer = renderer
        self._engine = engine

    def incident(self, incident: Incident, now: Instant) -> Report:
        """One incident's report, under the policy version it ran under."""
        return write(self.record(incident, now))

    def record(self, incident: Incident, now: Instant) -> IncidentRecord:
        """Everything that is known of one incident, under the policy version it ran under."""
        context = DecisionContext(self.policy_version(incident), self._engine.current, frozenset())
        return IncidentRecord(
            self._renderer.case(incident, context, now),
            self._reads.alerts(incident.id),
            self._reads.outline(incident),
            self._reads.notifications(incident.id, MESSAGES),
        )

    def period(self, length: int, now: Instant) -> Report:
        """What the incidents opened in the last `length` microseconds came to."""
        since = Instant(now - length)
        return review(self._reads.tallies(since, now), self._engine.current.policy, since, now)

    def drills(self, length: int, now: Instant) -> tuple[list[HeldDrill], Report]:
        """The live drills of the last `length` microseconds, as data and as a report."""
        since = Instant(now - length)
        found = [held(*each) for each in self._reads.drills(since, now)]
        return found, training(found, self._engine.current.policy, since, now)

    def policy_version(self, incident: Incident) -> PolicyVersion:
        """The policy version that an incident runs under."""
        return self._engine.find_policy_version(incident.policy, self._reads.policy)
