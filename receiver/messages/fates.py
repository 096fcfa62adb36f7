"""The state of a notification in words, for the console, its exports and the report."""

from collections.abc import Mapping
from types import MappingProxyType

from receiver.core.model import Notification, Status

FATES: Mapping[Status, str] = MappingProxyType(
    {
        Status.WAITING: "waiting",
        Status.ACCEPTED: "accepted",
        Status.DELIVERED: "delivered",
        Status.SUPERSEDED: "overtaken, not sent",
        Status.GAVE_UP: "failed",
        Status.UNDELIVERABLE: "undeliverable",
    }
)


def fate(notification: Notification) -> str:
    """Returns the notification's status in words; of a page also whether it reached a person."""
    return f"{FATES[notification.status]}{'; reached somebody' if notification.reached_at is not None else ''}"
