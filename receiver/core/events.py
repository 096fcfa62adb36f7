"""Everything that can happen to an incident. A webhook, a button, a timer and a delivery result are all events.

`by` is the person's name. `expects` is the state the person saw when acting: a stale action is answered
with what is true now.

What people do has its word in the audit log (`AUDITED_AS`). The log's hashes are of these words, as of the fields'
names: neither ever changes, whatever a class is called.
"""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct, field

from receiver.core.inquiry import Answered
from receiver.core.model import Alert, Instant, Notification, State
from receiver.core.response import Practice


class AlertsReceived(Struct, frozen=True):
    """Alertmanager told us of alerts that belong to one incident key. Alerts not listed are not concerned."""

    key: str
    source: str
    alerts: tuple[Alert, ...]
    truncated: bool = False
    """Alertmanager left alerts of the group out (`max_alerts`): others that we never heard of may fire."""
    found: str = ""
    """How we know where no webhook said it; empty: a webhook did."""
    told_by: str = ""
    """The Alertmanager (its external URL) and the group that told it; empty: unknown."""
    peers_differ: bool = False
    """`told_by` tells peers of this source apart: they were seen with different external URLs."""


class EchoesListed(Struct, frozen=True):
    """What the Alertmanagers that were asked list of an incident's held alerts."""

    key: str
    listed: frozenset[str] = frozenset()
    """Fingerprints that at least one of them lists, active or suppressed: they fire."""
    unlisted: frozenset[str] = frozenset()
    """Fingerprints that all of them answered not to list: they were echoes."""


class Silenced(Struct, frozen=True):
    """What Alertmanager says of silences on what fires of an incident."""

    key: str
    alerts: int
    """Of how many firing alerts it was said: where others fire by now, it says nothing."""
    until: Instant | None
    """When the first of their silences ends; None: at least one of them is not silenced."""
    by: str = ""
    """Who silenced it, and why."""
    inhibited: bool = False
    """At least one of them is inhibited, not silenced: that holds only while it is confirmed."""


class SilenceAnswered(Struct, frozen=True):
    """What Alertmanager answered when it was asked for a silence as long as an acknowledgement."""

    key: str
    until: Instant
    why_not: str = ""
    """Empty: it is made."""


class Unheard(Struct, frozen=True):
    """No webhook repeated these alerts within the expected interval."""

    key: str
    since: Instant


class TrainingRead(Struct, frozen=True):
    """What the record of drills says that people are to practise again, and by when."""

    key: str
    practices: tuple[Practice, ...]


class Declare(Struct, frozen=True):
    """A person opens an incident without an alert."""

    AUDITED_AS: ClassVar[str] = "declare"

    key: str
    """Unique to this declaration; the same request repeated has the same key."""
    type: str
    by: str
    level: int | None = None
    """None: the type's own, else the policy's default."""
    title: str = ""
    note: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exercise: bool = False
    new_type: bool = False
    """The type is none of the policy's, on purpose."""


class Acknowledge(Struct, frozen=True):
    """A person takes the incident."""

    AUDITED_AS: ClassVar[str] = "acknowledge"

    by: str
    note: str = ""
    hold: int | None = None
    """Microseconds the acknowledgement holds without activity; None: the level's response time."""
    expects: State | None = None
    answers: int | None = None
    """Serial of the page that is answered (a key pressed in a call, a link in a mail); None: the incident itself."""


class Escalate(Struct, frozen=True):
    """A person asks for help: the next step now. Who has the incident goes on having it."""

    AUDITED_AS: ClassVar[str] = "escalate"

    by: str
    note: str = ""
    expects: State | None = None


class Withdraw(Struct, frozen=True):
    """A person asks for help no more."""

    AUDITED_AS: ClassVar[str] = "withdraw"

    by: str
    note: str = ""


class GiveBack(Struct, frozen=True):
    """A person does not have the incident any more: somebody else must take it."""

    AUDITED_AS: ClassVar[str] = "giveback"

    by: str
    note: str = ""
    expects: State | None = None


class Undo(Struct, frozen=True):
    """A person takes their own answer back, a moment after it: it was a slip."""

    AUDITED_AS: ClassVar[str] = "undo"

    by: str
    withdrawn: tuple[Notification, ...] = ()
    """Messages of the page under way that were overtaken and did not leave; the engine reads them."""


