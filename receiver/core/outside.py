"""Keeps the messages of an exercise away from external groups.

A group's addresses are external on every channel and regardless of other uses, also where only the incident's own
policy version names them. `receiver.core.draft` checks when it plans a message, the dispatcher before it sends one.
"""

from collections.abc import Iterable

from receiver.core.model import Incident, Target
from receiver.core.plan import DecisionContext

EXERCISE = "EXERCISE"
"""The prefix of the texts of an exercise."""

KEPT_IN = "an exercise sends nothing to external groups"


def split(context: DecisionContext, targets: Iterable[Target]) -> tuple[list[Target], list[Target]]:
    """Splits the targets: (internal, external)."""
    addresses, known = _outside(context), list(targets)
    return (
        [each for each in known if _plain(each.recipient) not in addresses],
        [each for each in known if _plain(each.recipient) in addresses],
    )


def leaves_the_house(incident: Incident, recipient: str, context: DecisionContext) -> bool:
    """Whether this message of an exercise would reach an external recipient."""
    return incident.exercise and _plain(recipient) in _outside(context)


def _outside(context: DecisionContext) -> frozenset[str]:
    return frozenset(map(_plain, context.external_addresses))


def _plain(recipient: str) -> str:
    """Normalises an address: lower case; a number without blanks and signs."""
    told = recipient.strip().casefold()
    return "".join(sign for sign in told if sign.isalnum()) if told.startswith("+") else told
