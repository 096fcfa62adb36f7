"""Alerts that two incidents have, left by older releases when an alert's group moved.

One incident holds an alert and receives its later events. In any other incident it ends when it has ended in the
holder, because webhooks update only the holder.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant

ELSEWHERE = "another incident holds the alert, and there it is over"


class Double(Struct, frozen=True):
    """An alert that fires in an incident that does not hold it."""

    key: str
    """Of that incident."""
    source: str
    alert: Alert
    held: Alert | None
    """The alert as its holder knows it; None: no incident holds it."""


def over(doubles: Iterable[Double], now: Instant) -> list[AlertsReceived]:
    """The events that end doubles whose holder has ended them, or that no incident holds."""
    return [
        AlertsReceived(each.key, each.source, (replace(each.alert, firing=False, ended_at=now),), found=ELSEWHERE)
        for each in doubles
        if each.held is None or not (each.held.firing or each.held.held_until)
    ]