class Resolve(Struct, frozen=True):
    """A person says it is over (and so confirms a recovery)."""

    AUDITED_AS: ClassVar[str] = "resolve"

    by: str
    note: str = ""
    force: bool = False
    """Although alerts still fire; the note must say why."""
    expects: State | None = None


class SignOff(Struct, frozen=True):
    """Another person than who resolved it has looked at the incident, and says that it may close."""

    AUDITED_AS: ClassVar[str] = "signoff"

    by: str
    note: str = ""


class Close(Struct, frozen=True):
    """A person closes a resolved incident now, whatever is missing; the note says why."""

    AUDITED_AS: ClassVar[str] = "close"

    by: str
    note: str


class Note(Struct, frozen=True):
    """A person writes something down."""

    AUDITED_AS: ClassVar[str] = "note"

    by: str
    text: str


class Update(Struct, frozen=True):
    """A person tells everyone how it stands."""

    AUDITED_AS: ClassVar[str] = "update"

    by: str
    text: str


class Change(Struct, frozen=True):
    """A person assesses or documents: the level (with a reason), and facts such as root_cause."""

    AUDITED_AS: ClassVar[str] = "change"

    by: str
    level: int | None = None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class Replan(Struct, frozen=True):
    """A person moves the incident to the current policy."""

    AUDITED_AS: ClassVar[str] = "replan"

    by: str


class Tick(Struct, frozen=True):
    """A person did a step of a checklist, or takes that back."""

    AUDITED_AS: ClassVar[str] = "tick"

    by: str
    step: str
    """``escalation.2``."""
    done: bool = True
    note: str = ""
    link: str = ""
    """Where the evidence is."""


class Handover(Struct, frozen=True):
    """A person gives the incident to another."""

    AUDITED_AS: ClassVar[str] = "handover"

    by: str
    to: str
    note: str = ""


class Assign(Struct, frozen=True):
    """A person names who holds a role of the policy, in this incident."""

    AUDITED_AS: ClassVar[str] = "assign"

    by: str
    role: str
    to: str
    """Empty: nobody any more."""
    note: str = ""


class ApproveNotice(Struct, frozen=True):
    """A person approves what an external group is told: subject and body are what that person read."""

    AUDITED_AS: ClassVar[str] = "approvenotice"

    by: str
    notice: str
    subject: str
    body: str
    recipients: tuple[str, ...] = ()
    """Whom of the group it goes to, as the policy names them; empty: whom it is for."""


class EditNotice(Struct, frozen=True):
    """A person writes a held notice anew: subject and body are how it reads from now on."""

    AUDITED_AS: ClassVar[str] = "editnotice"

    by: str
    notice: str
    subject: str
    body: str
    read_subject: str
    read_body: str
    """What that person had read: an edit of another text is refused."""


class RejectNotice(Struct, frozen=True):
    """A person decides that an external group is told nothing."""

    AUDITED_AS: ClassVar[str] = "rejectnotice"

    by: str
    notice: str
    note: str = ""


class AddFollowUp(Struct, frozen=True):
    """A person writes down what must still be done."""

    AUDITED_AS: ClassVar[str] = "addfollowup"

    by: str
    text: str
    owner: str = ""
    due_at: Instant | None = None
    link: str = ""


class FinishFollowUp(Struct, frozen=True):
    """A follow-up action is done."""

    AUDITED_AS: ClassVar[str] = "finishfollowup"

    by: str
    follow_up: str
    note: str = ""


class FileReport(Struct, frozen=True):
    """A person says that a report was filed with an authority."""

    AUDITED_AS: ClassVar[str] = "filereport"

    by: str
    obligation: str
    stage: str
    reference: str
    filed_at: Instant | None = None
    """None: just now."""
    file: str = ""
    sha256: str = ""
    """Of the file, 64 hexadecimal digits; empty: no file was named."""
    note: str = ""


class JudgeObligation(Struct, frozen=True):
    """A person says whether a reporting obligation applies to an incident, whatever its section, type and level."""

    AUDITED_AS: ClassVar[str] = "judgeobligation"

    by: str
    obligation: str
    applies: bool
    reason: str
    counted_from: Instant | None = None
    """What its time counts from; None: as the policy says."""


