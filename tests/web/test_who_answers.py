"""An answer by SMS, telephone, link or Slack carries the policy's name of its sender, and never another's."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from rules.channel_types import ends_of
from rules.load import load_text
from rules.policy import Policy
from tests.channels.servers.wire import Reply, Wire
from tests.web.conftest import Running
from tests.web.test_callbacks_slack import SECRET, Slack
from tests.web.test_callbacks_twilio import ENVIRON, Twilio

POLICY = """
incident_response:
  alert_channels:
    - {name: sms, type: sms, recipients: ["@primary", "+4917010000009"]}
    - {name: slack, type: slack, channel: "#alerts"}
people:
  - {name: dana, contacts: {sms: "+4917010000001", slack: U024BE7LH}}
  - {name: ben, aliases: [benny], contacts: {sms: "+4917010000002"}}
  - {name: chris, contacts: {sms: "+4917010000002"}}
schedules:
  - {name: primary, time_zone: Europe/Berlin, layers: [{people: [dana], starts: "2026-01-05T09:00", every: 1w}]}
"""
DANA, SHARED, STRANGER = "+4917010000001", "+4917010000002", "+4917010000007"


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Dana is on call; Ben and Chris share a number."""
    return load_text(POLICY).policy


@pytest.fixture
async def twilio(start: Callable[..., Any]) -> Twilio:
    """A receiver that Twilio can reach, with one incident of level 4."""
    receiver = await start(**ENVIRON)
    body = {"type": "engine_failure", "level": 4, "new_type": True}
    status, _ = await receiver.post("/api/v1/incidents", body, headers={"Host": "localhost"})
    assert status == 201
    return Twilio(receiver)


@pytest.mark.parametrize(("sender", "who"), [(DANA, "dana"), (SHARED, SHARED)])
async def test_sms(twilio: Twilio, sender: str, who: str) -> None:
    """A person's number, which no channel names, is theirs; one that two people share is neither's."""
    assert f"acknowledged by {who}" in await twilio.answer("ACK 1", sender)
    assert (await twilio.incident())["acknowledged_by"] == who


async def test_a_strangers_sms(twilio: Twilio) -> None:
    """An unknown number gets no answer and does nothing."""
    assert await twilio.answer("ACK 1", STRANGER) == ""
    assert (await twilio.incident())["state"] == "open"


async def test_telephone(twilio: Twilio) -> None:
    """A key that is pressed is pressed by the person who was called; the timeline names them, not their number."""
    page = next(each for each in await twilio.claim() if each.recipient == DANA)
    await twilio.report([page])
    await twilio.press("1", page)
    assert (await twilio.incident())["acknowledged_by"] == "dana"
    _, found = await twilio.receiver.get("/api/v1/incidents/1/timeline")
    told = [entry["text"] for entry in found["timeline"] if entry["fact"] == "accepted"]
    assert any("page to dana accepted by sms" in each for each in told), told
    _, shown = await twilio.receiver.get("/incidents/1", headers={"Accept": "text/html"})
    assert re.search(rf'to dana <span class="quiet">{re.escape(ends_of(DANA))}, @primary</span>', shown)


@pytest.mark.parametrize(
    ("user", "name", "who"),
    [
        ("U024BE7LH", "d.smith", "dana"),
        ("U999", "ron", "ron"),
        ("U999", "Dana", "Dana (Slack U999)"),
        ("U999", "benny", "benny (Slack U999)"),
    ],
)
async def test_slack(start: Callable[..., Any], user: str, name: str, who: str) -> None:
    """The id identifies the person; a display name in Slack does not."""
    async with Wire(lambda _: Reply(200, b"ok")) as hooks:
        receiver: Running = await start(TOCSIN_SLACK_SIGNING_SECRET=SECRET, TOCSIN_SLACK_API_URL=f"{hooks.url}/api")
        slack = Slack(receiver, hooks)
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": 4, "new_type": True})
        body = urlencode({"command": "/tocsin", "text": "ack 1", "user_id": user, "user_name": name})
        await slack.post("/callbacks/slack/commands", body)
        assert (await slack.incident())["acknowledged_by"] == who


async def test_slack_says_who_is_on_call(start: Callable[..., Any]) -> None:
    """`/tocsin oncall` answers who, and until when."""
    async with Wire(lambda _: Reply(200, b"ok")) as hooks:
        receiver: Running = await start(TOCSIN_SLACK_SIGNING_SECRET=SECRET, TOCSIN_SLACK_API_URL=f"{hooks.url}/api")
        answer = await Slack(receiver, hooks).command("oncall")
        assert answer["response_type"] == "ephemeral"
        assert answer["text"].startswith("• primary: dana until ")
