"""The people on call, in one line of plain text for each schedule."""

from receiver.messages.times import day_and_time
from receiver.on_call.shift import Roster
from receiver.on_call.standing import standing
from rules.time_zones import time_zone


def who_is_on_call(roster: Roster, now: int) -> str:
    """Returns ``primary: dana until Mon 30 Nov, 09:00 CET; then ben``; times in the schedule's zone."""
    zone, stands = time_zone(roster.time_zone), standing(roster, now)
    who = " and ".join(f"{each.person} until {day_and_time(each.ends, zone)}" for each in stands.on_call) or "NOBODY"
    following = stands.next
    if following is None:
        return f"{roster.name}: {who}"
    is_gap = stands.ends is None or following.starts > stands.ends
    when = f" from {day_and_time(following.starts, zone)}" if is_gap else ""
    nobody = "NOBODY, then " if is_gap and stands.on_call else ""
    return f"{roster.name}: {who}; then {nobody}{following.person}{when}"
