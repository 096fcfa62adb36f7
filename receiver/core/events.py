"""All events of an incident: from webhooks, people's actions, timers and delivery results.

`by` is the person's name. `expects` is the state that the person saw when acting: an action on another state is
refused, with the present state.

`AUDITED_AS` names an action in the audit log. The log's hashes cover these names and the fields' names: neither may
change, even if a class is renamed.
"""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct, field

from receiver.core.inquiry import Answered
from receiver.core.model import Alert, Instant, Notification, State
from receiver.core.response import Practice


class AlertsReceived(Struct, frozen=True):
    """Alertmanager sent alerts that belong to one incident key. Alerts not listed are unaffected."""

    key: str
    source: str
    alerts: tuple[Alert, ...]
    truncated: bool = False
    """Alertmanager omitted alerts of the group (`max_alerts`): unknown ones may fire."""
    found: str = ""
    """How the alerts were found; empty: by a webhook."""
    told_by: str = ""
    """The Alertmanager (its external URL) and the group that sent it; empty: unknown."""
    peers_differ: bool = False
    """`told_by` distinguishes peers of this source: they were seen with different external URLs."""


class EchoesListed(Struct, frozen=True):
    """Which held alerts of an incident the queried Alertmanagers list."""

    key: str
    listed: frozenset[str] = frozenset()
    """Fingerprints that at least one lists, active or suppressed: they fire."""
    unlisted: frozenset[str] = frozenset()
    """Fingerprints that all answered and none lists: they were echoes."""


class Silenced(Struct, frozen=True):
    """Alertmanager's silences on an incident's firing alerts."""

    key: str
    alerts: int
    """How many firing alerts were checked: if others fire by now, the event does not apply."""
    until: Instant | None
    """When the first of their silences ends; None: at least one of them is not silenced."""
    by: str = ""
    """Who silenced them, and why."""
    inhibited: bool = False
    """At least one is inhibited, not silenced: that holds only while further checks confirm it."""


class SilenceAnswered(Struct, frozen=True):
    """Alertmanager's answer to the request for a silence as long as an acknowledgement."""

    key: str
    until: Instant
    why_not: str = ""
    """Empty: the silence was made."""


class Unheard(Struct, frozen=True):
    """No webhook repeated these alerts within the expected interval."""

    key: str
    since: Instant


class TrainingRead(Struct, frozen=True):
    """What people are to practise again, by the record of drills, and by when."""

    key: str
    practices: tuple[Practice, ...]


class Declare(Struct, frozen=True):
    """A person opens an incident without an alert."""

    AUDITED_AS: ClassVar[str] = "declare"

    key: str
    """Unique to this declaration; a repeated request has the same key."""
    type: str
    by: str
    level: int | None = None
    """None: the type's level, else the policy's default."""
    title: str = ""
    note: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exercise: bool = False
    new_type: bool = False
    """The person intends a type that the policy does not have."""


class Acknowledge(Struct, frozen=True):
    """A person takes the incident."""

    AUDITED_AS: ClassVar[str] = "acknowledge"

    by: str
    note: str = ""
    hold: int | None = None
    """Microseconds that it holds without activity; None: the level's response time."""
    expects: State | None = None
    answers: int | None = None
    """Serial of the page that is answered (by a call's key, a mail's link); None: the incident itself."""


class Escalate(Struct, frozen=True):
    """A person asks for help: the next escalation step is taken now. The owner keeps the incident."""

    AUDITED_AS: ClassVar[str] = "escalate"

    by: str
    note: str = ""
    expects: State | None = None


class Withdraw(Struct, frozen=True):
    """A person withdraws a request for help."""

    AUDITED_AS: ClassVar[str] = "withdraw"

    by: str
    note: str = ""


class GiveBack(Struct, frozen=True):
    """A person gives up the incident: another person must acknowledge it."""

    AUDITED_AS: ClassVar[str] = "giveback"

    by: str
    note: str = ""
    expects: State | None = None


class Undo(Struct, frozen=True):
    """A person takes their own acknowledgement back shortly after it."""

    AUDITED_AS: ClassVar[str] = "undo"

    by: str
    withdrawn: tuple[Notification, ...] = ()
    """Superseded messages of the current page that were not sent; the engine reads them from the store."""


class Resolve(Struct, frozen=True):
    """A person resolves the incident, or confirms its recovery."""

    AUDITED_AS: ClassVar[str] = "resolve"

    by: str
    note: str = ""
    force: bool = False
    """Even if alerts fire; the note must say why."""
    expects: State | None = None


class SignOff(Struct, frozen=True):
    """A person other than the resolver approves the incident's closing."""

    AUDITED_AS: ClassVar[str] = "signoff"

    by: str
    note: str = ""


class Close(Struct, frozen=True):
    """A person closes a resolved incident even if something is missing; the note says why."""

    AUDITED_AS: ClassVar[str] = "close"

    by: str
    note: str


class Note(Struct, frozen=True):
    """A person adds a note."""

    AUDITED_AS: ClassVar[str] = "note"

    by: str
    text: str


class Update(Struct, frozen=True):
    """A person sends a status update."""

    AUDITED_AS: ClassVar[str] = "update"

    by: str
    text: str


class Change(Struct, frozen=True):
    """A person changes the level (with a reason), or facts such as root_cause."""

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
    """A person ticks or unticks a step of a checklist."""

    AUDITED_AS: ClassVar[str] = "tick"

    by: str
    step: str
    """``escalation.2``."""
    done: bool = True
    note: str = ""
    link: str = ""
    """URL of the evidence."""


