"""Which channels the settings let speak."""

import pytest

from receiver.channels.configured import configured_channels, make_senders
from receiver.settings import Settings
from rules.channel_types import CHANNEL_FACTS
from rules.policy import CHANNEL_TYPES, Channel, Level, Micros, Policy, Template, Templates

EVERYTHING = {
    "TOCSIN_SMTP_URL": "smtp://tocsin:relay-password@127.0.0.1:587",
    "TOCSIN_EMAIL_FROM": "tocsin@example.org",
    "TOCSIN_SLACK_TOKEN": "xoxb-token",
    "TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS": "k" * 32,
    "TOCSIN_TWILIO_ACCOUNT_SID": "AC1",
    "TOCSIN_TWILIO_AUTH_TOKEN": "twilio-token",
    "TOCSIN_TWILIO_FROM": "+12025550100",
    "TOCSIN_EXTERNAL_URL": "https://tocsin.example",
    "TOCSIN_APPRISE_URL_ML_SYSTEMS": "json://apprise-user:apprise-password@127.0.0.1:9",
    "TOCSIN_TEAMS_URL_ML_SYSTEMS": "https://teams.example/workflows/1",
}
EVERYTHING |= {
    f"TOCSIN_{name.upper()}": "made-up"
    for facts in CHANNEL_FACTS.values()
    for name in facts.settings
    if name not in Settings.model_fields and not name.endswith("*")
}
EVERYTHING["TOCSIN_SMS_PROVIDERS"] = "vonage"
ALWAYS = {"webhook"}


def policy(*channels):
    template = Template("s", "b", "opened")
    return Policy(
        levels=tuple(Level(n, f"level {n}", Micros(2), Micros(1)) for n in range(1, 5)),
        channels=channels,
        rules=(),
        templates=Templates(template, template, template),
    )


CHANNELS = tuple(Channel(f"the {kind}", kind, recipients=("ml-systems",)) for kind in CHANNEL_TYPES)


async def close(senders):
    for sender in senders.values():
        await sender.close()


async def test_everything_configured_reaches_every_channel():
    """With every provider's settings, every channel type has its sender, and no repr shows a secret."""
    settings = Settings.read(EVERYTHING)
    senders = make_senders(settings, lambda: 0)
    assert set(senders) == set(CHANNEL_TYPES)
    assert configured_channels(policy(*CHANNELS), settings) == {channel.name for channel in CHANNELS}
    assert not any(
        secret in repr(senders)
        for secret in ("relay-password", "xoxb-token", "kkkk", "twilio-token", "apprise-password")
    )
    await close(senders)


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        ("TOCSIN_SMTP_URL", {"email"}),
        ("TOCSIN_EMAIL_FROM", {"email"}),
        ("TOCSIN_SLACK_TOKEN", {"slack"}),
        ("TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS", {"pagerduty"}),
        ("TOCSIN_TWILIO_ACCOUNT_SID", {"phone"}),
        ("TOCSIN_TWILIO_AUTH_TOKEN", {"phone"}),
        ("TOCSIN_TWILIO_FROM", {"phone"}),
        ("TOCSIN_EXTERNAL_URL", {"webpush"}),
        ("TOCSIN_APPRISE_URL_ML_SYSTEMS", {"apprise"}),
        ("TOCSIN_TEAMS_URL_ML_SYSTEMS", {"teams"}),
    ],
)
async def test_a_missing_setting_silences_its_channels_only(missing, lost):
    """A channel type without its settings has no sender; the others are not concerned."""
    settings = Settings.read({name: value for name, value in EVERYTHING.items() if name != missing})
    senders = make_senders(settings, lambda: 0)
    assert set(CHANNEL_TYPES) - set(senders) == lost
    assert configured_channels(policy(*CHANNELS), settings) == {f"the {kind}" for kind in senders}
    await close(senders)


async def test_sms_need_one_provider():
    """Vonage sends SMS where Twilio's settings are missing; where Vonage's are missing too, there is no sender."""
    without = {
        name: value for name, value in EVERYTHING.items() if "VONAGE" not in name and name != "TOCSIN_TWILIO_FROM"
    }
    senders = make_senders(Settings.read(without), lambda: 0)
    assert set(CHANNEL_TYPES) - set(senders) == {"sms", "phone"}
    await close(senders)


def test_nothing_configured_leaves_webhooks():
    """Webhooks need no provider."""
    assert set(make_senders(Settings.read({}), lambda: 0)) == ALWAYS


def test_pagerduty_is_configured_service_by_service():
    """A service without a key of its own is configured only where there is a common one."""
    ours, theirs = (Channel(name, "pagerduty", recipients=(name,)) for name in ("ml-systems", "platform"))
    assert configured_channels(policy(ours, theirs), Settings.read(EVERYTHING)) == {"ml-systems"}
    common = Settings.read({"TOCSIN_PAGERDUTY_ROUTING_KEY": "k" * 32})
    assert configured_channels(policy(ours, theirs), common) == {"ml-systems", "platform"}
