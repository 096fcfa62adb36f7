"""Response models of the API: pydantic models that the OpenAPI document describes.

`receiver.web.api.views` fills them. Other programs depend on them: fields may be added, never renamed.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from receiver.core.heartbeat import Life
from receiver.core.model import Kind, Reason, Recovery, State, Status
from receiver.core.response import Deed

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-23T02:28:11.821Z"])]
Level = Annotated[int, Field(ge=1, le=4)]

Next = Annotated[str | None, Field(description="Cursor of the next page; null: this was the last.")]


class View(BaseModel):
    """Base of every response model."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class HeartbeatView(View):
    """A watched heartbeat."""

    key: str
    name: str
    """The name in the policy; empty: the heartbeat was learned from alerts."""
    source: str
    labels: Mapping[str, str]
    state: Life
    evaluated_at: Time | None
    """Time of the newest evaluation received; null: none was received."""
    age: float
    """Seconds since `evaluated_at`, or since Tocsin started to listen."""
    within: float
    """Seconds without an evaluation that are allowed."""


class HeartbeatsView(View):
    """All watched heartbeats."""

    heartbeats: list[HeartbeatView]


class ShiftView(View):
    """A period in which one person is on call."""

    person: str
    starts: Time
    """Shifts are expanded five weeks back and ahead: a longer shift has its start and end cut there."""
    ends: Time
    source: str
    """`layer N`, `calendar` or `override by WHO`."""


class FetchedCalendarView(View):
    """The state of a calendar that Tocsin fetches from a URL."""

    fetched_at: Time | None
    """When the copy in use was last fetched or confirmed as unchanged; null: there is no copy."""
    problem: str
    """Why the last fetch failed or the copy is unreadable; empty: no problem."""
    unknown: list[str]
    """Names in the calendar's coming weeks that match no person of the policy."""


class ScheduleView(View):
    """The on-call state of one schedule."""

    name: str
    time_zone: str
    now: list[ShiftView]
    """The current shifts; empty: no person is on call."""
    next: ShiftView | None
    """The next shift within five weeks; null: there is none."""
    calendar: FetchedCalendarView | None
    """null: the schedule has no calendar at a URL."""


class OnCallView(View):
    """The on-call state of every schedule."""

    schedules: list[ScheduleView]


class OverrideView(View):
    """A schedule override that is in effect or planned."""

    number: int
    schedule: str
    time_zone: str
    """The schedule's time zone; UTC if the policy no longer has the schedule."""
    person: str
    starts: Time
    ends: Time
    by: str
    reason: str
    void: str
    """Why the override has no effect (the policy no longer has the person or the schedule); empty: it has."""


class OverridesView(View):
    """The overrides that are in effect or planned."""

    overrides: list[OverrideView]


class AlertView(View):
    """An alert of an incident, as last received."""

    fingerprint: str
    status: str
    level: Annotated[int, Field(ge=0, le=4)]
    """0: the alert is recorded without notifications."""
    rule: str
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: Time
    ended_at: Time | None
    twin: bool
    """The alert reports missing data, not a bad signal."""
    level_note: str
    repairs: list[str]
    """Fields that were invalid as received, and the values used instead."""
    generator_url: str


class NotTakenView(View):
    """An incident that a bulk request did not change."""

    number: int
    reason: str


class TakenView(View):
    """Result of a bulk request."""

    taken: list[int]
    """Numbers of the changed incidents, ascending."""
    not_taken: list[NotTakenView]
    lost: int
    """How many incidents could not be stored; their state is unknown."""


class EscalationView(View):
    """Progress of the escalation."""

    step: int
    """0: opened, 1: escalated, 2: breached; higher: repeated pages."""
    next_at: Time | None
    """When the next step runs, unless a responder acknowledges or another person answers the call for help."""


class ScaleView(View):
    """The impact on one scale."""

    scale: str
    grade: str
    said: str
    """The input that the grade was derived from."""
    means: str
    """The policy's text for the grade."""


