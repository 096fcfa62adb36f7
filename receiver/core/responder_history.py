"""The history of an incident's owners: acknowledgements, handovers, requests for help, and their ends.

The incident keeps the last turns, for texts about its responders; the timeline has all, and shows which response times
were kept.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.core.response import Deed, Turn

KEPT = 50
"""Turns that an incident keeps."""

ANSWERS = frozenset({Deed.ACKNOWLEDGED, Deed.ANSWERED})
"""Turns in which a person starts to act."""

ENDINGS = frozenset({Deed.EXPIRED, Deed.VOIDED, Deed.GIVEN_BACK, Deed.REOPENED})
"""Turns after which the incident has no owner."""

BEGINNINGS = frozenset(
    {Fact.OPENED, Fact.DECLARED, Fact.REOPENED, Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.GIVEN_BACK, Fact.SILENCE_ENDED}
)
"""Facts that begin a response time, if the incident has no owner then."""


def remember(draft: Draft, deed: Deed, by: str, to: str = "") -> None:
    """Add a turn to the incident's history."""
    turns = (*draft.incident.response.history, Turn(deed, draft.now, by, to))
    draft.respond(history=turns[-KEPT:])


def standing_turns(incident: Incident) -> list[Turn]:
    """The incident's turns without answers that were undone, and without the undoing."""
    found: list[Turn] = []
    for turn in incident.response.history:
        answers = [each for each in found if each.deed in ANSWERS]
        if turn.deed is not Deed.UNDONE:
            found.append(turn)
        elif answers:
            found.remove(answers[-1])
    return found


def people_of(incident: Incident) -> set[str]:
    """People who acknowledged it, answered a call for help, or got it handed over; undone answers do not count."""
    turns = standing_turns(incident)
    found = {incident.holder, *(turn.to for turn in turns), *(turn.by for turn in turns if turn.deed in ANSWERS)}
    return found - {""}


def without_undone(timeline: Iterable[Entry]) -> Iterator[Entry]:
    """The timeline without answers that were undone, and without the entries of the undoing."""
    entries = list(timeline)
    undone, last = set[int](), 0
    for entry in entries:
        if entry.fact is Fact.ACKNOWLEDGED:
            last = entry.position
        elif entry.fact is Fact.ACK_UNDONE:
            undone |= {last, entry.position}
    return (entry for entry in entries if entry.position not in undone)


def has_been_answered(incident: Incident) -> bool:
    """Whether a person acknowledged this occurrence, unless new danger voided that; undone answers do not count."""
    telling = {*ANSWERS, Deed.VOIDED, Deed.REOPENED}
    last = next((turn.deed for turn in reversed(standing_turns(incident)) if turn.deed in telling), None)
    return last in ANSWERS


class ResponseTime(Struct, frozen=True):
    """One response time of an incident: from an opening or reopening to the first answer after it."""

    began_at: Instant
    outcome: str = "running"
    """`kept`: answered in time; `breached`; `over`: resolved or silenced first; `running`; `unknown`: a gap."""
    ended_at: Instant | None = None
    """When it was answered, breached, or over."""
    by: str = ""
    """Who answered it, in time or late; empty: not answered."""
    answered_at: Instant | None = None


def response_times(timeline: Iterable[Entry]) -> tuple[ResponseTime, ...]:
    """All response times of the timeline; a gap in it makes the running one unknown."""
    found: list[ResponseTime] = []
    held, position = False, 0
    undone: tuple[list[ResponseTime], bool] = [], False
    for entry in timeline:
        if found and entry.position > position + 1:
            found[-1] = _end(found[-1], entry, "unknown")
        position = entry.position
        match entry.fact:
            case Fact.ACKNOWLEDGED:
                undone, held = (found[-1:], held), True
                if found:
                    found[-1] = _answer(found[-1], entry)
            case Fact.ACK_UNDONE:
                found[-1:], held = undone
            case Fact.BREACHED if found:
                found[-1] = _end(found[-1], entry, "breached")
            case Fact.RESOLVED:
                held = True  # until it is reopened, no answer is due
                if found:
                    found[-1] = _end(found[-1], entry, "over")
            case Fact.SILENCED | Fact.INHIBITED if found and entry.data.get("pauses"):
                found[-1] = _end(found[-1], entry, "over")
            case fact if fact in BEGINNINGS or (fact is Fact.ESCALATED and entry.by and held):
                # A person's escalation of what was acknowledged reopened it, in older releases.
                held = held and fact is Fact.SILENCE_ENDED
                if not held and _begins(found, entry):
                    found.append(ResponseTime(entry.at))
            case _:
                pass
    return tuple(found)


def _begins(found: list[ResponseTime], entry: Entry) -> bool:
    """The end of a silence begins a response time only if the silence ended the previous one."""
    return entry.fact is not Fact.SILENCE_ENDED or not found or found[-1].outcome == "over"


def _end(deadline: ResponseTime, entry: Entry, outcome: str) -> ResponseTime:
    return replace(deadline, outcome=outcome, ended_at=entry.at) if deadline.outcome == "running" else deadline


def _answer(deadline: ResponseTime, entry: Entry) -> ResponseTime:
    """Only the first answer counts; one after the breach is recorded with the breach."""
    if deadline.answered_at is not None or deadline.outcome not in {"running", "breached"}:
        return deadline
    return replace(_end(deadline, entry, "kept"), by=entry.by, answered_at=entry.at)
