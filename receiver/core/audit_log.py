"""The audit log of what people do: who, when, from where, what, and with which outcome.

A caller that acts in a person's name wraps the request as `receiver.engine.commands.Asked`; the engine keeps a `Ledger`
per transaction and appends its audits in that transaction. Webhooks and timers are in the timeline only. Pure.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from msgspec.structs import asdict

from receiver.core.draft import Refusal
from receiver.core.events import AUDITED_AS, Action, Declare
from receiver.core.model import Incident, Instant


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes a request, and from where."""

    who: str
    """The person as Tocsin knows them, even if they act under another name."""
    via: str
    """api, console, local, link, or the channel type at whose provider the person acted."""
    address: str = ""
    reference: str = ""
    """The provider's id of a request that may arrive twice: it is carried out once."""


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
    """Number and id; empty: none."""
    outcome: str = "done"
    """done, or the reason of the refusal."""
    data: Mapping[str, str] = field(default_factory=dict)
    """The action's fields, as text."""
    reference: str = ""


UNSAID = frozenset({"key", "document", "upload", "withdrawn"})
"""Fields of an action that the log omits: internal ones, and a report's text, whose hash it has."""


class Ledger:
    """The audits of one transaction. `seen`: references carried out before."""

    def __init__(self, seen: Collection[str], now: Instant) -> None:
        self._seen = set(seen)
        self._now = now
        self._noted: list[tuple[Origin, Declare | Action, str | None, Refusal | None]] = []

    def is_repeated(self, origin: Origin) -> bool:
        """Whether this request was carried out already."""
        return origin.reference in self._seen

    def note(self, origin: Origin, done: Declare | Action, incident_id: str | None, refusal: Refusal | None) -> None:
        """Note an action on an incident, carried out or refused."""
        if origin.reference:
            self._seen.add(origin.reference)
        self._noted.append((origin, done, incident_id, refusal))

    def audits(self, incident: Callable[[str], Incident | None]) -> list[Audit]:
        """The entries for the log; `incident` returns an incident as stored (numbered)."""
        return [
            audit_of(
                origin,
                self._now,
                AUDITED_AS[type(done)],
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
    """The audit entry of a request."""
    return Audit(at, origin.who, origin.via, origin.address, action, incident, outcome, data or {}, origin.reference)


def _name(incident: Incident | None) -> str:
    return f"#{incident.number} {incident.id}" if incident else ""


def _said(done: Declare | Action) -> dict[str, str]:
    """The action's non-empty fields, as text."""
    said: dict[str, str] = {}
    for field_name, value in asdict(done).items():
        if isinstance(value, Mapping):
            said.update((f"{field_name}.{name}", str(text)) for name, text in value.items())
        elif value not in (None, "", False) and field_name not in UNSAID:
            said[field_name] = str(value)
    return said
