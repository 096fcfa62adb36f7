"""The sentence about an incident's responders, from its history: the owner, earlier owners, and who asked for help.

"Nobody has acknowledged it" appears only if no acknowledgement ever happened. The sentences begin with a name and have
no full stop.
"""

from collections.abc import Callable, Iterator, Sequence

from receiver.core.model import Incident, Instant, State
from receiver.core.responder_history import ANSWERS, ENDINGS, standing_turns
from receiver.core.response import Deed, Turn
from receiver.messages.plain import line

NAME = 80
"""Maximum characters of a person's name."""
MOST = 6
"""Turns that a sentence names; of more, the first and the last ones."""

DONE = {
    Deed.ACKNOWLEDGED: "acknowledged at {at}",
    Deed.ANSWERED: "answered the call for help at {at}",
    Deed.HANDED_OVER: "handed it over to {to} at {at}",
    Deed.ASKED_FOR_HELP: "asked for help at {at}",
    Deed.WITHDREW: "withdrew the call for help at {at}",
    Deed.GIVEN_BACK: "gave it back at {at}",
}
"""What a person did; the other deeds happened without an actor."""
HAPPENED = {
    Deed.EXPIRED: "the acknowledgement of {by} expired at {at}",
    Deed.VOIDED: "new danger voided the acknowledgement of {by} at {at}",
    Deed.REOPENED: "it was resolved and opened again at {at}",
}


def was_answered(incident: Incident) -> bool:
    """Whether the incident was acknowledged since it opened, even if that acknowledgement ended; an undone answer does
    not count.
    """
    return any(turn.deed in ANSWERS for turn in standing_turns(incident))


def last_taken(incident: Incident) -> Instant | None:
    """Returns the time of the last acknowledgement; None: none, or an older release did not record it."""
    taken = (turn.at for turn in reversed(standing_turns(incident)) if turn.deed is Deed.ACKNOWLEDGED)
    return next(taken, None)


def account(incident: Incident, time: Callable[[Instant], str]) -> str:
    """Returns the responders' actions since the last owner took the incident: ``amir acknowledged at 11:11 UTC and
    asked for help at 11:13 UTC; no other answer yet``. Empty: no actions. `time`: formats an instant.
    """
    turns = _last(standing_turns(incident))
    if not turns:
        return ""
    told = turns if len(turns) <= MOST else (turns[0], *turns[1 - MOST :])
    return "; ".join(filter(None, (*_phrases(told, time), _answer(incident))))


def help_wanted(incident: Incident, time: Callable[[Instant], str]) -> str:
    """Returns which responders ask for help with an owned incident; empty: none."""
    asked = incident.response.asked_by
    if not asked:
        return ""
    told = ", ".join(f"{line(by, NAME)} asked for help at {time(at)}" for by, at in asked.items())
    return f"{told}; {_answer(incident)}"


def _answer(incident: Incident) -> str:
    """Returns which answer is still missing."""
    asked_by = incident.response.asked_by
    if asked_by:
        return "no other answer yet" if incident.holder in asked_by else "no answer yet"
    if incident.state is not State.OPEN:
        return ""
    return "no answer since" if was_answered(incident) else "nobody has acknowledged it"


def _last(history: Sequence[Turn]) -> Sequence[Turn]:
    """Returns the turns since the last owner took the incident, including later turns of an open incident."""
    begins, held = 0, False
    for place, turn in enumerate(history):
        if turn.deed is Deed.ACKNOWLEDGED and not held:
            begins, held = place, True
        elif turn.deed in ENDINGS:
            held = False
    return history[begins:]


def _phrases(turns: Sequence[Turn], time: Callable[[Instant], str]) -> Iterator[str]:
    """Yields a phrase for each person's consecutive turns, and for each event without an actor."""
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