class Handover(Struct, frozen=True):
    """A person gives the incident to another."""

    AUDITED_AS: ClassVar[str] = "handover"

    by: str
    to: str
    note: str = ""


class Assign(Struct, frozen=True):
    """A person assigns a role of the policy in this incident."""

    AUDITED_AS: ClassVar[str] = "assign"

    by: str
    role: str
    to: str
    """Empty: the role is taken from its holder."""
    note: str = ""


class ApproveNotice(Struct, frozen=True):
    """A person approves a notice to an external group: subject and body are what that person read."""

    AUDITED_AS: ClassVar[str] = "approvenotice"

    by: str
    notice: str
    subject: str
    body: str
    recipients: tuple[str, ...] = ()
    """The recipients within the group, as the policy names them; empty: those that it is for."""


class EditNotice(Struct, frozen=True):
    """A person replaces subject and body of a held notice."""

    AUDITED_AS: ClassVar[str] = "editnotice"

    by: str
    notice: str
    subject: str
    body: str
    read_subject: str
    read_body: str
    """What that person had read: if the notice differs, the edit is refused."""


class RejectNotice(Struct, frozen=True):
    """A person rejects a notice to an external group: it is not sent."""

    AUDITED_AS: ClassVar[str] = "rejectnotice"

    by: str
    notice: str
    note: str = ""


class AddFollowUp(Struct, frozen=True):
    """A person adds a follow-up action."""

    AUDITED_AS: ClassVar[str] = "addfollowup"

    by: str
    text: str
    owner: str = ""
    due_at: Instant | None = None
    link: str = ""


class FinishFollowUp(Struct, frozen=True):
    """A person marks a follow-up action as done."""

    AUDITED_AS: ClassVar[str] = "finishfollowup"

    by: str
    follow_up: str
    note: str = ""


class FileReport(Struct, frozen=True):
    """A person records that a report was filed with an authority."""

    AUDITED_AS: ClassVar[str] = "filereport"

    by: str
    obligation: str
    stage: str
    reference: str
    filed_at: Instant | None = None
    """None: now."""
    file: str = ""
    sha256: str = ""
    """Of the file, 64 hexadecimal digits; empty: no file was named."""
    note: str = ""


class JudgeObligation(Struct, frozen=True):
    """A person decides whether a reporting obligation applies, regardless of the incident's section, type and level."""

    AUDITED_AS: ClassVar[str] = "judgeobligation"

    by: str
    obligation: str
    applies: bool
    reason: str
    counted_from: Instant | None = None
    """Start of its time limit; None: as the policy says."""


class AttachFile(Struct, frozen=True):
    """A person attaches a file as evidence; the store has its content already."""

    AUDITED_AS: ClassVar[str] = "attachfile"

    by: str
    name: str
    sha256: str
    """Of the content, computed during the upload: 64 hexadecimal digits."""
    size: int
    """Bytes."""
    upload: str
    """The store's id of the content until it belongs to an incident."""
    note: str = ""


class RedactFile(Struct, frozen=True):
    """A person removes the content of an evidence file; its record stays."""

    AUDITED_AS: ClassVar[str] = "redactfile"

    by: str
    file: str
    reason: str


class PlaceHold(Struct, frozen=True):
    """A person puts the incident under legal hold: none of its data is deleted."""

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
    """A person approves a version of the report, as that person read it."""

    AUDITED_AS: ClassVar[str] = "approvereport"

    by: str
    version: int
    sha256: str
    """Of the content that was read."""
    prepared_by: str
    audit_head: str
    """``POSITION:HASH``"""
    document: str
    """The full report (`receiver.reports.render`). The audit log has only its hash."""


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
"""People's actions that are possible in any state of the incident, closed included; each rule may refuse them."""


class TimePassed(Struct, frozen=True):
    """At least one window of the incident is due."""


class Delivered(Struct, frozen=True):
    """The provider accepted it; whether it arrived is not known. `reference`: the provider's id of the message."""

    reference: str = ""


class Retry(Struct, frozen=True):
    """Not delivered: retry, not before `after` microseconds if the provider said so."""

    reason: str
    after: int | None = None


class Rejected(Struct, frozen=True):
    """Not deliverable: rejected by the provider or by Tocsin's settings."""

    reason: str


class Overtaken(Struct, frozen=True):
    """Not sent: superseded, or its lease had expired (then it goes back into the queue)."""


class RosterChanged(Struct, frozen=True):
    """An override of a schedule was made or cancelled."""


class Relieved(Struct, frozen=True):
    """A page about to be sent is for a person who is no longer on call."""

    notification: Notification
    """As it is stored."""


class Bounced(Struct, frozen=True):
    """The provider accepted it, and later reported that it did not arrive."""

    notification: Notification
    """As it is stored."""
    reason: str


class Arrived(Struct, frozen=True):
    """The provider reports that it has a message (its first answer may have been lost), or that the message arrived."""

    notification: Notification
    """As it is stored."""
    reference: str
    receipt: str = ""
    """How its arrival is known: ``delivered``, ``answered by a person``. Empty: not known to have arrived."""


Outcome = Delivered | Retry | Rejected | Overtaken


class Reported(Struct, frozen=True):
    """A sender reports a notification's outcome. `notification` is as it was claimed."""

    notification: Notification
    outcome: Outcome


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
"""A person's actions on an existing incident."""

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
