"""Makes senders from settings: the configured channel types, and the channels of a policy that they cover.

The service calls both functions at start, and `configured_channels` at every reload. A type's module has its name.
"""

from collections.abc import Callable
from importlib import import_module

from receiver.channels import Configured, Outgoing, Sender
from receiver.clients.egress import Egress
from receiver.core.events import Outcome
from receiver.settings import Settings
from rules.policy import CHANNEL_TYPES, ChannelType, Policy


class SeveralWays:
    """The sender of a type, with one sender for each proxy that a channel names, made on first use."""

    def __init__(self, make: Callable[[Egress], Sender], egress: Egress) -> None:
        """Raises SettingsError for an unusable setting."""
        self._make = make
        self._egress = egress
        self._senders = {"": make(egress)}

    @property
    def common(self) -> Sender:
        """The sender for channels that name no proxy."""
        return self._senders[""]

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Sends through the channel's proxy."""
        own = outgoing.channel.proxy
        if own not in self._senders:
            self._senders[own] = self._make(self._egress.through(own))
        return await self._senders[own].send(outgoing)

    async def close(self) -> None:
        """Closes all senders."""
        for sender in self._senders.values():
            await sender.close()


Configure = Callable[[Settings, Callable[[], int]], Configured | None]


def make_senders(settings: Settings, now: Callable[[], int]) -> dict[ChannelType, Sender]:
    """Returns a sender for each configured channel type. `now` gives microseconds since 1970.

    Raises SettingsError for an unusable setting.
    """
    egress = Egress.of(settings)
    return {kind: SeveralWays(configured.make, egress) for kind, configured in _configured(settings, now).items()}


def configured_channels(policy: Policy, settings: Settings) -> frozenset[str]:
    """Returns the names of the policy's channels whose provider is configured (PagerDuty: whose service has a routing
    key).
    """
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
