"""What people do about an incident: frozen data.

`receiver.core.model.Incident` holds one Response; the modules named after its parts decide on it.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from receiver.core.instant import Instant


class Done(Struct, frozen=True):
    """A step that a person ticked."""

    by: str
    at: Instant
    text: str
    """The step's wording at that time: another policy may have another step in this place."""
    note: str = ""
    link: str = ""
    """Where the evidence is."""


class Checklists(Struct, frozen=True):
    """The attached procedures, and which of their steps are done."""

    attached: Mapping[str, Instant] = field(default_factory=dict)
    """Key of a checklist → when it was attached."""
    limited_since: Mapping[str, Instant] = field(default_factory=dict)
    """Key of a checklist → the start of its time limit, if not when it was attached: the level rose later to one that
    has the limit, or the clock jumped."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Id of a step (``escalation.2``) → how it was done."""
    calls: tuple[str, ...] = ()
    """Telephone calls that a person must make, because no number is known: the checklist ``calls``."""

    def limit_began_at(self, key: str) -> Instant | None:
        """The start of a checklist's time limit; None: it is not attached."""
        return self.limited_since.get(key, self.attached.get(key))


class ImpactGrade(StrEnum):
    """The severity of an impact, the mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Impact(Struct, frozen=True):
    """The severity on one scale."""

    grade: ImpactGrade
    said: str
    """What determined the grade: ``0.3``, the scale's own words, the incident type's name."""


class Moment(StrEnum):
    """What an external notice reports; each but `updated` is a state of the incident."""

    BREACHED = "breached"
    ACKNOWLEDGED = "acknowledged"
    UPDATED = "updated"
    """A status update, timed or written by a person, for groups that were told of the incident."""
    RESOLVED = "resolved"


class Standing(StrEnum):
    """The state of a notice; all but `held` are final. The OpenAPI document has this class under its name."""

    HELD = "held"
    SENT = "sent"
    REJECTED = "rejected"
    VOID = "void"
    """The incident changed before a decision."""


class Notice(Struct, frozen=True):
    """A notice to an external group, sent once a person approves it."""

    id: str
    """``n1``."""
    group: str
    moment: Moment
    held_at: Instant
    """Also the time that its text refers to."""
    episode: int = 0
    """How often the incident had recurred by then."""
    standing: Standing = Standing.HELD
    by: str = ""
    """Who approved or rejected it."""
    decided_at: Instant | None = None
    subject: str = ""
    body: str = ""
    """The text as sent; of an edited notice that is still held, the edited text."""
    proposed_subject: str = ""
    proposed_body: str = ""
    """The template's text when the notice was edited or approved."""
    edited_by: str = ""
    """Who edited it last; empty: not edited."""
    edited_at: Instant | None = None
    why: str = ""
    """Why it is void."""
    due_at: Instant | None = None
    """The deadline for the decision; None: from an older version, and its approvers were not told yet."""
    reminded: bool = False
    """Whether its approvers were told again, after half of its time."""
    next_at: Instant | None = None
    """When the next update is due, as its text promises."""
    recipients: tuple[str, ...] = ()
    """The group's recipients it is for, or was sent to; empty: all."""


class FollowUp(Struct, frozen=True):
    """An action after the incident."""

    id: str
    """``f1``."""
    text: str
    owner: str
    due_at: Instant | None
    by: str
    """Who recorded it."""
    at: Instant
    done_at: Instant | None = None
    done_by: str = ""
    reminded: bool = False
    link: str = ""
    """Where the work is: a ticket, a change of the policy. Empty: unknown."""
    under: str = ""
    """If it changes the policy: the digest of the version in use when it was recorded."""
    brought: str = ""
    """If it changed the policy: the digest of the version in use when done; empty: unchanged."""


class Duty(Struct, frozen=True):
    """The deadline of an open duty: a checklist, or a report to file."""

    began_at: Instant
    """The start of the limit."""
    limit: int
    """Microseconds."""
    due_at: Instant
    reminded: bool = False
    overdue: bool = False
    """Its owner was told that it is overdue."""
    raised: bool = False
    """The internal stakeholders were told so too."""


