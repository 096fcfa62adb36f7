"""Parses text commands: SMS replies, and the text after `/tocsin` in Slack.

Rule: a verb in full or in its short form, then the number, and nothing else; in any case. Other text is no command:
"Responding 1" and "Rescheduled 3" must not resolve an incident.
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
"""Numbers that one command may name; for more there is `ACK ALL`."""

LONGEST = 20 * MOST
"""Characters of a command with so many numbers."""

_REPLY = re.compile(r"\s*([a-z]+)\s+(all|t?#?\d{1,9}(?:[\s,]+t?#?\d{1,9})*)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """A parsed command."""

    verb: Verb
    numbers: tuple[int, ...]
    """Incident numbers, each once; only an acknowledgement may name several. Empty: ALL."""


def read_reply(text: str) -> Reply | None:
    """Parses a text that is exactly one command; None: it is none."""
    found = _REPLY.fullmatch(text) if len(text) <= LONGEST else None  # truncated, its last number could be wrong
    verb = VERBS.get(found[1].lower()) if found else None
    if found is None or verb is None:
        return None
    numbers = tuple(dict.fromkeys(int(digits) for digits in re.findall(r"\d+", found[2])))
    one = len(numbers) == 1
    return Reply(verb, numbers) if one or (verb == "acknowledge" and len(numbers) <= MOST) else None
