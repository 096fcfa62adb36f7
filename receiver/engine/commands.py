"""Requests to the engine and its results: plain data."""

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
    """An action on the incident with that id."""

    id: str
    action: Action


class FromPrometheus(Struct, frozen=True):
    """Prometheus's answer to a query about the incident with that id."""

    id: str
    answer: Answered


class Asked(Struct, frozen=True):
    """A person's request; it is written into the audit log in the transaction that carries it out."""

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
    """The data of an incident that every caller may get about a request that concerned it."""

    id: str
    number: int
    level: int
    opened_at: Instant


class Result(Struct, frozen=True):
    """The result of a request. With `error` nothing was stored, and the caller must report it."""

    concerned: tuple[Concerned, ...] = ()
    """The incidents concerned: alerts of one webhook may be held by several incidents, or by none."""
    incidents: tuple[Incident, ...] = ()
    """The same incidents with all their data, as now stored; empty for callers other than people."""
    refusal: Refusal | None = None
    error: str = ""
    is_damage: bool = False
    """With `error`: the database file is damaged; the caller is asked to retry."""

    @property
    def incident(self) -> Incident | None:
        """The (first) incident; None where the request concerned none (a resolve of an unknown alert)."""
        return self.incidents[0] if self.incidents else None


class Delivery(Struct, frozen=True):
    """One message to send: usually one notification, several when they were bundled."""

    items: tuple[tuple[Notification, Incident], ...]
    thread: str
    """Reference of the thread's first message; empty if this is the first."""
    context: DecisionContext
    """For the message's text: the policy version of the (first) incident, and the current one."""
    alerts: Mapping[str, tuple[Alert, ...]] = field(default_factory=dict)
    """Incident id → its first firing alerts, for the text: the highest level first, then the oldest."""
    bundle: str = ""
    """The name under which the bundle is stored; empty: not a bundle."""

    @property
    def name(self) -> str:
        """The message's name in links, buttons and callbacks: the bundle's name or the notification's id."""
        return self.bundle or self.items[0][0].id


class OutcomeReport(Struct, frozen=True):
    """The outcome of sending a claimed notification."""

    notification: Notification
    """As claimed: the report counts only while that claim holds."""
    outcome: Outcome
