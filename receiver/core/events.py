"""All events of an incident: from webhooks, people's actions, timers and delivery results.

`expects` is the state that the person saw when acting: an action on another state is refused, with the present state.

`AUDITED_AS` names an action in the audit log. The log's hashes cover these names and the fields' names: neither may
change, even if a class is renamed.
"""

from collections.abc import Mapping

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


class PersonsAction(Struct, frozen=True):
    """What a person does to an incident."""

    by: str
    """The person's name."""


class Acknowledge(PersonsAction, frozen=True):
    """A person takes the incident."""

    note: str = ""
    hold: int | None = None
    """Microseconds that it holds without activity; None: the level's response time."""
    expects: State | None = None
    answers: int | None = None
    """Serial of the page that is answered (by a call's key, a mail's link); None: the incident itself."""


class Escalate(PersonsAction, frozen=True):
    """A person asks for help: the next escalation step is taken now. The owner keeps the incident."""

    note: str = ""
    expects: State | None = None


class Withdraw(PersonsAction, frozen=True):
    """A person withdraws a request for help."""

    note: str = ""


class GiveBack(PersonsAction, frozen=True):
    """A person gives up the incident: another person must acknowledge it."""

    note: str = ""
    expects: State | None = None


class Undo(PersonsAction, frozen=True):
    """A person takes their own acknowledgement back shortly after it."""

    withdrawn: tuple[Notification, ...] = ()
    """Superseded messages of the current page that were not sent; the engine reads them from the store."""


class Resolve(PersonsAction, frozen=True):
    """A person resolves the incident, or confirms its recovery."""

    note: str = ""
    force: bool = False
    """Even if alerts fire; the note must say why."""
    expects: State | None = None


class SignOff(PersonsAction, frozen=True):
    """A person other than the resolver approves the incident's closing."""

    note: str = ""


class Close(PersonsAction, frozen=True):
    """A person closes a resolved incident even if something is missing; the note says why."""

    note: str


class Note(PersonsAction, frozen=True):
    """A person adds a note."""

    text: str


class Update(PersonsAction, frozen=True):
    """A person sends a status update."""

    text: str


class Change(PersonsAction, frozen=True):
    """A person changes the level (with a reason), or facts such as root_cause."""

    level: int | None = None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class Replan(PersonsAction, frozen=True):
    """A person moves the incident to the current policy."""


class Tick(PersonsAction, frozen=True):
    """A person ticks or unticks a step of a checklist."""

    step: str
    """``escalation.2``."""
    done: bool = True
    note: str = ""
    link: str = ""
    """URL of the evidence."""


class Handover(PersonsAction, frozen=True):
    """A person gives the incident to another."""

    to: str
    note: str = ""


class Assign(PersonsAction, frozen=True):
    """A person assigns a role of the policy in this incident."""

    role: str
    to: str
    """Empty: the role is taken from its holder."""
    note: str = ""


class ApproveNotice(PersonsAction, frozen=True):
    """A person approves a notice to an external group: subject and body are what that person read."""

    notice: str
    subject: str
    body: str
    recipients: tuple[str, ...] = ()
    """The recipients within the group, as the policy names them; empty: those that it is for."""


class EditNotice(PersonsAction, frozen=True):
    """A person replaces subject and body of a held notice."""

    notice: str
    subject: str
    body: str
    read_subject: str
    read_body: str
    """What that person had read: if the notice differs, the edit is refused."""


class RejectNotice(PersonsAction, frozen=True):
    """A person rejects a notice to an external group: it is not sent."""

    notice: str
    note: str = ""


class AddFollowUp(PersonsAction, frozen=True):
    """A person adds a follow-up action."""

    text: str
    owner: str = ""
    due_at: Instant | None = None
    link: str = ""


class FinishFollowUp(PersonsAction, frozen=True):
    """A person marks a follow-up action as done."""

    follow_up: str
    note: str = ""


class FileReport(PersonsAction, frozen=True):
    """A person records that a report was filed with an authority."""

    obligation: str
    stage: str
    reference: str
    filed_at: Instant | None = None
    """None: now."""
    file: str = ""
    sha256: str = ""
    """Of the file, 64 hexadecimal digits; empty: no file was named."""
    note: str = ""


class WithdrawFiling(PersonsAction, frozen=True):
    """A person says that a filing was recorded by mistake: its record stays, and its report is outstanding again."""

    filing: str
    """``r1``"""
    reason: str


class JudgeObligation(PersonsAction, frozen=True):
    """A person decides whether a reporting obligation applies, regardless of the incident's section, type and level."""

    obligation: str
    applies: bool
    reason: str
    counted_from: Instant | None = None
    """Start of its time limit; None: as the policy says."""


class AttachFile(PersonsAction, frozen=True):
    """A person attaches a file as evidence; the store has its content already."""

    name: str
    sha256: str
    """Of the content, computed during the upload: 64 hexadecimal digits."""
    size: int
    """Bytes."""
    upload: str
    """The store's id of the content until it belongs to an incident."""
    note: str = ""


class RedactFile(PersonsAction, frozen=True):
    """A person removes the content of an evidence file; its record stays."""

    file: str
    reason: str


class PlaceHold(PersonsAction, frozen=True):
    """A person puts the incident under legal hold: none of its data is deleted."""

    reason: str


class ReleaseHold(PersonsAction, frozen=True):
    """A person ends a legal hold."""

    hold: str
    reason: str


class ApproveReport(PersonsAction, frozen=True):
    """A person approves a version of the report, as that person read it."""

    version: int
    sha256: str
    """Of the content that was read."""
    prepared_by: str
    audit_head: str
    """``POSITION:HASH``"""
    document: str
    """The full report (`receiver.reports.render`). The audit log has only its hash."""


class OpenRoom(PersonsAction, frozen=True):
    """A person asks for a chat channel of the incident."""


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
    | WithdrawFiling
    | JudgeObligation
    | AttachFile
    | RedactFile
    | PlaceHold
    | ReleaseHold
    | OpenRoom
)
"""People's actions that are possible in any state of the incident, closed included; each rule may refuse them."""


class TimePassed(Struct, frozen=True):
    """At least one window of the incident is due."""


class Delivered(Struct, frozen=True):
    """The provider accepted it; whether it arrived is not known. `reference`: the provider's id of the message."""

    reference: str = ""
    made: Mapping[str, str] = field(default_factory=dict)
    """Of an incident channel: its `name` and `link`, and what was left undone (`unmet`)."""


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

AUDITED_AS: Mapping[type[Declare] | type[PersonsAction], str] = {
    Declare: "declare",
    Acknowledge: "acknowledge",
    Escalate: "escalate",
    Withdraw: "withdraw",
    GiveBack: "giveback",
    Undo: "undo",
    Resolve: "resolve",
    SignOff: "signoff",
    Close: "close",
    Note: "note",
    Update: "update",
    Change: "change",
    Replan: "replan",
    Tick: "tick",
    Handover: "handover",
    Assign: "assign",
    ApproveNotice: "approvenotice",
    EditNotice: "editnotice",
    RejectNotice: "rejectnotice",
    AddFollowUp: "addfollowup",
    FinishFollowUp: "finishfollowup",
    FileReport: "filereport",
    WithdrawFiling: "withdrawfiling",
    JudgeObligation: "judgeobligation",
    AttachFile: "attachfile",
    RedactFile: "redactfile",
    PlaceHold: "placehold",
    ReleaseHold: "releasehold",
    ApproveReport: "approvereport",
    OpenRoom: "openroom",
}
"""An action → its name in the audit log."""
