"""What the receiver keeps: incidents, their alerts, notifications and timeline, as frozen data.

Instants and durations are integer microseconds (instants: since 1970, UTC); zones exist only at the edges.
Everything here is plain data that the store writes and reads back whole.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from receiver.core.inquiry import Inquiry
from receiver.core.instant import Instant as Instant  # noqa: PLC0414 - its home for everyone else is here
from receiver.core.response import Response
from rules.policy import EMERGENCY

OWN = "tocsin"
"""The source of our own alerts: no Alertmanager tells, repeats or echoes them."""

OWN_RULE = "tocsin/"
"""What the rules of our own alerts begin with."""

SYSTEMS = ("system", "service", "application", "app", "job", "namespace", "cluster")
"""Labels that name what an incident is about, the most telling first."""


def system_of(labels: Mapping[str, str]) -> str:
    """What labels say that an incident or an alert is about; empty: nothing."""
    return next((labels[each] for each in SYSTEMS if labels.get(each)), "")


class State(StrEnum):
    """Where an incident stands. The way is open → acknowledged → resolved → closed; new danger leads back."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Recovery(StrEnum):
    """What is known of the recovery of an incident that is not resolved and has no firing alert."""

    NONE = ""
    UNREPORTED = "unreported"
    """No alert is reported any more; a heartbeat must show that one would be."""
    VERIFYING = "verifying"
    """The signal recovered; `resolve_after` must pass first."""
    CHECKING = "checking"
    """`resolve_after` has passed; Prometheus is asked whether the signal is well."""
    CONFIRM = "confirm"
    """Recovered and waited for; a person must confirm (level 4)."""
    UNVERIFIED = "unverified"
    """Something that should have proved the recovery was itself missing: no all-clear without a person."""


class Window(StrEnum):
    """The deadlines an incident may carry, at most one of each."""

    ECHO = "echo"
    """The first of its held alerts is believed to fire, unless its end is heard before."""
    STEADY = "steady"
    """What flapped has fired without a break for so long that it flaps no more."""
    VERIFY = "verify"
    CHECK = "check"
    """Until Prometheus must have said whether the signal is well."""
    FORCED = "forced"
    CLOSE = "close"
    ACK_EXPIRY = "ack_expiry"
    ACK_REMINDER = "ack_reminder"
    CONFIRM_REMINDER = "confirm_reminder"
    SILENCE = "silence"
    """The end of Alertmanager's silence, as far as it was told."""
    BREACH = "breach"
    ACKNOWLEDGE_LIMIT = "acknowledge_limit"
    """The policy's own limit for acknowledging; it pages nobody."""
    ASSESS_LIMIT = "assess_limit"
    ESCALATE = "escalate"
    HELP = "help"
    """Help was asked for, and nobody else has answered: the next step."""
    RESCUE = "rescue"
    EVIDENCE = "evidence"
    UPDATE_REMINDER = "update_reminder"
    """The next status update comes soon: the owner may write it, and external groups get a draft."""
    UPDATE = "update"
    """The next status update goes out."""
    NOTICE = "notice"
    """Half the time of a notice that waits for approval has passed."""
    REACH = "reach"
    """The earliest step is due by which somebody wants to be told later."""
    HANDOFF = "handoff"
    """The first shift of those who were paged ends: who is on call then is paged too."""
    FOLLOW_UP = "follow_up"
    """The earliest follow-up action is due."""
    DUTY = "duty"
    """Somebody is to be told of a duty with a clock (`receiver.core.duties`): a checklist's limit, a report to file."""
    TRAINING = "training"
    """Somebody is to be told that they, or others, are to practise again (`receiver.core.training`)."""
    REVISION = "revision"
    """Facts of a closed incident changed: its revised report goes out. Closed, it may have this, FOLLOW_UP, NOTICE and
    DUTY alone.
    """


