"""Slack: threads, mentions, the first message that shows how it stands, and what Slack's answers mean."""

import dataclasses
import json
import re
from html import unescape

import pytest
from msgspec.structs import replace

from receiver.channels.slack import SlackSender
from receiver.channels.slack_blocks import escape
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Instant, Kind, Reason
from receiver.messages import Picture
from receiver.messages.times import DAY
from rules.reserved import LABELS
from tests.channels.servers import wire
from tests.channels.servers.slack import CHANNEL, SlackWorkspace, mentions
from tests.channels.servers.wire import Reply
from tests.channels.stories import outgoing
from tests.messages import samples

TOKEN = "xoxb-1234-secret"


@pytest.fixture
async def slack():
    workspace = SlackWorkspace(TOKEN)
    async with workspace.wire:
        yield workspace


@pytest.fixture
def sender(slack):
    return SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0)


def text_of(message):
    return json.dumps(message, ensure_ascii=False)


def buttons(message):
    return {
        element["action_id"]: element["value"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    }


async def test_first_page_opens_a_thread(slack, sender):
    """The first page is a message of its own with a mention, facts, and buttons that carry the incident."""
    outcome = await sender.send(outgoing("slack"))
    (message,) = slack.shown
    assert outcome == Delivered(f"{CHANNEL}:{next(iter(slack.messages))}")
    assert "thread_ts" not in message
    assert message["text"].startswith("<!here> #12 EMERGENCY: Safety margin of landing-7")
    assert buttons(message) == dict.fromkeys(("acknowledge", "escalate", "resolve"), samples.INCIDENT.id)
    assert "First do this" in text_of(message)
    assert "safety_margin &lt; 0.95" in text_of(message)


async def test_later_pages_are_broadcast_with_the_mention(slack, sender):
    """A reply alone notifies no one: later pages are shown in the channel too, with a mention."""
    first = await sender.send(outgoing("slack"))
    await sender.send(outgoing("slack", Kind.PAGE, Reason.ESCALATED, thread=first.reference, sequence=2))
    _, page = slack.shown
    assert page["thread_ts"] == next(iter(slack.messages))
    assert page["reply_broadcast"] is True
    assert "<!here>" in page["text"]
    assert "Nobody has acknowledged it" in text_of(page["blocks"])


@pytest.mark.parametrize(
    ("kind", "reason", "mentioned"),
    [
        (Kind.NOTICE, Reason.ALERT_JOINED, False),
        (Kind.UPDATE, Reason.ACTION, False),
        (Kind.REMINDER, Reason.ACK_EXPIRED, True),
        (Kind.ACKNOWLEDGED, Reason.ACTION, False),
        (Kind.RESOLVED, Reason.ACTION, False),
    ],
)
async def test_news_stays_in_the_thread(slack, sender, kind, reason, mentioned):
    """News is a quiet reply; only a reminder has a mention."""
    first = await sender.send(outgoing("slack"))
    await sender.send(
        outgoing("slack", kind, reason, incident=samples.acknowledged(), thread=first.reference, sequence=2)
    )
    news = slack.shown[-1]
    assert news["thread_ts"] == next(iter(slack.messages))
    assert news["reply_broadcast"] is False
    assert ("<!here>" in text_of(news)) is mentioned


async def test_first_message_shows_how_it_stands(slack, sender):
    """Acknowledged, open again, resolved: the thread's first message says so, and its buttons fit."""
    first = await sender.send(outgoing("slack"))
    thread = {"thread": first.reference}
    parent = next(iter(slack.messages))

    await sender.send(
        outgoing("slack", Kind.ACKNOWLEDGED, Reason.ACTION, incident=samples.acknowledged(), sequence=2, **thread)
    )
    assert slack.messages[parent]["text"].startswith("ACKNOWLEDGED #12")
    assert "acknowledged by ada" in text_of(slack.messages[parent])
    assert set(buttons(slack.messages[parent])) == {"escalate", "resolve", "give_back"}

    await sender.send(outgoing("slack", Kind.PAGE, Reason.ACK_EXPIRED, sequence=3, **thread))
    assert slack.messages[parent]["text"].startswith("#12 EMERGENCY")
    assert "acknowledge" in buttons(slack.messages[parent])

    await sender.send(
        outgoing("slack", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved(), sequence=4, by="ada", **thread)
    )
    assert slack.messages[parent]["text"].startswith("RESOLVED #12")
    assert buttons(slack.messages[parent]) == {}


@pytest.mark.parametrize("signed_by", ["", "cleo"])
async def test_what_reminds_of_a_signature_has_its_button(slack, sender, signed_by):
    """In the thread, below days of news; with a signature, or where presses are not received, there is none."""
    ended = samples.resolved()
    ended = replace(ended, response=replace(ended.response, kept_open=1, signed_off_by=signed_by))
    first = await sender.send(outgoing("slack"))
    kept = outgoing("slack", Kind.REMINDER, Reason.KEPT_OPEN, incident=ended, thread=first.reference, sequence=2)
    kept = dataclasses.replace(kept, message=dataclasses.replace(kept.message, wants_sign_off=not signed_by))
    await sender.send(kept)
    assert buttons(slack.shown[-1]) == ({} if signed_by else {"sign_off": ended.id})
    deaf = SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0, interactive=False)
    await deaf.send(dataclasses.replace(kept, key="another"))
    assert buttons(slack.shown[-1]) == {}


