"""What is kept of everything people do: who, when, from where, what, and whether it was done.

Whoever asks the engine for something in a person's name wraps it as `receiver.engine.commands.Asked`; the engine keeps
a `Ledger` per transaction and appends its audits in that same transaction. Webhooks and timers are not a person's
doing: they are told in the timeline alone. Pure.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from msgspec.structs import asdict

from receiver.core.draft import Refusal
from receiver.core.events import Action, Declare
from receiver.core.model import Incident, Instant


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks for something, and where from."""

    who: str
    """As we know them, whatever name they act under."""
    via: str
    """api, console, local, slack, sms, phone, link, pagerduty."""
    address: str = ""
    reference: str = ""
    """What a provider calls the request, where it may come twice: it is carried out once."""


@dataclass(frozen=True, slots=True)
class Audit:
    """One entry of the audit log."""

    at: Instant
    who: str
    via: str
    address: str
    action: str
    """acknowledge, resolve … login, reload."""
    incident: str = ""
    """Number and id; empty: it concerned none."""
    outcome: str = "done"
    """done, or why not."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What was said with it."""
    reference: str = ""


UNSAID = frozenset({"key", "document", "upload", "withdrawn"})
"""Fields of an action that the log leaves out: what is only for us, and a whole report, whose hash it has."""


class Ledger:
    """The audits of one transaction. `seen`: references that were carried out before."""

    def __init__(self, seen: Collection[str], now: Instant) -> None:
        self._seen = set(seen)
        self._now = now
        self._noted: list[tuple[Origin, Declare | Action, str | None, Refusal | None]] = []

    def is_repeated(self, origin: Origin) -> bool:
        """Whether this very request was carried out already."""
        return origin.reference in self._seen

    def note(self, origin: Origin, done: Declare | Action, incident_id: str | None, refusal: Refusal | None) -> None:
        """Somebody did this to that incident, or tried to."""
        if origin.reference:
            self._seen.add(origin.reference)
        self._noted.append((origin, done, incident_id, refusal))

    def audits(self, incident: Callable[[str], Incident | None]) -> list[Audit]:
        """What goes into the log; `incident` gives the incidents as they are written (numbered)."""
        return [
            audit_of(
                origin,
                self._now,
                done.AUDITED_AS,
                incident=_name(incident(incident_id) if incident_id else None),
                outcome=refusal.reason if refusal else "done",
                data=_said(done),
            )
            for origin, done, incident_id, refusal in self._noted
        ]


def audit_of(
    origin: Origin,
    at: Instant,
    action: str,
    *,
    incident: str = "",
    outcome: str = "done",
    data: Mapping[str, str] | None = None,
) -> Audit:
    """The entry of something that somebody asked for."""
    return Audit(at, origin.who, origin.via, origin.address, action, incident, outcome, data or {}, origin.reference)


def _name(incident: Incident | None) -> str:
    return f"#{incident.number} {incident.id}" if incident else ""


def _said(done: Declare | Action) -> dict[str, str]:
    """The words of an action, by field; what was left empty is left out."""
    said: dict[str, str] = {}
    for field_name, value in asdict(done).items():
        if isinstance(value, Mapping):
            said.update((f"{field_name}.{name}", str(text)) for name, text in value.items())
        elif value not in (None, "", False) and field_name not in UNSAID:
            said[field_name] = str(value)
    return said
