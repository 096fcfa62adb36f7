"""A roster drawn: a line for each seven days, in the schedule's wall time, with a block for each shift and each gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from receiver.on_call.shift import Gap, Roster, Shift, clipped
from receiver.on_call.wall_time import instant, local

WIDTH, HEAD, LANE = 700, 26, 40
"""Units of the drawing: seven days, the line of dates, and a shift's height."""

_LETTER = 12.5
"""Width of a letter on a phone, where it is largest."""

COLOURS = 6


@dataclass(frozen=True, slots=True)
class Block:
    """Somebody's shift, or a part of it; person empty: nobody."""

    x: float
    width: float
    y: int
    person: str
    colour: int
    is_override: bool

    @property
    def label(self) -> str:
        """As much of the name as there is room for."""
        room = max(0, int((self.width - 8) / _LETTER))
        if not self.person:
            return "nobody" if room >= len("nobody") else "✕"[:room]
        if len(self.person) <= room:
            return self.person
        return f"{self.person[: room - 1]}…" if room > 3 else self.person[:room]


@dataclass(frozen=True, slots=True)
class DrawnWeek:
    """Seven days."""

    days: tuple[tuple[float, str], ...]
    """(x, such as ``Mon 23``; of the first ``22 Nov``)."""
    blocks: tuple[Block, ...]
    height: int
    now: float | None
    """Where now is; None: in another week."""


def drawn_weeks(roster: Roster, people: Sequence[str], now: int, weeks: int) -> tuple[DrawnWeek, ...]:
    """So many weeks from today on. `people`: the policy's, whose place gives the colour."""
    today = local(now, roster.time_zone).date()
    return tuple(_week(roster, people, now, today + timedelta(days=7 * number)) for number in range(weeks))


def midnight(day: date, zone: str) -> int:
    """When a day begins in a zone; microseconds since 1970."""
    return instant(datetime.combine(day, time()), zone)


def _week(roster: Roster, people: Sequence[str], now: int, first: date) -> DrawnWeek:
    edges = [midnight(first + timedelta(days=number), roster.time_zone) for number in range(8)]
    begins, ends = edges[0], edges[-1]

    def x(at: int) -> float:
        return round((at - begins) / (ends - begins) * WIDTH, 1)

    def block(each: Shift | Gap, lane: int) -> Block:
        person = each.person if isinstance(each, Shift) else ""
        colour = people.index(person) % COLOURS if person in people else 0
        is_override = isinstance(each, Shift) and each.source.startswith("override")
        return Block(
            x(each.starts), round(x(each.ends) - x(each.starts), 1), HEAD + lane * LANE, person, colour, is_override
        )

    lanes: list[int] = [begins]
    blocks = []
    for shift in clipped(roster.shifts, begins, ends):
        lane = next((number for number, until in enumerate(lanes) if until <= shift.starts), len(lanes))
        lanes[lane : lane + 1] = [shift.ends]
        blocks.append(block(shift, lane))
    inside = (Gap(max(each.starts, begins), min(each.ends, ends)) for each in roster.gaps)
    blocks += [block(each, 0) for each in inside if each.starts < each.ends]
    dates = [first + timedelta(days=number) for number in range(7)]
    labels = (f"{day.day} {day:%b}" if day == first else f"{day:%a} {day.day}" for day in dates)
    days = tuple((x(edge), label) for edge, label in zip(edges, labels, strict=False))
    return DrawnWeek(days, tuple(blocks), HEAD + len(lanes) * LANE, x(now) if begins <= now < ends else None)
