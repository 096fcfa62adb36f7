"""The receiver's stored data: incidents, their alerts, notifications and timelines, as frozen structs.

Instants and durations are integer microseconds (instants: since 1970-01-01 UTC); time zones appear only in input and
output.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from receiver.core.inquiry import Inquiry
from receiver.core.instant import Instant as Instant  # noqa: PLC0414 - other modules import it from here
from receiver.core.response import Response
from rules.policy import EMERGENCY

OWN = "tocsin"
"""The source of Tocsin's own alerts; no Alertmanager sends, repeats or echoes them."""

OWN_RULE = "tocsin/"
"""The prefix of the rule keys of Tocsin's own alerts."""

SYSTEMS = ("system", "service", "application", "app", "job", "namespace", "cluster")
"""Labels that name the system an incident is about; the first one present counts."""


UNIT_LABELS = ("unit", "pod", "instance", "host", "node", "device")
"""Labels that name the unit of an alert; the first present one is used. A signal whose `identity` the policy states is
named by that instead.
"""


def system_of(labels: Mapping[str, str]) -> str:
    """Returns the system that these labels name; empty: none."""
    return next((labels[each] for each in SYSTEMS if labels.get(each)), "")


class State(StrEnum):
    """The state of an incident: open → acknowledged → resolved → closed; new alerts can lead back."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Recovery(StrEnum):
    """The progress of recovery of an incident that is not resolved and has no firing alert."""

    NONE = ""
    UNREPORTED = "unreported"
    """No alert is reported any more; a heartbeat must show that a firing one would be."""
    VERIFYING = "verifying"
    """The signal recovered; `resolve_after` must pass before it resolves."""
    CHECKING = "checking"
    """`resolve_after` has passed; Prometheus is asked whether the signal is healthy."""
    CONFIRM = "confirm"
    """Recovered for `resolve_after`; a person must confirm (level 4)."""
    UNVERIFIED = "unverified"
    """Data that proves the recovery was missing: a person must resolve the incident."""


class Window(StrEnum):
    """The kinds of deadline of an incident; it has at most one of each."""

    ECHO = "echo"
    """The first of its held alerts counts as firing, unless its end is received before."""
    STEADY = "steady"
    """A flapping alert has fired without interruption for long enough: it is not flapping any more."""
    VERIFY = "verify"
    CHECK = "check"
    """The deadline for the answer of Prometheus on whether the signal is healthy."""
    FORCED = "forced"
    CLOSE = "close"
    ACK_EXPIRY = "ack_expiry"
    ACK_REMINDER = "ack_reminder"
    CONFIRM_REMINDER = "confirm_reminder"
    SILENCE = "silence"
    """The end of Alertmanager's silence, as last reported."""
    BREACH = "breach"
    ACKNOWLEDGE_LIMIT = "acknowledge_limit"
    """The policy's own limit for acknowledging; it causes no page."""
    ASSESS_LIMIT = "assess_limit"
    ESCALATE = "escalate"
    HELP = "help"
    """Help was requested and no other person answered: the next escalation step."""
    RESCUE = "rescue"
    EVIDENCE = "evidence"
    UPDATE_REMINDER = "update_reminder"
    """The next status update is near: the owner may write it, and external groups get a draft."""
    UPDATE = "update"
    """The next status update is sent."""
    NOTICE = "notice"
    """Half of the time to approve a notice has passed."""
    REACH = "reach"
    """The earliest pending step of a person's `reach` is due."""
    HANDOFF = "handoff"
    """The earliest end of a paged person's shift: the next person on call is paged too."""
    FOLLOW_UP = "follow_up"
    """The earliest follow-up action is due."""
    DUTY = "duty"
    """A reminder of a duty with a deadline (`receiver.core.duties`): a checklist's time limit, a report to file."""
    TRAINING = "training"
    """A reminder of training that is due or overdue (`receiver.core.training`)."""
    REVISION = "revision"
    """The revised report is due. A closed incident has only this window, FOLLOW_UP, NOTICE and DUTY."""


