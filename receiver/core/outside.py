"""An exercise sends nothing out of the house: whoever an external group reaches, it does not.

A group's addresses are outside whatever else they are used for, on every channel, and also where only the policy that
the incident runs under names them. `receiver.core.draft` asks here before it plans a message of an exercise, and the
dispatcher asks again before it hands one to a sender.
"""

from collections.abc import Iterable

from receiver.core.model import Incident, Target
from receiver.core.plan import DecisionContext

EXERCISE = "EXERCISE"
"""What the texts of an exercise begin with."""

KEPT_IN = "an exercise sends nothing to external groups"


def split(context: DecisionContext, targets: Iterable[Target]) -> tuple[list[Target], list[Target]]:
    """Those inside the house, and those outside."""
    addresses, known = _outside(context), list(targets)
    return (
        [each for each in known if _plain(each.recipient) not in addresses],
        [each for each in known if _plain(each.recipient) in addresses],
    )


def leaves_the_house(incident: Incident, recipient: str, context: DecisionContext) -> bool:
    """Whether a message of an exercise would go to somebody outside."""
    return incident.exercise and _plain(recipient) in _outside(context)


def _outside(context: DecisionContext) -> frozenset[str]:
    return frozenset(map(_plain, context.external_addresses))


def _plain(recipient: str) -> str:
    """However it is written: in capitals, a number with blanks and signs."""
    told = recipient.strip().casefold()
    return "".join(sign for sign in told if sign.isalnum()) if told.startswith("+") else told
