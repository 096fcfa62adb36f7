"""The document models of reports to authorities: Tocsin's addition to the guide."""

from typing import Self

from pydantic import Field, model_validator

from rules.document.values import Duration, LevelNumber, Name, PeriodText, Section, TemplateText, Text, refusal, suggest
from rules.policy import CountedFrom


class ReportStageSpec(Section):
    """One of the reports due to the authority."""

    name: Name = Field(description="What it is called: early_warning, notification, final_report.")
    within: PeriodText = Field(
        description="So long after the beginning of its time it must be filed: 24h, 72h, 30d, or whole months of the "
        "calendar, 1month: the same day and time of the later month in the policy's time_zone, its last day where it "
        "has no such day."
    )
    counted_from: CountedFrom | None = Field(None, description="What its time counts from; left out, the obligation's.")
    after: Name | None = Field(
        None,
        description="The stage from whose filing its time counts instead; until that is filed, from when it is due.",
    )
    remind_before: Duration | None = Field(
        None, description="So long before it is due people are reminded; left out, a quarter of `within`."
    )
    text: TemplateText | None = Field(None, description="What it says; shown, filled in, to the person who files it.")
    channel: str = Field("", description="How it is filed, in words: a portal's address, a telephone number.")
    approver: str = Field(
        "", description="Who approves it: an e-mail address, or one of `roles`; reminded as the owner is."
    )

    @model_validator(mode="after")
    def _refuse_late_reminder(self) -> Self:
        if self.remind_before is not None and self.remind_before >= self.within.shortest:
            raise refusal("must be shorter than `within`", key="remind_before")
        if self.after is not None and self.counted_from is not None:
            raise refusal("it cannot count from a stage and from something else: leave one out", key="after")
        return self


class ReportingObligationSpec(Section):
    """An obligation to report some incidents to an authority. Tocsin reminds and records; people file the reports."""

    name: Name = Field(description="What it is called: nis2, aviation_occurrence.")
    authority: Text = Field(description="Who must be told.")
    source: str = Field("", description="The law or contract that says so, for people.")
    note: str = Field("", description="What the person who reports must know.")
    sections: tuple[Name, ...] = Field(
        (), description="Incidents of these sections, and of those under them; left out: of any."
    )
    types: tuple[Name, ...] = Field((), description="Incident types and rules, by name; left out: any.")
    levels: tuple[LevelNumber, ...] = Field((), description="Incidents of these levels; left out: of any.")
    counted_from: CountedFrom = Field(
        "awareness",
        description="`occurrence`: when it began, by its alerts; `awareness`: when it was opened; `classification`: "
        "when it came to be of these sections, types and levels.",
    )
    stages: tuple[ReportStageSpec, ...] = Field(min_length=1, description="The reports that it must get, in order.")

    @model_validator(mode="after")
    def _refuse_later_stage(self) -> Self:
        """A stage may only count from an earlier one, so that no stage counts from itself."""
        known: list[str] = []
        for index, each in enumerate(self.stages):
            if each.after is not None and each.after not in known:
                said = f"no stage before it is named `{each.after}`{suggest(each.after, known)}"
                raise refusal(said, way=("stages", index, "after"))
            known.append(each.name)
        return self