async def test_bundle_is_not_painted_over(slack, sender):
    """A message of several incidents has one button, for all of them, and none of them puts its own state in its place."""
    beside = [replace(samples.INCIDENT, number=number, id=f"{number:032}") for number in (13, 14)]
    first = await sender.send(outgoing("slack", beside=beside))
    await sender.send(
        outgoing(
            "slack",
            Kind.ACKNOWLEDGED,
            Reason.ACTION,
            incident=samples.acknowledged(),
            thread=first.reference,
            sequence=2,
        )
    )
    bundle, reply = slack.shown
    assert "#12-#14" in bundle["text"]
    assert set(buttons(bundle)) == {"acknowledge_all"}
    assert reply["thread_ts"] == next(iter(slack.messages))
    assert "#12" in reply["text"]


async def test_no_buttons_where_nobody_hears_them(slack):
    """Without a signing secret nothing answers a button, so there is none."""
    await SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0, interactive=False).send(outgoing("slack"))
    assert buttons(slack.shown[0]) == {}


async def test_hostile_words_mention_nobody(slack, sender):
    """Nothing in an alert becomes a mention, a link or markup; everything stays within Slack's limits."""
    nasty = "<!channel> <@U123> <https://evil.example|click> &lt;!here&gt; @everyone #general :bomb: *b*"
    labels = {f"label_{number}": nasty * 20 for number in range(60)}
    incident = replace(samples.INCIDENT, title=nasty * 9, type=nasty, labels=labels, acknowledged_by=nasty)
    page = outgoing("slack", Kind.PAGE, Reason.NEW_DANGER, incident=incident, rule=nasty, acknowledged_by=nasty)
    assert isinstance(await sender.send(page), Delivered)
    (message,) = slack.shown
    expected = {
        "<!here>",
        "<https://tocsin.example.org/incidents/12|Incident #12>",
        "<https://runbooks.example.org/safety-margin|Runbook>",
    }
    assert {each for each in mentions(message) if not each.startswith("<!date^")} == expected
    marked = [each for block in message["blocks"] for each in (block.get("text"), *block.get("fields", ())) if each]
    assert all(each.get("verbatim") or each.get("emoji") is False for each in marked)


FORMATS = ("*b*", "_i_", "~s~", "`c`", "```pre```", ":bomb:", ":+1:", "> quoted", "a *b* c", "(_i_)", "10:100:20")


@pytest.mark.parametrize("marked", FORMATS)
@pytest.mark.parametrize("place", ["title", "label", "type", "person", "system"])
async def test_what_slack_would_format_is_shown_sign_by_sign(slack, sender, marked, place):
    """Signs of Slack's formatting in an alert, a label or a name stand in plain text; in the text of a notification, which
    is markup always, signs that look alike stand for them. Nothing of the alert is lost.
    """
    changes = {
        "title": {"title": marked},
        "label": {"labels": {"system": "landing-7", "team": marked}},
        "type": {"type": marked},
        "person": {"acknowledged_by": marked},
        "system": {"labels": {"system": marked}},
    }
    incident = replace(samples.INCIDENT, **changes[place])
    first = await sender.send(outgoing("slack", incident=incident))
    more = {"thread": first.reference, "sequence": 2, "incident": incident}
    await sender.send(outgoing("slack", Kind.PAGE, Reason.NEW_DANGER, rule=marked, by=marked, **more))
    for message in slack.shown:
        assert [each for each in formatted(message) if each in marked] == []
    told = [unescape(each["text"]) for message in slack.shown for each in texts_of(message)]
    assert any(marked in each for each in told) or place == "person"


