"""What people answer in words: by SMS, and after `/tocsin` in Slack.

Rules: a verb in full or in its one short form, then the number, and nothing else; in any case. Whatever else is
written is no command, because "Responding 1" and "Rescheduled 3" must not resolve anything.
"""

import re
from dataclasses import dataclass
from typing import Literal

Verb = Literal["acknowledge", "escalate", "withdraw", "give_back", "resolve"]

VERBS: dict[str, Verb] = {
    "ack": "acknowledge",
    "acknowledge": "acknowledge",
    "esc": "escalate",
    "escalate": "escalate",
    "withdraw": "withdraw",
    "back": "give_back",
    "resolve": "resolve",
    "resolved": "resolve",
}

MOST = 100
"""Numbers that one answer may name; more is `ACK ALL`."""

LONGEST = 20 * MOST
"""Characters of an answer that names so many."""

_REPLY = re.compile(r"\s*([a-z]+)\s+(all|t?#?\d{1,9}(?:[\s,]+t?#?\d{1,9})*)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wants."""

    verb: Verb
    numbers: tuple[int, ...]
    """Incidents, each once; only an acknowledgement names several. Empty: ALL."""


def read_reply(text: str) -> Reply | None:
    """The command that the text is, whole; None: it is none."""
    found = _REPLY.fullmatch(text) if len(text) <= LONGEST else None  # cut, its last number might be another
    verb = VERBS.get(found[1].lower()) if found else None
    if found is None or verb is None:
        return None
    numbers = tuple(dict.fromkeys(int(digits) for digits in re.findall(r"\d+", found[2])))
    one = len(numbers) == 1
    return Reply(verb, numbers) if one or (verb == "acknowledge" and len(numbers) <= MOST) else None