class Kind(StrEnum):
    """What a notification is for."""

    PAGE = "page"
    NOTICE = "notice"
    """News in the threads: a further alert, a recovery being verified."""
    REMINDER = "reminder"
    ACKNOWLEDGED = "acknowledged"
    UPDATE = "update"
    BREACH = "breach"
    """To the internal stakeholders, when the response time is breached."""
    RESOLVED = "resolved"
    REPORT = "report"
    """The report, when the incident closes."""
    EXTERNAL = "external"
    """To external stakeholders: exactly the text that a person approved. In an exercise it goes to the approvers."""
    APPROVAL = "approval"
    """To approvers and the owner: which notices to the outside wait for an approval, or are void."""


class Reason(StrEnum):
    """Why a page or a notice goes out."""

    OPENED = "opened"
    ESCALATED = "escalated"
    HELP = "help"
    """Somebody asks for help with what a person has."""
    GIVEN_BACK = "given_back"
    UNDONE = "undone"
    """Whoever acknowledged it took that back at once: it was a slip."""
    WITHDRAWN = "withdrawn"
    """Help is not asked for any more."""
    BREACHED = "breached"
    REPEATED = "repeated"
    FALLBACK = "fallback"
    REACH = "reach"
    """A person wants to be told this way too, as nobody has answered."""
    HANDOFF = "handoff"
    """Who was paged is off call now, and nobody has answered."""
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
    """Something that people should have done is not done."""
    DUE = "due"
    """Something that people must do is due soon."""
    HANDED_OVER = "handed_over"
    APPROVED = "approved"
    UPDATE_DUE = "update_due"
    """The next status update comes soon."""
    WAITS = "waits"
    """A notice to the outside waits for approval."""
    STILL_WAITS = "still_waits"
    """Half of its time has passed."""
    VOIDED = "voided"
    """A notice to the outside is void, and none waits in its place."""
    CLOSED = "closed"
    KEPT_OPEN = "kept_open"
    """It was to close, and something is missing."""
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    INHIBITED = "inhibited"
    FLAPPING = "flapping"
    STEADY = "steady"
    """What flapped fires without a break now."""
    FLASHED = "flashed"
    """It fired and cleared between two notifications of Alertmanager."""
    ACTION = "action"
    """A person did it."""


class Status(StrEnum):
    """Where a notification stands. News of a provider may still change what it accepted or what was given up."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    """The provider took it at once (SMTP 250, Twilio 201, Slack ok, PagerDuty 202)."""
    DELIVERED = "delivered"
    """Its receipt or callback said so: an SMS arrived, a person answered a call."""
    SUPERSEDED = "superseded"
    GAVE_UP = "gave_up"
    UNDELIVERABLE = "undeliverable"


class FiringRecord(Struct, frozen=True):
    """An earlier time that an alert fired in its incident."""

    began_at: Instant
    ended_at: Instant | None
    level: int
    value: str = ""
    """What it measured, in words."""


class Alert(Struct, frozen=True):
    """One alert of an incident, as last heard of, classified."""

    fingerprint: str
    starts_at: Instant
    """Cut to milliseconds: webhooks carry nanoseconds, Alertmanager's API milliseconds."""
    firing: bool
    level: int
    """1 to 4; 0: it is kept, and nobody is told of it."""
    rule: str
    """``section/name`` of the policy's rule or type, or the bare alert name."""
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    twin: bool = False
    """A missing-data twin: its clearing says data is back, not that all is well."""
    level_note: str = ""
    """Why it has its level where that is not plain (unknown severity …); empty otherwise."""
    generator_url: str = ""
    ended_at: Instant | None = None
    end_heard_at: Instant | None = None
    """When the end was first heard; None: it fires, or its end cannot be echoed (`receiver.core.episodes`)."""
    end_told_by: str = ""
    """The Alertmanager and its group that told the end."""
    held_until: Instant | None = None
    """The word that was told last is believed then: a firing that may be an echo, or (while it fires) an old end."""
    ended_before: Instant | None = None
    """While it fires: when its episode before ended. What is told of an earlier start is of that one."""
    doubtful: bool = False
    """It is believed to fire only because its end was not told again for long."""
    firings: tuple[Instant, ...] = ()
    """When its last episodes began, by our clock, the newest last."""
    worse_at: Instant | None = None
    """When the episode was told at a worse level, with what it measured by then; None: it was not."""
    earlier: tuple[FiringRecord, ...] = ()
    """The times that it fired before, the first and the last of them (`receiver.core.episodes`)."""
    forgotten: int = 0
    """How many more there were between those."""
    repairs: tuple[str, ...] = ()
    """What of it could not be read as it was sent, and what it was taken for."""
    start_unknown: bool = False
    """The sender told no start that could be read: `starts_at` is when it was received."""
    absent: bool = False
    """It ended because its sender has nothing to measure any more (a series is gone, a rule deleted): its end does not
    say that all is well."""


