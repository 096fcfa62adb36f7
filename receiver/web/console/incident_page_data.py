"""All data of an incident's page, read in one call on the readers' thread."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Notification
from receiver.core.plan import DecisionContext
from receiver.core.responder_history import people_of
from receiver.engine.engine import Engine
from receiver.messages.fates import fate
from receiver.messages.incident_text import IncidentText
from receiver.messages.plain import line, plain
from receiver.messages.timeline import sentence
from receiver.messages.times import Manner, moment
from receiver.reports.exhibits import draw, latest, marks
from receiver.reports.queries import drawable
from receiver.reports.report import Drawing
from receiver.store import LAST, Reads, Span
from receiver.web.api import views
from receiver.web.api.evidence_operations import show_evidence
from receiver.web.api.incident_operations import NAMED, SIMILAR_SHOWN, Api
from receiver.web.api.obligation_operations import Obligations
from receiver.web.api.related_incidents import DAYS, RelatedIncidents, find_related, what_helped
from receiver.web.api.response_operations import Responding
from receiver.web.api.response_shapes import ChecklistsView, EvidenceView, NoticeView, ObligationView
from receiver.web.api.response_views import show_checklists
from receiver.web.api.responses import SimilarIncidentsView
from receiver.web.console.alert_table import AlertTable, table_of
from receiver.web.http.problem_details import HttpProblem
from rules.policy import UTC

ALERTS = 50
ENTRIES = 80
MESSAGES = 60
"""Rows of each list on the page; the exports have all."""
DELIVERIES = {
    Fact.ACCEPTED: "accepted",
    Fact.DELIVERED: "delivered",
    Fact.SEND_FAILED: "failed",
    Fact.SUPERSEDED: "withdrawn",
}
"""Facts about single messages → their short word."""
DECISIONS = tuple(fact for fact in Fact if fact not in DELIVERIES)
"""Facts that the timeline shows by default: people, decisions, and messages that were given up."""


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of the timeline."""

    entry: Entry
    text: str
    is_person: bool
    deliveries: tuple["TimelineRow", ...] = ()
    """The messages that a grouped row stands for, the newest first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The shown part of the long lists: the newest entries before these numbers."""

    lines_before: int = LAST
    messages_before: int = LAST
    alerts_after: str = ""
    """Fingerprint of the alert before the shown ones; empty: from the first."""
    deliveries: bool = False
    """Whether the timeline also shows each message."""

    @property
    def is_older(self) -> bool:
        """Whether a list shows older entries than the newest."""
        return self.lines_before < LAST or self.messages_before < LAST


