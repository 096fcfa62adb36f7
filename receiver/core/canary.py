"""Canaries: marked test messages on a schedule, which prove that a channel's provider can be reached.

A failed canary is sent again soon; two failures in a row open an incident, which is told on other channels too.
`receiver.jobs.canary` sends; the store keeps the last result of each channel, for every replica.
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
"""Microseconds until a failed canary is sent again."""

ENOUGH = 2
"""Failures in a row that open an incident; providers have short outages."""


@dataclass(frozen=True, slots=True)
class Canary:
    """The results of a channel's canaries."""

    tried_at: Instant
    delivered_at: Instant | None = None
    """When one last reached every recipient."""
    failures: int = 0
    """In a row, up to now."""
    failing_since: Instant | None = None
    detail: str = ""
    """Why the last one failed."""

    @property
    def is_broken(self) -> bool:
        """Whether it failed often enough for an incident."""
        return self.failures >= ENOUGH


def is_due(last: Canary | None, every: int, now: Instant) -> bool:
    """Whether the next one is due. A `tried_at` in the future, by another replica's clock, does not delay it."""
    if last is None or last.tried_at > now:
        return True
    return now - last.tried_at >= (min(AGAIN, every) if last.failures else every)


def judge(last: Canary | None, outcomes: Sequence[Outcome], now: Instant) -> Canary:
    """The result of the provider's answers. No recipient is a failure."""
    failed = [_words(each) for each in outcomes if not isinstance(each, Delivered)]
    if outcomes and not failed:
        return Canary(now, now)
    since = last.failing_since if last and last.failing_since is not None else now
    delivered_at = last.delivered_at if last else None
    return Canary(now, delivered_at, (last.failures if last else 0) + 1, since, "; ".join(failed) or "nobody is on it")


def tell(channel: str, before: Canary | None, after: Canary) -> AlertsReceived | None:
    """The event that a channel is broken or works again; None: neither. Repeats of either change nothing."""
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
