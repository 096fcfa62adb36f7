"""The log of overrides: each entry makes one or cancels an earlier one; entries are not changed or deleted."""

from collections.abc import Iterable

from msgspec import Struct

from receiver.on_call.shift import Override


class OverrideChange(Struct, frozen=True):
    """A person is put on call for a time, or an earlier override is cancelled."""

    at: int
    """Time of the change; microseconds since 1970, UTC."""
    by: str
    """The person who made the change."""
    reason: str = ""
    schedule: str = ""
    person: str = ""
    starts: int = 0
    ends: int = 0
    cancels: int = 0
    """The number of the cancelled override; 0: this entry makes one."""


class KeptOverride(Struct, frozen=True):
    """An override with its number and cancellation."""

    number: int
    change: OverrideChange
    cancelled_at: int | None = None

    def is_over(self, now: int) -> bool:
        """Whether it is cancelled or past."""
        return self.cancelled_at is not None or self.change.ends <= now


def kept(changes: Iterable[tuple[int, OverrideChange]]) -> tuple[KeptOverride, ...]:
    """Returns every override, in the order in which they were made. `changes`: (number, change), in order of number."""
    found: dict[int, KeptOverride] = {}
    for number, change in changes:
        cancelled = found.get(change.cancels)
        if not change.cancels:
            found[number] = KeptOverride(number, change)
        elif cancelled is not None and cancelled.cancelled_at is None:
            found[change.cancels] = KeptOverride(change.cancels, cancelled.change, change.at)
    return tuple(found.values())


def as_override(kept_one: KeptOverride) -> Override:
    """Returns the input of the expansion."""
    change = kept_one.change
    return Override(change.schedule, change.person, change.starts, change.ends, change.by)


def in_effect(overrides: Iterable[KeptOverride]) -> list[Override]:
    """Returns the overrides that are not cancelled, as input of the expansion."""
    return [as_override(each) for each in overrides if each.cancelled_at is None]
