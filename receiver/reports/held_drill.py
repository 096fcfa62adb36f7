"""A live drill that was held: when and by whom it was acknowledged and resolved."""

from collections.abc import Iterable
from dataclasses import dataclass

from receiver.core.model import Entry, Fact, Incident
from receiver.core.responder_history import without_undone


@dataclass(frozen=True, slots=True)
class HeldDrill:
    """One drill with real people."""

    incident: Incident
    acknowledged_after: int | None
    """Microseconds; None: not acknowledged."""
    resolved_after: int | None
    kept: bool | None
    """Whether it was answered within the response time; None: no answer yet, or it ended without a person."""
    people: tuple[str, ...]
    """All people who acted or held a role, in that order."""
    acted: tuple[str, ...] = ()
    """The people who acted themselves; declaring a drill is not practice."""


def held(incident: Incident, entries: Iterable[Entry]) -> HeldDrill:
    """Returns the result of an exercise. `entries`: people's actions, and breaches."""
    done = list(without_undone(entries))
    people = [each.by for each in done if each.by]
    acted = [each.by for each in done if each.by and each.fact is not Fact.DECLARED]
    people += [each.data["to"] for each in done if each.fact in {Fact.ROLE_TAKEN, Fact.HANDED_OVER}]
    first = next((each.at for each in done if each.fact is Fact.ACKNOWLEDGED), None)
    is_answered = first is not None or any(each.fact is Fact.RESOLVED and each.by for each in done)
    breached = any(each.fact is Fact.BREACHED for each in done)
    return HeldDrill(
        incident,
        None if first is None else first - incident.opened_at,
        None if incident.resolved_at is None else incident.resolved_at - incident.opened_at,
        False if breached else True if is_answered else None,
        tuple(dict.fromkeys(people)),
        tuple(dict.fromkeys(acted)),
    )
