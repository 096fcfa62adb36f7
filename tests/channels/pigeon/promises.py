"""What holds of a channel type that was added by its row, its module, its local provider and its page."""

import pytest
from mkdocs.config import load_config

from manual import hooks
from manual.pages import pages
from receiver.channels.configured import configured_channels, make_senders
from receiver.core.backoff import SCHEDULES
from receiver.core.events import Acknowledge, Declare
from receiver.core.model import Kind, Status
from receiver.core.rate_limit import STORM_LIMIT
from receiver.drill.simulator import ChannelFaults, World
from receiver.engine.commands import ForIncident
from receiver.messages.timeline import sentence
from receiver.reports.who_was_told import _recipient
from receiver.settings import Settings
from receiver.web.api import views
from rules.channel_types import CHANNEL_TYPES
from rules.document import json_schema
from rules.load import load_text
from rules.policy import HOUR, SECOND
from rules.problems import PolicyError
from rules.stored import dump, parse

RING = "loft-7/ring-21"
POLICY = """\
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.org]}
    - {name: coop, type: pigeon, lofts: [RING]}
  detection:
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 3, channels: [CHANNEL]}
      - {name: drift, condition: "drift > 1", severity: 2, channels: [email]}
"""


def policy(channel="coop", ring=RING):
    return load_text(POLICY.replace("RING", ring).replace("CHANNEL", channel)).policy


def declared(world, level=3, number=1):
    (result,) = world.handle(Declare(f"key-{number}", "margin" if level == 3 else "drift", "ada", level))
    return result.incident


def on(world, channel="coop"):
    return [each.notification for each in world.sent if each.notification.channel == channel]


def test_check_accepts_what_it_may_say():
    """A policy may have such a channel, it survives being stored, and the schema names the type and its key."""
    (coop,) = (each for each in policy().channels if each.type == "pigeon")
    assert coop.recipients == (RING,)
    assert parse(dump(policy())) == policy()
    channel = json_schema()["$defs"]["AlertChannel"]["properties"]
    assert channel["type"]["enum"] == list(CHANNEL_TYPES)
    assert channel["lofts"]["description"] == "pigeon: lofts such as loft-7/ring-21."


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("lofts: [the grey one]", '"the grey one" is no loft and ring, such as loft-7/ring-21'),
        ("channel: '#pigeons'", "means nothing for pigeon, which takes lofts"),
        ("enabled: true", "a channel of type pigeon needs `lofts`"),
    ],
)
def test_check_refuses_what_it_may_not_say(written, says):
    """A recipient that is none, a key of another type, and no recipient are refused in words."""
    with pytest.raises(PolicyError) as caught:
        load_text(POLICY.replace("lofts: [RING]", written).replace("CHANNEL", "coop"))
    assert any(says in each.message for each in caught.value.problems)


def test_it_pages_escalates_and_has_news():
    """A page goes there, is repeated while unacknowledged, and an acknowledgement and its all-clear follow."""
    world = World(policy())
    incident = declared(world)
    world.advance(world.now + HOUR)
    assert len({each.page for each in on(world)}) > 1
    world.handle(ForIncident(incident.id, Acknowledge("ada", "")))
    assert {Kind.PAGE, Kind.ACKNOWLEDGED} <= {each.kind for each in on(world)}


def test_it_is_a_fallback():
    """Where mail is down, a page falls back to it, also at level 2, because it wakes no one."""
    for level in (2, 3):
        world = World(policy("email"), ChannelFaults(down=frozenset({"email"})))
        declared(world, level)
        world.advance(world.now + HOUR)
        assert on(world)


def test_it_is_tried_again_as_its_row_says():
    """While it is down it is tried after 2 and then each 20 seconds, jitter beside, and given up after an hour."""
    assert SCHEDULES["pigeon"].delays == (2 * SECOND, 20 * SECOND)
    world = World(policy(), ChannelFaults(down=frozenset({"pigeon"})))
    declared(world)
    world.advance(world.now + 30 * SECOND)
    first, second, third = (each.at for each in world.sent if each.notification.channel == "coop")
    assert 2 * SECOND <= second - first < 3 * SECOND
    assert 20 * SECOND <= third - second < 25 * SECOND


def test_a_storm_is_bundled():
    """Pages beyond a storm's first wait for their bundle."""
    world = World(policy())
    for number in range(STORM_LIMIT.count + 3):
        declared(world, number=number)
    waiting = [each for each in world.store.outbox.values() if each.channel == "coop" and each.bundle_at is not None]
    assert len(waiting) == 3


def test_nobody_sees_its_recipients():
    """Policy, messages, timeline and reports show no recipient, because its row does not say that they may be shown."""
    world = World(policy())
    incident = declared(world)
    world.advance(world.now + HOUR)
    context = world.engine.context(world.policy_version)
    (sent, *_) = on(world)
    assert RING not in repr(views.show_policy(world.policy_version))
    assert RING not in repr([views.show_notification(sent, facts) for facts in (context.facts("coop"), None)])
    assert RING not in _recipient(sent, context)
    entries = [each for each in world.timeline if each.incident_id == incident.id]
    assert any(each.data.get("channel") == "coop" for each in entries)
    assert not [each for each in entries if RING in sentence(each) or RING in repr(views.show_entry(each))]


async def test_its_settings_make_its_sender():
    """Without its settings it is not configured, nothing is sent, and that is recorded; with them it is."""
    settings = Settings.read({"TOCSIN_PIGEON_TOKEN": "coo", "TOCSIN_PIGEON_URL": "http://127.0.0.1:9"})
    assert not settings.warnings
    assert "coo" not in repr(settings)
    assert configured_channels(policy(), settings) == {"coop"}
    assert configured_channels(policy(), Settings.read({})) == frozenset()
    for sender in make_senders(settings, lambda: 0).values():
        await sender.close()
    world = World(policy(), configured=())
    declared(world)
    assert Status.UNDELIVERABLE in {each.status for each in world.store.outbox.values() if each.channel == "coop"}


def test_the_pages_name_it():
    """The made pages have its row, its key and its settings; the site lists its page."""
    made = dict(pages())
    (row,) = [line for line in made["docs/channel-types.md"].splitlines() if "`pigeon`" in line]
    assert "`lofts`" in row
    assert "`TOCSIN_PIGEON_TOKEN`" in row
    assert "pigeon: lofts such as loft-7/ring-21." in made["docs/policy-reference.md"]
    nav = hooks.on_config(load_config("mkdocs.yml")).nav
    assert {"Carrier pigeon": "channels/pigeon.md"} in next(each["Channels"] for each in nav if "Channels" in each)
