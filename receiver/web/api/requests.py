"""What the API takes: bodies and queries. Unknown keys are errors, so that a slip of the pen shows.

The OpenAPI document is generated from these models too.
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
    """JSON knows one kind of number: 3.0 is 3."""
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
"""What a text has that says something."""

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
    """What every action may say."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    by: Name = ""
    """Who acts; left out: the token's name."""


class Action(Body):
    """An action on the state."""

    note: Text = ""
    state: State | None = None
    """The state that the person saw; when it is another by now, the action is refused."""


class AcknowledgeBody(Action):
    """Take an incident."""

    hold: Duration | None = None
    """How long the acknowledgement holds without activity; left out: the level's response time."""


class AcknowledgeSeveralBody(Body):
    """Take several incidents: either those of `incidents`, or all that are open at `level`."""

    model_config = ConfigDict(json_schema_extra=EITHER)

    incidents: Annotated[list[Number], Field(min_length=1, max_length=MOST_NAMED)] | None = None
    """By their numbers."""
    level: Level | None = None
    """Exactly this level. What opens after the request was read is not taken."""
    note: Text = ""
    hold: Duration | None = None
    """How long the acknowledgements hold without activity; left out: the levels' response times."""

    @model_validator(mode="after")
    def _say_which(self) -> Self:
        if (self.incidents is None) == (self.level is None):
            raise ValueError("say either `incidents` or `level`")
        return self


class EscalateBody(Action):
    """Ask for help: the next step now. Who has the incident goes on having it."""


class WithdrawBody(Body):
    """Ask for help no more."""

    note: Text = ""


class GiveBackBody(Action):
    """Say that nobody has it any more: it is open, and pages from the beginning."""


class UndoBody(Body):
    """Take back an answer of one's own that was a slip: everything is as it was, and no deadline begins anew."""


class ResolveBody(Action):
    """Say that it is over, or confirm a recovery."""

    force: bool = False
    """Although alerts still fire; the note must say why."""


class SignOffBody(Body):
    """Sign off a resolved incident, as another person than who resolved it."""

    note: Text = ""


class CloseBody(Body):
    """Close a resolved incident, whatever is missing."""

    note: Needed
    """Why."""


class TextBody(Body):
    """A note for the timeline, or an update for everyone."""

    model_config = ConfigDict(json_schema_extra=SAID)

    text: Text = ""
    note: Text = ""
    """The same as `text`, by the name that other actions have for it."""

    @model_validator(mode="after")
    def _say_something(self) -> Self:
        if not self.words:
            raise ValueError("text: say something")
        return self

    @property
    def words(self) -> str:
        """What was written."""
        return self.text or self.note


class ChangeBody(Body):
    """Assess or document: the level (with a reason), and facts such as root_cause."""

    level: Level | None = None
    reason: Text = ""
    facts: dict[Key, FactText] = Field(default_factory=dict, max_length=50, json_schema_extra=NO_OTHERS)
    """root_cause, impact_description …; one named as an impact scale takes a number, a grade or the scale's words."""


class TickBody(Body):
    """A step of a checklist is done, or not done after all."""

    done: bool = True
    note: Text = ""
    link: Link = ""
    """Where the evidence is."""


class HandoverBody(Body):
    """Another person has it from now on."""

    to: Annotated[Needed, StringConstraints(max_length=200)]
    note: Text = ""


class AssignBody(Body):
    """Who holds a role from now on."""

    to: Name = ""
    """Empty: nobody any more."""
    note: Text = ""


class ApproveBody(Body):
    """Approve a held notice."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the text that was read, as the list of notices gives it."""
    recipients: list[Annotated[Needed, StringConstraints(max_length=320)]] = Field(default=[], max_length=100)
    """Whom of the group it goes to, as the list of notices names them; left out: all whom it is for."""


class EditNoticeBody(Body):
    """Write a held notice anew, before it is approved."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the text that was read, as the list of notices gives it."""
    subject: Annotated[Needed, StringConstraints(max_length=200)]
    text: Annotated[Needed, StringConstraints(max_length=20_000)]


class ApproveReportBody(Body):
    """Approve the report as it was read: that version never changes again."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The report's SHA-256."""
    prepared_by: Name = ""
    """Who prepared it; left out: the approver."""


class RejectBody(Body):
    """Reject a notice, or finish a follow-up action."""

    note: Text = ""


