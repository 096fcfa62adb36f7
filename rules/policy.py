"""The policy model: frozen, validated and merged, independent of YAML.

`rules.load` makes a Policy, `rules.compile` turns it into Prometheus rules, and the receiver's core decides by it. No
I/O here. Every duration is an integer number of **microseconds**, as every instant in the receiver is, so that the two
add without conversion.

The terms are those of docs/words.md (policy, signal, detection rule, level, incident type …).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NewType

from rules.channel_types import (
    CHANNEL_FACTS,
    CHANNEL_TYPES,
    ChannelFacts,
    ChannelType,
    as_shown,
    fallback_order,
    types_where,
)

__all__ = ["CHANNEL_TYPES", "ChannelType"]

Micros = NewType("Micros", int)
"""A duration in microseconds."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

UTC = "UTC"
"""The time zone of a policy that does not set one."""

INFORMATIONAL, WARNING, CRITICAL, EMERGENCY = LEVELS = 1, 2, 3, 4

REFERENCE = "@"
"""First character of a recipient that names a person or a schedule."""

BASIC = "incident_response"
"""The basic section: it has the levels and channels, and its procedures apply to every incident."""

Attach = Literal["opened", "escalated", "recovered", "acknowledged", "resolved"]
"""The events that attach checklists to an incident."""


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a policy element in its source file, shown in annotations, messages and lints."""

    path: str
    line: int
    column: int = 1
    pointer: str = ""
    """The path inside the document, such as ``incident_response.detection.rules[2]``."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Level:
    """A severity level (guide: Incident Severity Levels). 4 is the most severe."""

    level: int
    name: str
    response_time: Micros
    """Deadline for the first acknowledgement, from the opening; also how long an acknowledgement holds."""
    escalation_time: Micros
    """From the opening until the first escalation, and between escalations after the breach."""
    resolve_after: Micros = Micros(5 * MINUTE)
    """How long the signal must stay recovered before the incident may resolve."""
    resolution: Literal["automatic", "confirmed"] = "automatic"
    """`confirmed`: a person must confirm the recovery (the default at level 4)."""
    confirmations: int = 1
    escalates_to: tuple[str, ...] | None = None
    """Channels of the first escalation; None: the next level's."""
    update_interval: Micros | None = None
    """Between status updates; None: `response_time`."""
    description: str = ""
    impact: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` messages in `per` microseconds to one recipient (policy: ``rate_limit: 20/1m``)."""

    count: int
    per: Micros


@dataclass(frozen=True, slots=True)
class Channel:
    """One notification channel (guide: alert_channels)."""

    name: str
    type: ChannelType
    enabled: bool = True
    recipients: tuple[str, ...] = ()
    """In the form of the type's address (rules.channel_types): e-mail addresses, E.164 numbers, or the one channel,
    service or URL. A type that is called by hand (phone) also takes a plain name. `@NAME` is a person, or the person
    on call in that schedule."""
    rate_limit: RateLimit | None = None
    mention: str = ""
    """Slack: the mention on a page, such as ``<!here>``; empty: no mention."""
    headers: tuple[tuple[str, str], ...] = ()
    """Webhook: additional headers."""
    proxy: str = ""
    """A URL, or `rules.channel_types.DIRECT`; empty: the proxy of the settings."""
    send_resolved: bool = True
    canary: Micros | None = None
    """The interval of test messages to the provider; None: no test messages."""
    time_zone: str | None = None
    """The time zone of its recipients (`rules.time_zones`); None: the policy's."""
    updates: bool | None = None
    """Whether its recipients get status updates too; None: the default of its type."""
    place: Place | None = None

    @property
    def facts(self) -> ChannelFacts:
        """The properties of its type."""
        return CHANNEL_FACTS[self.type]


@dataclass(frozen=True, slots=True)
class ReachStep:
    """One step of a person's notification preferences."""

    by: tuple[ChannelType, ...]
    after: Micros = Micros(0)
    """Delay after the page; an acknowledgement in the meantime cancels the step."""
    levels: tuple[int, ...] = ()
    """Empty: all levels; only 3 and 4 for types that wake."""

    @property
    def name(self) -> str:
        """Identifies the step among the person's steps."""
        return ", ".join(self.by)


QUIET_WAYS = types_where(lambda facts: not facts.wakes and not facts.is_program)
"""Channel types that reach a person without waking them, the most immediate first."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person who can be on call; recipient `@name` in channels."""

    name: str
    contacts: tuple[tuple[ChannelType, str], ...] = ()
    """(channel type, address)."""
    time_zone: str = UTC
    aliases: tuple[str, ...] = ()
    """Other names by which a calendar may refer to the person."""
    reach: tuple[ReachStep, ...] = ()
    """Empty: all contacts whose types the paged channels have."""
    repeat: bool = True
    """False: no repeated page at an escalation step before the breach."""
    place: Place | None = None

    def contact(self, type_: str) -> str | None:
        """The address for a channel type, or None."""
        return dict(self.contacts).get(type_)


@dataclass(frozen=True, slots=True)
class DutyHours:
    """Hours on some days of the week, in wall time (`rules.rota`)."""

    days: tuple[str, ...]
    """``mon`` … ``sun``: the days on which the hours begin."""
    begins: str
    ends: str
    """Earlier than `begins`: on the next day."""

    @property
    def name(self) -> str:
        """For example ``mon tue 09:00-17:00``."""
        return f"{' '.join(self.days)} {self.begins}-{self.ends}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A rotation: people who take turns. Times are in the form that `rules.rota` reads."""

    name: str
    """``layer 1``, numbered in the order of the schedule; shifts give it as their source."""
    people: tuple[str, ...]
    starts: str
    """Local date and time of the first turn; its time of day is that of every handoff."""
    every: str
    time_zone: str
    only: tuple[DutyHours, ...] = ()
    """Empty: always."""


@dataclass(frozen=True, slots=True)
class OnCallSchedule:
    """An on-call schedule, from layers or a calendar; recipient `@name` is the person on call."""

    name: str
    time_zone: str
    layers: tuple[Layer, ...] = ()
    """A later layer takes precedence over an earlier one."""
    calendar: str = ""
    """Instead of layers: a file beside the policy, or an https URL."""
    calendar_text: str = ""
    """The content of the calendar file (iCalendar)."""
    nights: int = 7
    """The lint `nights-in-a-row` reports a person with more nights in a row than this."""
    handoff_by: tuple[ChannelType, ...] = QUIET_WAYS
    """Channel types for handoff notices: each person gets one by the first type for which they have a contact.
    Empty: no notices."""
    place: Place | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether the service fetches its calendar from a URL."""
        return "://" in self.calendar

    @property
    def calendar_shown(self) -> str:
        """The calendar's place for display. A URL is shortened, because it may be a private address."""
        return as_shown(self.calendar, None) if self.is_fetched else self.calendar


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that conditions use; with `expr`, also a recording rule of that name."""

    name: str
    expr: str | None = None
    unit: str = ""
    identity: tuple[str, ...] | None = None
    """The labels that identify a unit; None: all but instance, pod, container, endpoint."""
    help: str = ""
    missing_data: bool = True
    """False disables the missing-data twin (a lint reports that)."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule: a condition that opens an incident of the rule's name."""

    section: str
    name: str
    condition: str
    """As written. A bare selector means ``> 0``."""
    level: int
    channels: tuple[str, ...]
    interval: Micros = Micros(60 * SECOND)
    """The rule group's evaluation interval (guide: check_interval)."""
    threshold: int = 1
    """Consecutive failures before the alert fires (guide: alert_threshold)."""
    immediate: bool = False
    description: str = ""
    """May contain ``{{ $value }}`` and ``{{ $labels.NAME }}`` (`rules.alert_text`), as may `summary`."""
    runbook_url: str = ""
    summary: str = ""
    """The fault in one line; empty: generated from the condition."""
    labels: tuple[tuple[str, str], ...] = ()
    """Additional labels of the alert, such as ``system`` for a framework system's rules."""
    signal: str = ""
    """Overrides the `signal` label (an SLO's name); empty: the condition's source metric."""
    missing_data: bool = True
    """Whether a missing-data twin monitors the rule's signals."""
    hold: Micros | None = None
    """An explicit `for` (framework: duration); None: computed from threshold and interval."""
    keep_firing: Micros | None = None
    """An explicit `keep_firing_for`; None: until the missing-data twin fires, if there is one."""
    alert: str = ""
    """The alert's name; empty: generated from the rule's name."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Prometheus templates, as written (`rules.prometheus_template`); they override generated annotations."""
    place: Place | None = None

    @property
    def key(self) -> str:
        """``section/name``: identifies the rule, because two sections may use the same name."""
        return f"{self.section}/{self.name}"

    @property
    def waits(self) -> Micros:
        """How long the condition must hold before the alert fires: N consecutive failures are N-1 intervals."""
        if self.immediate:
            return Micros(0)
        return self.hold if self.hold is not None else Micros((self.threshold - 1) * self.interval)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule for a framework system's SLOs (made by `rules.slo`); the order matters."""

    section: str
    record: str
    expr: str
    labels: tuple[tuple[str, str], ...] = ()
    interval: Micros = Micros(60 * SECOND)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class IncidentType:
    """A named kind of incident without a condition of its own (guide: aviation, manufacturing `incidents`).

    It compiles to ``name > 0``. An alert's label `incident_type` or a person can also declare it.
    """

    section: str
    name: str
    level: int
    description: str = ""
    business_impact: str = ""
    immediate_actions: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    """Empty: the channels of its level."""
    fires: bool = True
    """False: it can be declared, but has no rule (the framework's ``alerts:`` names without conditions)."""
    place: Place | None = None

    @property
    def key(self) -> str:
        """``section/name``."""
        return f"{self.section}/{self.name}"


@dataclass(frozen=True, slots=True)
class Procedure:
    """Named steps that people carry out (guide: procedures)."""

    section: str
    name: str
    description: str
    steps: tuple[str, ...]
    attach: Attach = "opened"
    """The event at which it becomes a checklist of the incident."""
    time_limit: Micros | None = None
    """Time for all of its steps, from when it is attached; None: no limit."""


@dataclass(frozen=True, slots=True)
class TimedActions:
    """A block of actions with a time limit or a duration (guide: initial_response, root_cause_analysis,
    fix_implementation, post_incident_actions …).
    """

    name: str
    description: str = ""
    actions: tuple[str, ...] = ()
    time_limit: Micros | None = None
    duration: Micros | None = None
    from_level: int | None = None
    """The time limit applies to incidents of this level and above; None: level 3 for the initial response, every
    level for all other blocks."""

    @property
    def is_acknowledgement(self) -> bool:
        """In initial_response: counted from the opening (the others count from the acknowledgement)."""
        return "acknowledg" in self.name.lower()

    @property
    def is_assessment(self) -> bool:
        """In initial_response: completed when a responder sets the level or an impact, regardless of ticks."""
        return not self.is_acknowledgement and "assess" in self.name.lower()


@dataclass(frozen=True, slots=True)
class Stakeholders:
    """A group that is notified of incidents in addition to the responders (guide: stakeholder_notification)."""

    name: str
    description: str
    recipients: tuple[str, ...]
    channels: tuple[str, ...]
    external: bool
    """Notices to external groups (the name begins with ``external``) need a person's approval."""
    from_level: int = CRITICAL
    """The group is notified of incidents of this level and above."""
    sections: tuple[str, ...] = ()
    """The group is notified of incidents of these sections and of their subsections; empty: all."""
    approvers: tuple[str, ...] = ()
    """Recipients of the request to approve a notice to this group: addresses or channel names. Empty: the internal
    groups."""
    initial: "ExternalText | None" = None
    """The group's text for the first notice; None: the policy's template."""
    update: "ExternalText | None" = None
    resolution: "ExternalText | None" = None


@dataclass(frozen=True, slots=True)
class ExternalText:
    """A group's own text; `{placeholder}` and Jinja2 both work."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class ResponseRole:
    """A role that one person holds in an incident: incident commander, communications … (policy: ``roles``)."""

    name: str
    description: str = ""
    from_level: int = INFORMATIONAL
    """The role should be filled in incidents of this level and above."""


@dataclass(frozen=True, slots=True)
class ImpactScale:
    """The grades of one kind of impact (guide: business impact_assessment)."""

    name: str
    description: str
    thresholds: tuple[tuple[str, str], ...]
    """(grade, text as written), from low to critical."""
    ranges: tuple[tuple[str, float, float | None], ...] = ()
    """(grade, above, up to and including) where the text is numeric; percentages are ratios; None: no upper end."""


@dataclass(frozen=True, slots=True)
class ImpactMetrics:
    """What a responder assesses (guide: impact_assessment with `metrics`)."""

    name: str
    description: str
    metrics: tuple[str, ...]
    time_limit: Micros | None = None
    """Time for the assessment of all metrics, from the acknowledgement; None: no limit."""


CountedFrom = Literal["occurrence", "awareness", "classification"]
"""The start of a reporting deadline: the occurrence, the organisation's awareness of it, or its classification as
reportable."""


@dataclass(frozen=True, slots=True)
class ReportStage:
    """One of the reports due to an authority."""

    name: str
    within: Micros
    """The time limit; 0 if `months` has it."""
    counted_from: CountedFrom = "awareness"
    after: str = ""
    """The stage from whose filing (before that, from whose due time) the limit counts instead."""
    remind_before: Micros = Micros(0)
    """The owner and the approver are reminded this long before the due time."""
    text: str = ""
    """The report's template; `{placeholder}` and Jinja2 both work. Empty: none."""
    channel: str = ""
    """How it is filed, as text: a portal's address, a telephone number."""
    approver: str = ""
    """The approver: an e-mail address, or a role of the policy. Empty: the incident's owner."""
    months: int = 0
    """Calendar months instead of `within`; 0: `within` applies."""
    written: str = ""
    """`within` as written in the policy, because readers of a report expect the law's "72 hours" and not "3 days"."""


@dataclass(frozen=True, slots=True)
class ReportingObligation:
    """The obligation to report some incidents to an authority, with time limits and procedure (policy:
    ``reporting_obligations``).
    """

    name: str
    authority: str
    stages: tuple[ReportStage, ...]
    sections: tuple[str, ...] = ()
    """Incidents of these sections and of their subsections; empty: all."""
    types: tuple[str, ...] = ()
    """Names of incident types and rules; empty: all."""
    levels: tuple[int, ...] = ()
    """Empty: all."""
    source: str = ""
    """The law or contract."""
    note: str = ""
    """Instructions for the person who reports."""


@dataclass(frozen=True, slots=True)
class Template:
    """A communication template; `{placeholder}` and Jinja2 both work."""

    subject: str
    body: str
    send_on: Literal["opened", "acknowledged", "updated", "resolved"]


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One titled part of a report template (guide: executive_summary_template, technical_report_template)."""

    title: str
    content: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Templates:
    """The guide's three communication templates."""

    initial: Template
    update: Template
    resolution: Template


@dataclass(frozen=True, slots=True)
class Reports:
    """What incident reports contain (guide: Incident Reporting)."""

    structure: tuple[str, ...] = ()
    executive_summary: tuple[ReportPart, ...] = ()
    technical: tuple[ReportPart, ...] = ()
    recipients: tuple[str, ...] = ()
    organisation: str = ""
    """The organisation named in the reports; empty: not set."""
    approver: str = ""
    """The role whose holder approves the reports; empty: any user with Tocsin's role `approver`."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What a resolved incident needs before it closes (policy: ``closing``).

    The defaults here require nothing, so that incidents under a policy version stored by an older release close.
    `rules.document.communication.ClosingTerms` has the defaults for a policy without ``closing``.
    """

    from_level: int | None = None
    """Applies to incidents of this level and above; None: to none."""
    facts: tuple[str, ...] = ()
    """Facts that must be recorded: ``root_cause``."""
    checklists: tuple[str, ...] = ()
    """Keys of the checklists whose steps must all be done, if the incident has them."""
    sign_off_from: int | None = None
    """From this level on, a person other than the one who resolved it must sign off; None: never."""
    remind_every: Micros = Micros(24 * HOUR)
    """The interval of reminders about missing items."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """An alert is flapping after `cycles` cycles of firing and clearing `within` microseconds."""

    cycles: int = 3
    within: Micros = Micros(10 * MINUTE)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An always-firing alert from outside the compiled rules; its absence means that its alerting path has failed."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    """(label, operator, value), as `rules.matchers` reads them."""
    within: Micros
    """How long it may be absent."""
    source: str | None = None
    """Only from this webhook source; None: from any."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The merged, validated content of all policy files. Its version is `rules.stored.digest`."""

    levels: tuple[Level, ...]
    """Exactly four, from 1 to 4."""
    channels: tuple[Channel, ...]
    rules: tuple[Rule, ...]
    templates: Templates
    signals: tuple[Signal, ...] = ()
    recordings: tuple[Recording, ...] = ()
    incident_types: tuple[IncidentType, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    initial_response: tuple[TimedActions, ...] = ()
    stakeholders: tuple[Stakeholders, ...] = ()
    roles: tuple[ResponseRole, ...] = ()
    """Roles in an incident; people are assigned to them individually."""
    investigation: tuple[TimedActions, ...] = ()
    impact_scales: tuple[ImpactScale, ...] = ()
    impact_metrics: tuple[ImpactMetrics, ...] = ()
    impact_raises: tuple[tuple[str, int], ...] = (("critical", EMERGENCY), ("high", CRITICAL))
    """(grade, minimum level): how an assessed impact raises the level."""
    fix_implementation: tuple[TimedActions, ...] = ()
    post_incident: tuple[TimedActions, ...] = ()
    reporting_obligations: tuple[ReportingObligation, ...] = ()
    """Which incidents must be reported to which authorities."""
    reports: Reports = field(default_factory=Reports)
    fallback: tuple[str, ...] = fallback_order()
    """The order of fallback channels for a page that reaches no person: channel names, or types for all channels of
    that type."""
    retention: Micros | None = None
    """How long closed incidents are kept; None: indefinitely."""
    default_severity: int = CRITICAL
    severity_aliases: tuple[tuple[str, int], ...] = ()
    """(value of an alert's `severity` label, level): the defaults and the policy's own, in lower case. Level 0: no
    notification."""
    severities: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    """(``?source=``, its severity words in lower case with their levels); they take precedence over
    `severity_aliases`."""
    ignore: tuple[tuple[tuple[str, str, str], ...], ...] = ()
    """Alerts of other origin that open no incident: those that match all matchers of one entry. A matcher is (label,
    operator, value) (`rules.matchers`)."""
    closing: Closing = Closing()
    drills_every: Micros | None = None
    """Maximum time between drills of a type or role for the people concerned; None: no requirement."""
    drills_owner: str = ""
    """Recipient of notices about overdue training: an address, a channel or a channel type; empty: the internal
    groups."""
    flapping: Flapping = Flapping()
    heartbeat_within: Micros = Micros(150 * SECOND)
    """How long a compiled heartbeat may be absent before an emergency opens."""
    heartbeats: tuple[Heartbeat, ...] = ()
    """Heartbeats expected from the start; compiled ones are expected once the first has arrived."""
    replica_labels: tuple[str, ...] = ("prometheus_replica", "replica", "__replica__")
    """Labels that distinguish replicas of one Prometheus; their heartbeats count as one."""
    people: tuple[Person, ...] = ()
    schedules: tuple[OnCallSchedule, ...] = ()
    contact_information: str = ""
    time_zone: str = UTC
    """The time zone of times in messages (`rules.time_zones`)."""
    safety_critical_threshold: float | None = None
    under: tuple[tuple[str, str], ...] = ()
    """(section, or key of a rule of the basic section; its parent section): what applies to incidents of the parent
    applies to those of the first too."""
    disabled_sections: tuple[str, ...] = ()
    """Sections with ``enabled: false``: read and shown, without effect."""
    spellings: tuple[str, ...] = ()
    """Durations as the policy writes them (``72h``); a duration with two spellings is omitted."""
    unused: tuple[str, ...] = ()
    """Parts of framework system configurations that Tocsin does not use, for ``check -v``."""

    def level(self, number: int) -> Level:
        """The level of that number (1 to 4)."""
        return self.levels[number - 1]

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, or None."""
        return next((channel for channel in self.channels if channel.name == name), None)

    def person(self, name: str) -> Person | None:
        """The person of that name, or None."""
        return next((person for person in self.people if person.name == name), None)

    def schedule(self, name: str) -> OnCallSchedule | None:
        """The schedule of that name, or None."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)

    def handoff_ways(self, schedule: str) -> tuple[ChannelType, ...]:
        """Channel types for that schedule's handoff notices; `QUIET_WAYS` for a schedule no longer in the policy."""
        found = self.schedule(schedule)
        return found.handoff_by if found else QUIET_WAYS

    def rule(self, key: str) -> Rule | None:
        """The detection rule known as ``section/name``, or None."""
        return next((rule for rule in self.rules if rule.key == key), None)

    def incident_type(self, name: str, section: str = "") -> IncidentType | None:
        """The incident type of that name (and of that section, if given), or None."""
        return next(
            (kind for kind in self.incident_types if kind.name == name and section in ("", kind.section)),
            None,
        )

    def sections_above(self, key: str) -> tuple[str, ...]:
        """The sections that apply to incidents of a rule or type (``section/name``), the nearest first: its own and its
        parents. Empty for an alert that is not from the policy's rules.
        """
        above, found = dict(self.under), list[str]()
        for first in (above.get(key, ""), key.rpartition("/")[0]):
            section = first
            while section and section not in found:
                found.append(section)
                section = above.get(section, "")
        return tuple(found)

    def hears(self, group: Stakeholders, rules: Iterable[str]) -> bool:
        """Whether a group is notified of incidents of these rules and types (``section/name``)."""
        return not group.sections or any(set(group.sections) & set(self.sections_above(key)) for key in rules)

    def must_report(self, obligation: ReportingObligation, key: str, level: int) -> bool:
        """Whether the obligation applies to incidents of that rule or type (``section/name``) at that level."""
        return (
            (not obligation.sections or bool(set(obligation.sections) & set(self.sections_above(key))))
            and (not obligation.types or key.rpartition("/")[2] in obligation.types)
            and (not obligation.levels or level in obligation.levels)
        )

    def level_channels(self, number: int) -> tuple[str, ...]:
        """A level's channels: all that its rules name, in policy order; if none does, every channel whose type has a
        `from_level` of this or less (level 1: email; level 2: email and slack; 3 and 4: all).
        """
        named = _in_policy_order(self, (name for rule in self.rules if rule.level == number for name in rule.channels))
        if named:
            return named
        return tuple(channel.name for channel in self.channels if channel.facts.from_level <= number)

    @property
    def switched_off(self) -> tuple[str, ...]:
        """Everything with ``enabled: false``, as text: sections and channels."""
        return (*self.disabled_sections, *(f"channel {each.name}" for each in self.channels if not each.enabled))

    @property
    def monitoring_duration(self) -> Micros:
        """How long a resolved incident is monitored for recurrence (guide: post_incident_actions.monitoring)."""
        return next(
            (actions.duration for actions in self.post_incident if actions.name == "monitoring" and actions.duration),
            Micros(24 * HOUR),
        )


def _in_policy_order(policy: Policy, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(channel.name for channel in policy.channels if channel.name in wanted)
