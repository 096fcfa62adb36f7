"""What people do about an incident, as the incident carries it. Plain frozen data; `receiver.core.model.Incident`
holds one Response, the modules named after its parts decide on it.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from receiver.core.instant import Instant


class Done(Struct, frozen=True):
    """A step that somebody ticked."""

    by: str
    at: Instant
    text: str
    """The step as it was worded then: under another policy the same place may ask for something else."""
    note: str = ""
    link: str = ""
    """Where the evidence is."""


class Checklists(Struct, frozen=True):
    """Which procedures were attached, and which of their steps are done."""

    attached: Mapping[str, Instant] = field(default_factory=dict)
    """Key of a checklist → when it was attached."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Id of a step (``escalation.2``) → who did it."""
    calls: tuple[str, ...] = ()
    """Calls that a person must make, because nobody's number is known: the checklist ``calls``."""


class ImpactGrade(StrEnum):
    """How bad an impact is, the mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Impact(Struct, frozen=True):
    """How bad it is on one scale."""

    grade: ImpactGrade
    said: str
    """What it was graded by: ``0.3``, the scale's own words, the incident type's name."""


class Moment(StrEnum):
    """What a notice to the outside tells of; each but `updated` is a state of the incident."""

    BREACHED = "breached"
    ACKNOWLEDGED = "acknowledged"
    UPDATED = "updated"
    """How it stands, by the clock or because somebody wrote an update: for groups that were told of the trouble."""
    RESOLVED = "resolved"


class Standing(StrEnum):
    """What became of a notice; all but `held` are final. The OpenAPI document has this class under its name."""

    HELD = "held"
    SENT = "sent"
    REJECTED = "rejected"
    VOID = "void"
    """The incident moved on before anybody decided."""


class Notice(Struct, frozen=True):
    """What an external group may be told, once a person approves it."""

    id: str
    """``n1``."""
    group: str
    moment: Moment
    held_at: Instant
    """Also the time that its text speaks of."""
    episode: int = 0
    """How often the incident had recurred then."""
    standing: Standing = Standing.HELD
    by: str = ""
    """Who approved or rejected it."""
    decided_at: Instant | None = None
    subject: str = ""
    body: str = ""
    """What was sent, word for word; of a held one that somebody edited, how it reads since."""
    proposed_subject: str = ""
    proposed_body: str = ""
    """What the policy's template proposed, as it read when it was edited or approved."""
    edited_by: str = ""
    """Who edited it last; empty: nobody did."""
    edited_at: Instant | None = None
    why: str = ""
    """Why it is void."""
    due_at: Instant | None = None
    """By when somebody should have decided on it; None: an older version held it, and its approvers are yet to be
    told."""
    reminded: bool = False
    """Its approvers were told again, after half of its time."""
    next_at: Instant | None = None
    """Its text promises the next update by then."""
    recipients: tuple[str, ...] = ()
    """Whom of the group it is for, or was sent to; empty: all."""


class FollowUp(Struct, frozen=True):
    """Something to do after the incident."""

    id: str
    """``f1``."""
    text: str
    owner: str
    due_at: Instant | None
    by: str
    """Who wrote it down."""
    at: Instant
    done_at: Instant | None = None
    done_by: str = ""
    reminded: bool = False
    link: str = ""
    """Where the work is: a ticket, the change of a policy. Empty: nobody said."""
    under: str = ""
    """Of one that changes the policy: the digest of the version in use when it was written down."""
    brought: str = ""
    """Of one that changed the policy: the digest of the version in use when it was done; empty: still the same."""


class Duty(Struct, frozen=True):
    """The clock of something that must be done by a time and is not done yet: a checklist, or a report to file."""

    began_at: Instant
    """What its time counts from."""
    limit: int
    """Microseconds."""
    due_at: Instant
    reminded: bool = False
    overdue: bool = False
    """Its owner was told that it is overdue."""
    raised: bool = False
    """The internal stakeholders were told so too."""