class Kind(StrEnum):
    """The purpose of a notification."""

    PAGE = "page"
    NOTICE = "notice"
    """A message in the threads: a further alert, a recovery being verified …"""
    REMINDER = "reminder"
    ACKNOWLEDGED = "acknowledged"
    UPDATE = "update"
    BREACH = "breach"
    """Sent to the internal stakeholders when the response time is breached."""
    RESOLVED = "resolved"
    REPORT = "report"
    """The report, sent when the incident closes."""
    EXTERNAL = "external"
    """To external stakeholders: exactly the text that a person approved. In an exercise the approvers get it."""
    APPROVAL = "approval"
    """To approvers and the owner: which external notices wait for approval, or are void."""
    ROOM = "room"
    """Asks a chat for a channel of this incident, or to archive it."""


class Reason(StrEnum):
    """Why a page or a notice is sent."""

    OPENED = "opened"
    ESCALATED = "escalated"
    HELP = "help"
    """A person asks for help with an incident that has an owner."""
    GIVEN_BACK = "given_back"
    UNDONE = "undone"
    """The person who acknowledged undid the acknowledgement at once, as a mistake."""
    WITHDRAWN = "withdrawn"
    """The request for help was withdrawn."""
    BREACHED = "breached"
    REPEATED = "repeated"
    FALLBACK = "fallback"
    REACH = "reach"
    """A step of a person's own `reach` is due, and there is no answer."""
    HANDOFF = "handoff"
    """The person who was paged is off call, and there is no answer."""
    NEW_DANGER = "new_danger"
    ACK_EXPIRED = "ack_expired"
    RECURRED = "recurred"
    STILL_FIRING = "still_firing"
    RULE_JOINED = "rule_joined"
    ALERT_JOINED = "alert_joined"
    RECOVERED = "recovered"
    CONFIRM = "confirm"
    FIRED_AGAIN = "fired_again"
    OVERDUE = "overdue"
    """An action that people had to do by now is not done."""
    DUE = "due"
    """An action that people must do is due soon."""
    HANDED_OVER = "handed_over"
    APPROVED = "approved"
    UPDATE_DUE = "update_due"
    WAITS = "waits"
    """An external notice waits for approval."""
    STILL_WAITS = "still_waits"
    """Half of the time to approve has passed."""
    VOIDED = "voided"
    """An external notice is void, and none replaces it."""
    CLOSED = "closed"
    KEPT_OPEN = "kept_open"
    """It was due to close, but a required item is missing."""
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    INHIBITED = "inhibited"
    FLAPPING = "flapping"
    STEADY = "steady"
    """A flapping alert now fires without interruption."""
    FLASHED = "flashed"
    """It fired and cleared between two notifications of Alertmanager."""
    ACTION = "action"
    """A person's action."""


class Status(StrEnum):
    """The delivery state of a notification. A provider's later report can still change ACCEPTED and GAVE_UP."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    """The provider accepted it in its response (SMTP 250, Twilio 201, Slack ok, PagerDuty 202)."""
    DELIVERED = "delivered"
    """The provider's receipt or callback confirmed it: an SMS arrived, a person answered a call."""
    SUPERSEDED = "superseded"
    GAVE_UP = "gave_up"
    UNDELIVERABLE = "undeliverable"


class FiringRecord(Struct, frozen=True):
    """An earlier firing of an alert in its incident."""

    began_at: Instant
    ended_at: Instant | None
    level: int
    value: str = ""
    """The measured value, as text."""


