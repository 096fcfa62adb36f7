"""The API's public shapes: pydantic models that answers are made of and that the OpenAPI document describes.

`receiver.web.api.views` fills them. They are a promise to other programs: fields may be added, never renamed.
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
    """What every shape has in common."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class HeartbeatView(View):
    """One heartbeat that is watched."""

    key: str
    name: str
    """The policy's; empty: it was learned."""
    source: str
    labels: Mapping[str, str]
    state: Life
    evaluated_at: Time | None
    """The newest evaluation that was heard of; null: it was never heard."""
    age: float
    """Seconds since then, or since Tocsin listens."""
    within: float
    """Seconds that it may be missing."""


class HeartbeatsView(View):
    """The heartbeats that are watched."""

    heartbeats: list[HeartbeatView]


class ShiftView(View):
    """Somebody's time on call."""

    person: str
    starts: Time
    """Five weeks ago at the most, and so with `ends`: a longer shift is told as far as it was looked at."""
    ends: Time
    source: str
    """`layer N`, `calendar` or `override by WHO`."""


class FetchedCalendarView(View):
    """A calendar that is fetched from a URL."""

    fetched_at: Time | None
    """When the copy in use was last fetched, or found to be unchanged; null: there is none."""
    problem: str
    """Why the last fetch was not good, or the copy cannot be read; empty: all is well."""
    unknown: list[str]
    """Names of the coming weeks in it that are nobody's."""


class ScheduleView(View):
    """Who is on call in a schedule."""

    name: str
    time_zone: str
    now: list[ShiftView]
    """Empty: nobody is."""
    next: ShiftView | None
    """The next shift of the coming five weeks; null: there is none."""
    calendar: FetchedCalendarView | None
    """null: it is no schedule by a calendar at a URL."""


class OnCallView(View):
    """Who is on call now."""

    schedules: list[ScheduleView]


class OverrideView(View):
    """An override of a schedule that is in effect, or will be."""

    number: int
    schedule: str
    time_zone: str
    """The schedule's; UTC where the policy has lost that."""
    person: str
    starts: Time
    ends: Time
    by: str
    reason: str
    void: str
    """Why it puts nobody on call (the policy lost the person or the schedule); empty: it does."""


class OverridesView(View):
    """The overrides that are in effect, or will be."""

    overrides: list[OverrideView]


class AlertView(View):
    """One alert of an incident, as last heard of."""

    fingerprint: str
    status: str
    level: Annotated[int, Field(ge=0, le=4)]
    """0: it is kept, and nobody is told of it."""
    rule: str
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: Time
    ended_at: Time | None
    twin: bool
    """It says that data is missing, not that the signal is bad."""
    level_note: str
    repairs: list[str]
    """What of it could not be read as it was sent, and what it was taken for."""
    generator_url: str


class NotTakenView(View):
    """An incident that a request for several did not change."""

    number: int
    reason: str


class TakenView(View):
    """What a request for several incidents came to."""

    taken: list[int]
    """Numbers, in order."""
    not_taken: list[NotTakenView]
    lost: int
    """Of so many nothing is known: they could not be stored."""


class EscalationView(View):
    """How far the escalation is."""

    step: int
    """0 opened, 1 escalated, 2 breached, then repeated."""
    next_at: Time | None
    """When the next step is taken if nobody acknowledges, or nobody else answers a call for help."""


class ScaleView(View):
    """How bad it is on one scale."""

    scale: str
    grade: str
    said: str
    """What it was graded by."""
    means: str
    """The grade, in the policy's words."""


class ImpactView(View):
    """How bad it is."""

    grade: str | None
    """The worst of all scales; null: nobody and no alert said."""
    scales: list[ScaleView]


class ImpactScaleView(View):
    """How one kind of impact is graded: a fact of its name takes a number (0.3, 30%), a grade, or its words."""

    name: str
    description: str
    choices: Mapping[str, str]


class RoleView(View):
    """A role of the policy, and who holds it."""

    name: str
    description: str
    held_by: str | None
    wanted: bool
    """An incident of this level wants somebody for it."""


class TurnView(View):
    """One line of the history of who has an incident."""

    deed: Deed
    at: Time
    by: str
    """Who did it; of what expired or was voided: whose acknowledgement it was."""
    to: str | None
    """Who got it handed over."""