class Target(Struct, frozen=True):
    """Somebody who can be told: a recipient on a channel."""

    channel: str
    recipient: str


class Page(Struct, frozen=True):
    """Progress of the page that went out last."""

    serial: int = 0
    """Counts the incident's pages; PagerDuty's dedup key carries it."""
    told: tuple[str, ...] = ()
    """Channels this page went to, fallbacks included."""
    delivered: bool = False
    """Whether it has reached somebody (`receiver.core.reached`)."""
    targets: tuple[Target, ...] = ()
    """Whom it went to."""
    vacant: tuple[str, ...] = ()
    """References of which it is said that nobody is on call who can be told."""


class Incident(Struct, frozen=True):
    """What people respond to."""

    id: str
    key: str
    """SHA-256 of its canonical identity; at most one incident that is not closed has it."""
    policy: str
    """Digest of the policy version it runs under."""
    level: int
    type: str
    title: str
    opened_at: Instant
    response_due_at: Instant
    occurred_at: Instant | None = None
    """When the first of the alerts that opened it began, by their sender; None: a person declared it."""
    number: int = 0
    """Small, for people (``#12``); the store gives it when the incident is first written."""
    state: State = State.OPEN
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    """Rule key → highest level it fired with here, in order of arrival."""
    firing: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Firing alerts by level, 1 to 4."""
    step: int = 0
    """0 opened, 1 escalated, 2 breached, 3 and on: repeated."""
    windows: Mapping[Window, Instant] = field(default_factory=dict)
    page: Page = Page()
    alarm: int = 0
    """Serial of the first page since paging last began anew: an answer to an older one is not about what is now."""
    alarmed_at: Instant | None = None
    """When paging last began anew."""
    reached: int = 0
    """Messages of this alarm's pages that have reached somebody (`receiver.core.reached`)."""
    paged: tuple[Target, ...] = ()
    """Everybody paged since it opened or recurred."""
    told: tuple[Target, ...] = ()
    """Internal stakeholders who are told of the trouble since then."""
    pages_closed: int = 0
    """Pages up to this serial were closed by an earlier resolve."""
    pages_acknowledged: int = 0
    """Pages up to this serial were acknowledged where pages have a state of their own (PagerDuty)."""
    breached_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acknowledged_by: str = ""
    ack_holds: int = 0
    """Microseconds an acknowledgement holds without activity (the level's response time, or a snooze)."""
    recovery: Recovery = Recovery.NONE
    recovered_at: Instant | None = None
    inquiries: tuple[Inquiry, ...] = ()
    """What is open to be asked of Prometheus."""
    cleared_at: Instant | None = None
    """When the alert that cleared last did so: late words about an earlier clearing prove nothing new."""
    twin_cleared_last: bool = False
    absent: tuple[str, ...] = ()
    """Fingerprints of alerts whose end does not say that all is well (`Alert.absent`)."""
    recorded_only: bool = False
    """All its alerts have level 0: it stands in the history, nobody was told and nobody has to act."""
    confirmed_by: tuple[str, ...] = ()
    resolved_at: Instant | None = None
    resolved_by: str = ""
    closed_at: Instant | None = None
    silenced_until: Instant | None = None
    """All that fires of it is silenced in Alertmanager, until then at least."""
    inhibited: bool = False
    """What counts as silenced is inhibited: it must be confirmed again and again."""
    held: int = 0
    """Alerts that may fire again and are held as possible echoes: nothing recovers, resolves or closes meanwhile."""
    flapping_since: Instant | None = None
    """Its alerts fire and clear again and again since then."""
    flapping: tuple[str, ...] = ()
    """Fingerprints of those that fire now."""
    flaps: int = 0
    """How often an alert of it fired again since then."""
    heard_at: Instant | None = None
    """About when Alertmanager last told of its alerts: repeats are noted only now and then."""
    stale_since: Instant | None = None
    """Nobody has repeated its alerts for so long that they may not fire any more; nothing is resolved by that."""
    recurrences: int = 0
    declared: bool = False
    exercise: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    """What responders entered: impact_description, root_cause, fix_description …"""
    response: Response = field(default_factory=Response)
    """What people do about it: checklists …"""
    changed: bool = False
    """Something worth a status update happened since everybody was last told how it stands."""
    changed_at: Instant | None = None
    """When something of that kind happened last (`receiver.core.updates.NEWS`)."""
    updated_at: Instant | None = None
    """The last status update."""
    entries: int = 0
    """Length of the timeline."""
    sequence: int = 0
    """Notifications planned so far."""
    version: int = 0
    """Counts the changes."""
    put_off_at: Instant = Instant(0)
    """Its windows are in the time that was so far reached by following jumps of the clock."""

    @property
    def due_at(self) -> Instant | None:
        """The earliest of its windows."""
        return min(self.windows.values(), default=None)

    @property
    def system(self) -> str:
        """What it is about, by the first of the labels that name such a thing, as its sender wrote it; empty: none
        does.
        """
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
        """Whether an alert of our own opened it. The source alone does not tell: a webhook may say `?source=tocsin`."""
        return self.source == OWN and all(rule.startswith(OWN_RULE) for rule in self.rules)

    @property
    def is_live(self) -> bool:
        """Whether somebody still has to act: open or acknowledged."""
        return self.state in {State.OPEN, State.ACKNOWLEDGED}

    @property
    def holder(self) -> str:
        """Who has it now; empty: nobody."""
        return self.response.owner or self.acknowledged_by

    @property
    def wants_answer(self) -> bool:
        """Whether somebody is to answer its pages: it is open, or help is asked for and nobody else has answered."""
        return self.state is State.OPEN or bool(self.response.asked_by)

    @property
    def is_heard(self) -> bool:
        """Whether it matters when its alerts were last heard of."""
        return self.is_live or self.recorded_only

    @property
    def unreached_since(self) -> Instant | None:
        """When paging began, of an open emergency that none of its pages has brought to anybody; exercises are none."""
        is_emergency = self.state is State.OPEN and self.level >= EMERGENCY and not self.exercise
        return self.alarmed_at if is_emergency and not self.reached else None

    @property
    def is_paused(self) -> bool:
        """Whether it pages nobody because it is silenced; an emergency and a call for help page all the same."""
        return self.silenced_until is not None and self.level < EMERGENCY and not self.response.asked_by


