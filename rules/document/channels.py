"""What people may write about the ways to reach people (guide: alert_channels)."""

from collections.abc import Callable
from typing import Self

from pydantic import Field, model_validator

from rules.addresses import AddressError, parse_address
from rules.document.values import NUMBER, Duration, Name, Rate, Section, Text, Url, refusal
from rules.policy import ChannelType

_OWN: dict[ChannelType, tuple[str, ...]] = {
    "email": ("recipients",),
    "slack": ("channel", "mention"),
    "pagerduty": ("service",),
    "sms": ("recipients", "number"),
    "phone": ("recipients", "number"),
    "webhook": ("url", "headers"),
}
"""The keys that only make sense for some types; the first is the one that is needed."""


class Canary(Section):
    """A test message that proves, again and again, that the channel's provider can be reached."""

    every: Duration = Field(description="How often it is sent, to everybody on the channel.")


class AlertChannel(Section):
    """One way to reach people. Addresses stand here; credentials are the receiver's settings."""

    name: Name = Field(description="How rules name the channel.")
    type: ChannelType = Field(description="By which service it goes.")
    enabled: bool = Field(True, description="False: kept and shown, but nothing is sent on it.")
    recipients: tuple[Text, ...] | None = Field(
        None, description="email: addresses. sms: numbers such as +4930123456. phone: numbers or names."
    )
    number: Text | None = Field(None, description="sms, phone: one number, instead of recipients.")
    channel: Text | None = Field(None, description='slack: the channel, such as "#incident-response" or its id.')
    service: Text | None = Field(None, description="pagerduty: the service; its routing key is a setting.")
    url: Url | None = Field(None, description="webhook: where to post.")
    headers: dict[str, str] = Field({}, description="webhook: further headers.")
    mention: str = Field("", description="slack: who is mentioned on a page, such as <!here>.")
    rate_limit: Rate | None = Field(None, description='At most so many messages to one recipient: "20/1m".')
    send_resolved: bool = Field(True, description="False: no word when incidents resolve.")
    canary: Canary | None = Field(None, description="A marked test message on a schedule, such as {every: 24h}.")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        own = _OWN[self.type]
        for key in sorted({key for keys in _OWN.values() for key in keys}):
            if key not in own and key in self.model_fields_set:
                raise refusal(f"means nothing for {self.type}, which takes {' and '.join(own)}", key=key)
        if not any(getattr(self, key) for key in own if key not in ("mention", "headers")):
            raise refusal(f"a channel of type {self.type} needs `{own[0]}`")
        if self.number is not None and self.recipients is not None:
            raise refusal("stands beside recipients: put it among them", key="number")
        for index, recipient in enumerate(self.recipients or ()):
            self._accept(recipient, "recipients", index)
        if self.number is not None:
            self._accept(self.number, "number")
        return self

    def _accept(self, recipient: str, *way: str | int) -> None:
        wanted, fits = _RECIPIENTS[self.type]
        try:
            fitting = fits(recipient)
        except AddressError as error:
            raise refusal(f'"{recipient}" is no {wanted}: {error}', way=way, offset=error.offset) from error
        if not fitting:
            raise refusal(f'"{recipient}" is no {wanted}', way=way)

    @property
    def reached(self) -> tuple[str, ...]:
        """Whom or what it reaches: recipients, or the one number, channel, service or URL."""
        single = self.number or self.channel or self.service or self.url
        return self.recipients or ((single,) if single else ())


_NUMBER_WORDS = "telephone number with its country code, such as +4930123456"
_RECIPIENTS: dict[ChannelType, tuple[str, Callable[[str], object]]] = {
    "email": ("e-mail address", parse_address),
    "sms": (_NUMBER_WORDS, NUMBER.fullmatch),
    # A name is somebody to be called by hand; what begins like a number must be one.
    "phone": (_NUMBER_WORDS, lambda text: NUMBER.fullmatch(text) or not any(text.startswith(c) for c in "+0123456789")),
}
