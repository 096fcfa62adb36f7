"""The same policy in faster time: for the demo and for tests with real clocks, which cannot wait an hour.

Every duration of a policy, or of compiled rule groups, is divided by one factor; nothing else changes.
"""

from collections.abc import Iterable
from dataclasses import replace

from rules.compile import AlertingRule, Group
from rules.policy import SECOND, Level, Micros, Policy, Rule, TimedActions

LEAST_TWIN_HOLD = Micros(5 * SECOND)
"""A twin must outwait Prometheus's first scrapes, however fast time passes."""


def faster(policy: Policy, factor: float) -> Policy:
    """The policy with all of its time limits divided by `factor`."""

    def cut(duration: Micros) -> Micros:
        return Micros(max(1, int(duration / factor)))

    def cut_optional(duration: Micros | None) -> Micros | None:
        return None if duration is None else cut(duration)

    def level(each: Level) -> Level:
        return replace(
            each,
            response_time=cut(each.response_time),
            escalation_time=cut(each.escalation_time),
            resolve_after=cut(each.resolve_after),
            update_interval=cut_optional(each.update_interval),
        )

    def rule(each: Rule) -> Rule:
        return replace(each, interval=cut(each.interval), hold=cut_optional(each.hold))

    def actions(each: TimedActions) -> TimedActions:
        return replace(each, time_limit=cut_optional(each.time_limit), duration=cut_optional(each.duration))

    return replace(
        policy,
        levels=tuple(map(level, policy.levels)),
        rules=tuple(map(rule, policy.rules)),
        initial_response=tuple(map(actions, policy.initial_response)),
        post_incident=tuple(map(actions, policy.post_incident)),
    )


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
