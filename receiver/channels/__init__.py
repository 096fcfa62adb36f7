"""The ways to people. One module per channel type: build the message, send it, judge the answer.

A channel decides nothing else: when, to whom, how often and what then is the core's business. `send`
never raises for what the world does; it answers Delivered, Retry or Rejected. It must return within
SEND_TIMEOUT, must not retry by itself, and never lets a secret into a log, an error or an outcome. Imports the core,
the messages and the settings. Begin with `sms`, the shortest; docs/channels says what each does, CONTRIBUTING how one
is added.
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
    """The channel as the policy has it now."""
    message: Message
    thread: str
    """Reference of the first message of this incident to this recipient; empty: this is the first."""
    key: str
    """Idempotency key: installation id and notification id; the same for every try."""
    incident_ref: str
    """Installation id and incident id: what threads and dedup keys are derived from."""
    incident: Incident
    """What it is about, as it was claimed: for machines (webhook); people read `message`."""
    pages: range
    """Serials of the incident's pages that an acknowledgement or a resolve has to close."""
    name: str
    """What an answer to it calls it: the notification's id, or the bundle's name
    (`receiver.engine.commands.Delivery`).
    """


def without_address(outcome: Outcome, notification: Notification) -> Outcome:
    """What logs and the timeline may have of an outcome: providers repeat numbers, and servers addresses."""
    whole = notification.recipient
    is_private = bool(notification.person) or whole.startswith("+")
    if is_private and isinstance(outcome, Retry | Rejected):
        return replace(outcome, reason=outcome.reason.replace(whole, ends_of(whole)))
    return outcome


class Sender(Protocol):
    """One channel type, configured."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send it once and judge the answer."""

    async def close(self) -> None:
        """Let go of connections and threads, within a second or two."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A channel type that the settings configure. Each module named after a type has a function that answers one, or
    None: ``configure(settings, now)``; `now` gives microseconds since 1970. It raises SettingsError for what cannot be
    used.
    """

    make: Callable[[Egress], Sender]
    """Given the way out: a proxy, and the authorities that are believed."""
    serves: Callable[[Channel], bool] = lambda _channel: True
    """Whether the settings cover that channel of the type."""


Senders = Mapping[ChannelType, Sender]
"""Channel type → sender, for the types that the settings configure."""
