"""Draws a roster: a row per seven days, in the schedule's local time, with a block per shift and gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from receiver.on_call.shift import Gap, Roster, Shift, clipped
from receiver.on_call.wall_time import instant, local

WIDTH, HEAD, LANE = 700, 26, 40
"""Drawing units: width of seven days, height of the date row, height of a shift."""

_LETTER = 15.0
"""Width of a letter in drawing units on a phone, where it is largest."""

COLOURS = 6


@dataclass(frozen=True, slots=True)
class Block:
    """A shift or gap, or a part of it; an empty person means a gap."""

    x: float
    width: float
    y: int
    person: str
    colour: int
    is_override: bool

    @property
    def label(self) -> str:
        """The person's name, shortened to the block's width."""
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
    """(x, day, such as ``Mon 23``; the first as ``22 Nov``)."""
    blocks: tuple[Block, ...]
    height: int
    now: float | None
    """x of the current time; None: in another week."""


def drawn_weeks(roster: Roster, people: Sequence[str], now: int, weeks: int) -> tuple[DrawnWeek, ...]:
    """`weeks` rows from today on. `people`: the policy's, whose position gives the colour."""
    today = local(now, roster.time_zone).date()
    return tuple(_week(roster, people, now, today + timedelta(days=7 * number)) for number in range(weeks))


def midnight(day: date, zone: str) -> int:
    """Start of a day in a zone, in microseconds since 1970."""
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
