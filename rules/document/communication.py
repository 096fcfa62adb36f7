"""The document models of work on incidents and of communication (guide: Procedures, Communication, Reporting)."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from rules.channel_types import types_where
from rules.document.values import (
    Approver,
    ChannelNameOrType,
    Duration,
    LevelNumber,
    Name,
    Recipient,
    Section,
    TemplateText,
    Text,
    refusal,
    require_reference,
    types_of,
)
from rules.durations import format_duration
from rules.policy import CRITICAL, EMERGENCY, HOUR, INFORMATIONAL, REFERENCE, Micros, TimedActions


class TimedStep(Section):
    """Something people do, with the time it may take (time_limit) or must last (duration)."""

    name: Name = Field(description="What it is called; stands in the ids of its steps.")
    description: str = Field("", description="The checklist's title; left out, its name.")
    time_limit: Duration | None = Field(
        None,
        description="Within this all of its actions are to be ticked, from when the incident gets the checklist: its "
        "owner is reminded before, and told when it is overdue, then the internal stakeholders.",
    )
    duration: Duration | None = Field(None, description="For so long: `monitoring` watches a resolved incident.")
    from_level: LevelNumber | None = Field(
        None, description="Incidents of this level and above have the time_limit; left out: all."
    )
    actions: tuple[Text, ...] = Field((), description="What people do, in order: the steps of the checklist.")

    @property
    def is_done_otherwise(self) -> bool:
        """Whether it is completed by other means than ticks."""
        return False

    @model_validator(mode="after")
    def _refuse_idle_limit(self) -> Self:
        if self.time_limit is None:
            return self
        if not (self.actions or self.is_done_otherwise):
            said = "without `actions` nobody can tick that it is done, so it would always be overdue: name them"
            raise refusal(f"{said}, or leave it out", key="time_limit")
        if self.duration is not None and self.time_limit < self.duration:
            said = f"it lasts {format_duration(self.duration)} (`duration`) and could not be done before"
            raise refusal(f"{said}: give it at least that long", key="time_limit")
        return self


class FirstStep(TimedStep):
    """A part of the initial response, with the time it may take."""

    time_limit: Duration | None = Field(
        None,
        description="Within this: of an acknowledgement from the opening, of an assessment from the acknowledgement. "
        "It never tightens the level's response_time, which is what holds below from_level.",
    )
    from_level: LevelNumber | None = Field(
        None,
        description="Incidents of this level and above have the time_limit (3); below, the level's response_time.",
    )

    @property
    def is_done_otherwise(self) -> bool:
        """An acknowledgement and an assessment are completed by acknowledging and assessing."""
        block = TimedActions(self.name)
        return block.is_acknowledgement or block.is_assessment


class InitialResponse(Section):
    """The first responder's steps."""

    acknowledgment: tuple[FirstStep, ...] = Field(
        default=(), description="Acknowledging and assessing; the `time_limit` of each is a deadline of its own."
    )


class NoticeText(Section):
    """An external group's text in place of the policy's own template: {placeholder} or Jinja2."""

    subject: TemplateText = Field(description="The notice's subject.")
    body: TemplateText = Field(description="The notice's text.")


class StakeholderGroup(Section):
    """A group that is notified in addition to the responders. An external group needs an approval each time."""

    name: Name = Field(description="The group's name.")
    description: str = Field("", description="Who they are, for people.")
    recipients: tuple[Recipient, ...] = Field(
        description="E-mail addresses, numbers such as +4930123456, #channels, `@NAME` of a person or a schedule."
    )
    channels: tuple[ChannelNameOrType, ...] = Field(
        description="Channels, or types such as `phone`; who has no number is called by hand."
    )
    from_level: LevelNumber = Field(CRITICAL, description="They hear of incidents of this level and above.")
    external: bool | None = Field(
        None, description="Whether they are outside the house; left out: if the name begins with `external`."
    )
    sections: tuple[Name, ...] = Field(
        (), description="They hear of incidents of these sections, and of those under them; left out: of any."
    )
    approvers: tuple[Approver, ...] = Field(
        (),
        description="External: who is told that a notice waits for approval: addresses, or names of channels; left "
        "out: the internal groups of that level.",
    )
    initial_alert_template: NoticeText | None = Field(
        None, description="External: what they are told at first; left out, the policy's, without internal steps."
    )
    status_update_template: NoticeText | None = Field(
        None, description="External: what they are told by the clock, and on a breach; left out, the policy's."
    )
    resolution_template: NoticeText | None = Field(
        None, description="External: what they are told at the end; left out, the policy's."
    )

    @property
    def is_external(self) -> bool:
        """Whether the group is outside the organisation."""
        return self.name.lower().startswith("external") if self.external is None else self.external

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        """Refuse keys of external notices for an internal group."""
        meant = ("approvers", "initial_alert_template", "status_update_template", "resolution_template")
        for name in () if self.is_external else meant:
            if name in self.model_fields_set:
                raise refusal("means nothing for a group that is not external: say `external: true`", key=name)
        return self

    @model_validator(mode="after")
    def _people_can_be_told(self, info: ValidationInfo) -> Self:
        for index, each in enumerate(self.recipients):
            if each.startswith(REFERENCE):
                require_reference(each, types_of(self.channels, info), info, way=("recipients", index))
        return self