class Obligation(Struct, frozen=True):
    """Whether an authority must be told about an incident, by one reporting obligation of the policy."""

    since: Instant
    """When the incident first matched the obligation's sections, types and levels, or a person decided."""
    applies: bool = True
    by: str = ""
    """Who decided that it applies, or does not; empty: the policy."""
    reason: str = ""
    counted_from: Instant | None = None
    """The start of its time limits, set by a person; None: by the policy."""
    judged_at: Instant | None = None
    """When that person decided; None: the policy did, or an older release stored it."""


class Filing(Struct, frozen=True):
    """A report filed with an authority, with its evidence."""

    obligation: str
    stage: str
    reference: str
    """The authority's reference: a number, a receipt."""
    filed_at: Instant
    by: str
    """Who recorded it."""
    at: Instant
    """When it was recorded."""
    file: str = ""
    """The name of the filed file; empty: none."""
    sha256: str = ""
    """The file's SHA-256, 64 hexadecimal digits."""
    withdrawn_by: str = ""
    """Who said that it was recorded by mistake; empty: it stands."""
    withdrawn_at: Instant | None = None
    withdrawn_why: str = ""


class EvidenceFile(Struct, frozen=True):
    """A file attached as evidence. Its record is permanent; its content may be removed."""

    id: str
    """``e1``."""
    name: str
    """The sanitised original name (`receiver.core.evidence_files.safe_name`)."""
    sha256: str
    """SHA-256 of its content, computed by Tocsin during the upload: 64 hexadecimal digits."""
    size: int
    """Bytes."""
    by: str
    at: Instant
    note: str = ""
    """What it is, and where it came from."""
    redacted_by: str = ""
    """Who removed its content; empty: it is kept."""
    redacted_at: Instant | None = None
    redacted_why: str = ""


class LegalHold(Struct, frozen=True):
    """While it is in force, nothing of the incident is deleted, regardless of the retention."""

    id: str
    """``h1``."""
    by: str
    at: Instant
    reason: str
    released_by: str = ""
    """Who released it; empty: it is in force."""
    released_at: Instant | None = None
    released_why: str = ""


class ApprovedReport(Struct, frozen=True):
    """An approved version of the incident's report. The timeline contains its text."""

    version: int
    """From 1, without gaps."""
    by: str
    at: Instant
    sha256: str
    """SHA-256 of its content (`receiver.reports.render`), 64 hexadecimal digits."""
    prepared_by: str
    audit_head: str
    """The end of the audit log then, as `tocsin audit verify --head` takes it: ``POSITION:HASH``."""
    role: str = ""
    """The policy's role for approving, if the approver held it; empty: none."""


class SentReport(Struct, frozen=True):
    """The report as mailed: when the incident closed, and again after later changes of facts."""

    to: tuple[str, ...]
    """Addresses; recipients of the first report get each revision."""
    number: int = 1
    """The number of the last revision sent."""
    changed: tuple[str, ...] = ()
    """Facts that changed since then."""


class PendingReach(Struct, frozen=True):
    """A later step of a person's `reach`."""

    person: str
    step: int
    """The index into their `reach`, from 0."""
    due_at: Instant


class Deed(StrEnum):
    """An event that changed an incident's owner, or who is asked to answer."""

    ACKNOWLEDGED = "acknowledged"
    ANSWERED = "answered"
    """Answered a call for help; the owner stays the owner."""
    HANDED_OVER = "handed_over"
    ASKED_FOR_HELP = "asked_for_help"
    WITHDREW = "withdrew"
    """Withdrew a call for help."""
    EXPIRED = "expired"
    VOIDED = "voided"
    GIVEN_BACK = "given_back"
    UNDONE = "undone"
    """Undid the preceding acknowledgement or answer: the state before it is restored."""
    REOPENED = "reopened"
    """The resolved incident fired again or still fires."""


class Turn(Struct, frozen=True):
    """One line of the history of an incident's owners."""

    deed: Deed
    at: Instant
    by: str
    """Who did it; for EXPIRED and VOIDED: whose acknowledgement it was."""
    to: str = ""
    """The new owner after a handover."""


class Before(Struct, frozen=True):
    """The state that an answer ended, kept so that the answer can be undone."""

    by: str
    at: Instant
    windows: Mapping[str, Instant]
    """The windows that the answer ended."""
    ticked: tuple[str, ...] = ()
    """Ids of the steps that the answer ticked."""
    asked_by: Mapping[str, Instant] = field(default_factory=dict)
    acknowledged_by: str = ""
    acknowledged_at: Instant | None = None
    ack_holds: int = 0
    owner: str = ""


