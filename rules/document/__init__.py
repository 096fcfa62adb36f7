"""The models of policy documents: one pydantic model per section of the guide, and Tocsin's additions.

`rules.validate` validates merged files with PolicyDocument; the JSON schema is made from it too, so every field that is
not self-explanatory has a description. `rules.meaning` makes a `rules.policy.Policy` of it. Imports the parsers of
durations, conditions and matchers. Begin with `incident_response`.
"""

from typing import Any

from pydantic import ConfigDict, Field

from rules.document import communication as told
from rules.document import incident_response as answered
from rules.document import schedules as on_call
from rules.document import senders
from rules.document.reporting import ReportingObligationSpec
from rules.document.values import (
    ChannelNameOrType,
    Duration,
    LabelName,
    LevelNumber,
    LintName,
    MetricName,
    Name,
    NamingMatchers,
    PrometheusVersion,
    Section,
    Text,
    TimeZone,
    Url,
)
from rules.policy import UTC

RESPONSE = "_incident_response"
"""The ending of the names of sections in the form of the guide's safety and business sections."""

GUIDE_SECTIONS = frozenset(
    f"{name}{RESPONSE}" for name in ("safety", "aviation_safety", "business", "manufacturing_business")
)
"""The guide's own sections of that form."""


def _name_sections(schema: dict[str, Any]) -> None:
    """State in the JSON schema which further sections are allowed (pydantic would allow any name)."""
    schema["patternProperties"] = {"^x-": {}, f"{RESPONSE}$": schema["additionalProperties"]}
    schema["additionalProperties"] = False


class Lints(Section):
    """The lints of `tocsin check` that the policy allows, with reasons."""

    allow: dict[LintName, Text] = Field(default={}, description="Lint → the reason why it is fine here.")


class HeartbeatSpec(Section):
    """An expected heartbeat."""

    name: Name = Field(description="What people read when it is missing.")
    matchers: NamingMatchers = Field(
        description='Its labels: `alertname="Watchdog", cluster="eu"`, or a list of these.'
    )
    within: Duration | None = Field(None, description="How long it may be missing before alerting is blind (150s).")
    source: Text | None = Field(None, description="The `?source=` of its webhook; left out: any.")


