"""The document models of detection and response (guide: Configuration, Safety, Business)."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, create_model, model_validator

from rules.document.alert_channels import AlertChannel
from rules.document.values import (
    AlertName,
    AlertTemplate,
    AlertText,
    AlertUrl,
    AnnotationName,
    Approver,
    ChannelName,
    Condition,
    Duration,
    DurationOrNone,
    Expression,
    FixedText,
    FurtherLabel,
    Interval,
    LevelNumber,
    Name,
    RuleName,
    Section,
    Text,
    TypeName,
    UnitLabel,
    refusal,
)
from rules.policy import MINUTE, SECOND, Attach, Micros

Grade = Literal["low", "medium", "high", "critical"]
"""The severity of an impact (guide: business impact_assessment)."""


class SeverityLevel(Section):
    """One of the four severity levels."""

    level: LevelNumber = Field(description="1 informational, 2 warning, 3 critical, 4 emergency.")
    name: Name = Field(description="What the level is called in alerts, messages and pages.")
    response_time: Duration = Field(
        description="From the opening until a person must have acknowledged; also how long an acknowledgement holds."
    )
    escalation_time: Duration = Field(description="From the opening until the next escalation, if nobody acknowledges.")
    resolve_after: DurationOrNone | None = Field(
        None, description="How long the signal must stay recovered before the incident resolves (5m; 0: at once)."
    )
    resolution: Literal["automatic", "confirmed"] | None = Field(
        None, description="`confirmed`: a person must confirm the recovery. Level 4: confirmed, else automatic."
    )
    confirmations: Annotated[int, Field(ge=1, le=10, strict=True)] = Field(
        1, description="How many people must confirm."
    )
    escalates_to: tuple[ChannelName, ...] | None = Field(
        None, description="Channels of the first escalation; left out, those of the next level."
    )
    update_interval: Duration | None = Field(None, description="Between status updates; left out, response_time.")
    description: str = Field(
        "", description="What belongs to this level, for people; left out with the next two, the guide's words."
    )
    impact: str = Field("", description="What it means for users and business; fills {impact_description}.")
    examples: tuple[Text, ...] = Field((), description="Examples, for people.")

    @property
    def is_silent(self) -> bool:
        """Whether it omits its description, impact and examples."""
        return not (self.description or self.impact or self.examples)


class Classification(Section):
    """The four severity levels."""

    severity_levels: tuple[SeverityLevel, ...] = Field(description="The four levels.")


if TYPE_CHECKING:
    _WithFor = Section
else:  # `for` is a Python keyword
    _WithFor = create_model(
        "_WithFor",
        __base__=Section,
        **{
            "for": (
                DurationOrNone | None,
                Field(
                    None,
                    description="How long the condition must hold before it alerts, as in Prometheus; instead of "
                    "alert_threshold.",
                ),
            )
        },
    )


class DetectionRule(_WithFor):
    """A condition that opens an incident of the rule's name."""

    name: RuleName = Field(description="The rule's name, and the type of its incidents.")
    condition: Condition = Field(description="PromQL. A bare metric means: above 0.")
    severity: LevelNumber = Field(description="The level of its incidents, 1 to 4.")
    channels: tuple[ChannelName, ...] = Field((), description="Who is told at once; left out, the level's channels.")
    immediate_response: bool = Field(False, description="True: alert at the first failure, page without waiting.")
    check_interval: Interval | None = Field(None, description="Seconds, or a duration; left out, detection's.")
    alert_threshold: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = Field(
        None, description="Failures in a row before it alerts; left out, detection's."
    )
    summary: AlertText = Field(
        "",
        description="What is wrong, in a line: the incident's title. May use `{{ $value }}` and `{{ $labels.NAME }}`. "
        'Left out, it is made: "safety_margin is below 0.95 on landing-7: 0.91".',
    )
    description: AlertText = Field(
        "",
        description="What is wrong when it fires; stands in every message that has room. May use `{{ $value }}` and "
        "`{{ $labels.NAME }}`.",
    )
    runbook_url: AlertUrl | None = Field(None, description="What to do; left out, runbook_url_base and the name.")
    labels: dict[FurtherLabel, FixedText] = Field(
        {},
        description="Further labels of the alert: text, without `{{ $value }}`, which would make another alert of it.",
    )
    signal: FixedText = Field("", description="Incidents are one per signal; left out, the condition's metric.")
    missing_data: bool = Field(True, description="False: no alarm when the rule's metrics vanish.")
    keep_firing_for: DurationOrNone | None = Field(
        None,
        description="How long the alert goes on when the condition holds no more, as in Prometheus. Left out: until "
        "the alarm for vanished metrics would fire.",
    )
    alert: AlertName = Field(
        "",
        description="What its alert is called in Prometheus; left out, made from the name. Several rules may have one "
        "name for alerts of several levels.",
    )
    annotations: dict[AnnotationName, AlertTemplate] = Field(
        {},
        description="Annotations of the alert in Prometheus's own template language: `{{ $value | humanize }}`. They "
        "go before what is made of `summary`, `description` and `runbook_url`.",
    )

    @property
    def hold(self) -> Micros | None:
        """The value of `for`."""
        said: Micros | None = getattr(self, "for")
        return said

    @model_validator(mode="after")
    def _waits_once(self) -> Self:
        if self.hold is not None and self.alert_threshold is not None:
            raise refusal("`for` and `alert_threshold` both say how long it waits: leave one out", key="for")
        if self.hold and self.immediate_response:
            raise refusal("`immediate_response: true` waits for nothing: leave it or `for` out", key="for")
        return self


