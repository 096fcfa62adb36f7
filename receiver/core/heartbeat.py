"""Who watches the watcher: a heartbeat that stops means that alerting is blind, and that is an emergency.

The compiled rules carry an alert that always fires (kube-prometheus' Watchdog counts as one). Its silence is
made into an alert of our own, which opens an incident like any other: paged, escalated, closed by a person.
Nothing is watched before the first heartbeat, so that a receiver without Prometheus is not woken by itself.
"""

from receiver.core.classify import incident_key
from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from rules.policy import EMERGENCY
from rules.reserved import BLIND

RULE = "tocsin/heartbeat"
TYPE = BLIND
KEY = incident_key(("tocsin", "heartbeat"))


def is_silent(last: Instant | None, now: Instant, within: int) -> bool:
    """Whether the heartbeat, once heard, has been missing for longer than `within` microseconds."""
    return last is not None and now - last > within


def silence(last: Instant, now: Instant, within: int) -> AlertsReceived:
    """The event of a heartbeat that is missing since `last`, or that is back: repeats of either change nothing."""
    silent = is_silent(last, now, within)
    alert = Alert(
        fingerprint="tocsin-heartbeat",
        # One alert a silence: it began with the last heartbeat; what ends it must not seem older than that.
        starts_at=Instant(last // 1000 * 1000),
        firing=silent,
        level=EMERGENCY,
        rule=RULE,
        type=TYPE,
        labels={"alertname": "AlertingIsBlind", "incident_type": TYPE, "severity_level": str(EMERGENCY)},
        annotations={
            "summary": "Alerting is blind: the heartbeat of Prometheus and Alertmanager has stopped",
            "description": "No alert can reach anybody until it is back. Look at Prometheus, its rules, Alertmanager "
            "and the way from there to here.",
        },
        ended_at=None if silent else now,
    )
    return AlertsReceived(KEY, "tocsin", (alert,))
