"""What a policy means: frozen, validated, merged, with no trace of YAML in it.

`rules.load` makes a Policy, `rules.compile` turns it into Prometheus rules, and the receiver's core
decides by it. Nothing here does I/O. Every duration is an integer number of **microseconds**, as every
instant in the receiver is, so that adding one to the other needs no conversion.

The words are those of docs/words.md (policy, signal, detection rule, level, incident type …).
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
"""The time zone of a policy that names none."""

INFORMATIONAL, WARNING, CRITICAL, EMERGENCY = LEVELS = 1, 2, 3, 4

REFERENCE = "@"
"""What a recipient begins with that names a person or a schedule."""

BASIC = "incident_response"
"""The section whose procedures concern every incident, and that has levels and channels."""

Attach = Literal["opened", "escalated", "recovered", "acknowledged", "resolved"]
"""The moments at which an incident gets checklists."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the policy's files a thing was written, for people: annotations, messages, lints."""

    path: str
    line: int
    column: int = 1
    pointer: str = ""
    """The way to it inside the document, such as ``incident_response.detection.rules[2]``."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Level:
    """A severity level (guide: Incident Severity Levels). 4 is the worst."""

    level: int
    name: str
    response_time: Micros
    """From the opening until somebody must have acknowledged; also how long an acknowledgement holds."""
    escalation_time: Micros
    """From the opening until the next escalation, and between escalations after the breach."""
    resolve_after: Micros = Micros(5 * MINUTE)
    """How long the signal must stay recovered before the incident may resolve."""
    resolution: Literal["automatic", "confirmed"] = "automatic"
    """`confirmed`: a person must confirm the recovery (the default at level 4)."""
    confirmations: int = 1
    escalates_to: tuple[str, ...] | None = None
    """Channels of the first escalation; None means the next level's."""
    update_interval: Micros | None = None
    """Between status updates; None means `response_time`."""
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
    """One way to reach people (guide: alert_channels)."""

    name: str
    type: ChannelType
    enabled: bool = True
    recipients: tuple[str, ...] = ()
    """As the type's address looks (rules.channel_types): e-mail addresses, E.164 numbers, the one channel, service or
    URL. Where people are called by hand (phone), a mere name is one too. `@NAME` is a person, or whoever is on call."""
    rate_limit: RateLimit | None = None
    mention: str = ""
    """Slack: who is mentioned on a page, such as ``<!here>``; empty means nobody is named."""
    headers: tuple[tuple[str, str], ...] = ()
    """Webhook: further headers."""
    proxy: str = ""
    """A URL, or `rules.channel_types.DIRECT`; empty: as the settings say."""
    send_resolved: bool = True
    canary: Micros | None = None
    """How often a test message proves the way to the provider; None: never."""
    time_zone: str | None = None
    """The zone of its readers (`rules.time_zones`); None: the policy's."""
    updates: bool | None = None
    """Whether who was told there gets status updates too; None: as its type does."""
    place: Place | None = None

    @property
    def facts(self) -> ChannelFacts:
        """What is true of its type."""
        return CHANNEL_FACTS[self.type]


@dataclass(frozen=True, slots=True)
class ReachStep:
    """One step of how a person wants to be told."""

    by: tuple[ChannelType, ...]
    after: Micros = Micros(0)
    """After the page, unless somebody acknowledged meanwhile."""
    levels: tuple[int, ...] = ()
    """Empty: all, but 3 and 4 for types that wake."""

    @property
    def name(self) -> str:
        """What tells it from the person's other steps."""
        return ", ".join(self.by)


QUIET_WAYS = types_where(lambda facts: not facts.wakes and not facts.is_program)
"""Channel types by which a person can be told something without being woken, the livelier first."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be on call; a recipient `@name` stands for them."""

    name: str
    contacts: tuple[tuple[ChannelType, str], ...] = ()
    """(channel type, address)."""
    time_zone: str = UTC
    aliases: tuple[str, ...] = ()
    """Other names, under which a calendar may name the person."""
    reach: tuple[ReachStep, ...] = ()
    """Empty: by all contacts that the step's channels offer."""
    repeat: bool = True
    """False: not told again at an escalation step before the breach."""
    place: Place | None = None

    def contact(self, type_: str) -> str | None:
        """The address for a channel type, or None."""
        return dict(self.contacts).get(type_)


