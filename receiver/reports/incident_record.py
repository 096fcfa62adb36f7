"""All known data of one incident, as the reports read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from receiver.core.model import Alert, Entry, Fact, Instant, Notification, Status
from receiver.messages.incident_text import IncidentText
from receiver.messages.timeline import sentence
from receiver.reports.report_clock import ReportClock

UNTOLD = frozenset({Fact.ACCEPTED, Fact.DELIVERED, Fact.SUPERSEDED, Fact.SEND_FAILED})
UNTOLD |= {Fact.REPORT_APPROVED, Fact.REPORT_REVISED}
"""Left out of the timeline: the table of messages shows their results, the cover the approval."""


SELDOM = frozenset(Fact) - UNTOLD - {Fact.NOTED, Fact.UPDATED, Fact.PAGED, Fact.REMINDED, Fact.CHECKED}
SELDOM -= {each for each in Fact if each.startswith(("alert_", "echo_", "end_", "flap"))}
"""Facts that are read from the middle of a long timeline too: they decide on deadlines, or record people's actions or
evidence. The other facts make a timeline long."""


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """One incident, its alerts, timeline and messages, at one moment. `case` sanitises text from outside."""

    case: IncidentText
    alerts: Sequence[Alert]
    timeline: Sequence[Entry]
    notifications: Sequence[Notification]
    turns: Sequence[Entry] = ()
    """All lines with facts of SELDOM, if the middle of the timeline is left out."""

    @property
    def now(self) -> Instant:
        """When the record was gathered."""
        return self.case.now

    @property
    def decisive(self) -> Sequence[Entry]:
        """All lines with facts of SELDOM, and perhaps others."""
        return self.turns or self.timeline

    @property
    def clock(self) -> ReportClock:
        """Formats the record's instants."""
        return ReportClock(self.case.policy.time_zone)

    def stamp(self, at: Instant) -> str:
        """Returns an instant, to the minute."""
        return self.clock.stamp(at)

    def tell(self, entry: Entry) -> str:
        """Returns a line of the timeline in words."""
        return sentence(entry, self.clock.stamp)

    def entries(self, *facts: Fact) -> list[Entry]:
        """Returns the lines with one of these facts; of facts not in SELDOM, only the lines in this record."""
        lines = self.decisive if SELDOM.issuperset(facts) else self.timeline
        return [entry for entry in lines if entry.fact in facts]

    def first(self, *facts: Fact) -> Instant | None:
        """Returns when one of these facts was first recorded; None: never."""
        return next((entry.at for entry in self.timeline if entry.fact in facts), None)

    @property
    def left_out(self) -> int:
        """Number of lines in the middle of a long timeline that are left out."""
        return max(0, self.case.incident.entries - len(self.timeline))

    @property
    def unread_messages(self) -> tuple[int, int]:
        """(sequence before the gap, number): messages in the middle of very many that are left out."""
        gaps = [(each.sequence, next_.sequence - each.sequence - 1) for each, next_ in pairwise(self.notifications)]
        return max(gaps, key=lambda gap: gap[1], default=(0, 0))

    def count(self, status: Status) -> int:
        """Returns the number of messages with that status."""
        return sum(each.status is status for each in self.notifications)
