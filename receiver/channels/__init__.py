"""The channel types. One module per type: build the message, send it, judge the answer.

Begin with `sms`, the shortest; docs/channels describes each, CONTRIBUTING how one is added. The core decides
recipients, times and retries. `send` never raises for external failures; it returns Delivered, Retry or Rejected. It
returns within SEND_TIMEOUT, does not retry, and keeps secrets out of logs, errors and outcomes. Imports the core, the
messages and the settings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from receiver.clients.egress import Egress
from receiver.core.events import Outcome, Rejected, Retry
from receiver.core.model import Incident, Notification
from receiver.messages import Message
from rules.channel_types import ends_of
from rules.policy import Channel, ChannelType

SEND_TIMEOUT = 30.0
"""Seconds after which the dispatcher stops waiting (shorter than the engine's lease)."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one recipient."""

    notification: Notification
    """Kind, reason, recipient, page serial, level …"""
    channel: Channel
    """The channel in the current policy."""
    message: Message
    thread: str
    """Reference of the first message about this incident to this recipient; empty: this is the first."""
    key: str
    """Idempotency key: installation id and notification id; constant across tries."""
    incident_ref: str
    """Installation id and incident id; threads and dedup keys are derived from it."""
    incident: Incident
    """The incident as claimed, for machines (webhook); people read `message`."""
    pages: range
    """Serials of the incident's pages that an acknowledgement or a resolve must close."""
    name: str
    """The name that an answer refers to: the notification's id, or the bundle's name
    (`receiver.engine.commands.Delivery`)."""
    return_token: str = ""
    """Names the message in reports that it did not arrive (`receiver.web.auth.message_tokens`); empty: no report can
    reach Tocsin."""


def without_address(outcome: Outcome, notification: Notification) -> Outcome:
    """Returns the outcome for logs and the timeline, with the recipient masked: providers repeat
    numbers and addresses.
    """
    whole = notification.recipient
    is_private = bool(notification.person) or whole.startswith("+")
    if is_private and isinstance(outcome, Retry | Rejected):
        return replace(outcome, reason=outcome.reason.replace(whole, ends_of(whole)))
    return outcome


class Sender(Protocol):
    """One configured channel type."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Sends the message once and returns the outcome."""

    async def close(self) -> None:
        """Closes connections and threads, within one or two seconds."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A channel type that the settings configure. Each channel module has ``configure(settings, now)``, which returns
    one or None; `now` gives microseconds since 1970. It raises SettingsError for unusable settings.
    """

    make: Callable[[Egress], Sender]
    """Makes the sender, given the egress: proxy and trusted authorities."""
    serves: Callable[[Channel], bool] = lambda _channel: True
    """Whether the settings cover that channel of the type."""


Senders = Mapping[ChannelType, Sender]
"""Channel type → sender, for the configured types."""