class Alert(Struct, frozen=True):
    """One alert of an incident, as last received, classified."""

    fingerprint: str
    starts_at: Instant
    """Truncated to milliseconds: webhooks carry nanoseconds, Alertmanager's API milliseconds."""
    firing: bool
    level: int
    """1 to 4; 0: it is recorded and no recipient is notified."""
    rule: str
    """``section/name`` of the policy's rule or type, or the bare alert name."""
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    twin: bool = False
    """It is a missing-data twin: its end means that data is back, not that the signal is healthy."""
    level_note: str = ""
    """Why it has its level, where that needs an explanation (unknown severity …); empty otherwise."""
    generator_url: str = ""
    ended_at: Instant | None = None
    end_heard_at: Instant | None = None
    """When its end was first received; None: it fires, or its end cannot be echoed (`receiver.core.episodes`)."""
    end_told_by: str = ""
    """The Alertmanager and the group that reported the end."""
    held_until: Instant | None = None
    """When the last report takes effect: a possible echo that fires, or (while it fires) an old end."""
    ended_before: Instant | None = None
    """While it fires: the end of its previous episode. Reports of an earlier start belong to that one."""
    doubtful: bool = False
    """It counts as firing only because its end was not repeated for a long time."""
    firings: tuple[Instant, ...] = ()
    """When its last episodes began, by Tocsin's clock, the newest last."""
    worse_at: Instant | None = None
    """When the episode was reported at a worse level, with the value measured then; None: never."""
    earlier: tuple[FiringRecord, ...] = ()
    """Its earlier firings, the first and the last of them (`receiver.core.episodes`)."""
    forgotten: int = 0
    """The number of further firings between those."""
    repairs: tuple[str, ...] = ()
    """The parts of it that could not be read as sent, and how they were interpreted."""
    start_unknown: bool = False
    """The sender gave no readable start: `starts_at` is the time of receipt."""
    absent: bool = False
    """It ended because its sender has no data (a series is gone, a rule deleted): that proves no recovery."""


class Target(Struct, frozen=True):
    """A recipient on a channel."""

    channel: str
    recipient: str


class Page(Struct, frozen=True):
    """The progress of the last page."""

    serial: int = 0
    """The number of the incident's pages so far; PagerDuty's dedup key contains it."""
    told: tuple[str, ...] = ()
    """Channels that this page was sent to, fallbacks included."""
    delivered: bool = False
    """Whether it has reached a person (`receiver.core.reached`)."""
    targets: tuple[Target, ...] = ()
    """The recipients it was sent to."""
    vacant: tuple[str, ...] = ()
    """References recorded as having no reachable person on call."""


