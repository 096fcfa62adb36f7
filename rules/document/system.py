"""What concerns Tocsin in a framework system configuration; everything else in it is somebody else's.

Unlike the sections of a policy these models let unknown keys pass: the framework's files belong to its
evaluation, and `rules.systems` lists what was not used.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from rules.document.values import Condition, Duration, Expression, LabelName, Name, Text, Vocabulary, refusal


def _word_or_level(value: Any, info: ValidationInfo) -> int:
    known = info.context.severities if isinstance(info.context, Vocabulary) else {}
    if isinstance(value, str) and value.lower() in known:
        return int(known[value.lower()])
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        return value
    raise refusal(f'"{value}" is no severity; known here: 1 to 4, {", ".join(sorted(known))}')


SeverityWord = Annotated[int, BeforeValidator(_word_or_level)]
"""The framework's severities are words; a policy's aliases say which level they mean."""

Number = Annotated[Decimal, Field(allow_inf_nan=False)]


class FrameworkPart(BaseModel):
    """Some mapping of a framework file."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SystemSpec(FrameworkPart):
    """Which system it is about."""

    name: Name
    criticality: str = ""


class SloSpec(FrameworkPart):
    """A service level objective."""

    target: Annotated[Number, Field(ge=0, le=1)]
    window: Duration
    description: str = ""
    safety_critical: bool = False
    direction: Literal["higher", "lower"] | None = None
    metric: Expression | None = None
    compliance_standard: str = ""


class ThresholdSpec(FrameworkPart):
    """A limit that must hold at every moment."""

    min: Number | None = None
    max: Number | None = None
    description: str = ""
    metric: Expression | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.min is None and self.max is None:
            raise refusal("a safety threshold needs `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal("is below min: nothing could pass", key="max")
        return self


class WatchSpec(FrameworkPart):
    """A rule with a condition, under any of the framework's headings."""

    name: Name
    condition: Condition
    severity: SeverityWord | None = None
    window: Duration | None = None
    duration: Duration | None = None
    channels: tuple[Text, ...] = ()
    description: str = ""


class AlertSpec(FrameworkPart):
    """An alert without a condition, under any of the framework's headings."""

    name: LabelName
    severity: SeverityWord | None = None
    level: SeverityWord | None = None
    description: str = ""
