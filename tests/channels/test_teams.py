"""Teams: what a workflow is posted, and what its answers mean. What all channels promise: test_contract."""

import json
from urllib.parse import urlsplit

import pytest

from receiver.channels.teams import TeamsSender, configure
from receiver.channels.teams_card import MOST, as_body
from receiver.core.events import Delivered, Rejected, Retry
from receiver.errors import SettingsError
from receiver.settings import Settings
from rules.policy import Channel
from tests.channels.outgoings import outgoing
from tests.channels.servers.teams import Workflow
from tests.channels.servers.wire import Reply

LINK = "https://tocsin.example/act/12-1-q3f7k2m5axw4cabcd"


@pytest.fixture
async def workflow():
    workflow = Workflow("signature-of-the-workflow")
    async with workflow.wire:
        yield workflow


async def send(workflow, recipient="flight", **message):
    sender = TeamsSender(lambda name: workflow.url if name == "flight" else "")
    try:
        return await sender.send(outgoing("teams", recipient, message=message))
    finally:
        await sender.close()


def words(card):
    """What people read of a card's texts, line by line."""
    containers = [each for each in card["body"] if each["type"] == "Container"]
    return [line["inlines"][0]["text"] for each in containers for line in each["items"]]


async def test_a_page_is_a_card_with_facts_links_and_a_button(workflow):
    """The headline and the reason come first, then what to do and the facts; the buttons acknowledge and lead on."""
    outcome = await send(workflow, lead="Opened at 14:13 UTC.", actions=("Brake", "Call"), acknowledge=LINK)
    assert outcome == Delivered()
    (card,) = workflow.cards
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert words(card)[:5] == [
        outgoing("teams", "x").message.headline,
        "Opened at 14:13 UTC.",
        "First do this:",
        "1. Brake",
        "2. Call",
    ]
    (facts,) = (each["facts"] for each in card["body"] if each["type"] == "FactSet")
    assert facts == [{"title": "Level", "value": "4 emergency"}, {"title": "System", "value": "flight-control"}]
    buttons = [(each["type"], each["title"], each["url"]) for each in card["actions"]]
    assert buttons == [
        ("Action.OpenUrl", "Acknowledge", LINK),
        ("Action.OpenUrl", "Incident", "https://tocsin.example/incidents/12"),
        ("Action.OpenUrl", "Runbook", "https://runbooks.example/safety"),
    ]


async def test_what_an_alert_says_formats_nothing(workflow):
    """Markdown in what alerts say is shown sign by sign: in runs as it is, in facts by signs that look alike."""
    foreign = "*now* [log in](https://evil.example) _x_ `rm` safety_margin < 0.95"
    await send(workflow, headline=foreign, facts=[("Value", foreign)])
    (card,) = workflow.cards
    assert words(card)[0] == foreign
    (facts,) = (each["facts"] for each in card["body"] if each["type"] == "FactSet")
    assert (
        facts[0]["value"]
        == "\u2217now\u2217 \uff3blog in\uff3d(https://evil.example) \u02cdx_ \u02cbrm\u02cb safety_margin < 0.95"
    )


@pytest.mark.parametrize("sign", ["x", "ü", "\U0001f525"])
async def test_a_long_message_fits_and_says_so(workflow, sign):
    """Beyond what Teams stores the longest texts are left out, which is said; headline, reason and buttons stay."""
    long = sign * 2900
    outcome = await send(workflow, lead="Why now.", acknowledge=LINK, paragraphs=[long] * 12, actions=[long] * 5)
    assert outcome == Delivered()
    (card,) = workflow.cards
    assert words(card)[1] == "Why now."
    assert words(card)[-1] == "This message was too long for Teams; the incident's page has the rest."
    assert card["actions"][0]["url"] == LINK
    assert len(workflow.wire.requests[0].body) <= MOST


def test_long_addresses_leave_room():
    """Links that are no use or would take the card's room are left out; the six buttons are the first ones."""
    links = [("Graph", f"https://g.example/?{'x' * 2000}"), ("Odd", "javascript:alert(1)")]
    links += [(str(number), f"https://g.example/{number}/{'x' * 1400}") for number in range(9)]
    body = as_body(outgoing("teams", "x", message={"links": links, "acknowledge": LINK}).message)
    buttons = json.loads(body)["attachments"][0]["content"]["actions"]
    assert [each["title"] for each in buttons] == ["Acknowledge", "0", "1", "2", "3", "4"]
    assert len(body) <= MOST


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, b"", {"Retry-After": "30"}), Retry("Teams limits the rate (429)", 30_000_000)),
        (
            Reply(
                200,
                b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0",
            ),
            Retry("Teams limits the rate (429)", None),
        ),
        (Reply(404), "TOCSIN_TEAMS_URL_FLIGHT"),
        (Reply(400, {"error": {"code": "WorkflowTriggerIsNotEnabled"}}), "is it turned on?"),
        (Reply(302, b"", {"Location": "https://login.example"}), "not followed"),
        (Reply(502), Retry("the Teams workflow is not ready (502)", None)),
    ],
    ids=["limited", "limited, behind a 200", "deleted", "turned off", "redirect", "down"],
)
async def test_answers_are_judged(workflow, reply, outcome):
    """Limits and outages are waited out, as long as Teams asks; what a person must mend is rejected, and says what."""
    workflow.wire.faults.append(reply)
    found = await send(workflow)
    if isinstance(outcome, Retry):
        assert found == outcome
    else:
        assert isinstance(found, Rejected)
        assert outcome in found.reason
        assert not any(part in found.reason for part in urlsplit(workflow.url).query.split("&"))


async def test_each_name_has_its_own_workflow(workflow):
    """A channel is configured where its name has a URL; another name is rejected with the setting that it lacks."""
    settings = Settings.read({"TOCSIN_TEAMS_URL_FLIGHT": workflow.url})
    assert "signature" not in repr(settings)
    configured = configure(settings, lambda: 0)
    served = [configured.serves(Channel("t", "teams", recipients=(name,))) for name in ("flight", "ground", "@dana")]
    assert served == [True, False, True]
    assert configure(Settings.read({}), lambda: 0) is None
    outcome = await send(workflow, "ground-crew")
    assert isinstance(outcome, Rejected)
    assert "TOCSIN_TEAMS_URL_GROUND_CREW" in outcome.reason
    with pytest.raises(SettingsError, match="TOCSIN_TEAMS_URL_FLIGHT: must be the URL"):
        configure(Settings.read({"TOCSIN_TEAMS_URL_FLIGHT": "secret"}), lambda: 0)