class AttachFile(Struct, frozen=True):
    """A person attaches a file as evidence, whose content the store has received already."""

    AUDITED_AS: ClassVar[str] = "attachfile"

    by: str
    name: str
    sha256: str
    """Of the content, as it was computed while it arrived: 64 hexadecimal digits."""
    size: int
    """Bytes."""
    upload: str
    """What the store calls the content until it belongs to an incident."""
    note: str = ""


class RedactFile(Struct, frozen=True):
    """A person has the content of an evidence file removed; its record stays."""

    AUDITED_AS: ClassVar[str] = "redactfile"

    by: str
    file: str
    reason: str


class PlaceHold(Struct, frozen=True):
    """A person puts the incident under legal hold: nothing of it is deleted."""

    AUDITED_AS: ClassVar[str] = "placehold"

    by: str
    reason: str


class ReleaseHold(Struct, frozen=True):
    """A person ends a legal hold."""

    AUDITED_AS: ClassVar[str] = "releasehold"

    by: str
    hold: str
    reason: str


class ApproveReport(Struct, frozen=True):
    """A person approves a version of the report, exactly as that person read it."""

    AUDITED_AS: ClassVar[str] = "approvereport"

    by: str
    version: int
    sha256: str
    """Of the content that was read."""
    prepared_by: str
    audit_head: str
    """``POSITION:HASH``"""
    document: str
    """The report whole (`receiver.reports.frozen`). The audit log has its hash alone."""


ResponseAction = (
    Tick
    | Handover
    | Assign
    | EditNotice
    | ApproveNotice
    | RejectNotice
    | AddFollowUp
    | FinishFollowUp
    | SignOff
    | Close
    | FileReport
    | JudgeObligation
    | AttachFile
    | RedactFile
    | PlaceHold
    | ReleaseHold
)
"""What people do about an incident, whatever its state."""


class TimePassed(Struct, frozen=True):
    """At least one window of the incident is due."""


class Delivered(Struct, frozen=True):
    """The provider accepted it, which says nothing of its arrival. `reference` is what it calls the message."""

    reference: str = ""


class Retry(Struct, frozen=True):
    """Not delivered: try again, in `after` microseconds at the earliest where the provider said so."""

    reason: str
    after: int | None = None


class Rejected(Struct, frozen=True):
    """Not deliverable: the provider or our own settings rule it out."""

    reason: str


class Overtaken(Struct, frozen=True):
    """It was not sent: superseded, or its lease was over (then it goes back into the queue)."""


class RosterChanged(Struct, frozen=True):
    """An override of a schedule was made or cancelled."""


class Relieved(Struct, frozen=True):
    """A page that is about to leave is for somebody who is off call by now."""

    notification: Notification
    """As it is stored."""


class Bounced(Struct, frozen=True):
    """The provider had accepted it, and says later that it did not arrive."""

    notification: Notification
    """As it is stored."""
    reason: str


class Arrived(Struct, frozen=True):
    """The provider says that it has a message, whose answer may have been lost; or that the message arrived."""

    notification: Notification
    """As it is stored."""
    reference: str
    receipt: str = ""
    """How we know that it arrived, in words: ``delivered``, ``answered by a person``. Empty: that is not said."""


Outcome = Delivered | Retry | Rejected | Overtaken


class Reported(Struct, frozen=True):
    """A sender says how a notification fared. `notification` is as it was claimed."""

    notification: Notification
    outcome: Outcome
    sent_at: Instant | None = None


Action = (
    Acknowledge
    | Escalate
    | Withdraw
    | GiveBack
    | Undo
    | Resolve
    | Note
    | Update
    | Change
    | Replan
    | ResponseAction
    | ApproveReport
)
"""What a person does to an existing incident."""

Event = (
    AlertsReceived
    | EchoesListed
    | Silenced
    | SilenceAnswered
    | Unheard
    | TrainingRead
    | Declare
    | Action
    | TimePassed
    | Reported
    | Relieved
    | RosterChanged
    | Bounced
    | Arrived
    | Answered
)