class ImpactView(View):
    """The impact of an incident."""

    grade: str | None
    """The worst grade of all scales; null: neither a responder nor an alert gave one."""
    scales: list[ScaleView]


class ImpactScaleView(View):
    """An impact scale. The fact with the scale's name takes a number (0.3, 30%), a grade, or the grade's text."""

    name: str
    description: str
    choices: Mapping[str, str]


class RoleView(View):
    """A role and its holder."""

    name: str
    description: str
    held_by: str | None
    wanted: bool
    """An incident of this level needs this role filled."""


class TurnView(View):
    """One entry of an incident's history of ownership."""

    deed: Deed
    at: Time
    by: str
    """The acting person; for an expired or voided acknowledgement, the person who had acknowledged."""
    to: str | None
    """The recipient of a handover."""


class DoneStepView(View):
    """A checklist step that was done in an earlier occurrence."""

    id: str
    text: str
    done_by: str
    done_at: Time
    note: str
    link: str


class OccurrenceView(View):
    """An earlier period in which a recurring incident was open."""

    number: int
    """From 1: the first opening."""
    began_at: Time
    resolved_at: Time | None
    resolved_by: str | None
    came_back_at: Time
    facts: Mapping[str, str]
    """Facts entered up to the end of the occurrence."""
    steps: list[DoneStepView]


class DutyView(View):
    """An unfinished task with a deadline: a checklist with a time limit or a report to file."""

    key: str
    """A checklist's key, or ``obligation/stage``."""
    what: str
    due_at: Time
    overdue: bool
    """The owner was notified that the task is overdue."""


class LinkView(View):
    """A labelled link."""

    label: str
    url: str


class CountdownView(View):
    """An upcoming deadline of an incident."""

    label: str
    at: Time
    tells: list[str]
    """Channels that are notified at the deadline."""
    passed: bool
    """The deadline is in the past."""


class AccountView(View):
    """The text of an incident's messages as of now; empty fields: not applicable."""

    what: str
    """The title with the value and the number of further firing alerts."""
    system: str
    stands: str
    """The state of the incident in words."""
    who_has_it: str
    description: str
    """The alert's further text, without the title."""
    value: str
    value_told_at: Time | None
    """When the value was received. Tocsin does not measure it again."""
    condition: str
    firing: str
    """The number and names of the firing alerts, with their values."""
    firing_since: Time | None
    impact: str
    first_actions: list[str]
    labels: Mapping[str, str]
    """Labels that all firing alerts share, without internal ones."""
    countdowns: list[CountdownView]
    links: list[LinkView]
    """The console page, the runbook and the graph."""


class IncidentView(View):
    """An incident."""

    id: str
    number: int
    """The short number for people: #12."""
    type: str
    level: Level
    level_name: str
    state: State
    recovery: Recovery
    title: str
    account: AccountView
    source: str
    labels: Mapping[str, str]
    alerts: list[AlertView]
    """Firing alerts first; at most 100, in a list of incidents 20. The operation `alerts` lists all."""
    firing: int
    """Number of firing alerts."""
    firing_by_level: Mapping[str, int]
    opened_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None
    owner: str | None
    """The current owner."""
    help_asked_by: list[str]
    """Persons whose call for help is unanswered."""
    history: list[TurnView]
    """Changes of ownership and calls for help, the newest last; at most 50."""
    roles: list[RoleView]
    """The policy's roles, and further roles that are held."""
    assessed_at: Time | None
    """When a person assessed the impact."""
    duties: list[DutyView]
    """Unfinished tasks with a deadline, the earliest first."""
    acknowledgement_expires_at: Time | None
    silenced_until: Time | None
    """All firing alerts are silenced in Alertmanager until then; below level 4 the silence suppresses pages."""
    stale_since: Time | None
    """Since when no webhook repeated the alerts: they may be over, or Alertmanager cannot reach Tocsin."""
    recovered_at: Time | None
    resolved_at: Time | None
    resolved_by: str | None
    closed_at: Time | None
    outstanding: list[str]
    """What keeps a resolved incident from closing, in words; empty: nothing."""
    signed_off_by: str | None
    """The person who signed the incident off; never the resolver."""
    occurrences: list[OccurrenceView]
    """Earlier occurrences, the newest last; at most 20."""
    escalation: EscalationView
    response_due_at: Time
    breached_at: Time | None
    recurrences: int
    declared: bool
    exercise: bool
    on_legal_hold: bool
    """Legal hold: nothing of the incident is deleted, and the policy's retention does not apply."""
    recorded_only: bool
    """All alerts have level 0: the incident is recorded without notifications and needs no action."""
    impact: ImpactView
    facts: Mapping[str, str]
    rules: list[str]
    confirmed_by: list[str]
    policy: str
    """Digest of the policy version that the incident runs under."""
    version: int
    """Increases with each change."""