def formatted(message):
    """What Slack would format in a message's markup, its own tokens left out."""
    texts = [message["text"], *(each["text"] for each in texts_of(message) if each["type"] == "mrkdwn")]
    said = re.sub(r"<[^>]*>|(?m:^\*[^*\n]+\*$)", "", "\n".join(texts))
    return re.findall(r"\*\w[^*\n]*\*|_[a-z]_|~\w+~|`|:[\w+]+:|(?m:^&gt;)", said)


def texts_of(message):
    """The text objects of its blocks."""
    for block in message["blocks"]:
        yield from (each for each in (block.get("text"), *block.get("fields", ())) if each)


async def test_a_link_is_named_without_formatting(slack, sender):
    """A link's label is markup: it formats nothing, and ends no link."""
    page = outgoing("slack")
    link = ("*Run* :book: a|b>c", "https://runbooks.example.org/x")
    await sender.send(dataclasses.replace(page, message=dataclasses.replace(page.message, links=[link])))
    (shown,) = [
        each["text"] for block in slack.shown[0]["blocks"] if block["type"] == "context" for each in block["elements"]
    ]
    assert shown == "<https://runbooks.example.org/x|\u2217Run* \ua789book: a b&gt;c>"


async def test_times_are_slacks_own_tokens(slack, sender):
    """Each reader sees times in a zone of their own; where Slack cannot show that, the text says which zone it tells."""
    first = await sender.send(outgoing("slack"))
    await sender.send(outgoing("slack", Kind.PAGE, Reason.BREACHED, thread=first.reference, sequence=2))
    page, breach = slack.shown
    assert "acknowledge by <!date^1795436220^{time}|12:17 UTC>" in text_of(page["blocks"])
    assert "due by <!date^1795436220^{time}|12:17 UTC>" in text_of(breach["blocks"])
    assert "<!date^1795436220^{time}|12:17 UTC>" in breach["text"]
    assert dates_outside_tokens(page["blocks"]) == dates_outside_tokens(breach["blocks"]) == []


async def test_the_policys_text_and_bundles_have_tokens_too(slack, sender):
    """Dates with the day: in the update's template, and beside each incident of a bundle."""
    update = outgoing("slack", Kind.UPDATE, Reason.ACTION, incident=samples.acknowledged(), by="ada")
    await sender.send(update)
    beside = [replace(samples.INCIDENT, number=13, id="3" * 32, response_due_at=Instant(samples.NOON + 2 * DAY))]
    await sender.send(outgoing("slack", beside=beside))
    told, bundle = map(text_of, slack.shown)
    assert "Time: <!date^1795435440^{date_short} {time}|2026-11-23 12:04 UTC>" in told
    assert "acknowledge by <!date^1795608120^{date_short} {time}|25 Nov 12:02 UTC>" in bundle


async def test_nothing_says_how_long_is_left(slack, sender):
    """Slack's messages are not renewed by the minute: they tell instants."""
    await sender.send(outgoing("slack"))
    assert " left" not in text_of(slack.shown)


async def test_no_command_stands_beside_the_button(slack, sender):
    """A button replaces the shell command; where presses are not received, the command is shown."""
    await sender.send(outgoing("slack"))
    beside = [replace(samples.INCIDENT, number=13, id="3" * 32)]
    await sender.send(outgoing("slack", beside=beside))
    assert "tocsin acknowledge" not in text_of(slack.shown)
    await SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0, interactive=False).send(outgoing("slack"))
    assert "tocsin acknowledge 12" in text_of(slack.shown[-1])


async def test_labels_are_those_that_people_chose(slack, sender):
    """What Tocsin's rules put on an alert for Tocsin is not shown."""
    labels = dict.fromkeys(LABELS, "internal") | {"system": "landing-7", "team": "ground"}
    await sender.send(outgoing("slack", incident=replace(samples.INCIDENT, labels=labels)))
    assert "Labels: system=landing-7, team=ground" in text_of(slack.shown)
    assert "internal" not in text_of(slack.shown)


