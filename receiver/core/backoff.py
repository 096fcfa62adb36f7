"""When a failed message is tried again, and when it is given up. No dice: jitter comes from the id.

The schedules themselves are facts of the channel types: `rules.channel_types`.
"""

from dataclasses import dataclass
from hashlib import blake2b

from rules.channel_types import CHANNEL_FACTS, DAY, STEADY, ChannelFacts, ChannelType
from rules.policy import SECOND


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays between tries, the last one repeated, and how long to go on; in microseconds."""

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
"""For a channel that is gone from the policy."""


def schedule_of(facts: ChannelFacts | None) -> Schedule:
    """The schedule of a channel type; None: the channel is gone, and its type not known any more."""
    return SCHEDULES[facts.name] if facts else _UNKNOWN


def retry_delay(schedule: Schedule, identity: str, attempts: int, asked: int | None) -> int:
    """Microseconds until the next try after `attempts` failed ones, with up to 20 % added as jitter.

    `asked` is what the provider asked for (Retry-After); it is never undercut.
    """
    delays = schedule.delays
    delay = max(delays[min(max(attempts, 1), len(delays)) - 1], asked or 0)
    return delay + int(delay * 0.2 * _spread(f"{identity}/{attempts}"))


def _spread(text: str) -> float:
    """A number in [0, 1) that looks random and is always the same for the same text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32