class OverrideBody(Body):
    """Put somebody on call for a while, in place of whom the schedule has."""

    schedule: Needed
    person: Needed
    """One of the policy's people."""
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
    """Say that a report was filed with an authority, with the evidence of it."""

    stage: Annotated[Needed, StringConstraints(max_length=200)]
    """The obligation's stage, by its name: early_warning."""
    reference: Annotated[Needed, StringConstraints(max_length=1000)]
    """What the authority calls it: a number, a receipt."""
    filed_at: AwareDatetime | None = None
    """When it was filed; left out: now."""
    file: Name = ""
    """The name of the file that was filed. To keep the file itself, attach it as evidence."""
    sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    """Of that file."""
    note: Text = ""


class JudgeObligationBody(Body):
    """Say whether a reporting obligation applies to an incident."""

    applies: bool
    reason: Annotated[Needed, StringConstraints(max_length=2000)]
    counted_from: AwareDatetime | None = None
    """What its time counts from; left out: as the policy says."""


class AttachFileBody(Body):
    """Attach a file as evidence: what is said beside the file."""

    note: Annotated[Text, StringConstraints(max_length=2000)] = ""
    """What it is, and where it came from."""


class ReasonBody(Body):
    """Do something that needs a reason: remove evidence, place or release a legal hold."""

    reason: Annotated[Needed, StringConstraints(max_length=2000)]


class RetireBody(Body):
    """Say that a heartbeat is not expected any more."""

    reason: Needed
    """Why it is gone for good."""


class FollowUpBody(Body):
    """What must still be done."""

    text: Annotated[Needed, StringConstraints(max_length=1000)]
    owner: Name = ""
    due: AwareDatetime | None = None
    """When it is overdue, and told so."""
    link: Link = ""
    """Where the work is: a ticket, the change of a policy."""


class ReplanBody(Body):
    """Move an incident to the current policy."""


class DeclareBody(Body):
    """Open an incident without an alert."""

    type: Annotated[str, StringConstraints(pattern=r"^[\w.:/ -]{1,200}$")]
    """An incident type or a rule of the policy. Another is refused, unless `new_type` is true."""
    level: Level | None = None
    """Left out: the type's own, else the policy's default."""
    title: Name = ""
    note: Text = ""
    labels: dict[Key, Text] = Field(default_factory=dict, max_length=50, json_schema_extra=NO_OTHERS)
    exercise: bool = False
    new_type: bool = False
    """The type is none of the policy's, on purpose: it is taken, at the policy's default level."""


class FormatQuery(BaseModel):
    """In which form a report is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    format: Literal["md", "html", "json"] = "json"


class ReportQuery(FormatQuery):
    """In which form an incident's report is wanted, and which version of it."""

    version: Annotated[int, Field(ge=1, lt=10**6)] | None = None
    """Left out: the newest that is true."""


class PeriodQuery(FormatQuery):
    """Which period a report is about."""

    period: Duration = "30d"
    """How far back from now: 24h, 7d, 30d."""


class DrillsQuery(FormatQuery):
    """Which live drills are listed."""

    period: Duration = "365d"
    """How far back from now."""


class Nothing(BaseModel):
    """No query and no body."""


class PageQuery(BaseModel):
    """Which part of an incident's list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^after-[0-9]{1,18}$"})] | None = None
    """The `next` of the page before."""


class AlertsQuery(PageQuery):
    """Which part of an incident's alerts."""

    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^after-.{1,64}$"})] | None = None
    """The `next` of the page before."""


class ListQuery(BaseModel):
    """Which incidents to list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    state: States | None = None
    """One or several, with commas: open,acknowledged."""
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    type: Name | None = None
    system: Name | None = None
    """What it is about, as its labels say it."""
    person: Name | None = None
    """Who acknowledged it, answered a call for help, or got it handed over."""
    search: Name | None = None
    """Its number, or a part of its title or of what was written down (cause, fix, lessons); from three characters on
    also of its labels (``name=value``), of the names of those who had it, and of notes.
    """
    legal_hold: bool | None = None
    """Only those under legal hold, or only the others."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[Name, Field(json_schema_extra={"pattern": "^before-[0-9]{1,18}$"})] | None = None
    """The `next` of the page before."""

    @property
    def states(self) -> frozenset[State] | None:
        """The states wanted; None: all."""
        return None if self.state is None else frozenset(State(name) for name in self.state.split(","))
