"""Whether a fetched copy of a calendar replaces the last: a broken one does not, one with less cover does with an
alarm.
"""

from collections.abc import Mapping
from dataclasses import replace

from receiver.on_call.copy_verdict import CopyVerdict
from receiver.on_call.expand import shifts
from rules.durations import format_duration
from rules.policy import HOUR, OnCallSchedule, Policy

COMING = 8 * 7 * 24 * HOUR
"""Microseconds from now in which the covers of two copies are compared."""


def copies_for(policy: Policy, texts: Mapping[str, str]) -> dict[str, str]:
    """Returns the stored copies (schedule → text) that the policy's schedules use; schedules with layers use none."""
    return {each.name: texts[each.name] for each in policy.schedules if each.is_fetched and each.name in texts}


def judge(policy: Policy, schedule: OnCallSchedule, last: str, fetched: str, now: int) -> CopyVerdict:
    """Returns whether a copy replaces the last good one. `last`: its text; empty: none yet."""
    (new, fault), (old, _) = (_covered(policy, schedule, text, now) for text in (fetched, last))
    if fault:
        return CopyVerdict(False, f"the calendar of {schedule.name} is not taken: {fault}")
    if not new and old:
        return CopyVerdict(False, f"the calendar of {schedule.name} is not taken: it puts nobody on call any more")
    if new < old:
        less = format_duration((old - new) // HOUR * HOUR or HOUR)
        weeks = COMING // (7 * 24 * HOUR)
        alarm = f"the calendar of {schedule.name} covers {less} less of the coming {weeks} weeks"
        return CopyVerdict(True, alarm, old, new)
    return CopyVerdict(True, "", old, new)


def _covered(policy: Policy, schedule: OnCallSchedule, text: str, now: int) -> tuple[int, str]:
    """Returns the covered microseconds of the coming weeks, and why the copy cannot be read."""
    alone = replace(policy, schedules=(replace(schedule, calendar_text=""),))
    (roster,) = shifts(alone, {schedule.name: text}, (), now, now + COMING)
    return COMING - sum(gap.ends - gap.starts for gap in roster.gaps), roster.fault
