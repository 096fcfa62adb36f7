"""Searches Twilio's list for a message or call of an earlier try, before a retry sends it again.

Only certain matches count. Calls in the list carry no identification, so a call to the same number is only a possible
match; the status callback, which names the notification, decides.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from receiver.core.model import Instant
from rules.policy import SECOND

PAGE = 50
"""Newest entries for that number; no recipient gets more in the minutes of a message's tries."""
MAX_LIST = 512 * 1024
"""Bytes of the list that are read."""
SKEW = 5 * SECOND
"""Microseconds that Twilio's clock may be behind ours. A larger value could match another page; a smaller one only
causes a duplicate."""
LOST = frozenset({"undelivered", "failed", "busy", "no-answer", "canceled"})
"""States of a message or call that did not reach a person."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The message or call that is searched for at Twilio."""

    to: str
    since: Instant
    """When it was planned; older entries cannot match."""
    head: str = ""
    """The beginning of its text, up to the first colon; empty: no text (a call)."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """Twilio has it."""

    sid: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Unknown whether Twilio has it."""

    reason: str


def pick(listed: object, wanted: Wanted) -> FoundMessage | Unclear | None:
    """Returns the match in Twilio's list; None: certainly none."""
    if not isinstance(listed, list):
        return Unclear("Twilio's list of what was sent is not one")
    recent = [each for each in listed if isinstance(each, dict) and _is_recent(each, wanted)]
    if not wanted.head:
        return Unclear("calls to that number were made since, perhaps this one") if recent else None
    return next(filter(None, (_found(each, wanted) for each in recent)), None)


def _is_recent(each: dict[str, object], wanted: Wanted) -> bool:
    """By creation time: Twilio's filter `DateSent` misses queued messages, which have no sent date."""
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
