"""Request models of the API: bodies and queries. Unknown keys are errors, so that a misspelled key is reported.

The OpenAPI document is generated from these models.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from receiver.core.model import State
from rules.durations import LONGEST_TEXT, PATTERN, parse

TEXT_LIMIT = 8192

_ONE = f" *(?:{'|'.join(State)}) *"


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()


def _cleaned(value: object) -> object:
    return _clean(value) if isinstance(value, str) else value


def _numeral(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    """Converts whole floats, since JSON has one number type: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _micros(text: str) -> str:
    parse(text)
    return text


def _states(text: str) -> str:
    names = [name.strip(" ") for name in text.split(",")]
    if not set(names) <= set(State):
        raise ValueError(f"is one or several, with commas, of {', '.join(State)}")
    return ",".join(names)


Level = Annotated[int, Field(ge=1, le=4), BeforeValidator(_whole)]
NO_OTHERS: dict[str, Any] = {"additionalProperties": False}
SOMETHING: dict[str, Any] = {"pattern": r"[^\s\x00]"}
"""A text with at least one visible character."""

SAID: dict[str, Any] = {"anyOf": [{"properties": {each: SOMETHING}, "required": [each]} for each in ("text", "note")]}

MOST_NAMED = 1000
"""Incidents that one request may name."""

EITHER: dict[str, Any] = {
    "oneOf": [
        {"properties": {one: {"not": {"type": "null"}}, other: {"type": "null"}}, "required": [one]}
        for one, other in (("incidents", "level"), ("level", "incidents"))
    ]
}

