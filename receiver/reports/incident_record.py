"""Everything that is known of one incident, as the reports read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from receiver.core.model import Alert, Entry, Fact, Instant, Notification, Status
from receiver.messages.incident_text import IncidentText
from receiver.messages.timeline import sentence
from receiver.reports.report_clock import ReportClock

UNTOLD = frozenset({Fact.ACCEPTED, Fact.DELIVERED, Fact.SUPERSEDED, Fact.SEND_FAILED})
UNTOLD |= {Fact.REPORT_APPROVED, Fact.REPORT_REVISED}
"""Not told in the timeline: the table of messages has what became of them, the cover who approved the report."""


SELDOM = frozenset(Fact) - UNTOLD - {Fact.NOTED, Fact.UPDATED, Fact.PAGED, Fact.REMINDED, Fact.CHECKED}
SELDOM -= {each for each in Fact if each.startswith(("alert_", "echo_", "end_", "flap"))}
"""What is read of the middle of a long timeline too: what decides on deadlines, what people did, what was kept. The
others are what makes a timeline long.
"""


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """One incident, its alerts, its timeline and its messages, at one moment. `case` makes foreign text harmless."""

    case: IncidentText
    alerts: Sequence[Alert]
    timeline: Sequence[Entry]
    notifications: Sequence[Notification]
    turns: Sequence[Entry] = ()
    """Of a timeline whose middle is left out, all lines of what is SELDOM."""

    @property
    def now(self) -> Instant:
        """When it was gathered."""
        return self.case.now

    @property
    def decisive(self) -> Sequence[Entry]:
        """All lines of what is SELDOM, and perhaps others."""
        return self.turns or self.timeline

    @property
    def clock(self) -> ReportClock:
        """Tells its instants."""
        return ReportClock(self.case.policy.time_zone)

    def stamp(self, at: Instant) -> str:
        """An instant, to the minute."""
        return self.clock.stamp(at)

    def tell(self, entry: Entry) -> str:
        """What a line of the timeline records, in words."""
        return sentence(entry, self.clock.stamp)

    def entries(self, *facts: Fact) -> list[Entry]:
        """The timeline's lines that record one of these; of what is not SELDOM, those that are here."""
        lines = self.decisive if SELDOM.issuperset(facts) else self.timeline
        return [entry for entry in lines if entry.fact in facts]

    def first(self, *facts: Fact) -> Instant | None:
        """When one of these happened first; None: never."""
        return next((entry.at for entry in self.timeline if entry.fact in facts), None)

    @property
    def left_out(self) -> int:
        """Lines in the middle of a long timeline that are not here."""
        return max(0, self.case.incident.entries - len(self.timeline))

    @property
    def unread_messages(self) -> tuple[int, int]:
        """(the sequence after which, how many): messages in the middle of very many that are not here."""
        gaps = [(each.sequence, next_.sequence - each.sequence - 1) for each, next_ in pairwise(self.notifications)]
        return max(gaps, key=lambda gap: gap[1], default=(0, 0))

    def count(self, status: Status) -> int:
        """Messages that ended so."""
        return sum(each.status is status for each in self.notifications)
