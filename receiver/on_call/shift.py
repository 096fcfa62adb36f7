"""Shifts, gaps and overrides: what the expansion takes and gives, as data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """Somebody is on call from `starts` until just before `ends`; microseconds since 1970, UTC."""

    starts: int
    ends: int
    person: str
    source: str
    """``layer N``, ``calendar`` or ``override by WHO``."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Nobody is on call from `starts` until just before `ends`; microseconds since 1970, UTC."""

    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody takes a schedule for a while; microseconds since 1970, UTC."""

    schedule: str
    person: str
    starts: int
    ends: int
    by: str
    """Who made it."""


@dataclass(frozen=True, slots=True)
class Roster:
    """One schedule over a window of time."""

    name: str
    time_zone: str
    shifts: tuple[Shift, ...]
    """Sorted; adjacent ones of one person and one source are one. Only those of a calendar may overlap."""
    gaps: tuple[Gap, ...]
    """Where no shift is; sorted."""
    unknown: tuple[str, ...] = ()
    """Names in the calendar that are nobody's."""
    free: tuple[str, ...] = ()
    """People whom events of the calendar name that are marked as free, and so put nobody on call."""
    fault: str = ""
    """Why the calendar cannot be read, for people; then nobody is on call but by overrides."""
    backwards: tuple[str, ...] = ()
    """Summaries of events of the calendar that end before they begin, and so put nobody on call."""

    @property
    def looked_at(self) -> tuple[int, int]:
        """From when until when: what begins or ends there may be longer. Without a length where nothing is known."""
        pieces: tuple[Shift | Gap, ...] = (*self.shifts, *self.gaps)
        return min((each.starts for each in pieces), default=0), max((each.ends for each in pieces), default=0)

    def at(self, at: int) -> tuple[Shift, ...]:
        """The shifts of that instant."""
        return tuple(each for each in self.shifts if each.starts <= at < each.ends)

    def next_after(self, at: int) -> Shift | None:
        """The first shift to begin after that instant, whatever its source; None: none within the window."""
        return next((each for each in self.shifts if each.starts > at), None)


def merged(shifts: Iterable[Shift]) -> tuple[Shift, ...]:
    """Sorted, with adjacent (or overlapping) ones of one person and one source made one."""
    last: dict[tuple[str, str], Shift] = {}
    done: list[Shift] = []
    for each in sorted(shifts):
        before = last.get((each.person, each.source))
        if before is not None and each.starts <= before.ends:
            last[each.person, each.source] = replace(before, ends=max(before.ends, each.ends))
        else:
            done += [before] if before is not None else []
            last[each.person, each.source] = each
    return tuple(sorted((*done, *last.values())))


def without(shifts: Iterable[Shift], holes: Iterable[Shift | Gap]) -> Iterator[Shift]:
    """What is left of the shifts outside the holes, which are sorted and do not overlap."""
    cuts = tuple(holes)
    for each in shifts:
        cursor = each.starts
        for hole in cuts:
            if hole.ends <= cursor:
                continue
            if hole.starts >= each.ends:
                break
            if hole.starts > cursor:
                yield replace(each, starts=cursor, ends=hole.starts)
            cursor = hole.ends
        if cursor < each.ends:
            yield replace(each, starts=cursor)


def clipped(shifts: Iterable[Shift], starts: int, ends: int) -> Iterator[Shift]:
    """The parts of the shifts inside a window."""
    for each in shifts:
        if each.starts < ends and each.ends > starts:
            yield replace(each, starts=max(each.starts, starts), ends=min(each.ends, ends))


def gaps(shifts: Iterable[Shift], starts: int, ends: int) -> Iterator[Gap]:
    """The parts of a window in which there is no shift. `shifts` are sorted."""
    for each in shifts:
        if each.starts > starts:
            yield Gap(starts, each.starts)
        starts = max(starts, each.ends)
    if starts < ends:
        yield Gap(starts, ends)
