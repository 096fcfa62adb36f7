"""Who has a schedule at an instant, for how long, and who comes next: what people ask of a roster."""

from dataclasses import dataclass

from receiver.on_call.shift import Roster, Shift


@dataclass(frozen=True, slots=True)
class ScheduleStanding:
    """One schedule at one instant; microseconds since 1970, UTC."""

    on_call: tuple[Shift, ...]
    """Who is on call, each once, with the end of their time: pieces that follow each other without a break are one, and
    `source` is that of the first.
    """
    next: Shift | None
    """The first shift of somebody else, or after a break; None: none in the roster."""

    @property
    def ends(self) -> int | None:
        """From when on nobody of these is on call; None: nobody is now."""
        return max((each.ends for each in self.on_call), default=None)


def standing(roster: Roster, at: int) -> ScheduleStanding:
    """How a schedule stands at an instant."""
    ends = {each.person: each.ends for each in roster.at(at)}
    following = None
    for each in (shift for shift in roster.shifts if shift.starts > at):
        if each.starts > ends.get(each.person, at):
            following = each
            break
        ends[each.person] = max(ends[each.person], each.ends)
    first = {each.person: each for each in reversed(roster.at(at))}
    on_call = tuple(Shift(each.starts, ends[name], name, each.source) for name, each in reversed(first.items()))
    return ScheduleStanding(on_call, following)
