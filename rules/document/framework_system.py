"""The document models of the parts of a framework system configuration that Tocsin uses.

Unlike the sections of a policy, these models ignore unknown keys, because the framework's files are written for its own
evaluation; `rules.systems` lists the unused keys.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from rules.document.values import (
    Condition,
    Duration,
    Expression,
    LabelName,
    Name,
    RuleName,
    Text,
    Vocabulary,
    refusal,
    suggest,
)


def _word_or_level(value: Any, info: ValidationInfo) -> int:
    known = info.context.rule_severities if isinstance(info.context, Vocabulary) else {}
    if isinstance(value, str) and value.lower() in known:
        return int(known[value.lower()])
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        return value
    usual = "1 to 4, or a word such as info, warning, critical, emergency"
    raise refusal(f'"{value}" is no severity of a rule: it takes {usual}{suggest(str(value), known)}')


SeverityWord = Annotated[int, BeforeValidator(_word_or_level)]
"""The framework's severities are words; a policy's aliases give their levels."""

Number = Annotated[Decimal, Field(allow_inf_nan=False)]


class FrameworkPart(BaseModel):
    """A mapping of a framework file."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SystemSpec(FrameworkPart):
    """The system that the file describes."""

    name: Name = Field(description="The label `system` of its alerts.")
    criticality: str = Field(
        "", description="safety_critical: a crossed safety threshold alerts at once, else when it lasts."
    )


class SloSpec(FrameworkPart):
    """A service level objective."""

    target: Annotated[Number, Field(ge=0, le=1)] = Field(description="From 0 to 1.")
    window: Duration = Field(description="Over which the error budget is counted.")
    description: str = Field("", description="What it is about; stands in messages.")
    safety_critical: bool = Field(default=False, description="Read, for people; nothing depends on it.")
    direction: Literal["higher", "lower"] | None = Field(
        None, description="Which way is good; left out, safety thresholds, the name and the target tell."
    )
    metric: Expression | None = Field(None, description="The metric or PromQL; left out, the SLO's name.")
    compliance_standard: str = Field(
        "", description="The standard that asks for it; missing the target is then a compliance violation too."
    )


class ThresholdSpec(FrameworkPart):
    """A limit that must hold at every moment."""

    min: Number | None = Field(None, description="The least that is safe.")
    max: Number | None = Field(None, description="The most that is safe.")
    description: str = Field("", description="What it is about; stands in messages.")
    metric: Expression | None = Field(None, description="The metric or PromQL; left out, the threshold's name.")
    unit: str = Field("", description="The unit: ms, s, ratio …")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.min is None and self.max is None:
            raise refusal("a safety threshold needs `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal("is below min: nothing could pass", key="max")
        return self


class WatchSpec(FrameworkPart):
    """A rule with a condition, under any of the framework's headings."""

    name: RuleName = Field(description="The rule's name, and the type of its incidents.")
    condition: Condition = Field(description="PromQL; below `slo.validation.rules` what must hold.")
    severity: SeverityWord | None = Field(
        None, description="1 to 4 or a word; left out, the policy's default_severity."
    )
    window: Duration | None = Field(None, description="Average over this before comparing.")
    duration: Duration | None = Field(None, description="How long the condition must hold.")
    channels: tuple[Text, ...] = Field((), description="Who is told; unknown ones are listed, not refused.")
    description: str = Field("", description="What is wrong when it fires.")


class AlertSpec(FrameworkPart):
    """An alert without a condition, under any of the framework's headings."""

    name: LabelName = Field(description="A type of incident that can be declared.")
    severity: SeverityWord | None = Field(None, description="1 to 4 or a word.")
    level: SeverityWord | None = Field(None, description="The same, where severity is left out.")
    description: str = Field("", description="What has happened.")