class SimilarIncidentView(View):
    """An earlier incident with its documented cause, fix and lessons."""

    number: int
    title: str
    type: str
    system: str
    """The affected system, from the labels; empty: no label names one."""
    level: Level
    opened_at: Time
    resolved_at: Time | None
    root_cause: str
    fix_description: str
    lessons_learned: str
    """This and the two fields above are as entered; empty: not entered."""


class SimilarIncidentsView(View):
    """Earlier documented incidents of the same type or system, the newest first."""

    incidents: list[SimilarIncidentView]


class RelatedIncidentView(View):
    """Another incident of the same system; of a closed one, what helped."""

    number: int
    title: str
    type: str
    level: Level
    state: State
    exercise: bool
    holder: str | None
    """Who has it, or had it last."""
    opened_at: Time
    resolved_at: Time | None
    resolved_by: str | None
    helped: Mapping[str, str]
    """The documented cause, fix, immediate actions and lessons, as entered; those not entered are missing."""


class RelatedIncidentsView(View):
    """Other incidents of the same system."""

    system: str
    """Empty: no label names one, and nothing is related."""
    now: list[RelatedIncidentView]
    """Not closed: real ones before exercises, then the worst level first, then the newest."""
    lately: list[RelatedIncidentView]
    """Closed, opened in the last 30 days: those with documented help first, then the newest."""
    more_now: int
    more_lately: int
    """How many more there are; the list of incidents with this `system` has them."""


class IncidentsView(View):
    """A page of incidents."""

    incidents: list[IncidentView]
    next: str | None
    """Cursor of the next page; null: this was the last."""


class EntryView(View):
    """One entry of a timeline."""

    position: int
    at: Time
    fact: str
    by: str | None
    """The acting person; null: Tocsin."""
    text: str
    """What happened, in words."""
    data: Mapping[str, str]


class TimelineView(View):
    """A page of an incident's timeline, the oldest entry first."""

    timeline: list[EntryView]
    next: Next


class NotificationView(View):
    """One message to one recipient."""

    id: str
    sequence: int
    kind: Kind
    reason: Reason
    channel: str
    recipient: str
    level: Level
    status: Status
    attempts: int
    created_at: Time
    next_try_at: Time | None
    done_at: Time | None
    """When a provider accepted it, or it otherwise became final."""
    reached_at: Time | None
    """When a page was known to have reached a person; at levels 3 and 4 only channels that wake count."""
    detail: str
    """The last failure, in words."""
    person: str = ""
    """The policy's person who has the recipient as a contact; empty: none is known."""
    via: str = ""
    """The policy reference that was resolved to the person (`@primary`); empty: the channel names the address."""
    shift: str = ""
    """The part of the schedule that put the person on call: `layer 1`, `override by ann`."""


class ReportPartView(View):
    """A titled group of fields in a report."""

    title: str
    fields: Mapping[str, list[str]]
    """Name → values; no values: not known yet."""


