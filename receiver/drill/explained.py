"""What one alert would do: its classification, its recipients and their times. `tocsin explain` shows it.

Found by a drill without acknowledgements, with every channel up, until the first repeat after the breach.
"""

from dataclasses import dataclass
from typing import Any

from receiver.core.classify import Received, classify, ignored_by, is_heartbeat, is_sign_of_life
from receiver.core.events import Delivered
from receiver.core.model import Kind, Status
from receiver.core.plan import Plan
from receiver.drill.script import Played, Script, play_classified
from receiver.drill.simulator import World
from receiver.drill.text_report import offset
from receiver.messages.reasons import LABELS
from receiver.on_call.references import whom
from rules.durations import as_spelled
from rules.policy import SECOND

SAID = {Kind.PAGE: "page", Kind.BREACH: "the response time is breached"}

HEARTBEAT = "a heartbeat: it proves that alerting lives, and opens no incident"
WATCHDOG = "a watchdog that the policy does not name: it means nothing here"


@dataclass(frozen=True, slots=True)
class ExplainedMessage:
    """One message to one recipient."""

    after: int
    """Microseconds since the alert arrived."""
    what: str
    channel: str
    recipient: str
    reached: bool
    """False: it cannot be delivered with the current configuration."""


@dataclass(frozen=True, slots=True)
class Explained:
    """The effect of an alert."""

    alert: Received
    ignored: str
    """The reason why it opens no incident; empty: it opens one."""
    played: Played | None
    plan: Plan | None
    told: tuple[ExplainedMessage, ...]

    @property
    def reaches_somebody(self) -> bool:
        """Whether a page would reach a person."""
        return self.played is not None and self.played.reached_after is not None


def explain(world: World, alert: Received, group_labels: dict[str, str] | None = None, source: str = "") -> Explained:
    """Play the alert in a fresh world. `source` is the webhook's ``?source=``."""
    if is_sign_of_life(world.policy_version, source, alert):
        is_expected = is_heartbeat(world.policy_version.policy, source, alert.labels)
        return Explained(alert, HEARTBEAT if is_expected else WATCHDOG, None, None, ())
    if alert.ended_at is not None:
        return Explained(alert, "resolved: of an alert never heard of, it opens no incident", None, None, ())
    if matchers := ignored_by(world.policy_version, alert):
        return Explained(
            alert, f"the policy ignores it ({matchers}): it is counted, and opens no incident", None, None, ()
        )
    classified = classify(world.policy_version, source, group_labels or {}, alert)
    if not classified.alert.level:
        return Explained(alert, "; ".join(classified.why), None, None, ())
    played = play_classified(world, Script(), classified)
    plan = world.policy_version.plan(played.incident)
    repeat = plan.response_time + plan.escalation_time
    return Explained(alert, "", played, plan, tuple(each for each in _told(world, played) if each.after <= repeat))


def _told(world: World, played: Played) -> list[ExplainedMessage]:
    policy = played.policy
    found = [
        ExplainedMessage(
            after=each.at - played.began_at,
            what=_what(each.notification.kind, LABELS[each.notification.reason]),
            channel=each.notification.channel,
            recipient=whom(policy, each.notification.channel, each.notification.recipient),
            reached=isinstance(each.outcome, Delivered),
        )
        for each in played.sent
    ]
    found += [
        ExplainedMessage(
            each.created_at - played.began_at,
            f"cannot: {each.data.get('why', '')}",
            each.channel,
            whom(policy, each.channel, each.recipient),
            False,
        )
        for each in world.store.outbox.values()
        if each.status is Status.UNDELIVERABLE
    ]
    return sorted(dict.fromkeys(found), key=lambda each: each.after)


def _what(kind: Kind, reason: str) -> str:
    said = SAID.get(kind, str(kind))
    return f"{said}: {reason.lower()}" if reason and kind is Kind.PAGE else said


def as_json(explained: Explained) -> dict[str, Any]:
    """As JSON; times are seconds since the alert arrived."""
    if explained.played is None or explained.plan is None:
        return {"labels": dict(explained.alert.labels), "ignored": explained.ignored, "reaches_somebody": False}
    incident, plan = explained.played.incident, explained.plan
    return {
        "labels": dict(explained.alert.labels),
        "rule": next(iter(incident.rules)),
        "type": incident.type,
        "level": incident.level,
        "level_name": explained.played.policy.level(incident.level).name,
        "why": list(explained.played.why),
        "key": incident.key,
        "plan": {
            "channels": list(plan.channels),
            "escalation": list(plan.escalation),
            "breach": list(plan.breach),
            "escalation_time": plan.escalation_time / SECOND,
            "response_time": plan.response_time / SECOND,
            "resolve_after": plan.resolve_after / SECOND,
            "confirmed": plan.confirmed,
        },
        "reaches_somebody": explained.reaches_somebody,
        "told": [
            {
                "at": each.after / SECOND,
                "what": each.what,
                "channel": each.channel,
                "recipient": each.recipient,
                "reached": each.reached,
            }
            for each in explained.told
        ],
    }


def facts(explained: Explained) -> list[tuple[str, str]]:
    """Name and value of the lines above the table."""
    if explained.played is None or explained.plan is None:
        return [("ignored", explained.ignored)]
    incident, plan = explained.played.incident, explained.plan
    known = explained.played.policy.spellings
    resolve_after, every, response_time = (
        as_spelled(each, known) for each in (plan.resolve_after, plan.escalation_time, plan.response_time)
    )
    recovery = "a person confirms it" if plan.confirmed else f"by itself after {resolve_after}"
    if plan.confirmations > 1:
        recovery = f"{plan.confirmations} people confirm it"
    return [
        ("rule", next(iter(incident.rules))),
        ("level", f"{incident.level} {explained.played.policy.level(incident.level).name}"),
        ("why", "; ".join(explained.played.why)),
        *([("repaired", "; ".join(explained.alert.repairs))] if explained.alert.repairs else []),
        ("incident key", incident.key),
        ("plan", f"escalates after {every}, breached after {response_time}, then every {every}"),
        ("recovered", recovery),
    ]


def rows(explained: Explained) -> list[tuple[str, str, str, str]]:
    """Time, message, channel and recipient."""
    shown: list[tuple[str, str, str, str]] = []
    before: tuple[int, str] | None = None
    for each in explained.told:
        same = before == (each.after, each.what)
        lost = not each.reached and not each.what.startswith("cannot")
        whom = f"{each.recipient} (not reached)" if lost else each.recipient
        shown.append(("" if same else offset(each.after), "" if same else each.what, each.channel, whom))
        before = (each.after, each.what)
    return shown