class Incident(Struct, frozen=True):
    """An incident: the unit that people respond to."""

    id: str
    key: str
    """SHA-256 of its canonical identity; unique among incidents that are not closed."""
    policy: str
    """Digest of the policy version it runs under."""
    level: int
    type: str
    title: str
    opened_at: Instant
    response_due_at: Instant
    occurred_at: Instant | None = None
    """The start of its first alert, by its sender; None: a person declared it."""
    number: int = 0
    """The short number for people (``#12``); the store assigns it when it first writes the incident."""
    state: State = State.OPEN
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    """Rule key → highest level at which it fired here, in order of arrival."""
    firing: tuple[int, int, int, int] = (0, 0, 0, 0)
    """The number of firing alerts per level, 1 to 4."""
    step: int = 0
    """0: opened; 1: escalated; 2: breached; 3 and above: repeated."""
    windows: Mapping[Window, Instant] = field(default_factory=dict)
    page: Page = Page()
    alarm: int = 0
    """Serial of the first page since paging restarted: answers to earlier pages do not count."""
    alarmed_at: Instant | None = None
    """When paging last restarted."""
    reached: int = 0
    """The number of messages since then that have reached a person (`receiver.core.reached`)."""
    paged: tuple[Target, ...] = ()
    """All recipients paged since it opened or recurred."""
    told: tuple[Target, ...] = ()
    """Internal stakeholders notified since then."""
    pages_closed: int = 0
    """Pages up to this serial were closed by an earlier resolve."""
    pages_acknowledged: int = 0
    """Pages up to this serial were acknowledged on channels that keep a state per page (PagerDuty)."""
    breached_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acknowledged_by: str = ""
    ack_holds: int = 0
    """Microseconds that an acknowledgement holds without activity (the level's response time, or a snooze)."""
    recovery: Recovery = Recovery.NONE
    recovered_at: Instant | None = None
    inquiries: tuple[Inquiry, ...] = ()
    """The open questions to Prometheus."""
    cleared_at: Instant | None = None
    """When the last alert cleared: later reports of an earlier clearing prove nothing new."""
    twin_cleared_last: bool = False
    absent: tuple[str, ...] = ()
    """Fingerprints of alerts whose end does not prove that the signal is healthy (`Alert.absent`)."""
    recorded_only: bool = False
    """All its alerts have level 0: no recipient was notified and no answer is due."""
    confirmed_by: tuple[str, ...] = ()
    resolved_at: Instant | None = None
    resolved_by: str = ""
    closed_at: Instant | None = None
    silenced_until: Instant | None = None
    """All its firing alerts are silenced in Alertmanager at least until then."""
    inhibited: bool = False
    """`silenced_until` comes from an inhibition: each reconciliation must confirm it."""
    held: int = 0
    """The number of alerts held as possible echoes: it does not recover, resolve or close meanwhile."""
    flapping_since: Instant | None = None
    """Since when its alerts fire and clear repeatedly."""
    flapping: tuple[str, ...] = ()
    """Fingerprints of the flapping alerts that fire now."""
    flaps: int = 0
    """How often its alerts fired again since then."""
    heard_at: Instant | None = None
    """Roughly when Alertmanager last reported its alerts: not every repetition is recorded."""
    stale_since: Instant | None = None
    """Since when its alerts have not been repeated as expected and may be over; resolves nothing."""
    recurrences: int = 0
    declared: bool = False
    exercise: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    """What responders entered: impact_description, root_cause, fix_description …"""
    response: Response = field(default_factory=Response)
    """What people do about it: checklists, notices, follow-ups …"""
    changed: bool = False
    """Whether news worth a status update happened since the last one."""
    changed_at: Instant | None = None
    """When the last such news happened (`receiver.core.updates.NEWS`)."""
    updated_at: Instant | None = None
    """When the last status update was sent."""
    entries: int = 0
    sequence: int = 0
    """The number of notifications planned so far."""
    version: int = 0
    """The number of changes."""
    put_off_at: Instant = Instant(0)
    """Its windows already follow all jumps of the clock up to this instant."""

    @property
    def due_at(self) -> Instant | None:
        """The earliest of its windows."""
        return min(self.windows.values(), default=None)

    @property
    def system(self) -> str:
        """The system it is about, as its sender wrote it (`system_of`); empty: no label names one."""
        return system_of(self.labels)

    @property
    def is_on_hold(self) -> bool:
        """Whether it is under a legal hold: nothing of it is deleted."""
        return bool(self.response.holds) and bool(self.response.holds_in_force)

    @property
    def is_firing(self) -> bool:
        """Whether any of its alerts fires."""
        return any(self.firing)

    @property
    def is_own(self) -> bool:
        """Whether one of Tocsin's own alerts opened it. A webhook may say `?source=tocsin`, so its rules count too."""
        return self.source == OWN and all(rule.startswith(OWN_RULE) for rule in self.rules)

    @property
    def is_live(self) -> bool:
        """Whether a person must still act: open or acknowledged."""
        return self.state in {State.OPEN, State.ACKNOWLEDGED}

    @property
    def holder(self) -> str:
        """The person who owns it now; empty: none."""
        return self.response.owner or self.acknowledged_by

    @property
    def wants_answer(self) -> bool:
        """Whether its pages need an answer: it is open, or a request for help is unanswered."""
        return self.state is State.OPEN or bool(self.response.asked_by)

    @property
    def is_heard(self) -> bool:
        """Whether the time of its alerts' last report matters."""
        return self.is_live or self.recorded_only

    @property
    def unreached_since(self) -> Instant | None:
        """When paging began, if it is an open emergency, no exercise, and no page has reached a person; else None."""
        is_emergency = self.state is State.OPEN and self.level >= EMERGENCY and not self.exercise
        return self.alarmed_at if is_emergency and not self.reached else None

    @property
    def is_paused(self) -> bool:
        """Whether a silence stops its pages; never at the emergency level or when help is requested."""
        return self.silenced_until is not None and self.level < EMERGENCY and not self.response.asked_by