class Notification(Struct, frozen=True):
    """One message to one recipient on one channel; it lives in the outbox until it is final."""

    id: str
    """Also the idempotency key, together with the installation's id."""
    incident_id: str
    sequence: int
    kind: Kind
    reason: Reason
    channel: str
    recipient: str
    level: int
    created_at: Instant
    due_at: Instant | None
    """When to try (again); while it is leased, when the lease ends; None when final."""
    give_up_at: Instant
    page: int = 0
    """Serial of the page it belongs to; 0 if it is none."""
    status: Status = Status.WAITING
    attempts: int = 0
    """Tries so far, those whose end nobody knows included: from the second on, it may have gone out already."""
    leased_by: str = ""
    superseded: bool = False
    """Overtaken: not to be sent any more, unless it is under way already."""
    bundle_at: Instant | None = None
    """Waits for the bundle that leaves then."""
    reference: str = ""
    """The provider's reference of the accepted message (Slack: channel and ts …)."""
    detail: str = ""
    """The last failure, in words."""
    done_at: Instant | None = None
    """When it was accepted, or became final otherwise."""
    reached_at: Instant | None = None
    """When it was known of this page that it has reached somebody (`receiver.core.reached`)."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What the words need beside the incident: who acted, the note …"""
    person: str = ""
    """The policy's person whose contact the recipient is; empty: none is known."""
    via: str = ""
    """Of a page: the reference (``@primary``) that stood for the person; empty: the channel names the address."""
    shift: str = ""
    """Where the schedule had the person from: ``layer 1``, ``override by ann``."""


