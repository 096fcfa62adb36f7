"""What updates say of change has a predicate over the incident's timeline, as statements of responders have."""

from collections.abc import Sequence

from receiver.core.model import Entry, Fact, Kind, Notification
from tests.core.truth import UntrueError

TELLS_NOTHING_NEW = frozenset(
    {
        Fact.ACCEPTED,
        Fact.DELIVERED,
        Fact.SEND_FAILED,
        Fact.GAVE_UP,
        Fact.SUPERSEDED,
        Fact.UNDELIVERABLE,
        Fact.FALLBACK,
        Fact.FALLBACK_EXHAUSTED,
        Fact.PAGED,
        Fact.STEP_EMPTY,
        Fact.NOBODY_ON_CALL,
        Fact.RELIEVED,
        Fact.WINDOW_MISSED,
        Fact.REMINDED,
        Fact.PROCEDURE_ATTACHED,
        Fact.EVIDENCE,
        Fact.EVIDENCE_MISSING,
        Fact.ALERT_RECORDED,
        Fact.ALERT_REPAIRED,
        Fact.LEVEL_UNKNOWN,
        Fact.START_MOVED,
        Fact.ECHO_HELD,
        Fact.ECHO_DROPPED,
        Fact.END_HELD,
        Fact.END_DROPPED,
        Fact.CALLS_NEEDED,
        Fact.NOTICE_HELD,
        Fact.NOTICE_EDITED,
        Fact.NOTICE_SENT,
        Fact.NOTICE_REJECTED,
        Fact.NOTICE_VOID,
    }
)
"""Bookkeeping: every other line, those of facts yet to come included, changes how an incident stands."""


def check_update(notification: Notification, text: str, timeline: Sequence[Entry]) -> None:
    """Raises UntrueError where a message denies a change that the timeline has."""
    if notification.kind is not Kind.UPDATE or "no change since" not in text.lower():
        return
    since = int(notification.data["unchanged_since"])
    news = [each for each in timeline if each.at > since and is_news(each)]
    if news:
        raise UntrueError(f"says that nothing changed since {since}, but {[each.fact for each in news]}: {text}")


def is_news(entry: Entry) -> bool:
    """Whether the line says something new; that Tocsin itself told how it stands does not."""
    return entry.fact not in TELLS_NOTHING_NEW and (entry.fact is not Fact.UPDATED or bool(entry.by))
