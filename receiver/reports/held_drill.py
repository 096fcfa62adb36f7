"""A live drill that was held: how soon it was taken and resolved, and by whom."""

from collections.abc import Iterable
from dataclasses import dataclass

from receiver.core.model import Entry, Fact, Incident
from receiver.core.responder_history import without_undone


@dataclass(frozen=True, slots=True)
class HeldDrill:
    """One drill that was held with real people."""

    incident: Incident
    acknowledged_after: int | None
    """Microseconds; None: nobody did."""
    resolved_after: int | None
    kept: bool | None
    """Whether somebody took it within the response time; None: it still runs, or was resolved untaken."""
    people: tuple[str, ...]
    """Everybody who did something or held a role, in that order."""
    acted: tuple[str, ...] = ()
    """Those of them who did something themselves; to declare a drill is to hold it, not to practise."""


def held(incident: Incident, entries: Iterable[Entry]) -> HeldDrill:
    """What came of an exercise. `entries`: what people did, and whether it was breached."""
    done = list(without_undone(entries))
    people = [each.by for each in done if each.by]
    acted = [each.by for each in done if each.by and each.fact is not Fact.DECLARED]
    people += [each.data["to"] for each in done if each.fact in {Fact.ROLE_TAKEN, Fact.HANDED_OVER}]
    first = next((each.at for each in done if each.fact is Fact.ACKNOWLEDGED), None)
    breached = any(each.fact is Fact.BREACHED for each in done)
    return HeldDrill(
        incident,
        None if first is None else first - incident.opened_at,
        None if incident.resolved_at is None else incident.resolved_at - incident.opened_at,
        False if breached else True if first is not None else None,
        tuple(dict.fromkeys(people)),
        tuple(dict.fromkeys(acted)),
    )