class Supersede(Struct, frozen=True):
    """Waiting notifications that a decision overtakes: of these kinds, planned before `before`."""

    kinds: frozenset[Kind]
    before: int
    """Only notifications whose sequence is smaller."""
    channels: frozenset[str] | None = None
    """None: on every channel."""


class Fact(StrEnum):
    """What a timeline entry records."""

    OPENED = "opened"
    DECLARED = "declared"
    ALERT_JOINED = "alert_joined"
    RULE_JOINED = "rule_joined"
    LEVEL_ROSE = "level_rose"
    LEVEL_UNKNOWN = "level_unknown"
    RECORDED = "recorded"
    """Opened for the history only: nobody is told."""
    ALERT_RECORDED = "alert_recorded"
    """An alert that nobody is told of."""
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
    """A waiting page's recipient went off call before it left; it goes to who is on call."""
    HANDED_OFF = "handed_off"
    """A shift ended before anybody answered; who is on call now is paged."""
    FALLBACK = "fallback"
    FALLBACK_EXHAUSTED = "fallback_exhausted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    """A provider took a message."""
    DELIVERED = "delivered"
    """A provider's receipt or callback says that a message arrived, in `receipt`. Lines of older versions have no
    `receipt`, and say no more than ACCEPTED."""
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
    """It was to close, and something is missing."""
    SIGNED_OFF = "signed_off"
    SIGN_OFF_VOID = "sign_off_void"
    """What was signed off has changed since."""
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
    """A value that bears the name of an impact scale and has no grade on it."""
    NOTICE_HELD = "notice_held"
    NOTICE_VOID = "notice_void"
    NOTICE_EDITED = "notice_edited"
    NOTICE_SENT = "notice_sent"
    NOTICE_REJECTED = "notice_rejected"
    CALLS_NEEDED = "calls_needed"
    FOLLOW_UP_ADDED = "follow_up_added"
    FOLLOW_UP_DONE = "follow_up_done"
    OBLIGATION_APPLIES = "obligation_applies"
    """An authority must be told of it, by the policy's sections, types and levels."""
    OBLIGATION_JUDGED = "obligation_judged"
    """A person said that a reporting obligation applies, or does not."""
    TRAINING = "training"
    """Whose training is due soon, or overdue."""
    REPORT_FILED = "report_filed"
    FILE_ATTACHED = "file_attached"
    """A file was attached as evidence."""
    FILE_REDACTED = "file_redacted"
    """Its content was removed; its record stays."""
    HOLD_PLACED = "hold_placed"
    """A legal hold: nothing of the incident is deleted."""
    HOLD_RELEASED = "hold_released"
    REPORT_APPROVED = "report_approved"
    """Holds the approved version of the report, whole: it never changes again."""


class FileChange(Struct, frozen=True):
    """What becomes of the content of an incident's evidence file, in the store."""

    sha256: str
    upload: str
    """The upload that has it, which is kept from now on; empty: the content is removed."""


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
