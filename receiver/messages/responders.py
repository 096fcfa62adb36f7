"""Who has an incident, who had it and who asked for help: the sentence about its responders, made of its history.

"Nobody has acknowledged it" is said only where nobody ever did. The sentences begin with a name and have no full stop.
"""

from collections.abc import Callable, Iterator, Sequence

from receiver.core.model import Incident, Instant, State
from receiver.core.responder_history import ANSWERS, ENDINGS
from receiver.core.response import Deed, Turn
from receiver.messages.plain import line

NAME = 80
"""Characters of a person's name."""
MOST = 6
"""Turns that a sentence tells; of more, the first and the last ones."""

DONE = {
    Deed.ACKNOWLEDGED: "acknowledged at {at}",
    Deed.ANSWERED: "answered the call for help at {at}",
    Deed.HANDED_OVER: "handed it over to {to} at {at}",
    Deed.ASKED_FOR_HELP: "asked for help at {at}",
    Deed.WITHDREW: "withdrew the call for help at {at}",
    Deed.GIVEN_BACK: "gave it back at {at}",
    Deed.UNDONE: "took that back at {at}",
}
"""What a person did; beside it, what happened to what they had."""
HAPPENED = {
    Deed.EXPIRED: "the acknowledgement of {by} expired at {at}",
    Deed.VOIDED: "new danger voided the acknowledgement of {by} at {at}",
    Deed.REOPENED: "it was resolved and opened again at {at}",
}


def was_answered(incident: Incident) -> bool:
    """Whether anybody has acknowledged it since it was opened, whatever became of that."""
    return any(turn.deed in ANSWERS for turn in incident.response.history)


def last_taken(incident: Incident) -> Instant | None:
    """When whoever acknowledged it last did so; None: nobody, or an older release did not note it."""
    return next((turn.at for turn in reversed(incident.response.history) if turn.deed is Deed.ACKNOWLEDGED), None)


def account(incident: Incident, time: Callable[[Instant], str]) -> str:
    """Who did what about it, since whoever had it last took it: ``amir acknowledged at 11:11 UTC and asked for help at
    11:13 UTC; no other answer yet``. Empty: nobody has done anything. `time`: an instant in words.
    """
    turns = _last(incident.response.history)
    if not turns:
        return ""
    told = turns if len(turns) <= MOST else (turns[0], *turns[1 - MOST :])
    return "; ".join(filter(None, (*_phrases(told, time), _answer(incident))))


def help_wanted(incident: Incident, time: Callable[[Instant], str]) -> str:
    """Who asks for help with what somebody has; empty: nobody."""
    asked = incident.response.asked_by
    if not asked:
        return ""
    told = ", ".join(f"{line(by, NAME)} asked for help at {time(at)}" for by, at in asked.items())
    return f"{told}; {_answer(incident)}"


def _answer(incident: Incident) -> str:
    """What of an answer is wanted still."""
    asked_by = incident.response.asked_by
    if asked_by:
        return "no other answer yet" if incident.holder in asked_by else "no answer yet"
    if incident.state is not State.OPEN:
        return ""
    return "no answer since" if was_answered(incident) else "nobody has acknowledged it"


def _last(history: Sequence[Turn]) -> Sequence[Turn]:
    """The turns since the one who had it last took it; those of an open incident after that included."""
    begins, held = 0, False
    for place, turn in enumerate(history):
        if turn.deed is Deed.ACKNOWLEDGED and not held:
            begins, held = place, True
        elif turn.deed in ENDINGS:
            held = False
    return history[begins:]


def _phrases(turns: Sequence[Turn], time: Callable[[Instant], str]) -> Iterator[str]:
    """One for each person's turns in a row, and for what happened."""
    said: list[str] = []
    actor = ""
    for turn in turns:
        by = line(turn.by, NAME) or "somebody"
        words = {"at": time(turn.at), "by": by, "to": line(turn.to, NAME)}
        if said and (turn.deed in HAPPENED or by != actor):
            yield f"{actor} {_joined(said)}"
            said = []
        if turn.deed in HAPPENED:
            yield HAPPENED[turn.deed].format_map(words)
        else:
            actor = by
            said.append(DONE[turn.deed].format_map(words))
    if said:
        yield f"{actor} {_joined(said)}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