Number = Annotated[int, Field(ge=1, lt=10**9), BeforeValidator(_whole)]
Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_clean)]
Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT), AfterValidator(_clean)]
Needed = Annotated[str, Field(min_length=1, json_schema_extra=SOMETHING), BeforeValidator(_cleaned)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$")]
FactText = Annotated[Text, BeforeValidator(_numeral), Field(json_schema_extra={"type": ["string", "number"]})]
Link = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(https?://[^\s<>\"]+)?$")]
Duration = Annotated[
    str,
    AfterValidator(_micros),
    Field(
        examples=["2h", "30m"],
        json_schema_extra={
            "pattern": f"^(?:{PATTERN.replace(chr(92) + 'd', '[0-9]')}|0)$",
            "minLength": 1,
            "maxLength": LONGEST_TEXT,
        },
    ),
]
States = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(_states),
    Field(json_schema_extra={"pattern": f"^{_ONE}(,{_ONE})*$"}),
]


class Body(BaseModel):
    """Base of every action's body."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    by: Name = ""
    """The acting person; left out: the token's name."""


class Action(Body):
    """An action that depends on the incident's state."""

    note: Text = ""
    state: State | None = None
    """The state that the person saw; the action is refused if the incident has another state now."""


class AcknowledgeBody(Action):
    """Acknowledge an incident and become its owner."""

    hold: Duration | None = None
    """How long the acknowledgement lasts without activity; left out: the level's response time."""


class AcknowledgeSeveralBody(Body):
    """Acknowledge several incidents: those in `incidents`, or all that are open at `level`."""

    model_config = ConfigDict(json_schema_extra=EITHER)

    incidents: Annotated[list[Number], Field(min_length=1, max_length=MOST_NAMED)] | None = None
    """Incident numbers."""
    level: Level | None = None
    """Exactly this level. Incidents that open after the request was read are not included."""
    note: Text = ""
    hold: Duration | None = None
    """How long the acknowledgements last without activity; left out: the levels' response times."""

    @model_validator(mode="after")
    def _say_which(self) -> Self:
        if (self.incidents is None) == (self.level is None):
            raise ValueError("say either `incidents` or `level`")
        return self


class EscalateBody(Action):
    """Ask for help: run the next escalation step now. The owner stays the same."""


class WithdrawBody(Body):
    """Withdraw a call for help."""

    note: Text = ""


class GiveBackBody(Action):
    """Give an incident back: it is open without an owner, and escalation starts again."""


class UndoBody(Body):
    """Undo the caller's own last answer: the previous state and deadlines are restored."""


class ResolveBody(Action):
    """Resolve an incident, or confirm a recovery."""

    force: bool = False
    """Resolve while alerts still fire; the note must give the reason."""


class SignOffBody(Body):
    """Sign off a resolved incident. The resolver cannot sign off."""

    note: Text = ""


class CloseBody(Body):
    """Close a resolved incident, even if required items are missing."""

    note: Needed
    """The reason."""


class TextBody(Body):
    """A note for the timeline, or an update for all notified recipients."""

    model_config = ConfigDict(json_schema_extra=SAID)

    text: Text = ""
    note: Text = ""
    """Alias of `text`, the name that other actions use."""

    @model_validator(mode="after")
    def _say_something(self) -> Self:
        if not self.words:
            raise ValueError("text: say something")
        return self

    @property
    def words(self) -> str:
        """The text, from either field."""
        return self.text or self.note


class ChangeBody(Body):
    """Change the level (with a reason), or facts such as root_cause."""

    level: Level | None = None
    reason: Text = ""
    facts: dict[Key, FactText] = Field(default_factory=dict, max_length=50, json_schema_extra=NO_OTHERS)
    """root_cause, impact_description …; a fact named as an impact scale takes a number, a grade or the grade's text."""


class TickBody(Body):
    """Mark a checklist step as done or not done."""

    done: bool = True
    note: Text = ""
    link: Link = ""
    """URL of the evidence."""


class HandoverBody(Body):
    """Make another person the owner."""

    to: Annotated[Needed, StringConstraints(max_length=200)]
    note: Text = ""


class AssignBody(Body):
    """Assign a role."""

    to: Name = ""
    """The new holder; empty: remove the holder."""
    note: Text = ""


class ApproveBody(Body):
    """Approve a held notice."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the text that was read, from the list of notices."""
    recipients: list[Annotated[Needed, StringConstraints(max_length=320)]] = Field(default=[], max_length=100)
    """Recipients from the notice's `choices`; left out: all recipients of the notice."""


class EditNoticeBody(Body):
    """Replace the text of a held notice before its approval."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the text that was read, from the list of notices."""
    subject: Annotated[Needed, StringConstraints(max_length=200)]
    text: Annotated[Needed, StringConstraints(max_length=20_000)]


class ApproveReportBody(Body):
    """Approve the report as it was read. An approved version never changes."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The report's SHA-256."""
    prepared_by: Name = ""
    """The author of the report; left out: the approver."""


class RejectBody(Body):
    """Reject a notice, or finish a follow-up action."""

    note: Text = ""


class OverrideBody(Body):
    """Put a person on call for a period, in place of the scheduled one."""

    schedule: Needed
    person: Needed
    """A name from the policy's people."""
    starts: Text = ""
    """RFC 3339, or local time of the schedule without an offset; empty: now."""
    ends: Needed
    """RFC 3339, or local time of the schedule without an offset."""
    reason: Needed
    by: Name = ""


class CancelOverrideBody(Body):
    """End an override."""

    reason: Text = ""
    by: Name = ""


class FileReportBody(Body):
    """Record that a report was filed with an authority, with its evidence."""

    stage: Annotated[Needed, StringConstraints(max_length=200)]
    """The name of the obligation's stage: early_warning."""
    reference: Annotated[Needed, StringConstraints(max_length=1000)]
    """The authority's reference: a number, a receipt."""
    filed_at: AwareDatetime | None = None
    """When it was filed; left out: now."""
    file: Name = ""
    """The name of the filed file. To keep its content, attach it as evidence."""
    sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    """SHA-256 of the filed file."""
    note: Text = ""


class JudgeObligationBody(Body):
    """Decide whether a reporting obligation applies to an incident."""

    applies: bool
    reason: Annotated[Needed, StringConstraints(max_length=2000)]
    counted_from: AwareDatetime | None = None
    """Start of the obligation's deadlines; left out: as the policy defines it."""


class AttachFileBody(Body):
    """Attach a file as evidence: the fields beside the file."""

    note: Annotated[Text, StringConstraints(max_length=2000)] = ""
    """What the file is, and its origin."""


class ReasonBody(Body):
    """An action that needs a reason: redact evidence, place or release a legal hold, withdraw a filing."""

    reason: Annotated[Needed, StringConstraints(max_length=2000)]


class RetireBody(Body):
    """Retire a heartbeat that is no longer expected."""

    reason: Needed
    """Why it is permanently gone."""


class FollowUpBody(Body):
    """Add a follow-up action."""

    text: Annotated[Needed, StringConstraints(max_length=1000)]
    owner: Name = ""
    due: AwareDatetime | None = None
    """The deadline; when it passes, the action is reported as overdue."""
    link: Link = ""
    """URL of the work: a ticket, the change of a policy."""


class ReplanBody(Body):
    """Move an incident to the current policy."""


class DeclareBody(Body):
    """Open an incident without an alert."""

    type: Annotated[str, StringConstraints(pattern=r"^[\w.:/ -]{1,200}$")]
    """An incident type or a rule of the policy. Other names are refused, unless `new_type` is true."""
    level: Level | None = None
    """Left out: the type's level, else the policy's default."""
    title: Name = ""
    note: Text = ""
    labels: dict[Key, Text] = Field(default_factory=dict, max_length=50, json_schema_extra=NO_OTHERS)
    exercise: bool = False
    new_type: bool = False
    """Accept a type that the policy does not have, at the policy's default level."""


class FormatQuery(BaseModel):
    """The format of a report."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    format: Literal["md", "html", "json"] = "json"


class ReportQuery(FormatQuery):
    """The format and version of an incident's report."""

    version: Annotated[int, Field(ge=1, lt=10**6)] | None = None
    """Left out: the current version."""


class PeriodQuery(FormatQuery):
    """The period of a report."""

    period: Duration = "30d"
    """Length back from now: 24h, 7d, 30d."""


class DrillsQuery(FormatQuery):
    """The period of the listed drills."""

    period: Duration = "365d"
    """Length back from now."""


class Nothing(BaseModel):
    """No query and no body."""


class PageQuery(BaseModel):
    """The page of an incident's list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^after-[0-9]{1,18}$"})] | None = None
    """The `next` of the previous page."""


class AlertsQuery(PageQuery):
    """The page of an incident's alerts."""

    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^after-.{1,64}$"})] | None = None
    """The `next` of the previous page."""


class ListQuery(BaseModel):
    """Filters and page of the incident list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    state: States | None = None
    """One or several, separated by commas: open,acknowledged."""
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    type: Name | None = None
    system: Name | None = None
    """The affected system, from the labels."""
    person: Name | None = None
    """A person who acknowledged the incident, answered a call for help, or received a handover."""
    search: Name | None = None
    """The incident's number, or a part of its title or of the documented cause, fix or lessons; from three characters
    on also of its labels (``name=value``), of its owners' names, and of notes.
    """
    legal_hold: bool | None = None
    """true: only incidents under legal hold; false: only the others."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^before-[0-9]{1,18}$"})] | None = None
    """The `next` of the previous page."""

    @property
    def states(self) -> frozenset[State] | None:
        """The requested states; None: all."""
        return None if self.state is None else frozenset(State(name) for name in self.state.split(","))