class Notification(Struct, frozen=True):
    """One message to one recipient on one channel; it stays in the outbox until it is final."""

    id: str
    """With the installation's id it is also the idempotency key."""
    incident_id: str
    sequence: int
    kind: Kind
    reason: Reason
    channel: str
    recipient: str
    level: int
    created_at: Instant
    due_at: Instant | None
    """When to try (again); while leased, when the lease ends; None when final."""
    give_up_at: Instant
    page: int = 0
    """Serial of its page; 0: it is not a page."""
    status: Status = Status.WAITING
    attempts: int = 0
    """The number of attempts, including those with an unknown result: the message may already have been sent."""
    leased_by: str = ""
    superseded: bool = False
    """It is not to be sent any more, unless sending has begun."""
    bundle_at: Instant | None = None
    """When the bundle that it waits for is sent."""
    reference: str = ""
    """The provider's reference of the accepted message (Slack: channel and ts …)."""
    detail: str = ""
    """The last failure, as text."""
    done_at: Instant | None = None
    """When it was accepted, or became final otherwise."""
    reached_at: Instant | None = None
    """When it became known that this page has reached a person (`receiver.core.reached`)."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What the message's text needs besides the incident: who acted, the note …"""
    person: str = ""
    """The policy's person whose contact the recipient is; empty: unknown."""
    via: str = ""
    """Of a page: the reference (``@primary``) for the person; empty: the channel names the address."""
    shift: str = ""
    """The source of the person's shift in the schedule: ``layer 1``, ``override by ann``."""


class Supersede(Struct, frozen=True):
    """Waiting notifications of these kinds that a decision supersedes."""

    kinds: frozenset[Kind]
    before: int
    """Only notifications with a smaller sequence."""
    channels: frozenset[str] | None = None
    """None: all channels."""


