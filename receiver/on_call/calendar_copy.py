"""Whether a fetched copy of a calendar is taken: a broken one never is, a thinner one only with an alarm."""

from dataclasses import dataclass, replace

from receiver.on_call.expand import shifts
from rules.durations import format_duration
from rules.policy import HOUR, OnCallSchedule, Policy

COMING = 8 * 7 * 24 * HOUR
"""Microseconds from now in which what a copy covers is compared with the last."""


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """What to do with a copy."""

    is_taken: bool
    alarm: str = ""
    """What people must know, in a sentence; empty: all is well."""


def judge(policy: Policy, schedule: OnCallSchedule, last: str, fetched: str, now: int) -> CopyVerdict:
    """Whether a copy replaces the last good one. `last`: empty where there is none yet."""
    (new, fault), (old, _) = (_covered(policy, schedule, text, now) for text in (fetched, last))
    if fault:
        return CopyVerdict(False, f"the calendar of {schedule.name} is not taken: {fault}")
    if not new and old:
        return CopyVerdict(False, f"the calendar of {schedule.name} is not taken: it puts nobody on call any more")
    if new < old:
        less = format_duration((old - new) // HOUR * HOUR or HOUR)
        weeks = COMING // (7 * 24 * HOUR)
        return CopyVerdict(True, f"the calendar of {schedule.name} covers {less} less of the coming {weeks} weeks")
    return CopyVerdict(True)


def _covered(policy: Policy, schedule: OnCallSchedule, text: str, now: int) -> tuple[int, str]:
    """Microseconds of the coming weeks in which the copy puts somebody on call, and why it cannot be read."""
    alone = replace(policy, schedules=(replace(schedule, calendar_text=""),))
    (roster,) = shifts(alone, {schedule.name: text}, (), now, now + COMING)
    return COMING - sum(gap.ends - gap.starts for gap in roster.gaps), roster.fault