class ReportTableView(View):
    """A table of a report."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class ReportSectionView(View):
    """A section of a report."""

    name: str
    title: str
    parts: list[ReportPartView]
    tables: list[ReportTableView]


class ReportCoverView(View):
    """Provenance of a report."""

    as_of: str = ""
    """When the report was made, in words."""
    prepared_by: str = ""
    approved_by: str = ""
    approved_as: str = ""
    """The approver's role in the incident, if the policy names an approving role; empty: there is none, or the report
    is not approved.
    """
    approved_at: str = ""
    """When the report was approved, in words."""
    audit_head: str = ""
    """The audit log's head at that time: POSITION:HASH."""


class ReportView(View):
    """A report. Also as Markdown and HTML with ?format=md and ?format=html."""

    title: str
    subtitle: str
    exercise: bool
    sections: list[ReportSectionView]
    organisation: str = ""
    """The organisation that the report belongs to; empty: the policy names none."""
    version: int = 0
    """From 1; 0: a report of a period, which has no versions."""
    changes: list[str] = []
    """Differences from the previous, approved version."""
    summary: ReportSectionView | None = None
    """What happened, who was affected, duration, actions, current state, remaining work and all deadlines."""
    sha256: str = ""
    """Of the fields above, as JSON with sorted keys and without whitespace."""
    cover: ReportCoverView = ReportCoverView()


class DrillView(View):
    """A live drill; durations in seconds."""

    number: int
    type: str
    level: Level
    state: State
    opened_at: Time
    acknowledged_after: float | None
    kept: bool | None
    """Whether it was acknowledged within the response time; null: not yet, or resolved without an acknowledgement."""
    resolved_after: float | None
    people: list[str]
    """All persons who acted in the drill or held a role."""
    roles: Mapping[str, str]
    """Role → its holder."""


class TrainedView(View):
    """A person's practice of an incident type or a role."""

    person: str
    subject: str
    """The incident type or the role."""
    last: Time
    due_at: Time | None
    """When the next drill is due, by the policy's `drills`."""
    overdue: bool


class DrillsView(View):
    """Live drills, the newest first."""

    drills: list[DrillView]
    trained: list[TrainedView]
    """Each person's practised types and roles, from their own actions."""


class AsTestView(View):
    """An incident as a regression test for later policies."""

    files: Mapping[str, str]
    """Name → content: a drill script, and promtool unit tests if a rule of the policy fired."""
    notes: list[str]
    """What was reconstructed and from what source; what could not be tested."""
    tabletop: str
    """The same as a tabletop exercise sheet in Markdown: events, past actions, lessons."""


class NotificationsView(View):
    """A page of an incident's notifications, in the order they were planned."""

    notifications: list[NotificationView]
    next: Next


class AlertsView(View):
    """A page of an incident's alerts: firing ones first, the worst first, then the newest."""

    alerts: list[AlertView]
    next: Next


class LevelView(View):
    """A severity level; durations in seconds."""

    level: Level
    name: str
    response_time: float
    escalation_time: float
    resolve_after: float
    resolution: str
    channels: list[str]
    description: str
    impact: str
    """What the level means for users and business."""
    examples: list[str]


class ChannelView(View):
    """A channel, without its secrets."""

    name: str
    type: str
    enabled: bool
    recipients: list[str]


class PolicyView(View):
    """The policy in use."""

    digest: str
    levels: list[LevelView]
    channels: list[ChannelView]
    disabled_sections: list[str]
    """Sections with `enabled: false`: parsed, without effect."""
    impact_scales: list[ImpactScaleView]
    incident_types: list[str]
    roles: list[str]
    """Roles that a person can hold in an incident."""
    people: list[str]
    """Valid recipients of a handover beside an incident's participants: the policy's people and the persons who may log
    in. Empty: no names are known, and any name is valid.
    """
