"""Rate limits for storms: whether a message is sent alone at once, or waits for its bundle.

Per recipient and level, twenty pages a minute (or the channel's `rate_limit`) are sent at once; further ones wait, 30 s
at most, for one message that names every incident. The reason of a page makes no difference: a thousand incidents of
one minute also escalate and repeat within a minute. News (acknowledgements, updates, recoveries) has a limit of its
own, so that it uses none of the pages'. Channel types for single events (PagerDuty, webhooks: each with its own key to
close it) never bundle.

Messages are counted when planned, so a storm writes each once. Reports, approved external texts and requests for an
incident channel are never bundled: only a channel's `rate_limit` delays them, when they are due.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Notification
from receiver.core.plan import DecisionContext
from rules.policy import MINUTE, SECOND, Micros, RateLimit

STORM_LIMIT = RateLimit(20, Micros(MINUTE))
BUNDLE_WAIT = 30 * SECOND


class RateLimitKey(Struct, frozen=True, order=True):
    """What is counted together: the pages, or the news, of one level, recipient and channel."""

    channel: str
    recipient: str
    level: int
    is_news: bool = False


class Bucket(Struct, frozen=True):
    """The remaining allowance of a key: a token bucket, with its credit in whole microseconds."""

    credit: int
    at: Instant
    bundle_at: Instant | None = None
    """When the bundle being collected is sent."""


class Allotment(Struct, frozen=True):
    """Messages to send now, messages that wait (in their new form), and the resulting buckets."""

    send: tuple[Notification, ...]
    wait: tuple[Notification, ...]
    buckets: Mapping[RateLimitKey, Bucket]


def rate_limit_key(notification: Notification) -> RateLimitKey:
    """The key under which a notification is counted."""
    return RateLimitKey(notification.channel, notification.recipient, notification.level, not is_page(notification))


def counted_when_planned(planned: Iterable[Notification], context: DecisionContext) -> list[Notification]:
    """The pages and news that a storm may delay."""
    return [each for each in planned if each.due_at is not None and _is_limited(each, context) and not _is_letter(each)]


def counted_when_due(due: Iterable[Notification], context: DecisionContext) -> list[Notification]:
    """The reports and approved texts that a rate limit may delay."""
    return [each for each in due if _is_letter(each) and _is_limited(each, context)]


def bundle(due: Iterable[Notification]) -> list[tuple[Notification, ...]]:
    """Groups due notifications into messages: waiting ones by their key, each other one alone."""
    messages: dict[RateLimitKey | str, list[Notification]] = {}
    for each in due:
        messages.setdefault(each.id if each.bundle_at is None else rate_limit_key(each), []).append(each)
    return [tuple(message) for message in messages.values()]


def allot(
    counted: Iterable[Notification], buckets: Mapping[RateLimitKey, Bucket], now: Instant, context: DecisionContext
) -> Allotment:
    """Apply the limits in order. `buckets`: those of the notifications' keys; a missing one is full."""
    after = dict(buckets)
    send: list[Notification] = []
    wait: list[Notification] = []
    for notification in counted:
        where = rate_limit_key(notification)
        limit = _limit(notification, context)
        bucket, allowed = _take(after.get(where), limit, now)
        if allowed:
            send.append(notification)
        else:
            bucket, later = _defer(notification, bucket, limit, now)
            wait.append(later)
        after[where] = bucket
    return Allotment(tuple(send), tuple(wait), after)


def is_page(notification: Notification) -> bool:
    """Whether it is a page, not news."""
    return notification.kind is Kind.PAGE


def _is_letter(notification: Notification) -> bool:
    """Whether it must be a message of its own."""
    return notification.kind in {Kind.EXTERNAL, Kind.REPORT, Kind.ROOM}


def _is_limited(notification: Notification, context: DecisionContext) -> bool:
    facts = context.facts(notification.channel)
    if facts is not None and not facts.bundles:
        return False
    if not _is_letter(notification):
        return True
    channel = context.channel(notification.channel)
    return channel is not None and channel.rate_limit is not None


def _limit(notification: Notification, context: DecisionContext) -> RateLimit:
    channel = context.channel(notification.channel)
    return (channel.rate_limit if channel else None) or STORM_LIMIT


def _take(bucket: Bucket | None, limit: RateLimit, now: Instant) -> tuple[Bucket, bool]:
    """Use one message's credit, if available. Returns the new bucket, and whether it was."""
    price = limit.per // limit.count
    if bucket is None:
        return Bucket(limit.per - price, now), True
    credit = min(limit.per, bucket.credit + max(0, now - bucket.at))
    if credit >= price:
        return Bucket(credit - price, now, bucket.bundle_at), True
    return Bucket(credit, now, bucket.bundle_at), False


def _defer(notification: Notification, bucket: Bucket, limit: RateLimit, now: Instant) -> tuple[Bucket, Notification]:
    """Delay pages and news until their bundle, reports and approved texts until there is credit."""
    if _is_letter(notification):
        due_at = Instant(now + limit.per // limit.count - bucket.credit)
        return bucket, replace(notification, due_at=due_at)
    leaving = bucket.bundle_at if bucket.bundle_at is not None and bucket.bundle_at > now else None
    bundle_at = leaving or Instant(now + BUNDLE_WAIT)
    return Bucket(bucket.credit, bucket.at, bundle_at), replace(notification, due_at=bundle_at, bundle_at=bundle_at)