async def test_everything_stays_within_slacks_limits(slack, sender):
    """Many facts, long links and long texts: the message goes out with blocks, buttons and the links that fit."""
    page = outgoing("slack")
    graph = f"https://prometheus.example.org/graph?g0.expr={'x' * 1900}"
    words = {
        "facts": [(f"Fact {number}", "v" * 900) for number in range(25)],
        "links": [*page.message.links, *((f"Graph {number}", graph) for number in range(4)), ("Long", graph * 2)],
        "paragraphs": ["p" * 5000] * 9,
        "actions": ["a" * 200] * 20,
        "labels": [(f"label_{number}", "v" * 200) for number in range(30)],
    }
    await sender.send(dataclasses.replace(page, message=dataclasses.replace(page.message, **words)))
    (message,) = slack.shown
    assert "acknowledge" in buttons(message)
    assert "incidents/12|Incident #12" in text_of(message)
    assert "|Graph 0>" in text_of(message)


async def test_more_than_ten_facts_are_all_shown(slack, sender):
    """Slack takes ten to a block: the others stand in the next."""
    page = outgoing("slack")
    facts = [(f"Fact {number}", "v") for number in range(13)]
    await sender.send(dataclasses.replace(page, message=dataclasses.replace(page.message, facts=facts)))
    assert "Fact 12" in text_of(slack.shown)


def dates_outside_tokens(blocks):
    """Times that a reader would see in another zone than their own."""
    return re.findall(r"\d\d:\d\d", re.sub(r"<!date[^>]*>", "", text_of(blocks)))


@pytest.mark.parametrize("limit", range(10, 40))
def test_cutting_splits_no_entity(limit):
    """Escaped text that is cut ends before an entity or after it, never within."""
    cut = escape("a<b>&c" * 20, limit)
    assert len(cut) <= limit
    assert "&" not in cut.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")


async def test_thread_that_was_deleted_is_begun_anew(slack, sender):
    """A page reaches people although the first message was deleted."""
    outcome = await sender.send(
        outgoing("slack", Kind.PAGE, Reason.ESCALATED, thread=f"{CHANNEL}:1.000001", sequence=2)
    )
    (message,) = slack.shown
    assert "thread_ts" not in message
    assert "acknowledge" in buttons(message)
    assert outcome == Delivered(f"{CHANNEL}:{next(iter(slack.messages))}")


async def test_what_slack_cannot_show_goes_out_as_text(slack, sender):
    """A page that Slack finds ill-formed is sent again, bare."""
    slack.refuses_blocks = True
    assert isinstance(await sender.send(outgoing("slack")), Delivered)
    (message,) = slack.shown
    assert "blocks" not in message
    assert "#12 EMERGENCY" in message["text"]


async def test_all_clear_waits_for_the_paint_it_can_repeat(slack, sender):
    """If the first message cannot be updated just now, nothing is posted yet, so that trying again posts once."""
    first = await sender.send(outgoing("slack"))
    over = outgoing(
        "slack", Kind.RESOLVED, Reason.ACTION, incident=samples.resolved(), thread=first.reference, sequence=2
    )
    slack.wire.faults.append(Reply(429, b"", {"Retry-After": "3"}))
    assert await sender.send(over) == Retry("Slack asks us to slow down", 3_000_000)
    assert isinstance(await sender.send(over), Delivered)
    assert len(slack.shown) == 2


async def test_page_is_out_though_the_paint_fails(slack, sender):
    """A page that was posted is Delivered, also when the first message's update fails."""
    first = await sender.send(outgoing("slack"))
    slack.wire.faults += [
        Reply(200, {"ok": True, "channel": CHANNEL, "ts": "2.000001"}),
        wire.reset_read,
    ]
    outcome = await sender.send(outgoing("slack", Kind.PAGE, Reason.REPEATED, thread=first.reference, sequence=2))
    assert outcome == Delivered(f"{CHANNEL}:2.000001")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("not_in_channel", "the bot is not in #incident-response: invite it (/invite in that channel)"),
        ("channel_not_found", "invite the bot"),
        ("is_archived", "#incident-response is archived"),
        ("token_revoked", "TOCSIN_SLACK_TOKEN"),
        ("missing_scope", "chat:write"),
        ("ekm_access_denied", "ekm_access_denied"),
    ],
)
async def test_refusals_say_what_to_do(slack, sender, error, said):
    """What lasts is Rejected in words that tell what to do about it."""
    slack.error = error
    outcome = await sender.send(outgoing("slack"))
    assert isinstance(outcome, Rejected)
    assert said in outcome.reason


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
async def test_passing_errors_are_tried_again(slack, sender, error):
    """What Slack itself calls a passing fault is a Retry."""
    slack.error = error
    assert isinstance(await sender.send(outgoing("slack")), Retry)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html"])
