"""Differences of who is on call under two policies: rows of `tocsin diff`."""

from collections.abc import Iterator

from receiver.core.model import Instant
from receiver.drill.changes import NOTHING
from receiver.drill.on_call_walk import DAY, walk
from receiver.messages.times import stamp
from receiver.on_call.shift import Roster
from rules.policy import Policy
from rules.time_zones import time_zone

DAYS = 400
MOST = 40
"""The maximum of rows for a schedule; the others are counted."""


def on_call_changes(old: Policy, new: Policy, now: Instant) -> Iterator[tuple[str, str, str, str, str]]:
    """(schedule, from, until, before, after) for each period of the coming days with different people on call."""
    before, after = ({each.name: each for each in walk(policy, now, DAYS).rosters} for policy in (old, new))
    for name in dict.fromkeys((*before, *after)):
        zone = (after.get(name) or before[name]).time_zone
        rows = list(_differing(before.get(name), after.get(name), now, now + DAYS * DAY))
        for starts, ends, was, becomes in rows[:MOST]:
            first, last = (stamp(Instant(at), time_zone(zone)) for at in (starts, ends))
            yield name, first, last, was, becomes
        if len(rows) > MOST:
            yield name, f"{len(rows) - MOST} more times", NOTHING, NOTHING, NOTHING


def _differing(
    before: Roster | None, after: Roster | None, starts: int, ends: int
) -> Iterator[tuple[int, int, str, str]]:
    """Adjacent periods with the same people are merged."""
    edges = {at for each in (before, after) if each for shift in each.shifts for at in (shift.starts, shift.ends)}
    inside = sorted({starts, *(at for at in edges if starts < at < ends)})
    open_: tuple[int, str, str] | None = None
    for at in inside:
        answers = _who(before, at), _who(after, at)
        if open_ is not None and open_[1:] == answers:
            continue
        if open_ is not None and open_[1] != open_[2]:
            yield open_[0], at, open_[1], open_[2]
        open_ = (at, *answers)
    if open_ is not None and open_[1] != open_[2]:
        yield open_[0], ends, open_[1], open_[2]


def _who(roster: Roster | None, at: int) -> str:
    if roster is None:
        return NOTHING
    return ", ".join(sorted(shift.person for shift in roster.at(at))) or "nobody"