class RoleSpec(Section):
    """A role that a person takes in an incident: incident_commander, communications …"""

    name: Name = Field(description="What it is called; people are named to it under this name.")
    description: str = Field("", description="The task of the person who holds it; stands beside the name.")
    from_level: LevelNumber = Field(INFORMATIONAL, description="Incidents of this level and above need a holder.")


class ImpactArea(Section):
    """What a responder assesses."""

    name: Name = Field(description="What it is called; stands in the ids of its steps.")
    description: str = Field("", description="The checklist's title; left out, its name.")
    metrics: tuple[Text, ...] = Field((), description="What is assessed; entered as facts of these names.")
    time_limit: Duration | None = Field(
        None,
        description="Within this all of them are to be ticked, from the acknowledgement; told as other limits are.",
    )

    @model_validator(mode="after")
    def _refuse_idle_limit(self) -> Self:
        if self.time_limit is not None and not self.metrics:
            raise refusal("without `metrics` nobody can tick that it is done: name them", key="time_limit")
        return self


class MessageTemplate(Section):
    """A message: {placeholder} or Jinja2."""

    subject: TemplateText = Field(description="Heads the text; of an external notice, its subject.")
    body: TemplateText = Field(description="The message's text.")
    send_on: Literal["opened", "acknowledged", "updated", "resolved"] | None = Field(
        None, description="When it goes out; left out: initial acknowledged, update updated, resolution resolved."
    )


class IncidentReport(Section):
    """The content of a report."""

    organisation: str = Field(default="", description="Whose reports they are; stands on every page of them.")
    structure: tuple[Text, ...] = Field(default=(), description="The names of the report's sections, in their order.")
    recipients: tuple[Recipient, ...] = Field(default=(), description="Who gets finished reports.")
    approver: str = Field(
        default="",
        description="The role (of `roles`) whose holder in the incident approves its report; without it, every "
        "approver of Tocsin may.",
    )

    @model_validator(mode="after")
    def _people_have_mail(self, info: ValidationInfo) -> Self:
        carriers = types_where(lambda facts: facts.carries_reports)
        for index, each in enumerate(self.recipients):
            if each.startswith(REFERENCE):
                require_reference(each, carriers, info, way=("recipients", index))
        return self


class ClosingTerms(Section):
    """Requirements for closing a resolved incident."""

    enabled: bool = Field(
        default=True, description="False: incidents close after the monitoring, also with something missing."
    )
    from_level: LevelNumber = Field(default=CRITICAL, description="It holds for incidents of this level and above.")
    facts: tuple[Text, ...] = Field(default=("root_cause",), description="Facts that must be known.")
    checklists: tuple[Text, ...] = Field(
        default=(
            "immediate_actions",
            "resolution",
            "safety_investigation",
            "post_incident_actions.documentation",
            "calls",
        ),
        description="Checklists whose steps must all be ticked, by their keys (`tocsin steps` shows them before the "
        "number); those that an incident has not got are not asked for.",
    )
    sign_off_from: LevelNumber | Literal["never"] = Field(
        default=EMERGENCY, description="From this level on, another person than who resolved it must sign off."
    )
    remind_every: Duration = Field(
        default=Micros(24 * HOUR),
        description="How often the owner is reminded of what is missing; from the second time on management too.",
    )


class ReportSection(Section):
    """One titled part of a report."""

    title: Text = Field(description="Its heading.")
    content: tuple[Text, ...] = Field(
        (), description="Names of fields; docs/guide-coverage.md says where each comes from."
    )


class ReportTemplate(Section):
    """The parts of one kind of report."""

    sections: tuple[ReportSection, ...] = Field(default=(), description="Its titled parts, in order.")