class Obligation(Struct, frozen=True):
    """Whether an authority must be told of an incident, by a reporting obligation of the policy."""

    since: Instant
    """When the incident came to be of the obligation's sections, types and levels, or a person said so."""
    applies: bool = True
    by: str = ""
    """Who said that it applies, or does not; empty: the policy did."""
    reason: str = ""
    counted_from: Instant | None = None
    """What its time counts from, as a person said; None: as the policy says."""


class Filing(Struct, frozen=True):
    """A report that was filed with an authority, and the evidence of it."""

    obligation: str
    stage: str
    reference: str
    """What the authority calls it: a number, a receipt."""
    filed_at: Instant
    by: str
    """Who recorded it."""
    at: Instant
    """When it was recorded."""
    file: str = ""
    """The name of the file that was filed; empty: none was."""
    sha256: str = ""
    """Of that file, 64 hexadecimal digits."""


class EvidenceFile(Struct, frozen=True):
    """A file that somebody attached as evidence. Its record stays for good; its content may be removed."""

    id: str
    """``e1``."""
    name: str
    """As it was called, made harmless (`receiver.core.evidence_files.safe_name`)."""
    sha256: str
    """Of its content, as Tocsin computed it while it arrived: 64 hexadecimal digits."""
    size: int
    """Bytes."""
    by: str
    at: Instant
    note: str = ""
    """What it is, and where it came from."""
    redacted_by: str = ""
    """Who had its content removed; empty: it is there."""
    redacted_at: Instant | None = None
    redacted_why: str = ""


class LegalHold(Struct, frozen=True):
    """As long as it is in force, nothing of the incident is deleted, whatever the retention says."""

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
    """A version of the incident's report that a person approved. Its words stand in the timeline."""

    version: int
    """From 1, without gaps."""
    by: str
    """Who approved it."""
    at: Instant
    sha256: str
    """Of its content (`receiver.reports.frozen`), 64 hexadecimal digits."""
    prepared_by: str
    audit_head: str
    """Where the audit log ended when it was approved, as `tocsin audit verify --head` takes it: ``POSITION:HASH``."""
    role: str = ""
    """The policy's role for approving that they held; empty: the policy names none, or nobody held it."""


class SentReport(Struct, frozen=True):
    """The report as it was mailed: when the incident closed, and again whenever facts changed after that."""

    to: tuple[str, ...]
    """Addresses; who got the first gets each revision."""
    number: int = 1
    """Of the revision that was sent last."""
    changed: tuple[str, ...] = ()
    """Facts that have changed since."""


class PendingReach(Struct, frozen=True):
    """A step by which somebody is to be told later."""

    person: str
    """The policy's person."""
    step: int
    """Of their `reach`, from 0."""
    due_at: Instant


class Deed(StrEnum):
    """What changed who has an incident, or who is asked to."""

    ACKNOWLEDGED = "acknowledged"
    ANSWERED = "answered"
    """A call for help; whoever had the incident goes on having it."""
    HANDED_OVER = "handed_over"
    ASKED_FOR_HELP = "asked_for_help"
    WITHDREW = "withdrew"
    """A call for help."""
    EXPIRED = "expired"
    VOIDED = "voided"
    GIVEN_BACK = "given_back"
    UNDONE = "undone"
    """The acknowledgement or answer that came before: everything is as it was until then."""
    REOPENED = "reopened"
    """It was resolved, and fired again or still."""


class Turn(Struct, frozen=True):
    """One line of the history of who has an incident."""

    deed: Deed
    at: Instant
    by: str
    """Who did it; of what expired or was voided: whose acknowledgement it was."""
    to: str = ""
    """Who got it handed over."""


class Before(Struct, frozen=True):
    """How an incident was until somebody answered it, as far as the answer ended it: so it can be undone."""

    by: str
    """Who answered."""
    at: Instant
    """When."""
    windows: Mapping[str, Instant]
    """What ran and was ended, by window."""
    ticked: tuple[str, ...] = ()
    """Ids of the steps that the answer ticked."""
    asked_by: Mapping[str, Instant] = field(default_factory=dict)
    acknowledged_by: str = ""
    acknowledged_at: Instant | None = None
    ack_holds: int = 0
    owner: str = ""


