"""Shifts, gaps and overrides: input and output of the expansion."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """A person is on call from `starts` until just before `ends`; microseconds since 1970, UTC."""

    starts: int
    ends: int
    person: str
    source: str
    """``layer N``, ``calendar`` or ``override by WHO``."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """No person is on call from `starts` until just before `ends`; microseconds since 1970, UTC."""

    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Override:
    """A person is put on call for a schedule for a time; microseconds since 1970, UTC."""

    schedule: str
    person: str
    starts: int
    ends: int
    by: str
    """The person who made it."""


@dataclass(frozen=True, slots=True)
class Roster:
    """One schedule in a window of time."""

    name: str
    time_zone: str
    shifts: tuple[Shift, ...]
    """Sorted; adjacent ones of one person and one source are merged. Only those of a calendar may overlap."""
    gaps: tuple[Gap, ...]
    """Times without a shift; sorted."""
    unknown: tuple[str, ...] = ()
    """Names in the calendar that match no person."""
    free: tuple[str, ...] = ()
    """People in calendar events marked as free, which are not shifts."""
    fault: str = ""
    """Why the calendar cannot be read; then the only shifts are overrides."""
    backwards: tuple[str, ...] = ()
    """Summaries of calendar events that end before they begin, which are not shifts."""

    @property
    def looked_at(self) -> tuple[int, int]:
        """The window (start, end); shifts and gaps at its edges may be longer. Zero length if the roster is empty."""
        pieces: tuple[Shift | Gap, ...] = (*self.shifts, *self.gaps)
        return min((each.starts for each in pieces), default=0), max((each.ends for each in pieces), default=0)

    def at(self, at: int) -> tuple[Shift, ...]:
        """Returns the shifts at that instant."""
        return tuple(each for each in self.shifts if each.starts <= at < each.ends)


def merged(shifts: Iterable[Shift]) -> tuple[Shift, ...]:
    """Returns the shifts sorted, with adjacent (or overlapping) ones of one person and one source merged."""
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
    """Yields the parts of the shifts outside the holes, which must be sorted and not overlap."""
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
    """Yields the parts of the shifts inside a window."""
    for each in shifts:
        if each.starts < ends and each.ends > starts:
            yield replace(each, starts=max(each.starts, starts), ends=min(each.ends, ends))


def gaps(shifts: Iterable[Shift], starts: int, ends: int) -> Iterator[Gap]:
    """Yields the parts of a window without a shift. `shifts` must be sorted."""
    for each in shifts:
        if each.starts > starts:
            yield Gap(starts, each.starts)
        starts = max(starts, each.ends)
    if starts < ends:
        yield Gap(starts, ends)
