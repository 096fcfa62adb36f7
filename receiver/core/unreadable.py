"""Incidents about senders whose alerts cannot be read: otherwise their silence would look like safety.

The webhook accepts the readable alerts; for the rest `told` makes one own alert per source, for any number of bodies. A
person ends its incident, or a day without an unreadable alert.
"""

from collections.abc import Iterable
from hashlib import sha256

from receiver.core.classify import incident_key
from receiver.core.events import AlertsReceived
from receiver.core.model import OWN, Alert, Incident, Instant, State
from rules.policy import CRITICAL, HOUR
from rules.reserved import UNREADABLE

RULE = "tocsin/unreadable"
TYPE = UNREADABLE
QUIET = 24 * HOUR
"""Microseconds without an unreadable alert after which it is over: longer than Alertmanager's usual repeat_interval."""


def told(source: str, reasons: Iterable[str], now: Instant) -> AlertsReceived:
    """The event for unreadable alerts of a source (``?source=``), single or a whole body; a repeat changes nothing."""
    whose = f"of source {source}" if source else "of a sender without ?source="
    return _event(
        source,
        {
            "summary": f"Alerts {whose} cannot be read: they reach nobody",
            "description": f"Why: {'; '.join(dict.fromkeys(reasons))}. What could be read was taken. Look at the "
            "sender's template, and at what its webhook was answered.",
        },
        now,
        firing=True,
    )


def over(incidents: Iterable[Incident], now: Instant) -> list[AlertsReceived]:
    """The events that end `incidents` that are resolved or had no unreadable alert for a day."""
    return [
        _event(each.labels.get("of_source", ""), {"summary": each.title}, now, firing=False)
        for each in incidents
        if each.is_firing and (each.state is State.RESOLVED or now - (each.heard_at or each.opened_at) >= QUIET)
    ]


def _event(source: str, annotations: dict[str, str], now: Instant, *, firing: bool) -> AlertsReceived:
    alert = Alert(
        fingerprint=f"tocsin-unreadable-{sha256(source.encode()).hexdigest()[:16]}",
        starts_at=Instant(now // 1000 * 1000),
        start_unknown=True,  # the caller does not know the start; a firing alert keeps its own
        firing=firing,
        level=CRITICAL,
        rule=RULE,
        type=TYPE,
        labels={
            "alertname": "AlertsCannotBeRead",
            "incident_type": TYPE,
            "severity_level": str(CRITICAL),
            "of_source": source,
        },
        annotations=annotations,
        ended_at=None if firing else now,
    )
    return AlertsReceived(incident_key((OWN, "unreadable", source)), OWN, (alert,))
