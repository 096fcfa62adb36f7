"""The table of channel types: what views show of a recipient, and what was so before there was a table."""

import pytest

from receiver.core.backoff import SCHEDULES
from receiver.core.events import Declare
from receiver.core.model import Entry, Fact
from receiver.drill.simulator import World
from receiver.messages.timeline import sentence
from receiver.web.api import views
from rules.channel_types import CHANNEL_FACTS, CHANNEL_TYPES, as_shown, fallback_order, types_where
from rules.load import load_text
from rules.policy import HOUR, MINUTE, SECOND

SECRET = "https://ops:pa55@hooks.example/services/T0/B0?token=deadbeef"


@pytest.mark.parametrize(
    ("recipient", "kind", "shown"),
    [
        ("oncall@example.org", "email", "oncall@example.org"),
        ("#incidents", "slack", "#incidents"),
        ("+4930123456", "sms", "+49…456"),
        (SECRET, "webhook", "https://hooks.example/…"),
        ("https://hooks.example", "webhook", "https://hooks.example"),
        ("https://ops:pa55@hooks.example", "webhook", "https://hooks.example/…"),
        ("https://hooks.example#deadbeef", "webhook", "https://hooks.example/…"),
        ("deadbeef", "webhook", "…"),
        (SECRET, None, "https://hooks.example/…"),
        ("oncall@example.org", None, "oncall@example.org"),
        ("+4930123456", None, "+49…456"),
        ("+49…456", None, "+49…456"),
        ("deadbeef", None, "…"),
        ("", None, ""),
    ],
)
def test_what_is_shown_of_a_recipient(recipient, kind, shown):
    """A secret recipient shows a URL's host at most; a number its ends; of a channel that is gone a person's address."""
    assert as_shown(recipient, CHANNEL_FACTS.get(kind)) == shown


def test_the_timeline_shows_no_secret_recipient():
    """Neither what is written now nor what an older version wrote shows a webhook's path, user or query."""
    policy = load_text(f"""\
incident_response:
  alert_channels:
    - {{name: hook, type: webhook, url: "{SECRET}"}}
  detection:
    rules:
      - {{name: margin, condition: "safety_margin < 0.95", severity: 3, channels: [hook]}}
""").policy
    world = World(policy)
    world.handle(Declare("key", "margin", "ada", 3))
    (told,) = (each for each in world.timeline if each.fact is Fact.ACCEPTED)
    assert told.data["recipient"] == "https://hooks.example/…"
    old = Entry("i", 1, world.now, Fact.ACCEPTED, "", {"kind": "page", "channel": "hook", "recipient": SECRET})
    assert sentence(old) == "page to https://hooks.example/… accepted by hook"
    assert "pa55" not in repr(views.show_entry(old))
    assert "deadbeef" not in repr(views.show_entry(old))


def test_what_was_so_is_so():
    """Names, orders and schedules that policies, digests and people depend on are what they were without a table."""
    steady = tuple(each * SECOND for each in (1, 2, 5, 15, 30, 60))
    assert CHANNEL_TYPES[:6] == ("email", "slack", "pagerduty", "sms", "phone", "webhook")
    assert fallback_order() == ("phone", "sms", "pagerduty", "slack", "email")
    assert types_where(lambda facts: facts.wakes) == ("phone", "sms", "pagerduty")
    assert types_where(lambda facts: facts.is_quiet_fallback) == ("slack", "email")
    assert (SCHEDULES["webhook"].delays, SCHEDULES["webhook"].give_up_after) == (steady, 24 * HOUR)
    assert SCHEDULES["phone"].delays == (2 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE)
    assert SCHEDULES["slack"].give_up_after == HOUR
