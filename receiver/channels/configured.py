"""From settings to senders: which channel types can send at all, and which of a policy's channels that covers.

The service calls both functions at start, and `configured_channels` at every reload. The module of a type has its name.
"""

from collections.abc import Callable
from importlib import import_module

from receiver.channels import Configured, Outgoing, Sender
from receiver.clients.egress import Egress
from receiver.core.events import Outcome
from receiver.settings import Settings
from rules.policy import CHANNEL_TYPES, ChannelType, Policy


class SeveralWays:
    """The sender of a type: one for each proxy that its channels name themselves, made when one is needed."""

    def __init__(self, make: Callable[[Egress], Sender], egress: Egress) -> None:
        """Raises SettingsError for a setting that cannot be used."""
        self._make = make
        self._egress = egress
        self._senders = {"": make(egress)}

    @property
    def common(self) -> Sender:
        """The one for channels that name no proxy."""
        return self._senders[""]

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send it by the channel's way."""
        own = outgoing.channel.proxy
        if own not in self._senders:
            self._senders[own] = self._make(self._egress.through(own))
        return await self._senders[own].send(outgoing)

    async def close(self) -> None:
        """Let go of connections and threads."""
        for sender in self._senders.values():
            await sender.close()


Configure = Callable[[Settings, Callable[[], int]], Configured | None]


def make_senders(settings: Settings, now: Callable[[], int]) -> dict[ChannelType, Sender]:
    """A sender for each channel type whose provider is configured. `now` gives microseconds since 1970.

    Raises SettingsError for a setting that cannot be used.
    """
    egress = Egress.of(settings)
    return {kind: SeveralWays(configured.make, egress) for kind, configured in _configured(settings, now).items()}


def configured_channels(policy: Policy, settings: Settings) -> frozenset[str]:
    """Names of the policy's channels whose provider is configured (PagerDuty: whose service has a routing key)."""
    types = _configured(settings, lambda: 0)
    return frozenset(
        channel.name for channel in policy.channels if channel.type in types and types[channel.type].serves(channel)
    )


def _configured(settings: Settings, now: Callable[[], int]) -> dict[ChannelType, Configured]:
    found = {kind: _module(kind)(settings, now) for kind in CHANNEL_TYPES}
    return {kind: configured for kind, configured in found.items() if configured is not None}


def _module(kind: ChannelType) -> Configure:
    configure: Configure = import_module(f"{__package__}.{kind}").configure
    return configure
