"""What messages and reports may say of responders: each statement has a predicate over the incident's timeline.

Every text that the simulated worlds send is checked with `check`; a statement that is not so raises UntrueError.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.core.model import Alert, Entry, Fact, Incident, Notification
from receiver.core.plan import DecisionContext
from receiver.messages import Message, MessageRenderer

HANDS = frozenset({Fact.ACKNOWLEDGED, Fact.ACK_EXPIRED, Fact.ACK_VOIDED, Fact.GIVEN_BACK, Fact.REOPENED, Fact.RESOLVED})
"""After these, a call for help that came before is over."""


WORDS = MessageRenderer("https://tocsin.example.org", "inst")


@dataclass(frozen=True)
class OneMessage:
    """One message, as the dispatcher hands it to be worded."""

    items: Sequence[tuple[Notification, Incident]]
    context: DecisionContext
    name: str = "m-1"
    alerts: Mapping[str, Sequence[Alert]] = field(default_factory=dict)


class UntrueError(AssertionError):
    """A text says what is not so."""


def nobody_acknowledged(timeline: Sequence[Entry]) -> bool:
    """Nobody ever acknowledged it."""
    return all(entry.fact is not Fact.ACKNOWLEDGED for entry in timeline)


def somebody_asks(timeline: Sequence[Entry]) -> bool:
    """Help is asked for, and nobody else has answered: who has it and asks cannot answer themselves."""
    asked: set[str] = set()
    owner = ""
    for entry in timeline:
        if entry.fact is Fact.HELP_ASKED:
            asked.add(entry.by)
        elif entry.fact is Fact.HELP_WITHDRAWN:
            asked.discard(entry.by)
        elif entry.fact is Fact.HANDED_OVER:
            owner = entry.data["to"]
        elif entry.fact in HANDS and not (entry.fact is Fact.ACKNOWLEDGED and entry.by == owner and owner in asked):
            asked.clear()
            owner = (owner if entry.data.get("helps") else entry.by) if entry.fact is Fact.ACKNOWLEDGED else ""
    return bool(asked)


def is_kept_open(timeline: Sequence[Entry]) -> bool:
    """It was to close since it was resolved last, and could not."""
    ends = {Fact.RESOLVED, Fact.REOPENED, Fact.CLOSED, Fact.KEPT_OPEN}
    return next((entry.fact for entry in reversed(timeline) if entry.fact in ends), None) is Fact.KEPT_OPEN


def came_back(timeline: Sequence[Entry]) -> bool:
    """It was resolved, and opened again."""
    return any(entry.fact is Fact.REOPENED for entry in timeline)


STATEMENTS: dict[str, Callable[[Sequence[Entry]], bool]] = {
    "nobody has acknowledged": nobody_acknowledged,
    "nobody acknowledged": nobody_acknowledged,
    "still unacknowledged": nobody_acknowledged,
    "no other answer yet": somebody_asks,
    "no answer yet": somebody_asks,
    "nobody has answered": somebody_asks,
    "cannot close yet": is_kept_open,
    "not closed yet": is_kept_open,
    "did not hold": came_back,
    "it fires again after it was resolved": came_back,
    "no answer since": lambda timeline: not nobody_acknowledged(timeline),
}


def check(text: str, timeline: Sequence[Entry]) -> None:
    """Raises UntrueError for the first statement in the text that the timeline contradicts."""
    said = " ".join(text.lower().split())
    for statement, is_true in STATEMENTS.items():
        if statement in said and not is_true(timeline):
            facts = [f"{entry.fact} {entry.by}".strip() for entry in timeline]
            raise UntrueError(f"says {statement!r}, and it is not so: {text}\n{facts}")


def texts(message: Message) -> str:
    """All that any medium shows of a message."""
    facts = (f"{name}: {value}" for name, value in message.facts)
    return "\n".join((message.subject, message.text, message.short, message.speech, message.lead, *facts))