class DoneStepView(View):
    """A step that somebody ticked in an earlier occurrence."""

    id: str
    text: str
    done_by: str
    done_at: Time
    note: str
    link: str


class OccurrenceView(View):
    """An earlier time that an incident was open, until it came back: its cause and its fix did not hold."""

    number: int
    """From 1: the opening."""
    began_at: Time
    resolved_at: Time | None
    resolved_by: str | None
    came_back_at: Time
    facts: Mapping[str, str]
    """What responders had entered by then."""
    steps: list[DoneStepView]


class DutyView(View):
    """Something that must be done by a time and is not done yet: a checklist with a time limit, a report to file."""

    key: str
    """A checklist's key, or ``obligation/stage``."""
    what: str
    due_at: Time
    overdue: bool
    """Its owner was told that it is overdue."""


class LinkView(View):
    """Where more is to be seen."""

    label: str
    url: str


class CountdownView(View):
    """Something that an incident waits for."""

    label: str
    at: Time
    tells: list[str]
    """Channels that are told then."""
    passed: bool
    """It should have come by now."""


class AccountView(View):
    """What Tocsin says of an incident now, in the words of its messages; empty: there is nothing to say."""

    what: str
    """The title, with the value that was told and how many more fire."""
    system: str
    stands: str
    """How it stands."""
    who_has_it: str
    description: str
    """What the alert says beside its title."""
    value: str
    value_told_at: Time | None
    """Nobody measures it again."""
    condition: str
    firing: str
    """How many fire, and which, with their values."""
    firing_since: Time | None
    impact: str
    first_actions: list[str]
    labels: Mapping[str, str]
    """Those that all that fires shares, without internal ones."""
    countdowns: list[CountdownView]
    links: list[LinkView]
    """Its page, the runbook, where it is drawn."""


class IncidentView(View):
    """An incident."""

    id: str
    number: int
    """Small, for people: #12."""
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
    """Firing ones first; at most 100, in a list of incidents 20; `alerts` of the incident lists all."""
    firing: int
    """How many alerts fire."""
    firing_by_level: Mapping[str, int]
    opened_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None
    owner: str | None
    """Who has it now."""
    help_asked_by: list[str]
    """Who asks for help with it; empty: nobody, or somebody else has answered."""
    history: list[TurnView]
    """Who had it and who asked for help, the newest last; at most the last 50."""
    roles: list[RoleView]
    """The policy's roles, and others that somebody holds."""
    assessed_at: Time | None
    """When somebody said how bad it is."""
    duties: list[DutyView]
    """What must be done by a time and is not done yet, the first that is due first."""
    acknowledgement_expires_at: Time | None
    silenced_until: Time | None
    """All that fires of it is silenced in Alertmanager until then; below level 4 nobody is paged meanwhile."""
    stale_since: Time | None
    """Since when its alerts count as repeated no more: they may be over, or the way from Alertmanager is cut."""
    recovered_at: Time | None
    resolved_at: Time | None
    resolved_by: str | None
    closed_at: Time | None
    outstanding: list[str]
    """Of a resolved incident, what keeps it from closing, in words; empty: nothing does."""
    signed_off_by: str | None
    """Who signed it off, other than who resolved it."""
    occurrences: list[OccurrenceView]
    """Earlier times that it was open, the newest last; at most the last 20."""
    escalation: EscalationView
    response_due_at: Time
    breached_at: Time | None
    recurrences: int
    declared: bool
    exercise: bool
    on_legal_hold: bool
    """Nothing of it is deleted, whatever the policy's retention says."""
    recorded_only: bool
    """All its alerts have level 0: it stands in the history, nobody was told and nobody has to act."""
    impact: ImpactView
    facts: Mapping[str, str]
    rules: list[str]
    confirmed_by: list[str]
    policy: str
    """Digest of the policy version it runs under."""
    version: int
    """Counts the changes."""


class SimilarIncidentView(View):
    """An earlier incident, and what people wrote down about it."""

    number: int
    title: str
    type: str
    system: str
    """What it was about, by its labels; empty: none names it."""
    level: Level
    opened_at: Time
    resolved_at: Time | None
    root_cause: str
    fix_description: str
    lessons_learned: str
    """All three as entered; empty: nobody did."""


