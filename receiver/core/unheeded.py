"""Alerts of level 0: kept in the history, told to nobody.

Where nothing else fires an incident is opened for them that is resolved from the start and has no deadline but its
closing, so that repeats and resolves find it. It becomes an incident like any other with the first of its alerts that
has a level: none is lost because an earlier one had none.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.lifecycle import reopen
from receiver.core.model import Alert, Fact, Reason, State, Window


def record(draft: Draft, alert: Alert) -> None:
    """The incident that was just opened is for the history only."""
    draft.set(state=State.RESOLVED, resolved_at=draft.now, recorded_only=True, rules={alert.rule: draft.incident.level})
    draft.enter(Fact.RECORDED, rule=alert.rule, summary=draft.incident.title)
    keep_recorded(draft)


def note_unheeded(draft: Draft, alerts: Sequence[Alert]) -> None:
    """One line for all that fired or cleared at level 0."""
    if alerts:
        said = ", ".join(dict.fromkeys("it fires" if each.firing else "it cleared" for each in alerts))
        draft.enter(Fact.ALERT_RECORDED, rule=alerts[0].rule, alerts=len(alerts), said=said)


def keep_recorded(draft: Draft) -> None:
    """Heard of: it closes when nothing was heard of its alerts for as long as a resolved incident is watched."""
    if draft.incident.recorded_only:
        draft.arm(Window.CLOSE, draft.now + draft.context.policy_version.policy.monitoring_duration)


def heed(draft: Draft, fired: Sequence[Alert], top: Alert, title: str) -> None:
    """An alert that has a level fired in an incident that was for the history only: it opens, by the current policy."""
    rules: dict[str, int] = {}
    for alert in fired:
        rules[alert.rule] = max(alert.level, rules.get(alert.rule, 0))
    draft.set(
        recorded_only=False,
        policy=draft.context.current.digest,
        level=top.level,
        type=top.type,
        title=title,
        rules=rules,
    )
    draft.context = replace(draft.context, policy_version=draft.context.current)
    draft.enter(Fact.OPENED, level=top.level, rule=top.rule, alerts=len(fired), summary=title)
    reopen(draft, Reason.OPENED)
