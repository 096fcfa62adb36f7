"""From settings to senders: which channel types can send at all, and which of a policy's channels that covers.

The service calls both functions at start, and `configured_channels` at every reload.
"""

from collections.abc import Callable

from receiver.channels import Sender
from receiver.channels.pagerduty import PagerDutySender
from receiver.channels.phone import PhoneSender
from receiver.channels.sms import SmsSender
from receiver.channels.twilio import Account
from receiver.channels.webhook import WebhookSender
from receiver.settings import Settings
from rules.policy import Channel, ChannelType, Policy


def make_senders(settings: Settings, now: Callable[[], int]) -> dict[ChannelType, Sender]:
    """A sender for each channel type whose provider is configured. `now` gives microseconds since 1970."""
    secret = settings.webhook_signing_secret
    senders: dict[ChannelType, Sender] = {
        "webhook": WebhookSender(now, secret.get_secret_value() if secret else ""),
    }
    if settings.pagerduty_routing_key or settings.pagerduty_routing_keys:
        senders["pagerduty"] = PagerDutySender(_routing_keys(settings), api_url=settings.pagerduty_api_url)
    if account := _twilio(settings):
        senders["sms"] = SmsSender(account)
        senders["phone"] = PhoneSender(account)
    return senders


def configured_channels(policy: Policy, settings: Settings) -> frozenset[str]:
    """Names of the policy's channels whose provider is configured (PagerDuty: whose service has a routing key)."""
    types = make_senders(settings, lambda: 0).keys()
    return frozenset(
        channel.name for channel in policy.channels if channel.type in types and _has_key(channel, settings)
    )


def _has_key(channel: Channel, settings: Settings) -> bool:
    return channel.type != "pagerduty" or any(settings.pagerduty_key(service) for service in channel.recipients)


def _routing_keys(settings: Settings) -> Callable[[str], str]:
    def key_of(service: str) -> str:
        key = settings.pagerduty_key(service)
        return key.get_secret_value() if key else ""

    return key_of


def _twilio(settings: Settings) -> Account | None:
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if not (sid and token and sender):
        return None
    return Account(sid, token.get_secret_value(), sender, settings.twilio_api_url, settings.external_url or "")