class SimilarIncidentsView(View):
    """Earlier incidents of the same type or system about which somebody wrote something down, the newest first."""

    incidents: list[SimilarIncidentView]


class IncidentsView(View):
    """A page of incidents."""

    incidents: list[IncidentView]
    next: str | None
    """Cursor of the next page; null: this was the last."""


class EntryView(View):
    """One line of a timeline."""

    position: int
    at: Time
    fact: str
    by: str | None
    """The person; null: Tocsin itself."""
    text: str
    """What happened, in words."""
    data: Mapping[str, str]


class TimelineView(View):
    """A page of an incident's timeline, from the beginning."""

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
    """When a provider accepted it, or it became final otherwise."""
    reached_at: Time | None
    """When it was known of a page that it has reached somebody: at levels 3 and 4 only what wakes counts."""
    detail: str
    """The last failure, in words."""
    person: str = ""
    """The policy's person whose contact the recipient is; empty: none is known."""
    via: str = ""
    """The reference that stood for the person (`@primary`); empty: the channel names the address."""
    shift: str = ""
    """What of the schedule had the person on call: `layer 1`, `override by ann`."""


class ReportPartView(View):
    """Fields under one title."""

    title: str
    fields: Mapping[str, list[str]]
    """Name → values; no value: nobody knows it yet."""


class ReportTableView(View):
    """A table of a report."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class ReportSectionView(View):
    """One section of a report."""

    name: str
    title: str
    parts: list[ReportPartView]
    tables: list[ReportTableView]


class ReportCoverView(View):
    """How a report came to be."""

    as_of: str = ""
    """When it was made, in words."""
    prepared_by: str = ""
    approved_by: str = ""
    approved_as: str = ""
    """Their role in the incident, where the policy names one that approves."""
    """Empty: nobody has approved it."""
    approved_at: str = ""
    """When, in words."""
    audit_head: str = ""
    """Where the audit log ended then: POSITION:HASH."""


class ReportView(View):
    """A report; as Markdown and HTML with ?format=md and ?format=html."""

    title: str
    subtitle: str
    exercise: bool
    sections: list[ReportSectionView]
    organisation: str = ""
    """Whose it is; empty: the policy does not say."""
    version: int = 0
    """From 1; 0: the report of a period, which has none."""
    changes: list[str] = []
    """What is different from the version before, which was approved."""
    summary: ReportSectionView | None = None
    """What happened, to whom, how long, what was done, whether it is over, what remains; and all deadlines."""
    sha256: str = ""
    """Of the members above, as JSON with sorted keys and without blanks."""
    cover: ReportCoverView = ReportCoverView()


class DrillView(View):
    """A live drill that was held; durations in seconds."""

    number: int
    type: str
    level: Level
    state: State
    opened_at: Time
    acknowledged_after: float | None
    kept: bool | None
    """Whether somebody took it within the response time; null: nobody has yet, or it was resolved untaken."""
    resolved_after: float | None
    people: list[str]
    """Everybody who did something in it or held a role."""
    roles: Mapping[str, str]
    """Role → who held it."""


class TrainedView(View):
    """A person has practised an incident type or a role."""

    person: str
    subject: str
    """The type, or the role."""
    last: Time
    due_at: Time | None
    """When another drill of it is due, by the policy's `drills`."""
    overdue: bool


class DrillsView(View):
    """Live drills, the newest first."""

    drills: list[DrillView]
    trained: list[TrainedView]
    """Who has practised what, by their own doing."""


class AsTestView(View):
    """An incident as a test of whatever policy comes after it."""

    files: Mapping[str, str]
    """Name → content: a drill script, and promtool unit tests where a rule of the policy fired."""
    notes: list[str]
    """What was rebuilt, and from what; what could not be tested."""
    tabletop: str
    """The same as a sheet for a tabletop, in Markdown: what happens, what was done then, what was learned."""


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
    """What it means for users and business."""
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
    """Sections with `enabled: false`: read, without effect."""
    impact_scales: list[ImpactScaleView]
    incident_types: list[str]
    roles: list[str]
    """Which a person can take in an incident."""
    people: list[str]
    """Whom an incident can be handed over to, beside those who have had to do with it: the policy's people, and who
    may log in. Empty: nobody is known by name, so to anybody."""
