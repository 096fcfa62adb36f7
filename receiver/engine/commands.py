"""What the engine is asked for, and what it answers: plain data between it and those who call it."""

from collections.abc import Mapping

from msgspec import Struct, field

from receiver.core.audit_log import Origin
from receiver.core.draft import Refusal
from receiver.core.events import (
    Action,
    AlertsReceived,
    Declare,
    EchoesListed,
    Outcome,
    SilenceAnswered,
    Silenced,
    TrainingRead,
    Unheard,
)
from receiver.core.inquiry import Answered
from receiver.core.model import Alert, Incident, Instant, Notification
from receiver.core.plan import DecisionContext


class ForIncident(Struct, frozen=True):
    """An action on the incident of that id."""

    id: str
    action: Action


class FromPrometheus(Struct, frozen=True):
    """What Prometheus says about the incident of that id."""

    id: str
    answer: Answered


class Asked(Struct, frozen=True):
    """What a person asks for; it is written into the audit log together with what it does."""

    what: Declare | ForIncident
    origin: Origin


Request = (
    AlertsReceived
    | EchoesListed
    | Silenced
    | SilenceAnswered
    | Unheard
    | TrainingRead
    | Declare
    | ForIncident
    | FromPrometheus
    | Asked
)


class Concerned(Struct, frozen=True):
    """What of an incident that a request concerned is told to whoever asked, whoever that is."""

    id: str
    number: int
    level: int
    opened_at: Instant


class Result(Struct, frozen=True):
    """What became of a request. With `error` it was not stored, and the caller must say so."""

    concerned: tuple[Concerned, ...] = ()
    """Those that it concerned: alerts told together may be held by several incidents, or by none."""
    incidents: tuple[Incident, ...] = ()
    """Those whole, as they are now; none in an answer to a machine."""
    refusal: Refusal | None = None
    error: str = ""
    is_damage: bool = False
    """With `error`: the database file is damaged; the caller is to come again."""

    @property
    def incident(self) -> Incident | None:
        """The (first) incident; None where the request concerned none (a resolve of something we never knew)."""
        return self.incidents[0] if self.incidents else None


class Delivery(Struct, frozen=True):
    """One message to send: usually one notification, several when they were bundled."""

    items: tuple[tuple[Notification, Incident], ...]
    thread: str
    """Reference of the first message in this thread; empty if this is it."""
    context: DecisionContext
    """For the words: the version the (first) incident runs under, and the current one."""
    alerts: Mapping[str, tuple[Alert, ...]] = field(default_factory=dict)
    """Incident id → the first of its alerts that fire now, for the words: the worst, and of them the oldest, first."""
    bundle: str = ""
    """The bundle's name, by which its list is found again; empty: it is none."""

    @property
    def name(self) -> str:
        """What links, buttons and callbacks call this message: the bundle's name or the notification's id."""
        return self.bundle or self.items[0][0].id


class OutcomeReport(Struct, frozen=True):
    """How a claimed notification fared."""

    notification: Notification
    """As it was claimed: whose claim this was counts."""
    outcome: Outcome
