"""Whether Twilio has a message or a call already: read from its list before anything is sent a second time.

Only in doubt, and in the direction of all doubt: what is not certainly ours is not taken for it. Calls carry
nothing of ours in the list, so a call to the same number is never more than a maybe; there the status callback,
which names the notification, is what tells.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from receiver.core.model import Instant
from rules.policy import SECOND

PAGE = 50
"""Of the newest to that number; nobody gets more in the minutes that a message is tried."""
MAX_LIST = 512 * 1024
"""Bytes of such a list that are read."""
SKEW = 5 * SECOND
"""By how much Twilio's clock may be behind ours. More would only mean a double, less could find another page."""
LOST = frozenset({"undelivered", "failed", "busy", "no-answer", "canceled"})
"""States of a message or a call that reached nobody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The message or call that is looked for at Twilio."""

    to: str
    since: Instant
    """When it was planned: nothing older can be it."""
    head: str = ""
    """How its text begins, up to its first colon; empty: it has none (a call)."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """Twilio has it."""

    sid: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Whether Twilio has it cannot be told."""

    reason: str


def pick(listed: object, wanted: Wanted) -> FoundMessage | Unclear | None:
    """What a list, as Twilio gave it, says of what is wanted; None: certainly nothing."""
    if not isinstance(listed, list):
        return Unclear("Twilio's list of what was sent is not one")
    recent = [each for each in listed if isinstance(each, dict) and _is_recent(each, wanted)]
    if not wanted.head:
        return Unclear("calls to that number were made since, perhaps this one") if recent else None
    return next(filter(None, (_found(each, wanted) for each in recent)), None)


def _is_recent(each: dict[str, object], wanted: Wanted) -> bool:
    """By its creation, not by `DateSent`, by which Twilio could filter: what still waits there has none."""
    if each.get("to") != wanted.to or each.get("status") in LOST:
        return False
    try:
        created = parsedate_to_datetime(str(each.get("date_created")))
    except ValueError:
        return False
    return created.timestamp() * SECOND >= wanted.since - wanted.since % SECOND - SKEW


def _found(each: dict[str, object], wanted: Wanted) -> FoundMessage | None:
    body, sid = each.get("body"), each.get("sid")
    ours = isinstance(body, str) and body.partition(":")[0] == wanted.head
    return FoundMessage(sid) if ours and isinstance(sid, str) and sid else None