class Fact(StrEnum):
    """What a timeline entry records."""

    OPENED = "opened"
    DECLARED = "declared"
    ALERT_JOINED = "alert_joined"
    RULE_JOINED = "rule_joined"
    LEVEL_ROSE = "level_rose"
    LEVEL_UNKNOWN = "level_unknown"
    RECORDED = "recorded"
    """Opened for the history only: no recipient is notified."""
    ALERT_RECORDED = "alert_recorded"
    """An alert without notifications (level 0)."""
    ALERT_REPAIRED = "alert_repaired"
    ALERT_CLEARED = "alert_cleared"
    RECONCILED = "reconciled"
    UNREPORTED = "unreported"
    RECOVERED = "recovered"
    FIRED_AGAIN = "fired_again"
    START_MOVED = "start_moved"
    ECHO_HELD = "echo_held"
    ECHO_DROPPED = "echo_dropped"
    ECHO_BELIEVED = "echo_believed"
    END_HELD = "end_held"
    END_DROPPED = "end_dropped"
    FLASHED = "flashed"
    FLAPPING = "flapping"
    FLAPPED = "flapped"
    FLAPPING_ENDED = "flapping_ended"
    CHECKED = "checked"
    EVIDENCE = "evidence"
    EVIDENCE_MISSING = "evidence_missing"
    RECOVERY_CONFIRM = "recovery_confirm"
    RECOVERY_UNVERIFIED = "recovery_unverified"
    PAGED = "paged"
    STEP_EMPTY = "step_empty"
    ESCALATED = "escalated"
    BREACHED = "breached"
    WINDOW_MISSED = "window_missed"
    NOBODY_ON_CALL = "nobody_on_call"
    RELIEVED = "relieved"
    """The recipient of a waiting page went off call; the person on call gets it."""
    HANDED_OFF = "handed_off"
    """A shift ended before an answer; the person on call now is paged."""
    FALLBACK = "fallback"
    FALLBACK_EXHAUSTED = "fallback_exhausted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    """A provider accepted a message."""
    DELIVERED = "delivered"
    """A provider's `receipt` says that a message arrived; older entries without `receipt` mean ACCEPTED."""
    DELIVERED_LATE = "delivered_late"
    """The same of a message that had been given up."""
    SEND_FAILED = "send_failed"
    GAVE_UP = "gave_up"
    SUPERSEDED = "superseded"
    ACKNOWLEDGED = "acknowledged"
    ACK_VOIDED = "ack_voided"
    ACK_EXPIRED = "ack_expired"
    ACK_UNDONE = "ack_undone"
    GIVEN_BACK = "given_back"
    HELP_ASKED = "help_asked"
    HELP_UNANSWERED = "help_unanswered"
    HELP_WITHDRAWN = "help_withdrawn"
    REMINDED = "reminded"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    KEPT_OPEN = "kept_open"
    """It was due to close, but a required item is missing."""
    SIGNED_OFF = "signed_off"
    SIGN_OFF_VOID = "sign_off_void"
    """Signed-off content changed afterwards."""
    REPORT_REVISED = "report_revised"
    NOTED = "noted"
    UPDATED = "updated"
    CHANGED = "changed"
    REPLANNED = "replanned"
    STALE = "stale"
    HEARD_AGAIN = "heard_again"
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    INHIBITED = "inhibited"
    SILENCE_MADE = "silence_made"
    SILENCE_FAILED = "silence_failed"
    PROCEDURE_ATTACHED = "procedure_attached"
    STEP_DONE = "step_done"
    STEP_UNDONE = "step_undone"
    OVERDUE = "overdue"
    HANDED_OVER = "handed_over"
    ROLE_TAKEN = "role_taken"
    ROLE_LEFT = "role_left"
    IMPACT = "impact"
    UNGRADED = "ungraded"
    """A value named like an impact scale that has no grade on it."""
    NOTICE_HELD = "notice_held"
    NOTICE_VOID = "notice_void"
    NOTICE_EDITED = "notice_edited"
    NOTICE_SENT = "notice_sent"
    NOTICE_REJECTED = "notice_rejected"
    CALLS_NEEDED = "calls_needed"
    FOLLOW_UP_ADDED = "follow_up_added"
    FOLLOW_UP_DONE = "follow_up_done"
    OBLIGATION_APPLIES = "obligation_applies"
    """An authority must be told about it, according to the policy's sections, types and levels."""
    OBLIGATION_JUDGED = "obligation_judged"
    """A person decided that a reporting obligation applies, or does not."""
    TRAINING = "training"
    """Whose training is due soon or overdue."""
    REPORT_FILED = "report_filed"
    FILING_WITHDRAWN = "filing_withdrawn"
    """A person said that a filing was recorded by mistake."""
    FILE_ATTACHED = "file_attached"
    FILE_REDACTED = "file_redacted"
    """Its content was removed; its record stays."""
    HOLD_PLACED = "hold_placed"
    """A legal hold: nothing of the incident is deleted."""
    HOLD_RELEASED = "hold_released"
    ROOM_ASKED = "room_asked"
    ROOM_OPENED = "room_opened"
    ROOM_ARCHIVED = "room_archived"
    REPORT_APPROVED = "report_approved"
    """Contains the whole approved version of the report; it never changes."""


class FileChange(Struct, frozen=True):
    """A change to the stored content of an incident's evidence file."""

    sha256: str
    upload: str
    """The upload whose content is kept from now on; empty: the content is removed."""


class Entry(Struct, frozen=True):
    """One line of an incident's append-only timeline."""

    incident_id: str
    position: int
    """From 1, without gaps."""
    at: Instant
    fact: Fact
    by: str = ""
    """The person; empty: Tocsin itself."""
    data: Mapping[str, str] = field(default_factory=dict)
