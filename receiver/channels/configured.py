"""From settings to senders: which channel types can send at all, and which of a policy's channels that covers.

The service calls both functions at start, and `configured_channels` at every reload.
"""

from collections.abc import Callable
from functools import partial

from receiver.channels import Sender
from receiver.channels.email import EmailSender
from receiver.channels.pagerduty import PagerDutySender
from receiver.channels.phone import PhoneSender
from receiver.channels.slack import SlackSender
from receiver.channels.sms import SmsSender
from receiver.channels.twilio import Account
from receiver.channels.webhook import WebhookSender
from receiver.settings import Settings
from rules.policy import Channel, ChannelType, Policy

Makers = dict[ChannelType, Callable[[], Sender]]


def make_senders(settings: Settings, now: Callable[[], int]) -> dict[ChannelType, Sender]:
    """A sender for each channel type whose provider is configured. `now` gives microseconds since 1970.

    Raises SettingsError for a setting that cannot be used.
    """
    return {kind: make() for kind, make in _makers(settings, now).items()}


def configured_channels(policy: Policy, settings: Settings) -> frozenset[str]:
    """Names of the policy's channels whose provider is configured (PagerDuty: whose service has a routing key)."""
    types = _makers(settings, lambda: 0)
    return frozenset(
        channel.name for channel in policy.channels if channel.type in types and _has_key(channel, settings)
    )


def _makers(settings: Settings, now: Callable[[], int]) -> Makers:
    secret = settings.webhook_signing_secret
    makers: Makers = {"webhook": partial(WebhookSender, now, secret.get_secret_value() if secret else "")}
    if settings.smtp_url and settings.email_from:
        makers["email"] = partial(EmailSender, settings.smtp_url.get_secret_value(), settings.email_from)
    if settings.slack_token:
        makers["slack"] = partial(
            SlackSender,
            settings.slack_token.get_secret_value(),
            settings.slack_api_url,
            interactive=settings.slack_signing_secret is not None,
        )
    if settings.pagerduty_routing_key or settings.pagerduty_routing_keys:
        key_of = partial(_routing_key, settings)
        makers["pagerduty"] = partial(PagerDutySender, key_of, api_url=settings.pagerduty_api_url)
    if account := _twilio(settings):
        makers["sms"] = partial(SmsSender, account)
        makers["phone"] = partial(PhoneSender, account)
    return makers


def _has_key(channel: Channel, settings: Settings) -> bool:
    return channel.type != "pagerduty" or any(_routing_key(settings, service) for service in channel.recipients)


def _routing_key(settings: Settings, service: str) -> str:
    key = settings.pagerduty_key(service)
    return key.get_secret_value() if key else ""


def _twilio(settings: Settings) -> Account | None:
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if not (sid and token and sender):
        return None
    return Account(sid, token.get_secret_value(), sender, settings.twilio_api_url, settings.external_url or "")
