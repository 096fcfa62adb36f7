"""The people on call in a roster at an instant, until when, and who is next."""

from dataclasses import dataclass

from receiver.on_call.shift import Roster, Shift


@dataclass(frozen=True, slots=True)
class ScheduleStanding:
    """One schedule at one instant; microseconds since 1970, UTC."""

    on_call: tuple[Shift, ...]
    """The people on call, each once, until the end of their time: consecutive shifts are merged, with the `source` of
    the first."""
    next: Shift | None
    """The first shift of another person, or after a break; None: none in the roster."""

    @property
    def ends(self) -> int | None:
        """When the last of these goes off call; None: no person is on call."""
        return max((each.ends for each in self.on_call), default=None)


def standing(roster: Roster, at: int) -> ScheduleStanding:
    """Returns a schedule's standing at an instant."""
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
