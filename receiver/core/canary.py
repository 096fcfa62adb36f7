"""Canaries: a marked test message on a schedule proves that a channel's provider can be reached before it matters.

What fails is tried again soon; failing twice is an incident like any other, so that others than the broken channel
hear of it. `receiver.jobs.canary` sends; the last result of each channel is kept in the store, for every replica.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from receiver.core.classify import incident_key
from receiver.core.events import AlertsReceived, Delivered, Outcome, Rejected, Retry
from receiver.core.model import Alert, Instant
from rules.policy import CRITICAL, MINUTE
from rules.reserved import BROKEN

RULE = "tocsin/canary"
TYPE = BROKEN
AGAIN = 5 * MINUTE
"""Microseconds until a canary that failed is sent again."""

ENOUGH = 2
"""Failures in a row that make an incident: providers have short bad moments."""


@dataclass(frozen=True, slots=True)
class Canary:
    """How a channel's canaries fared."""

    tried_at: Instant
    delivered_at: Instant | None = None
    """The last that got through to everybody."""
    failures: int = 0
    """In a row, by now."""
    failing_since: Instant | None = None
    detail: str = ""
    """Why the last one failed."""

    @property
    def is_broken(self) -> bool:
        """Whether it failed often enough to wake somebody."""
        return self.failures >= ENOUGH


def is_due(last: Canary | None, every: int, now: Instant) -> bool:
    """Whether the next one is due; one whose clock is ahead of ours does not put it off."""
    if last is None or last.tried_at > now:
        return True
    return now - last.tried_at >= (min(AGAIN, every) if last.failures else every)


def judge(last: Canary | None, outcomes: Sequence[Outcome], now: Instant) -> Canary:
    """What the answers of the provider come to. No recipient at all is a failure."""
    failed = [_words(each) for each in outcomes if not isinstance(each, Delivered)]
    if outcomes and not failed:
        return Canary(now, now)
    since = last.failing_since if last and last.failing_since is not None else now
    delivered_at = last.delivered_at if last else None
    return Canary(now, delivered_at, (last.failures if last else 0) + 1, since, "; ".join(failed) or "nobody is on it")


def tell(channel: str, before: Canary | None, after: Canary) -> AlertsReceived | None:
    """The event of a channel that is broken, or whole again; repeats of either change nothing."""
    was_broken = before is not None and before.is_broken
    since = after.failing_since if before is None or after.failing_since is not None else before.failing_since
    if since is None or not (after.is_broken or was_broken):
        return None
    alert = Alert(
        fingerprint=f"tocsin-canary-{channel}",
        starts_at=Instant(since // 1000 * 1000),
        firing=after.is_broken,
        level=CRITICAL,
        rule=RULE,
        type=TYPE,
        labels={"alertname": "ChannelIsBroken", "incident_type": TYPE, "channel": channel, "severity_level": "3"},
        annotations={
            "summary": f"Channel {channel} is broken: its canary does not get through",
            "description": f"Pages on {channel} may reach nobody. The provider's answer: {after.detail}",
        },
        ended_at=None if after.is_broken else after.tried_at,
    )
    return AlertsReceived(incident_key(("tocsin", "canary", channel)), "tocsin", (alert,))


def _words(outcome: Outcome) -> str:
    match outcome:
        case Retry(reason, _) | Rejected(reason):
            return reason
        case _:
            return "not sent"
