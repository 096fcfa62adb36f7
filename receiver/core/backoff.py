"""When a failed message is tried again, and when it is given up. No dice: jitter comes from the id.

Sources: CONTRACTS F (measured limits and retry advice of the providers), kept as data.
"""

from dataclasses import dataclass
from hashlib import blake2b

from rules.policy import HOUR, MINUTE, SECOND, ChannelType


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays between tries, the last one repeated, and how long to go on; in microseconds."""

    delays: tuple[int, ...]
    give_up_after: int


_STEADY = tuple(seconds * SECOND for seconds in (1, 2, 5, 15, 30, 60))
SCHEDULES: dict[ChannelType, Schedule] = {
    "pagerduty": Schedule(_STEADY, 24 * HOUR),
    "slack": Schedule(_STEADY, HOUR),
    "email": Schedule((5 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE), 24 * HOUR),
    "sms": Schedule((2 * SECOND, 5 * SECOND, 15 * SECOND, MINUTE), 15 * MINUTE),
    "phone": Schedule((2 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE), 15 * MINUTE),
    "webhook": Schedule(_STEADY, 24 * HOUR),
}


def retry_delay(kind: ChannelType, identity: str, attempts: int, asked: int | None) -> int:
    """Microseconds until the next try after `attempts` failed ones, with up to 20 % added as jitter.

    `asked` is what the provider asked for (Retry-After); it is never undercut.
    """
    delays = SCHEDULES[kind].delays
    delay = max(delays[min(max(attempts, 1), len(delays)) - 1], asked or 0)
    return delay + int(delay * 0.2 * _spread(f"{identity}/{attempts}"))


def _spread(text: str) -> float:
    """A number in [0, 1) that looks random and is always the same for the same text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32