class PolicyDocument(Section):
    """A whole policy."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_name_sections)
    __pydantic_extra__: dict[str, answered.ResponseSection]

    incident_response: answered.IncidentResponse = Field(
        default_factory=answered.IncidentResponse, description="Levels, channels, detection and procedures."
    )
    initial_response: told.InitialResponse = Field(
        default_factory=told.InitialResponse, description="The first minutes: limits and checklists."
    )
    stakeholder_notification: tuple[told.StakeholderGroup, ...] = Field(
        (), description="Groups that are told beside the responders."
    )
    roles: tuple[told.RoleSpec, ...] = Field((), description="Who does what in an incident; people are named to them.")
    root_cause_analysis: tuple[told.TimedStep, ...] = Field(
        (), description="The investigation: checklists from the acknowledgement on, told in the report."
    )
    impact_assessment: tuple[told.ImpactArea, ...] = Field(
        (), description="What responders assess: checklists from the acknowledgement on, told in the report."
    )
    fix_implementation: tuple[told.TimedStep, ...] = Field(
        (), description="The fix and its verification: checklists from the acknowledgement on."
    )
    post_incident_actions: tuple[told.TimedStep, ...] = Field(
        (),
        description="Checklists after the resolution; the duration of `monitoring` is how long a resolved incident is "
        "watched before it closes (24h).",
    )
    reporting_obligations: tuple[ReportingObligationSpec, ...] = Field(
        (), description="Which authorities must be told of which incidents, until when."
    )
    initial_alert_template: told.MessageTemplate | None = Field(
        None,
        description="Goes out on the acknowledgement, under its subject; left out, the guide's.",
    )
    status_update_template: told.MessageTemplate | None = Field(
        None, description="What status updates say; left out, the guide's."
    )
    resolution_template: told.MessageTemplate | None = Field(
        None, description="What everybody who was paged hears at the resolution; left out, the guide's."
    )
    incident_report: told.IncidentReport = Field(
        default_factory=told.IncidentReport, description="The report's sections, and who gets it."
    )
    closing: told.ClosingTerms = Field(
        default_factory=told.ClosingTerms, description="What must be known, done and signed off first."
    )
    executive_summary_template: told.ReportTemplate = Field(
        default_factory=told.ReportTemplate, description="The report's executive summary."
    )
    technical_report_template: told.ReportTemplate = Field(
        default_factory=told.ReportTemplate, description="The report's technical part."
    )

    prometheus: PrometheusVersion | None = Field(
        None,
        description="The oldest Prometheus that runs the rules: 2.42, 3.0, 3.5 or latest. Left out: what 2.42 and 3 "
        "both understand.",
    )
    scrape_interval: Duration | None = Field(
        None,
        gt=0,
        description="How often metrics are scraped: ranges, `for` and intervals are held against it."
        " Left out: not known.",
    )
    signals: dict[MetricName, answered.SignalSpec] = Field({}, description="Where the conditions' metrics come from.")
    fallback: tuple[ChannelNameOrType, ...] | None = Field(
        None,
        description="Who is tried when a page reaches nobody, in order: channels, or types for all of a type.",
    )
    retention: Duration | None = Field(None, description="How long closed incidents are kept; left out: for ever.")
    default_severity: LevelNumber | None = Field(None, description="The level of alerts that say none (3).")
    severity_aliases: dict[Text, LevelNumber] = Field({}, description="Words of the label `severity`, and their level.")
    severities: tuple[senders.SeverityMap, ...] = Field(
        (), description="What the label `severity` of others' alerts means, by source."
    )
    ignore: tuple[senders.Ignored, ...] = Field((), description="Alerts of others that open no incident.")
    impact_raises: dict[answered.Grade, LevelNumber] | None = Field(
        None, description="How an assessed impact raises the level (critical: 4, high: 3)."
    )
    heartbeat_within: Duration | None = Field(
        None, description="How long a compiled heartbeat may be missing before alerting is called blind (150s)."
    )
    heartbeats: tuple[HeartbeatSpec, ...] = Field(
        (), description="Alerts that always fire and are expected from the start, such as another system's Watchdog."
    )
    replica_labels: tuple[LabelName, ...] = Field(
        ("prometheus_replica", "replica", "__replica__"),
        description="Labels that tell replicas of one Prometheus apart: their heartbeats count as one.",
    )
    drills: answered.DrillTerms = Field(
        answered.DrillTerms(every=None, owner=None), description="How often people are to practise."
    )
    flapping: answered.FlappingTerms = Field(
        answered.FlappingTerms(), description="When an alert counts as flapping: told once, not each time."
    )
    people: tuple[on_call.PersonSpec, ...] = Field((), description="Who can be on call, and how they are reached.")
    schedules: tuple[on_call.ScheduleSpec, ...] = Field((), description="Who is on call when.")
    contact_information: str = Field("", description="How to reach those who respond; fills {contact_information}.")
    time_zone: TimeZone = Field(
        UTC, description="The zone in which messages tell times, by its IANA name: Europe/Berlin."
    )
    lints: Lints = Field(default_factory=Lints, description="What `tocsin check` shall not complain of.")
    runbook_url_base: Url | None = Field(None, description="Runbooks of rules without one: this, a slash, the name.")

    @property
    def sections(self) -> dict[str, answered.ResponseSection]:
        """The sections in the form of the guide's safety and business sections.

        Sorted by name, so that the policy does not depend on the order of files.
        """
        return dict(sorted(self.__pydantic_extra__.items()))


def is_section(key: str) -> bool:
    """Whether a policy may have a section of that name."""
    return key in PolicyDocument.model_fields or key.endswith(RESPONSE)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for editors: allowed keys and values, with descriptions."""
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Tocsin policy"}
    return {**PolicyDocument.model_json_schema(), **title}