class Practice(Struct, frozen=True):
    """Training that a person must do in a drill, due soon or overdue."""

    person: str
    subject: str
    """An incident type or a role; empty: the person has taken part in no drill."""
    due_at: Instant
    """The deadline; 0: the person has taken part in no drill."""
    reminded: bool = False
    overdue: bool = False
    """The person and the owner of training were told that it is overdue."""


class Room(Struct, frozen=True):
    """A chat channel of this incident (`receiver.core.rooms`)."""

    channel: str
    """The policy's channel on whose provider it is."""
    name: str
    """``inc-12-flight-control``; the provider may have added to the name that was asked for."""
    by: str
    at: Instant
    asked_as: str = ""
    """The name that was asked for; empty: the provider has not opened it yet."""
    link: str = ""
    """Its URL."""

    @property
    def is_open(self) -> bool:
        """Whether the provider has opened it."""
        return bool(self.asked_as)


class Occurrence(Struct, frozen=True):
    """An earlier open period of the incident: what people had done and entered until it recurred."""

    number: int
    """From 1: the opening."""
    began_at: Instant
    ended_at: Instant
    """When it recurred."""
    resolved_at: Instant | None = None
    resolved_by: str = ""
    checklists: Checklists = field(default_factory=Checklists)
    facts: Mapping[str, str] = field(default_factory=dict)
    """What responders had entered; its cause and its fix did not hold."""
    impacts: Mapping[str, Impact] = field(default_factory=dict)


class Response(Struct, frozen=True):
    """All that people do about one incident."""

    checklists: Checklists = field(default_factory=Checklists)
    owner: str = ""
    """Who acknowledged it, or got it handed over. Empty while it is open."""
    history: tuple[Turn, ...] = ()
    """The owners and the requests for help, the newest last; limited by `receiver.core.responder_history`."""
    asked_by: Mapping[str, Instant] = field(default_factory=dict)
    """Who asks for help although it has an owner → since when; empty: no request, or it was answered."""
    before: Before | None = None
    """The state before the last answer; None: no answer, or a later event made undo impossible."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Role of the policy → who holds it."""
    assessed_at: Instant | None = None
    """When a person assessed the severity."""
    impacts: Mapping[str, Impact] = field(default_factory=dict)
    """Scale → grade, from people and alerts."""
    notices: tuple[Notice, ...] = ()
    """Notices to external groups, in the order in which they were held."""
    follow_ups: tuple[FollowUp, ...] = ()
    duties: Mapping[str, Duty] = field(default_factory=dict)
    """The running deadlines, by a checklist's key or ``obligation/stage``."""
    obligations: Mapping[str, Obligation] = field(default_factory=dict)
    """The policy's reporting obligations that concern it, by name, and those judged not to apply."""
    filings: tuple[Filing, ...] = ()
    """Reports filed with authorities, in the order of recording; the first for a stage counts."""
    files: tuple[EvidenceFile, ...] = ()
    holds: tuple[LegalHold, ...] = ()
    """Legal holds, in the order in which they were placed; also the released ones."""
    reports: tuple[ApprovedReport, ...] = ()
    kept_open: int = 0
    """How often it could not close because a required item was missing (`receiver.core.closing`)."""
    signed_off_by: str = ""
    """Who signed it off (not the person who resolved it); empty: not signed off, or changed since."""
    lowered_from: int = 0
    """The highest level from which a person lowered it; 0: never lowered."""
    sent_report: SentReport | None = None
    occurrences: tuple[Occurrence, ...] = ()
    """The earlier open periods, as many as `receiver.core.occurrences` keeps, the newest last."""
    training: tuple[Practice, ...] = ()
    """Only of the incident that tracks training: training due soon or overdue."""
    reach: tuple[PendingReach, ...] = ()
    """The later steps of people's `reach`, dropped once a person answers (`receiver.core.personal_reach`)."""
    unheard: tuple[tuple[str, str], ...] = ()
    """(channel, recipient) pairs to which no message was sent yet: they get no all-clear."""

    room: Room | None = None
    """Its own chat channel; None: not asked for, or it could not be opened."""

    @property
    def holds_in_force(self) -> tuple[LegalHold, ...]:
        """The legal holds that are not released."""
        return tuple(each for each in self.holds if each.released_at is None)
