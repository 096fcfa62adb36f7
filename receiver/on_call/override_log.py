"""Overrides as they are kept: each was made, or cancels one that was made before; nothing is changed or deleted."""

from collections.abc import Iterable

from msgspec import Struct

from receiver.on_call.shift import Override


class OverrideChange(Struct, frozen=True):
    """Somebody takes a schedule for a while, or an earlier override is cancelled."""

    at: int
    """When it was done; microseconds since 1970, UTC."""
    by: str
    """Who did it."""
    reason: str = ""
    schedule: str = ""
    person: str = ""
    starts: int = 0
    ends: int = 0
    cancels: int = 0
    """The number of the override that is cancelled; 0: this one is made."""


class KeptOverride(Struct, frozen=True):
    """An override with its number, and what became of it."""

    number: int
    change: OverrideChange
    cancelled_by: str = ""
    """Who cancelled it; empty: nobody."""
    cancelled_at: int | None = None

    def is_over(self, now: int) -> bool:
        """Whether it cannot put anybody on call any more."""
        return self.cancelled_at is not None or self.change.ends <= now


def kept(changes: Iterable[tuple[int, OverrideChange]]) -> tuple[KeptOverride, ...]:
    """Every override, in the order in which they were made. `changes`: number and change, in order of number."""
    found: dict[int, KeptOverride] = {}
    for number, change in changes:
        cancelled = found.get(change.cancels)
        if not change.cancels:
            found[number] = KeptOverride(number, change)
        elif cancelled is not None and cancelled.cancelled_at is None:
            found[change.cancels] = KeptOverride(change.cancels, cancelled.change, change.by, change.at)
    return tuple(found.values())


def as_override(kept_one: KeptOverride) -> Override:
    """As the expansion takes it."""
    change = kept_one.change
    return Override(change.schedule, change.person, change.starts, change.ends, change.by)


def in_effect(overrides: Iterable[KeptOverride]) -> list[Override]:
    """Those that are not cancelled, as the expansion takes them."""
    return [as_override(each) for each in overrides if each.cancelled_at is None]
