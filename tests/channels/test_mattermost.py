"""Mattermost: what people see, and what its answers mean. What all channels promise: test_contract."""

from dataclasses import replace

import msgspec
import pytest

from receiver.channels.mattermost import MattermostPost, MattermostSender, configure
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind
from receiver.settings import Settings
from tests.channels.outgoings import outgoing
from tests.channels.providers.mattermost import CHANNEL, DANA, DIRECT, TOKEN, MattermostServer, refuse
from tests.channels.servers.wire import Reply, lose_answer

HOME = "https://tocsin.example"
FIRST = f"p{0:025}"


@pytest.fixture
async def server():
    async with MattermostServer() as server:
        yield server


@pytest.fixture
async def sender(server):
    sender = MattermostSender(TOKEN, server.url, HOME)
    yield sender
    await sender.close()


def page(**message):
    return outgoing("mattermost", CHANNEL, message=message)


def later(kind, **message):
    """A message of that kind, after a first one."""
    found = outgoing("mattermost", CHANNEL, kind=kind, message=message, number="n2")
    return replace(found, thread=f"{CHANNEL}:{FIRST}")


def attachment(post):
    (found,) = post["props"]["attachments"]
    return found


async def test_a_page_has_facts_links_and_a_button(server, sender):
    """The headline and the reason are the post, the rest its attachment; the button's context has the token."""
    outcome = await sender.send(page(lead="Opened at 14:13 UTC.", actions=("Brake", "Call"), answer_token="12-1-x"))
    assert outcome == Delivered(f"{CHANNEL}:{FIRST}")
    (post,) = server.posts.values()
    assert post["message"] == (
        "**#12 EMERGENCY safety_critical_failure: safety margin below 0.95**\nOpened at 14:13 UTC."
    )
    shown = attachment(post)
    assert shown["text"].startswith("**First do this:**\n1. Brake\n2. Call\n\nFirst: engage the fallback controller.")
    assert "[Incident](<https://tocsin.example/incidents/12>) · [Runbook](<https://runbooks" in shown["text"]
    assert shown["fields"][0] == {"title": "Level", "value": "4 emergency", "short": True}
    (button,) = shown["actions"]
    assert button["name"] == "Acknowledge"
    assert button["integration"] == {"url": f"{HOME}/callbacks/mattermost", "context": {"token": "12-1-x"}}


async def test_without_an_external_url_there_is_no_button(server):
    """Where Mattermost cannot reach Tocsin, no button is shown that would not work."""
    sender = MattermostSender(TOKEN, server.url)
    await sender.send(page(answer_token="12-1-x"))
    await sender.close()
    assert attachment(server.posts[FIRST])["actions"] == []


async def test_what_an_alert_says_formats_and_mentions_nothing(server, sender):
    """Markdown, emoji and mentions of alerts are shown by signs that look alike; the policy's mention works."""
    foreign = "*now* [log in](https://evil.example) _x_ `rm` @all :fire:"
    message = page(headline=foreign, facts=[("Value", foreign)])
    await sender.send(replace(message, channel=replace(message.channel, mention="@channel")))
    (post,) = server.posts.values()
    alike = "\u2217now\u2217 \uff3blog in\uff3d(https://evil.example) \u02cdx_ \u02cbrm\u02cb \uff20all \ua789fire:"
    assert post["message"].splitlines()[:2] == ["@channel", f"**{alike}**"]
    assert attachment(post)["fields"][0]["value"] == alike


async def test_a_long_message_fits_and_says_so(server, sender):
    """Of a message that is too long the longest paragraphs are left out, which is said; the button stays."""
    await sender.send(page(lead="w" * 3000, paragraphs=["x" * 2000] * 9, actions=["y" * 900] * 9, answer_token="1-1-x"))
    shown = attachment(server.posts[FIRST])
    assert "This message was too long for Mattermost" in shown["text"]
    assert len(str(shown)) < 10_000
    assert shown["actions"]


async def test_the_first_post_shows_the_present_state(server, sender):
    """An acknowledgement edits the first post and takes its button away; the news is a reply in its thread."""
    await sender.send(page(answer_token="12-1-x"))
    await sender.send(later(Kind.ACKNOWLEDGED, headline="#12 acknowledged"))
    first, reply = server.posts.values()
    assert first["message"].startswith("**#12 acknowledged**")
    assert attachment(first)["actions"] == []
    assert reply["root_id"] == FIRST
    await sender.send(replace(later(Kind.PAGE, headline="#12 again", answer_token="12-3-x"), key="install-n3"))
    assert server.posts[FIRST]["message"].startswith("**#12 again**")
    assert attachment(server.posts[FIRST])["actions"]
    await sender.send(replace(later(Kind.NOTICE, lead="One more."), key="install-n4"))
    assert list(server.posts.values())[-1]["props"] == {"attachments": []}