@dataclass(frozen=True, slots=True)
class IncidentPageData:
    """All data that the page shows of an incident."""

    case: IncidentText
    alerts: AlertTable
    alerts_shown: int
    further_alerts: str
    """Fingerprint of the last shown alert, if more follow; else empty."""
    people: tuple[str, ...]
    """Valid recipients of a handover: the known names and the persons involved."""
    lines: tuple[TimelineRow, ...]
    """The newest first."""
    messages: tuple[Any, ...]
    """The newest first."""
    older_lines: int | None
    older_messages: int | None
    """Numbers before which older entries exist; None: there are none."""
    shown: Shown
    similar: SimilarIncidentsView
    """Earlier similar incidents, without the related ones."""
    related: RelatedIncidents
    related_listed: str
    """URL of all of the system in the last 30 days in History."""
    helped: Mapping[int, Mapping[str, str]]
    """Number of a closed related incident → its facts that may help again, by name."""
    drawings: tuple[Drawing, ...]
    """Graphs of its signals, from Prometheus."""
    checklists: ChecklistsView
    notices: tuple[NoticeView, ...]
    """The newest first."""
    unread_notices: str
    """Why the notices' texts cannot be rendered; empty: they can."""
    obligations: tuple[ObligationView, ...]
    """The policy's obligations: those that apply, those that concerned it, those that never did."""

    evidence: EvidenceView

    @property
    def held(self) -> int:
        """Number of notices that wait for approval."""
        return sum(each.standing == "held" for each in self.notices)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the data of an incident's page."""

    engine: Engine
    reads: Reads
    api: Api
    responding: Responding
    obligations: Obligations

    def read(self, incident: Incident, now: Instant, shown: Shown) -> IncidentPageData:
        """Reads all data of one incident. Raises StoreUnavailable."""
        policy_version = self.api.policy_version(incident)
        context = self.engine.context(policy_version)
        alerts, further = self._alerts(incident, shown.alerts_after)
        firing = self.reads.first_firing([incident.id], NAMED).get(incident.id, ())
        drawn = drawable(self.reads, incident.id)
        facts = () if shown.deliveries else DECISIONS
        entries = self.reads.timeline(incident.id, Span(before=shown.lines_before, limit=ENTRIES + 1), facts)
        messages = self.reads.notifications(incident.id, Span(before=shown.messages_before, limit=MESSAGES + 1))
        notices, unread = self._notices(incident)
        related = find_related(self.reads, incident, now)
        told = {each.number for each in related.lately}  # with what helped; of those of now only how they stand
        similar = [each for each in self.reads.similar(incident, SIMILAR_SHOWN) if each.number not in told]
        case = IncidentText(incident, context, now, "", zone_of_channel=UTC, manner=Manner.LIVE, alerts=firing)
        return IncidentPageData(
            case=case,
            alerts=table_of(alerts, case.identities),
            alerts_shown=len(alerts),
            further_alerts=further,
            people=_people(incident, context),
            lines=tuple(_grouped(_line(entry) for entry in reversed(entries[-ENTRIES:]))),
            messages=tuple(_message(each, context) for each in reversed(messages[-MESSAGES:])),
            older_lines=entries[1].position if len(entries) > ENTRIES else None,
            older_messages=messages[1].sequence if len(messages) > MESSAGES else None,
            shown=shown,
            similar=views.show_similar(similar),
            related=related,
            related_listed=_listed(incident.system, now),
            helped={each.number: what_helped(each) for each in related.lately},
            drawings=tuple(draw(latest(drawn), marks(drawn))),
            checklists=show_checklists(incident, policy_version),
            notices=notices,
            unread_notices=unread,
            evidence=show_evidence(incident),
            obligations=tuple(
                sorted(
                    self.obligations.show(incident).obligations, key=lambda each: (not each.applies, each.since is None)
                )
            ),
        )

    def _alerts(self, incident: Incident, after: str) -> tuple[list[Alert], str]:
        """A page of alerts, and the fingerprint of its last if more follow."""
        last = self.reads.alert(incident.id, after) if after else None
        found = self.reads.alerts(incident.id, ALERTS + 1, last)
        return found[:ALERTS], found[ALERTS - 1].fingerprint if len(found) > ALERTS else ""

    def _notices(self, incident: Incident) -> tuple[tuple[NoticeView, ...], str]:
        """The notices, or why they cannot be rendered: a broken template must not break the page."""
        try:
            return tuple(reversed(self.responding.show_notices(incident).notices)), ""
        except HttpProblem as problem:
            return (), problem.detail


def _listed(system: str, at: Instant) -> str:
    asked = {"system": system, "since": (moment(at) - timedelta(days=DAYS)).date().isoformat()}
    return f"/history?{urlencode(asked)}"


def _people(incident: Incident, context: DecisionContext) -> tuple[str, ...]:
    involved = (*sorted(people_of(incident)), *incident.response.roles.values())
    return tuple(dict.fromkeys(line(each, 80) for each in (*context.known_names, *involved) if each))


def _message(notification: Notification, context: DecisionContext) -> Mapping[str, Any]:
    """The view with instants unformatted, since the page formats them. While it is being sent, it is not due."""
    view = views.show_notification(notification, context.facts(notification.channel))
    at = notification.done_at or notification.created_at
    due_at = None if notification.leased_by else notification.due_at
    return view.model_dump() | {"at": at, "due_at": due_at, "fate": fate(notification)}


def _line(entry: Entry) -> TimelineRow:
    """Text that a person wrote is kept whole; other rows are one line."""
    written = plain(entry.data.get("text", "")) if entry.fact in {Fact.NOTED, Fact.UPDATED} else ""
    text = written or sentence(entry)
    return TimelineRow(entry, text, bool(entry.by))


def _grouped(rows: Iterable[TimelineRow]) -> Iterator[TimelineRow]:
    """Groups consecutive messages into one row with their counts."""
    for is_sent, group in groupby(rows, lambda row: row.entry.fact in DELIVERIES):
        together = tuple(group)
        if not is_sent or len(together) == 1:
            yield from together
            continue
        counts = Counter(DELIVERIES[row.entry.fact] for row in together)
        words = ", ".join(f"{count} {became}" for became, count in counts.items())
        yield TimelineRow(together[0].entry, f"Messages: {words}", is_person=False, deliveries=together)