@pytest.mark.parametrize("body", [b"[]", b"[1]", b'"ok"', b"{}", b"null", b"<html>", b"", b"\xff"])
async def test_nonsense_is_never_taken_for_an_answer(slack, sender, kind, body):
    """A 200 that is not Slack's (a login page, a proxy) is tried again, and never raises."""

    async def answer(server, reader, writer):
        await server.read(reader)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    slack.wire.faults.append(answer)
    assert isinstance(await sender.send(outgoing("slack")), Retry)


async def test_wrong_address_is_said():
    """An address at which no Slack is says which setting to check."""
    workspace = SlackWorkspace(TOKEN)
    async with workspace.wire:
        workspace.wire.faults.append(Reply(404, b"not here"))
        outcome = await SlackSender(TOKEN, f"{workspace.wire.url}/api", 1.0).send(outgoing("slack"))
    assert isinstance(outcome, Rejected)
    assert "TOCSIN_SLACK_API_URL" in outcome.reason


async def test_a_connection_cut_after_the_post_is_not_posted_again_here(slack, sender):
    """Whether to post again is not for the channel (nor its SDK) to decide: one request per try."""
    slack.wire.faults.append(wire.reset_read)
    assert isinstance(await sender.send(outgoing("slack")), Retry)
    assert len(slack.wire.requests) == 1


async def test_a_picture_follows_its_message(slack, sender):
    """The picture stands in the thread of the page it belongs to; later ones in the same thread."""
    page = pictured(outgoing("slack"))
    first = await sender.send(page)
    (thread,) = slack.messages
    await sender.send(pictured(outgoing("slack", Kind.RESOLVED, Reason.ACTION, thread=first.reference)))
    assert slack.pictures == [(thread, PICTURE.png)] * 2


async def test_a_picture_that_slack_refuses_costs_nothing(slack, sender):
    """Without the right to upload, or with Slack's upload down, the page is delivered; the right is asked for once."""
    slack.takes_files = False
    assert isinstance(await sender.send(pictured(outgoing("slack"))), Delivered)
    asked = len(slack.wire.requests)
    assert isinstance(await sender.send(pictured(outgoing("slack"))), Delivered)
    assert len(slack.wire.requests) == asked + 1
    assert not slack.pictures


PICTURE = Picture(b"\x89PNG picture", "safety_margin, as Prometheus had it")


def pictured(message):
    return dataclasses.replace(message, message=dataclasses.replace(message.message, picture=PICTURE))


@pytest.mark.parametrize("recipient", ["#incident-response", CHANNEL])
async def test_page_whose_answer_was_lost_is_found(slack, recipient):
    """A later try, even of a Tocsin that has just started, finds what was posted by its key and posts nothing."""
    slack.wire.faults.append(wire.lose_answer)
    first = SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0)
    assert isinstance(await first.send(outgoing("slack", recipient=recipient)), Retry)
    again = SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0)
    outcome = await again.send(outgoing("slack", recipient=recipient, attempts=1))
    assert outcome == Delivered(f"{CHANNEL}:{next(iter(slack.messages))}")
    assert len(slack.shown) == 1


async def test_reply_whose_answer_was_lost_is_found(slack, sender):
    """In a thread too; another message of the same thread is not taken for it."""
    first = await sender.send(outgoing("slack"))
    late = {"thread": first.reference, "sequence": 2}
    slack.wire.faults.append(wire.lose_answer)
    assert isinstance(await sender.send(outgoing("slack", Kind.PAGE, Reason.ESCALATED, **late)), Retry)
    await sender.send(outgoing("slack", Kind.PAGE, Reason.ESCALATED, attempts=1, **late))
    assert len(slack.shown) == 2
    assert isinstance(
        await sender.send(
            outgoing("slack", Kind.PAGE, Reason.REPEATED, thread=first.reference, sequence=3, attempts=1)
        ),
        Delivered,
    )
    assert len(slack.shown) == 3


async def test_what_cannot_be_looked_for_is_posted_again(slack, sender):
    """Without the scopes, without an answer, or in another channel: a message twice is better than none."""
    slack.readable = False
    for attempts in range(1, 4):
        assert isinstance(await sender.send(outgoing("slack", attempts=attempts)), Delivered)
    assert len(slack.shown) == 3
    slack.readable = True
    for fault in (wire.hang, Reply(200, {"ok": True, "messages": [None, {}]}), Reply(429)):
        slack.wire.faults.append(fault)
        assert isinstance(await sender.send(outgoing("slack", attempts=1)), Delivered)
    assert len(slack.shown) == 6
