"""The document models of notification channels (guide: alert_channels)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationInfo, create_model, model_validator
from pydantic_core import PydanticCustomError

from rules.addresses import AddressError
from rules.channel_types import ADDRESSING, CHANNEL_FACTS, ChannelFacts, ChannelType, Holds
from rules.document.values import (
    Duration,
    Name,
    ProxyUrl,
    Rate,
    Section,
    Text,
    TimeZone,
    Url,
    meant_reference,
    refusal,
    refuse_all,
    require_reference,
)
from rules.policy import REFERENCE

_TAKES: dict[Holds, tuple[Any, Any]] = {
    "addresses": (tuple[Text, ...] | None, None),
    "address": (Text | None, None),
    "url": (Url | None, None),
    "mention": (str, ""),
    "headers": (dict[str, str], {}),
    "proxy": (ProxyUrl | None, None),
}
"""What a key holds → its type and its default."""


class CanarySpec(Section):
    """A periodic test message that proves that the channel's provider can be reached."""

    every: Duration = Field(description="How often it is sent, to everybody on the channel.")


class _Named(Section):
    """The keys of every channel."""

    name: Name = Field(description="How rules name the channel.")
    type: ChannelType = Field(description="By which service it goes.")
    enabled: bool = Field(True, description="False: kept and shown, but nothing is sent on it.")


def _own_keys() -> dict[str, Any]:
    """The keys that only some types have, as pydantic fields, each with a description by type."""
    holds = {key.name: key.holds for facts in CHANNEL_FACTS.values() for key in facts.keys}
    return {name: (_TAKES[held][0], Field(_TAKES[held][1], description=_about(name))) for name, held in holds.items()}


def _about(name: str) -> str:
    """For example ``sms, phone: one number, instead of recipients.``"""
    types: dict[str, list[str]] = {}
    for facts in CHANNEL_FACTS.values():
        for key in facts.keys:
            if key.name == name:
                types.setdefault(key.about, []).append(facts.name)
    return " ".join(f"{', '.join(names)}: {about}." for about, names in types.items())


if TYPE_CHECKING:
    _WithOwnKeys = _Named
else:
    _WithOwnKeys = create_model("_WithOwnKeys", __base__=_Named, __doc__=_Named.__doc__, **_own_keys())


class AlertChannel(_WithOwnKeys):
    """One notification channel. It holds the addresses; credentials are in the receiver's settings."""

    rate_limit: Rate | None = Field(None, description='At most so many messages to one recipient: "20/1m".')
    send_resolved: bool = Field(True, description="False: no word when incidents resolve.")
    canary: CanarySpec | None = Field(None, description="A marked test message on a schedule, such as {every: 24h}.")

    time_zone: TimeZone | None = Field(
        None, description="The zone of those who read it, such as America/New_York; left out, the policy's."
    )

    updates: bool | None = Field(
        None,
        description="Whether who was told on it gets status updates too; left out: yes, but for phone and PagerDuty.",
    )

    @model_validator(mode="after")
    def _fits_its_type(self, info: ValidationInfo) -> Self:
        if self.updates and self._facts.keeps_state:
            raise refusal(f"{self.type} keeps a state and has no place for updates", key="updates")
        own = {key.name: key for key in self._facts.keys}
        for name in sorted(self.model_fields_set.intersection(_own_keys())):
            if name not in own:
                raise refusal(f"means nothing for {self.type}, which takes {' and '.join(own)}", key=name)
        first, *others = (key.name for key in self._facts.keys if key.holds in ADDRESSING)
        if not self.reached:
            raise refusal(f"a channel of type {self.type} needs `{first}`")
        for name in others:
            if getattr(self, name) is not None and getattr(self, first) is not None:
                raise refusal(f"stands beside {first}: put it among them", key=name)
        refuse_all(list(self._faults(info)))
        return self

    def _faults(self, info: ValidationInfo) -> Iterator[PydanticCustomError]:
        """The faults of its recipients."""
        for recipient, *way in self._written():
            try:
                if recipient.startswith(REFERENCE):
                    require_reference(recipient, (self.type,), info, way=way)
                else:
                    self._accept(recipient, info, *way)
            except PydanticCustomError as fault:
                yield fault

    def _written(self) -> Iterator[tuple[str, *tuple[str | int, ...]]]:
        """Each recipient, with its path."""
        for key in self._facts.keys:
            value = getattr(self, key.name) if key.holds in ADDRESSING else None
            if isinstance(value, str):
                yield value, key.name
            elif value is not None:
                yield from ((each, key.name, index) for index, each in enumerate(value))

    def _accept(self, recipient: str, info: ValidationInfo, *way: str | int) -> None:
        address = self._facts.address
        try:
            fitting = address.fits(recipient)
        except AddressError as error:
            said = f'"{recipient}" is no {address.words}: {error}{meant_reference(recipient, info)}'
            raise refusal(said, way=way, offset=error.offset) from error
        if not fitting:
            said = f'"{self._facts.quoted(recipient)}" is no {address.words}{meant_reference(recipient, info)}'
            raise refusal(said, way=way)

    @property
    def _facts(self) -> ChannelFacts:
        return CHANNEL_FACTS[self.type]

    @property
    def reached(self) -> tuple[str, ...]:
        """Its recipients, or its one number, channel, service or URL."""
        return tuple(recipient for recipient, *_ in self._written())

    def held(self, holds: Holds) -> Any:
        """The value of the key that holds this; None: the type has no such key."""
        return next((getattr(self, key.name) for key in self._facts.keys if key.holds == holds), None)