@dataclass(frozen=True, slots=True)
class DutyHours:
    """Hours of some days of the week, in wall time as `rules.rota` reads it."""

    days: tuple[str, ...]
    """``mon`` … ``sun``: the days on which they begin."""
    begins: str
    ends: str
    """Earlier than `begins`: on the next day."""

    @property
    def name(self) -> str:
        """Such as ``mon tue 09:00-17:00``."""
        return f"{' '.join(self.days)} {self.begins}-{self.ends}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A rotation: people who take turns. Times as `rules.rota` reads them."""

    name: str
    """``layer 1``, in the order of the schedule; what shifts have as their source."""
    people: tuple[str, ...]
    starts: str
    """Local date and time of the first turn; also the handoffs' time of day."""
    every: str
    time_zone: str
    only: tuple[DutyHours, ...] = ()
    """Empty: always."""


@dataclass(frozen=True, slots=True)
class OnCallSchedule:
    """Who is on call when, by layers or by a calendar; a recipient `@name` stands for whoever it is."""

    name: str
    time_zone: str
    layers: tuple[Layer, ...] = ()
    """The later over the earlier."""
    calendar: str = ""
    """Instead of layers: a file beside the policy, or an https URL."""
    calendar_text: str = ""
    """What the file holds (iCalendar)."""
    nights: int = 7
    """More nights in a row for one person are doubted."""
    handoff_by: tuple[ChannelType, ...] = QUIET_WAYS
    """Channel types by the first of which, of those that they have, people hear of a handoff; empty: they do not."""
    place: Place | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether the service fetches its calendar from a URL."""
        return "://" in self.calendar

    @property
    def calendar_shown(self) -> str:
        """The calendar's place as everybody may see it: a URL may be a private address."""
        return as_shown(self.calendar, None) if self.is_fetched else self.calendar


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that conditions name; with `expr` it becomes a recording rule of that name."""

    name: str
    expr: str | None = None
    unit: str = ""
    identity: tuple[str, ...] | None = None
    """The labels that tell one unit from another; None: all but instance, pod, container, endpoint."""
    help: str = ""
    missing_data: bool = True
    """False switches the missing-data twin off (a lint says so)."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule: a condition that opens an incident of its name."""

    section: str
    name: str
    condition: str
    """As written. A bare selector means ``> 0``."""
    level: int
    channels: tuple[str, ...]
    interval: Micros = Micros(60 * SECOND)
    """The rule group's evaluation interval (guide: check_interval)."""
    threshold: int = 1
    """Consecutive failures before it alerts (guide: alert_threshold)."""
    immediate: bool = False
    description: str = ""
    """May use ``{{ $value }}`` and ``{{ $labels.NAME }}`` (`rules.alert_text`), as `summary` may."""
    runbook_url: str = ""
    summary: str = ""
    """What is wrong, in a line; empty: it is made from the condition."""
    labels: tuple[tuple[str, str], ...] = ()
    """Further labels of the alert, such as ``system`` for a framework system's rules."""
    signal: str = ""
    """Overrides the `signal` label (an SLO's name); empty: the condition's source metric."""
    missing_data: bool = True
    """Whether a missing-data twin watches the rule's signals."""
    hold: Micros | None = None
    """`for` spelt out (framework: duration); None: from threshold and interval."""
    keep_firing: Micros | None = None
    """`keep_firing_for` spelt out; None: until the missing-data twin fires, where there is one."""
    alert: str = ""
    """What its alert is called; empty: made from the name."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Prometheus's own templates, as written (`rules.prometheus_template`); they go before what is made."""
    place: Place | None = None

    @property
    def key(self) -> str:
        """``section/name``: how a rule is known (one name may stand in two sections)."""
        return f"{self.section}/{self.name}"

    @property
    def waits(self) -> Micros:
        """How long the condition must hold before it alerts: N consecutive failures are N-1 intervals."""
        if self.immediate:
            return Micros(0)
        return self.hold if self.hold is not None else Micros((self.threshold - 1) * self.interval)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule that a framework system's SLOs need (made by `rules.slo`), in the order given."""

    section: str
    record: str
    expr: str
    labels: tuple[tuple[str, str], ...] = ()
    interval: Micros = Micros(60 * SECOND)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class IncidentType:
    """A named kind of incident without a condition of its own (guide: aviation, manufacturing `incidents`).

    It compiles to ``name > 0``, and can be declared by an alert's label `incident_type` or by a person.
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
    """False: can be declared, but gets no rule (the framework's condition-less ``alerts:`` names)."""
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
    """When it becomes a checklist of the incident."""
    time_limit: Micros | None = None
    """Within this all of its steps are to be ticked, from when the incident gets it; None: there is no limit."""


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
    """Incidents of this level and above have the time limit; None: of the initial response those of level 3 and above,
    of all else every incident."""

    @property
    def is_acknowledgement(self) -> bool:
        """Of initial_response: counts from the opening (the others count from the acknowledgement)."""
        return "acknowledg" in self.name.lower()

    @property
    def is_assessment(self) -> bool:
        """Of initial_response: it is done when somebody says the level or an impact, whatever is ticked."""
        return not self.is_acknowledgement and "assess" in self.name.lower()


@dataclass(frozen=True, slots=True)
class Stakeholders:
    """A group that is told about incidents beside the responders (guide: stakeholder_notification)."""

    name: str
    description: str
    recipients: tuple[str, ...]
    channels: tuple[str, ...]
    external: bool
    """External groups (the name begins with ``external``) get nothing without a person's approval."""
    from_level: int = CRITICAL
    """They hear of incidents of this level and above."""
    sections: tuple[str, ...] = ()
    """They hear of incidents of these sections, and of those under them; empty: of any."""
    approvers: tuple[str, ...] = ()
    """Who is told that a notice to this group waits: addresses, or names of channels. Empty: the internal groups."""
    initial: "ExternalText | None" = None
    """What this group is told at first; None: the policy's own template."""
    update: "ExternalText | None" = None
    resolution: "ExternalText | None" = None


@dataclass(frozen=True, slots=True)
class ExternalText:
    """A text of a group's own; `{placeholder}` and Jinja2 both work."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class ResponseRole:
    """A role that somebody holds in an incident: incident commander, communications … (policy: ``roles``)."""

    name: str
    description: str = ""
    from_level: int = INFORMATIONAL
    """Incidents of this level and above want somebody for it."""


@dataclass(frozen=True, slots=True)
class ImpactScale:
    """How an impact is graded (guide: business impact_assessment)."""

    name: str
    description: str
    thresholds: tuple[tuple[str, str], ...]
    """(grade, words as written), from low to critical."""
    ranges: tuple[tuple[str, float, float | None], ...] = ()
    """(grade, above, up to and including) where the words are numeric, percentages as ratios; None is no upper end."""


@dataclass(frozen=True, slots=True)
class ImpactMetrics:
    """What a responder assesses (guide: impact_assessment with `metrics`)."""

    name: str
    description: str
    metrics: tuple[str, ...]
    time_limit: Micros | None = None
    """Within this all of them are to be assessed, from the acknowledgement; None: there is no limit."""


CountedFrom = Literal["occurrence", "awareness", "classification"]
"""What the time of a report to an authority counts from: when it happened, when it was known here, when it was known to
be of the kind that must be reported."""


@dataclass(frozen=True, slots=True)
class ReportStage:
    """One of the reports that an authority must get."""

    name: str
    within: Micros
    """How long; 0 where it is counted in `months`."""
    counted_from: CountedFrom = "awareness"
    after: str = ""
    """The stage from whose filing it counts instead (until that is filed: from when that is due)."""
    remind_before: Micros = Micros(0)
    """So long before it is due its owner and its approver are reminded."""
    text: str = ""
    """What it says, as a template; `{placeholder}` and Jinja2 both work. Empty: nobody wrote one."""
    channel: str = ""
    """How it is filed, in words: a portal's address, a telephone number."""
    approver: str = ""
    """Who must approve it: an e-mail address, or a role of the policy. Empty: whoever has the incident."""
    months: int = 0
    """So many calendar months instead of `within`; 0: `within` says how long."""
    written: str = ""
    """`within` as the policy spells it: the law's 72 hours are not 3 days to who reads the report."""


@dataclass(frozen=True, slots=True)
class ReportingObligation:
    """An authority that must be told of some incidents, by when and how (policy: ``reporting_obligations``)."""

    name: str
    authority: str
    stages: tuple[ReportStage, ...]
    sections: tuple[str, ...] = ()
    """Incidents of these sections, and of those under them; empty: of any."""
    types: tuple[str, ...] = ()
    """Incident types and rules, by name; empty: any."""
    levels: tuple[int, ...] = ()
    """Empty: any."""
    source: str = ""
    """The law or contract that says so."""
    note: str = ""
    """What whoever reports must know."""


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
    """Whose reports they are; empty: nobody said."""
    approver: str = ""
    """The role whose holder approves them; empty: whoever is an approver of Tocsin."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What a resolved incident must have before it closes (policy: ``closing``).

    As it stands here, nothing: so incidents close that run under a policy version stored by an older release.
    `rules.document.communication.ClosingTerms` has what holds for a policy that says nothing.
    """

    from_level: int | None = None
    """Incidents of this level and above; None: none."""
    facts: tuple[str, ...] = ()
    """What must be known: ``root_cause``."""
    checklists: tuple[str, ...] = ()
    """Keys of the checklists whose steps must all be done, where the incident has them."""
    sign_off_from: int | None = None
    """From this level on, another person than who resolved it must sign off; None: never."""
    remind_every: Micros = Micros(24 * HOUR)
    """Between two reminders of what is missing."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an alert counts as flapping: so many cycles of firing and clearing within so long."""

    cycles: int = 3
    within: Micros = Micros(10 * MINUTE)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An alert of somebody's own that always fires: its silence means that this way of alerting is blind."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    """(label, operator, value), as `rules.matchers` reads them."""
    within: Micros
    """How long it may be missing."""
    source: str | None = None
    """Of this webhook source only; None: of any."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The merged, validated meaning of all policy files. Its version is `rules.stored.digest`."""

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
    """Who does what in an incident; people are named to them one by one."""
    investigation: tuple[TimedActions, ...] = ()
    impact_scales: tuple[ImpactScale, ...] = ()
    impact_metrics: tuple[ImpactMetrics, ...] = ()
    impact_raises: tuple[tuple[str, int], ...] = (("critical", EMERGENCY), ("high", CRITICAL))
    """(grade, at least this level): how an assessed impact raises the level."""
    fix_implementation: tuple[TimedActions, ...] = ()
    post_incident: tuple[TimedActions, ...] = ()
    reporting_obligations: tuple[ReportingObligation, ...] = ()
    """Which authorities must be told of which incidents."""
    reports: Reports = field(default_factory=Reports)
    fallback: tuple[str, ...] = fallback_order()
    """The order in which other channels are tried when a page reaches nobody: names, or types standing
    for all channels of that type."""
    retention: Micros | None = None
    """How long closed incidents are kept; None: for ever."""
    default_severity: int = CRITICAL
    severity_aliases: tuple[tuple[str, int], ...] = ()
    """(value of an alert's `severity` label, level): the usual ones and the policy's own, lower case. Level 0: told to
    nobody."""
    severities: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    """(``?source=``, its own words, lower case, and their levels); they go before `severity_aliases`."""
    ignore: tuple[tuple[tuple[str, str, str], ...], ...] = ()
    """Alerts of others that open no incident: those that meet all matchers of one entry. A matcher is (label, operator,
    value), as `rules.matchers` reads it."""
    closing: Closing = Closing()
    drills_every: Micros | None = None
    """How long after a drill of a type or a role its people are to practise it again; None: nobody says."""
    drills_owner: str = ""
    """Who is told what training is overdue: an address, a channel or a channel type; empty: the internal groups."""
    flapping: Flapping = Flapping()
    heartbeat_within: Micros = Micros(150 * SECOND)
    """How long a compiled heartbeat may be missing before that is an emergency."""
    heartbeats: tuple[Heartbeat, ...] = ()
    """Those expected from the start; compiled ones are learned when they are heard."""
    replica_labels: tuple[str, ...] = ("prometheus_replica", "replica", "__replica__")
    """Labels that tell replicas of one Prometheus apart: their heartbeats are one."""
    people: tuple[Person, ...] = ()
    schedules: tuple[OnCallSchedule, ...] = ()
    contact_information: str = ""
    time_zone: str = UTC
    """The zone in which messages tell times (`rules.time_zones`)."""
    safety_critical_threshold: float | None = None
    under: tuple[tuple[str, str], ...] = ()
    """(section, or key of a rule of the basic section; the section that it is under): what concerns incidents of the
    latter concerns those of the former too."""
    disabled_sections: tuple[str, ...] = ()
    """Sections with ``enabled: false``: read, shown, without effect."""
    spellings: tuple[str, ...] = ()
    """How the policy spells the durations in it (``72h``); one that it spells in two ways is left out."""
    unused: tuple[str, ...] = ()
    """Parts of framework system configurations that do not concern Tocsin, for ``check -v``."""

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
        """Channel types by which people hear of that schedule's handoffs, also where the policy has it no more."""
        found = self.schedule(schedule)
        return found.handoff_by if found else QUIET_WAYS

    def rule(self, key: str) -> Rule | None:
        """The detection rule known as ``section/name``, or None."""
        return next((rule for rule in self.rules if rule.key == key), None)

    def incident_type(self, name: str, section: str = "") -> IncidentType | None:
        """The incident type of that name (in that section, where one is given), or None."""
        return next(
            (kind for kind in self.incident_types if kind.name == name and section in ("", kind.section)),
            None,
        )

    def sections_above(self, key: str) -> tuple[str, ...]:
        """The sections that concern incidents of a rule or type (``section/name``), the nearest first: its own, and
        those that it is under. Of a stranger's alert there are none.
        """
        above, found = dict(self.under), list[str]()
        for first in (above.get(key, ""), key.rpartition("/")[0]):
            section = first
            while section and section not in found:
                found.append(section)
                section = above.get(section, "")
        return tuple(found)

    def hears(self, group: Stakeholders, rules: Iterable[str]) -> bool:
        """Whether a group hears of incidents of these rules and types (``section/name``)."""
        return not group.sections or any(set(group.sections) & set(self.sections_above(key)) for key in rules)

    def must_report(self, obligation: ReportingObligation, key: str, level: int) -> bool:
        """Whether incidents of that rule or type (``section/name``) have the obligation at that level."""
        return (
            (not obligation.sections or bool(set(obligation.sections) & set(self.sections_above(key))))
            and (not obligation.types or key.rpartition("/")[2] in obligation.types)
            and (not obligation.levels or level in obligation.levels)
        )

    def level_channels(self, number: int) -> tuple[str, ...]:
        """A level's channels: the union of those its rules name; where none does, level 1 email, level 2
        email and slack, level 3 and 4 every channel (a type's `from_level`).
        """
        named = _in_policy_order(self, (name for rule in self.rules if rule.level == number for name in rule.channels))
        if named:
            return named
        return tuple(channel.name for channel in self.channels if channel.facts.from_level <= number)

    @property
    def switched_off(self) -> tuple[str, ...]:
        """All that has ``enabled: false``, in words: sections, and channels."""
        return (*self.disabled_sections, *(f"channel {each.name}" for each in self.channels if not each.enabled))

    @property
    def monitoring_duration(self) -> Micros:
        """How long a resolved incident is watched for recurrence (guide: post_incident_actions.monitoring)."""
        return next(
            (actions.duration for actions in self.post_incident if actions.name == "monitoring" and actions.duration),
            Micros(24 * HOUR),
        )


def _in_policy_order(policy: Policy, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(channel.name for channel in policy.channels if channel.name in wanted)
