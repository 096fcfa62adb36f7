"""When a failed message is retried and when it is given up. Deterministic: jitter is derived from the id.

The schedules are in `rules.channel_types`.
"""

from dataclasses import dataclass
from hashlib import blake2b

from rules.channel_types import CHANNEL_FACTS, DAY, STEADY, ChannelFacts, ChannelType
from rules.policy import SECOND


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays between attempts, the last one repeated, and how long to go on; in microseconds."""

    delays: tuple[int, ...]
    give_up_after: int

    @classmethod
    def of(cls, retry_after: tuple[int, ...], give_up_after: int) -> "Schedule":
        """From seconds."""
        return cls(tuple(seconds * SECOND for seconds in retry_after), give_up_after * SECOND)


SCHEDULES: dict[ChannelType, Schedule] = {
    name: Schedule.of(facts.retry_after, facts.give_up_after) for name, facts in CHANNEL_FACTS.items()
}
_UNKNOWN = Schedule.of(STEADY, DAY)
"""For a channel that the policy no longer has."""


def schedule_of(facts: ChannelFacts | None) -> Schedule:
    """The schedule of a channel type; None: the policy no longer has the channel, so its type is unknown."""
    return SCHEDULES[facts.name] if facts else _UNKNOWN


def retry_delay(schedule: Schedule, identity: str, attempts: int, asked: int | None) -> int:
    """Microseconds until the next attempt after `attempts` failed ones, with up to 20 % added as jitter.

    `asked`: the provider's Retry-After in microseconds, a minimum.
    """
    delays = schedule.delays
    delay = max(delays[min(max(attempts, 1), len(delays)) - 1], asked or 0)
    return delay + int(delay * 0.2 * _spread(f"{identity}/{attempts}"))


def _spread(text: str) -> float:
    """A number in [0, 1): a hash of the text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32
