"""Everything that can happen to an incident. A webhook, a button, a timer and a delivery result are all events.

`by` is the person's name. `expects` is the state the person saw when acting: a stale action is answered
with what is true now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.core.inquiry import Answered
from receiver.core.model import Alert, Instant, Notification, State


@dataclass(frozen=True, slots=True)
class AlertsReceived:
    """Alertmanager told us of alerts that belong to one incident key. Alerts not listed are not concerned."""

    key: str
    source: str
    alerts: tuple[Alert, ...]
    truncated: bool = False
    """Alertmanager left alerts of the group out (`max_alerts`): others that we never heard of may fire."""
    found: str = ""
    """How we know where no webhook said it; empty: a webhook did."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """What Alertmanager says of silences on what fires of an incident."""

    key: str
    alerts: int
    """Of how many firing alerts it was said: where others fire by now, it says nothing."""
    until: Instant | None
    """When the first of their silences ends; None: at least one of them is not silenced."""
    by: str = ""
    """Who silenced it, and why."""


@dataclass(frozen=True, slots=True)
class SilenceAnswered:
    """What Alertmanager answered when it was asked for a silence as long as an acknowledgement."""

    key: str
    until: Instant
    why_not: str = ""
    """Empty: it is made."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody has repeated an incident's alerts since then, and somebody should have."""

    key: str
    since: Instant


@dataclass(frozen=True, slots=True)
class Declare:
    """A person opens an incident without an alert."""

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


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person takes the incident."""

    by: str
    note: str = ""
    hold: int | None = None
    """Microseconds the acknowledgement holds without activity; None: the level's response time."""
    expects: State | None = None
    answers: int | None = None
    """Serial of the page that is answered (a key pressed in a call, a link in a mail); None: the incident itself."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """A person asks for the next step now."""

    by: str
    note: str = ""
    expects: State | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person says it is over (and so confirms a recovery)."""

    by: str
    note: str = ""
    force: bool = False
    """Although alerts still fire; the note must say why."""
    expects: State | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A person writes something down."""

    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Update:
    """A person tells everyone how it stands."""

    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A person assesses or documents: the level (with a reason), and facts such as root_cause."""

    by: str
    level: int | None = None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replan:
    """A person moves the incident to the current policy."""

    by: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A person did a step of a checklist, or takes that back."""

    by: str
    step: str
    """``escalation.2``."""
    done: bool = True
    note: str = ""
    link: str = ""
    """Where the evidence is."""


@dataclass(frozen=True, slots=True)
class Handover:
    """A person gives the incident to another."""

    by: str
    to: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ApproveNotice:
    """A person approves what an external group is told: subject and body are what that person read."""

    by: str
    notice: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class RejectNotice:
    """A person decides that an external group is told nothing."""

    by: str
    notice: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class AddFollowUp:
    """A person writes down what must still be done."""

    by: str
    text: str
    owner: str = ""
    due_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class FinishFollowUp:
    """A follow-up action is done."""

    by: str
    follow_up: str
    note: str = ""


Work = Tick | Handover | ApproveNotice | RejectNotice | AddFollowUp | FinishFollowUp
"""What people do about an incident, whatever its state."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """At least one window of the incident is due."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The provider has it. `reference` is what it calls the message."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: try again, in `after` microseconds at the earliest where the provider said so."""

    reason: str
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never: the provider or our own settings rule it out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Overtaken:
    """It was not sent: superseded, or its lease was over (then it goes back into the queue)."""


@dataclass(frozen=True, slots=True)
class Bounced:
    """The provider had taken it, and says later that it did not arrive."""

    notification: Notification
    """As it is stored."""
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """The provider says that it has a message of which we did not hear: the answer to an earlier try was lost."""

    notification: Notification
    """As it is stored."""
    reference: str


Outcome = Delivered | Retry | Rejected | Overtaken


@dataclass(frozen=True, slots=True)
class Reported:
    """A sender says how a notification fared. `notification` is as it was claimed."""

    notification: Notification
    outcome: Outcome
    sent_at: Instant | None = None


Action = Acknowledge | Escalate | Resolve | Note | Update | Change | Replan | Work
"""What a person does to an existing incident."""

Event = (
    AlertsReceived
    | Silenced
    | SilenceAnswered
    | Unheard
    | Declare
    | Action
    | TimePassed
    | Reported
    | Bounced
    | Arrived
    | Answered
)