async def test_a_deleted_first_post_keeps_nothing_back(server, sender):
    """Where the thread's first post is deleted, the news is a post of its own."""
    assert isinstance(await sender.send(later(Kind.RESOLVED)), Delivered)
    (post,) = server.posts.values()
    assert "root_id" not in post


async def test_a_bundle_is_never_edited(server, sender):
    """A post about several incidents keeps its button: one incident's news does not replace it."""
    assert await sender.send(page(count=31, answer_token="12-1-x")) == Delivered(f"{CHANNEL}:{FIRST}:bundle")
    await sender.send(replace(later(Kind.RESOLVED), thread=f"{CHANNEL}:{FIRST}:bundle"))
    assert attachment(server.posts[FIRST])["actions"][0]["name"] == "Acknowledge these 31"


async def test_a_person_gets_direct_messages(server, sender):
    """A person of the policy is written to in the direct messages with the bot, whose id is asked once."""
    message = outgoing("mattermost", DANA)
    message = replace(message, notification=msgspec.structs.replace(message.notification, person="dana"))
    assert await sender.send(message) == Delivered(f"{DIRECT}:{FIRST}")
    await sender.send(replace(message, key="install-n2"))
    asked = [each.path for each in server.requests]
    assert asked.count("/api/v4/channels/direct") == 1
    assert [each["channel_id"] for each in server.posts.values()] == [DIRECT, DIRECT]


async def test_a_lost_answer_makes_no_second_post(server, sender):
    """When Mattermost's answer is lost, the next try is dropped by its key, and people see one post."""
    server.faults.append(lose_answer)
    assert isinstance(await sender.send(page()), Retry)
    assert isinstance(await sender.send(page()), Delivered)
    assert len(server.posts) == 1


ANSWERS = {
    "limited": (Reply(429, b"limit exceeded", {"Retry-After": "3"}), Retry, "limits the rate"),
    "starting": (Reply(503, b"<html>"), Retry, "not ready (503)"),
    "being posted": (refuse(500, "api.post.deduplicate_create_post.pending"), Retry, "not ready (500)"),
    "token": (refuse(401, "api.context.session_expired.app_error"), Rejected, "set TOCSIN_MATTERMOST_TOKEN"),
    "no member": (refuse(403, "api.context.permissions.app_error"), Rejected, "add it to the channel"),
    "unknown": (refuse(404, "app.channel.get.existing.app_error"), Rejected, "is the id in the policy right"),
    "archived": (
        refuse(400, "api.post.create_post.can_not_post_to_deleted.error", "It is archived."),
        Rejected,
        "archived",
    ),
    "another server": (Reply(404, b"<html>nginx</html>"), Rejected, "check TOCSIN_MATTERMOST_API_URL"),
    "a redirect": (Reply(301, b"", {"Location": "https://evil.example"}), Rejected, "TOCSIN_MATTERMOST_API_URL"),
    "a login page": (Reply(200, b"<html>login</html>"), Retry, "makes no sense"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_what_its_answers_mean(server, sender, case):
    """What a person must mend is rejected, with what to do; all else is tried again."""
    reply, expected, says = ANSWERS[case]
    server.faults.append(reply)
    outcome = await sender.send(page())
    assert isinstance(outcome, expected)
    assert says in outcome.reason


@pytest.mark.parametrize("reference", ["", "C1:1700000000.1", "-100:7", "a", "a:b:c"])
def test_a_reference_that_is_none(reference):
    """A thread's reference of another type means no thread."""
    assert MattermostPost.parse(reference) is None


def test_both_settings_are_needed():
    """A token without a server, or the reverse, configures nothing."""
    whole = {"TOCSIN_MATTERMOST_TOKEN": TOKEN, "TOCSIN_MATTERMOST_API_URL": "https://chat.example"}
    assert configure(Settings.read(whole), lambda: 0)
    for name, value in whole.items():
        assert configure(Settings.read({name: value}), lambda: 0) is None
