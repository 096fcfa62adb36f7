"""The same policy with accelerated time, for the demo and for tests with real clocks.

Divides every duration of a policy, or of compiled rule groups, by one factor; nothing else changes.
"""

from collections.abc import Iterable
from dataclasses import replace

from rules.compile import AlertingRule, Group
from rules.fields import map_durations
from rules.policy import SECOND, Micros, Policy

LEAST_TWIN_HOLD = Micros(5 * SECOND)
"""The minimum hold of a twin, which must exceed Prometheus's first scrapes at any speed."""


def faster(policy: Policy, factor: float) -> Policy:
    """The policy with every duration divided by `factor`, in whole microseconds, at least one."""
    return map_durations(policy, lambda each: Micros(max(1, int(each / factor))) if each else each)


def faster_groups(groups: Iterable[Group], factor: float) -> tuple[Group, ...]:
    """Compiled groups with intervals, `for` and `keep_firing_for` divided by `factor`, to whole seconds."""

    def cut(duration: Micros) -> Micros:
        return Micros(max(1, round(duration / factor / SECOND)) * SECOND) if duration else duration

    def alert(each: AlertingRule) -> AlertingRule:
        hold = max(cut(each.hold), LEAST_TWIN_HOLD) if each.lost else cut(each.hold)
        keep = max(cut(each.keep_firing), Micros(LEAST_TWIN_HOLD + SECOND)) if each.keep_firing else each.keep_firing
        return replace(each, hold=hold, keep_firing=keep)

    return tuple(
        replace(
            group,
            interval=cut(group.interval),
            rules=tuple(alert(each) if isinstance(each, AlertingRule) else each for each in group.rules),
        )
        for group in groups
    )
