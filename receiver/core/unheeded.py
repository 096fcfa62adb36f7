"""Alerts of level 0: recorded in the history, without notifications.

If no other alert fires, they open an incident that is resolved at once and has only the closing window, so that repeats
and resolves find it. The first alert with a level makes it a normal incident.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from receiver.core.draft import Draft
from receiver.core.lifecycle import reopen
from receiver.core.model import Alert, Fact, Reason, State, Window


def record(draft: Draft, alert: Alert) -> None:
    """Make the incident that was just opened a recorded one."""
    draft.set(state=State.RESOLVED, resolved_at=draft.now, recorded_only=True, rules={alert.rule: draft.incident.level})
    draft.enter(Fact.RECORDED, rule=alert.rule, summary=draft.incident.title)
    keep_recorded(draft)


def note_unheeded(draft: Draft, alerts: Sequence[Alert]) -> None:
    """Record all alerts that fired or cleared at level 0 as one entry."""
    if alerts:
        said = ", ".join(dict.fromkeys("it fires" if each.firing else "it cleared" for each in alerts))
        draft.enter(Fact.ALERT_RECORDED, rule=alerts[0].rule, alerts=len(alerts), said=said)


def keep_recorded(draft: Draft) -> None:
    """An alert was received: postpone the closing by the policy's monitoring duration."""
    if draft.incident.recorded_only:
        draft.arm(Window.CLOSE, draft.now + draft.context.policy_version.policy.monitoring_duration)


def heed(draft: Draft, fired: Sequence[Alert], top: Alert, title: str) -> None:
    """An alert with a level fired in a recorded incident: open it, under the current policy."""
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
