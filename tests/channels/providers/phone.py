"""A Twilio account that takes calls."""

from receiver.channels.phone import PhoneSender
from tests.channels.providers.sms import twilio


def provider(patience):
    return twilio(PhoneSender, "phone", patience)