class Detection(Section):
    """The basic section's detection rules and their common settings."""

    enabled: bool = Field(default=True, description="False: its rules have no effect.")
    check_interval: Interval = Field(
        default=Micros(60 * SECOND), description="Seconds, or a duration: how often rules run."
    )
    alert_threshold: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        default=1, description="Failures in a row before a rule alerts; immediate ones do not wait."
    )
    rules: tuple[DetectionRule, ...] = Field(default=(), description="What is detected.")


class NamedSteps(Section):
    """A procedure: it becomes a checklist on the incident."""

    name: Name = Field(description="What it is called; `escalation`, `resolution` and others say when it is needed.")
    description: str = Field("", description="The checklist's title; left out, its name.")
    steps: tuple[Text, ...] = Field(min_length=1, description="What people do, in order.")
    time_limit: Duration | None = Field(
        None,
        description="Within this all of its steps are to be ticked, from when the incident gets it: its owner is "
        "reminded before, and told when it is overdue, then the internal stakeholders.",
    )
    attach: Attach | None = Field(
        None,
        description="When incidents get it. Left out, by the name: escalation: escalated; resolution, investigation: "
        "recovered; else opened.",
    )


class IncidentResponse(Section):
    """The basic configuration: levels, channels, detection, procedures."""

    enabled: bool = Field(
        default=True, description="False: its rules and procedures have no effect; levels and channels stay."
    )
    classification: Classification | None = Field(default=None, description="Left out: the levels of the guide.")
    alert_channels: tuple[AlertChannel, ...] = Field(default=(), description="The ways to reach people.")
    detection: Detection | None = Field(default=None, description="What is detected, and how often it is looked for.")
    procedures: tuple[NamedSteps, ...] = Field(default=(), description="Checklists; these concern every incident.")


class IncidentTypeSpec(Section):
    """A kind of incident without a condition: it fires on the metric of its name, or is declared by a person."""

    name: TypeName = Field(description="The type's name, and the metric that is above 0 while it happens.")
    description: AlertText = Field("", description="What has happened; the title of its incidents.")
    severity: LevelNumber = Field(description="The level of its incidents, 1 to 4.")
    business_impact: Grade | None = Field(None, description="How bad it is for the business, to begin with.")
    immediate_actions: tuple[Text, ...] = Field((), description="What to do first; stands in the page.")
    channels: tuple[ChannelName, ...] = Field((), description="Who is told; left out, the level's channels.")


class ImpactThresholds(Section):
    """The meaning of each grade of an impact: a text, or a range such as "5-20% …", ">50% …" or "100-1,000 users"."""

    low: Text = Field(description="What is low.")
    medium: Text = Field(description="What is medium.")
    high: Text = Field(description="What is high; raises the level to 3 (`impact_raises`).")
    critical: Text = Field(description="What is critical; raises the level to 4 (`impact_raises`).")

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        """(grade, text as written), from low to critical."""
        return tuple((grade, getattr(self, grade)) for grade in type(self).model_fields)


class ImpactScaleSpec(Section):
    """The grades of one kind of impact."""

    name: Name = Field(description="The impact's name: what alerts and responders say it under.")
    description: str = Field("", description="What it is about, for people.")
    thresholds: ImpactThresholds = Field(description="What each grade means.")


class ResponseSection(Section):
    """Incident response for one field: safety, aviation, business, manufacturing, or any other of that form."""

    enabled: bool = Field(True, description="False: read and shown, but without effect.")
    extends: Name | None = Field(
        None,
        description="The section that this one is under: its procedures, its critical_threshold and its stakeholders "
        "hold here too. Left out: as the guide puts its own sections; `incident_response`: under no other.",
    )
    critical_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The safety margin below which things are critical; the conditions repeat it."
    )
    detection: tuple[DetectionRule, ...] = Field((), description="What is detected.")
    incidents: tuple[IncidentTypeSpec, ...] = Field((), description="Kinds of incidents that have no condition.")
    procedures: tuple[NamedSteps, ...] = Field((), description="Checklists for the incidents of this section.")
    impact_assessment: tuple[ImpactScaleSpec, ...] = Field((), description="How impacts are graded.")


class SignalSpec(Section):
    """A metric that conditions use: its source, and the labels that identify a unit."""

    expr: Expression | None = Field(None, description="PromQL; recorded under the signal's name.")
    unit: str = Field("", description="Its unit: ms, s, ratio, USD …")
    identity: tuple[UnitLabel, ...] | None = Field(
        None, description="The labels that tell units apart; left out, all but instance, pod, container, endpoint."
    )
    help: str = Field("", description="What it measures, for people.")
    missing_data: bool = Field(True, description="False: no alarm when it vanishes.")


class DrillTerms(Section):
    """The required interval of live drills, by incident type and role."""

    every: Duration | None = Field(
        None,
        description="How long after a drill of a type or a role its people are to practise it again; they are "
        "reminded before, when a quarter of it is left, two weeks at most.",
    )
    owner: Approver | None = Field(
        None,
        description="Who is told when a person's training is overdue: an address, a channel or a channel type; left "
        "out, the internal stakeholders.",
    )


class FlappingTerms(Section):
    """When an alert that repeatedly fires and clears counts as flapping."""

    cycles: Annotated[int, Field(ge=1, le=15, strict=True)] = Field(
        default=3, description="Cycles of firing and clearing."
    )
    within: Duration = Field(
        default=Micros(10 * MINUTE), description="The time in which they happen; also how long it must be steady."
    )