class Practice(Struct, frozen=True):
    """Something that a person is to practise in a drill soon, or by now."""

    person: str
    subject: str
    """An incident type or a role; empty: the person has taken part in no drill."""
    due_at: Instant
    """By when; 0: the person has taken part in none."""
    reminded: bool = False
    overdue: bool = False
    """The person and the owner of training were told that it is overdue."""


class Occurrence(Struct, frozen=True):
    """An earlier time that the incident was open, until it came back: what people had done and entered by then."""

    number: int
    """From 1: the opening."""
    began_at: Instant
    ended_at: Instant
    """When it came back."""
    resolved_at: Instant | None = None
    resolved_by: str = ""
    checklists: Checklists = field(default_factory=Checklists)
    facts: Mapping[str, str] = field(default_factory=dict)
    """What responders had entered: its cause and its fix did not hold."""
    impacts: Mapping[str, Impact] = field(default_factory=dict)


class Response(Struct, frozen=True):
    """All that people do about one incident."""

    checklists: Checklists = field(default_factory=Checklists)
    owner: str = ""
    """Who has it now: acknowledged it, or got it handed over. Empty while it is open."""
    history: tuple[Turn, ...] = ()
    """Who had it and who asked for help, the newest last; as much as `receiver.core.responder_history` keeps."""
    asked_by: Mapping[str, Instant] = field(default_factory=dict)
    """Who asks for help with what a person has, since when; empty: nobody, or somebody else has answered."""
    before: Before | None = None
    """How it was until it was answered last; None: it was not, or something has come between since."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Role of the policy → who holds it."""
    assessed_at: Instant | None = None
    """When somebody said how bad it is."""
    impacts: Mapping[str, Impact] = field(default_factory=dict)
    """Scale → grade, as far as anybody or any alert said."""
    notices: tuple[Notice, ...] = ()
    """What external groups may be told, in the order it was held."""
    follow_ups: tuple[FollowUp, ...] = ()
    duties: Mapping[str, Duty] = field(default_factory=dict)
    """The clocks that run, by what is to be done: a checklist's key, or ``obligation/stage``."""
    obligations: Mapping[str, Obligation] = field(default_factory=dict)
    """Reporting obligations of the policy that concern it, by name, those that a person said not to apply included."""
    filings: tuple[Filing, ...] = ()
    """What was filed with authorities, in the order it was recorded; of several for one stage the first counts."""
    files: tuple[EvidenceFile, ...] = ()
    """What was attached as evidence, in order."""
    holds: tuple[LegalHold, ...] = ()
    """Legal holds, in the order in which they were placed, those that are released included."""
    reports: tuple[ApprovedReport, ...] = ()
    """The approved versions of its report, in their order."""
    kept_open: int = 0
    """How often it was to close, and could not: something was missing (`receiver.core.closing`)."""
    signed_off_by: str = ""
    """Who has signed it off, other than who resolved it; empty: nobody, or what they signed has changed."""
    sent_report: SentReport | None = None
    occurrences: tuple[Occurrence, ...] = ()
    """The earlier times that it was open, as many as `receiver.core.occurrences` keeps; the newest last."""
    training: tuple[Practice, ...] = ()
    """Of the incident that keeps watch over training alone: what is due soon, or overdue."""
    reach: tuple[PendingReach, ...] = ()
    """By what people want to be told later, as long as nobody answers (`receiver.core.personal_reach`)."""
    unheard: tuple[tuple[str, str], ...] = ()
    """(channel, recipient) of whom nothing planned has left yet: while that is so they get no all-clear."""

    @property
    def holds_in_force(self) -> tuple[LegalHold, ...]:
        """The legal holds that nobody has released."""
        return tuple(each for each in self.holds if each.released_at is None)
