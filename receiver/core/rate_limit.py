"""Storms: when a message may go out alone, and when it waits for its bundle.

The first twenty pages a minute to one recipient (or as many as the channel's `rate_limit` says) leave at once, at each
level for itself; those beyond wait, 30 s at most, and leave as one message that names every incident. It makes no
difference why people are paged: a thousand incidents that opened within a minute escalate, repeat and fall back within
a minute too. News (acknowledgements, updates, recoveries) is counted in the same way, apart from pages, so that it
takes no page's room. Where a type takes single events only (PagerDuty, webhooks: each with a key of its own to close it
by), nothing is bundled.

Messages are counted when they are planned, so that a storm writes each of them once. A report and the text that
somebody approved are messages of their own: only a channel's `rate_limit` holds them back, when they are due.
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
    """What is counted together: the pages, or the news, of one level to one recipient on one channel."""

    channel: str
    recipient: str
    level: int
    is_news: bool = False


class Bucket(Struct, frozen=True):
    """How much may still be sent under a key: a token bucket in whole microseconds of credit."""

    credit: int
    at: Instant
    bundle_at: Instant | None = None
    """When the bundle that is being gathered leaves."""


class Allotment(Struct, frozen=True):
    """What may leave now, what waits (in its new form), and the buckets as they are after it."""

    send: tuple[Notification, ...]
    wait: tuple[Notification, ...]
    buckets: Mapping[RateLimitKey, Bucket]


def rate_limit_key(notification: Notification) -> RateLimitKey:
    """What a notification is counted under."""
    return RateLimitKey(notification.channel, notification.recipient, notification.level, not is_page(notification))


def counted_when_planned(planned: Iterable[Notification], context: DecisionContext) -> list[Notification]:
    """The pages and news that a storm may hold back."""
    return [each for each in planned if each.due_at is not None and _is_limited(each, context) and not _is_letter(each)]


def counted_when_due(due: Iterable[Notification], context: DecisionContext) -> list[Notification]:
    """The reports and approved texts that a rate limit may hold back."""
    return [each for each in due if _is_letter(each) and _is_limited(each, context)]


def bundle(due: Iterable[Notification]) -> list[tuple[Notification, ...]]:
    """The messages that what is due leaves in: what waited for a bundle leaves with those of its key, the rest
    alone.
    """
    messages: dict[RateLimitKey | str, list[Notification]] = {}
    for each in due:
        messages.setdefault(each.id if each.bundle_at is None else rate_limit_key(each), []).append(each)
    return [tuple(message) for message in messages.values()]


def allot(
    counted: Iterable[Notification], buckets: Mapping[RateLimitKey, Bucket], now: Instant, context: DecisionContext
) -> Allotment:
    """Share out what each key's recipient may get. `buckets` are those of the notifications' keys; a missing one is
    full.
    """
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
    """Whether it wakes somebody."""
    return notification.kind is Kind.PAGE


def _is_letter(notification: Notification) -> bool:
    """Whether its text is its own, so that it shares a message with no other."""
    return notification.kind in {Kind.EXTERNAL, Kind.REPORT}


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
    """Use one message's worth of credit, if there is that much."""
    price = limit.per // limit.count
    if bucket is None:
        return Bucket(limit.per - price, now), True
    credit = min(limit.per, bucket.credit + max(0, now - bucket.at))
    if credit >= price:
        return Bucket(credit - price, now, bucket.bundle_at), True
    return Bucket(credit, now, bucket.bundle_at), False


def _defer(notification: Notification, bucket: Bucket, limit: RateLimit, now: Instant) -> tuple[Bucket, Notification]:
    """Pages and news wait for their bundle, letters for credit."""
    if _is_letter(notification):
        due_at = Instant(now + limit.per // limit.count - bucket.credit)
        return bucket, replace(notification, due_at=due_at)
    leaving = bucket.bundle_at if bucket.bundle_at is not None and bucket.bundle_at > now else None
    bundle_at = leaving or Instant(now + BUNDLE_WAIT)
    return Bucket(bucket.credit, bucket.at, bundle_at), replace(notification, due_at=bundle_at, bundle_at=bundle_at)
