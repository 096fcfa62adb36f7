"""Telegram: what people see, and what its answers mean. What all channels promise: test_contract."""

from dataclasses import replace

import pytest

from receiver.channels.telegram import LEFT_OUT, ChatMessage, TelegramBot, TelegramSender, configure
from receiver.cli.doctor import _places
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind
from receiver.errors import SettingsError
from receiver.settings import Settings
from tests.channels.outgoings import outgoing
from tests.channels.providers.telegram import GROUP, TOKEN, BotApi, refuse, units
from tests.channels.servers.wire import Reply, lose_answer

ANSWER = "123456789-987654321-123456789012345678-q3f7k2m5axw4cabcd"
"""The longest token that a message may have."""


@pytest.fixture
async def api():
    async with BotApi() as api:
        yield api


@pytest.fixture
async def sender(api):
    sender = TelegramSender(TelegramBot(TOKEN, api.url))
    yield sender
    await sender.close()


async def send_anew(api, message, fault):
    """Send on a connection of its own, whose first answer is that fault."""
    api.faults.append(fault)
    sender = TelegramSender(TelegramBot(TOKEN, api.url))
    try:
        return await sender.send(message)
    finally:
        await sender.close()


def page(**message):
    return outgoing("telegram", GROUP, message=message)


def later(kind, **message):
    """A message of that kind, after a first one."""
    return replace(outgoing("telegram", GROUP, kind=kind, message=message, number="n2"), thread=f"{GROUP}:7")


def buttons(message):
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def test_a_page_has_its_headline_in_bold_and_a_button(api, sender):
    """The headline and the reason come first, then what to do, the facts and the links; the button has the token."""
    outcome = await sender.send(page(lead="Opened at 14:13 UTC.", actions=("Brake", "Call"), answer_token=ANSWER))
    assert outcome == Delivered(f"{GROUP}:7")
    (shown,) = api.messages.values()
    assert shown["text"] == (
        "#12 EMERGENCY safety_critical_failure: safety margin below 0.95\n\n"
        "Opened at 14:13 UTC.\n\n"
        "First do this:\n1. Brake\n2. Call\n\n"
        "Level: 4 emergency\nSystem: flight-control\n\n"
        "First: engage the fallback controller.\n\n"
        "Incident: https://tocsin.example/incidents/12\nRunbook: https://runbooks.example/safety"
    )
    assert shown["entities"] == [{"type": "bold", "offset": 0, "length": 63}]
    assert buttons(shown) == [{"text": "Acknowledge", "callback_data": f"ack:{ANSWER}"}]
    assert not shown["disable_notification"]


async def test_a_message_about_several_has_one_button(api, sender):
    """A bundle's button says how many it acknowledges, and its message is never edited to one incident's state."""
    assert await sender.send(page(count=31, answer_token=ANSWER)) == Delivered(f"{GROUP}:7:bundle")
    (shown,) = api.messages.values()
    assert buttons(shown)[0]["text"] == "Acknowledge these 31"
    await sender.send(replace(later(Kind.ACKNOWLEDGED), thread=f"{GROUP}:7:bundle"))
    assert buttons(api.messages[GROUP, 7])


async def test_who_is_not_asked_gets_no_button(api, sender):
    """Without a token there is no button, but the command to answer with."""
    await sender.send(page(command="tocsin acknowledge 12"))
    (shown,) = api.messages.values()
    assert buttons(shown) == []
    assert "tocsin acknowledge 12" in shown["text"]


@pytest.mark.parametrize("foreign", ["*a* _b_ <b>c</b> `d` [e](https://x.example)", "a & b < c", "dana@example.org"])
async def test_what_an_alert_says_formats_nothing(api, sender, foreign):
    """Markup of alerts is shown sign by sign: no parse mode is on."""
    await sender.send(page(headline=foreign))
    (shown,) = api.messages.values()
    assert shown["text"].startswith(f"{foreign}\n\n")
    assert "parse_mode" not in shown


async def test_what_an_alert_says_mentions_no_user(api, sender):
    """A name with an at sign in an alert mentions no user of Telegram."""
    await sender.send(page(headline="@durov look (@x)", facts=[("Owner", "@dana")]))
    (shown,) = api.messages.values()
    assert shown["text"].startswith("\uff20durov look (\uff20x)\n\n")
    assert "Owner: \uff20dana" in shown["text"]


@pytest.mark.parametrize("sign", ["x", "ü", "\U0001f525"])
async def test_a_long_message_fits_and_says_so(api, sender, sign):
    """Beyond 4,096 UTF-16 units the longest parts are left out, which is said; headline, reason and steps stay."""
    long = sign * 1900
    message = page(headline=long, lead=long, actions=[long] * 3, paragraphs=[long] * 3, answer_token=ANSWER)
    assert isinstance(await sender.send(message), Delivered)
    (shown,) = api.messages.values()
    assert units(shown["text"]) <= 4096
    assert shown["text"].endswith(LEFT_OUT)
    assert "First do this:\n1. " in shown["text"]
    assert shown["entities"][0]["length"] == units(shown["text"].partition("\n\n")[0])
    assert buttons(shown)


async def test_the_first_message_shows_the_present_state(api, sender):
    """An acknowledgement edits the first message and takes its button away; what is new is a silent reply to it."""
    await sender.send(page(answer_token=ANSWER))
    outcome = await sender.send(later(Kind.ACKNOWLEDGED, headline="#12 acknowledged", lead="By dana."))
    assert outcome == Delivered(f"{GROUP}:8")
    first, reply = api.messages.values()
    assert first["text"].startswith("#12 acknowledged\n\nBy dana.\n\n")
    assert buttons(first) == []
    assert reply["reply_parameters"] == {"message_id": 7, "allow_sending_without_reply": True}
    assert reply["disable_notification"]


async def test_a_further_page_makes_a_sound(api, sender):
    """A page after the first is a reply with a sound and its own button, and the first shows the new level."""
    await sender.send(page(answer_token="1-1-a"))
    await sender.send(later(Kind.PAGE, headline="#12 EMERGENCY, escalated", answer_token="1-2-b"))
    first, reply = api.messages.values()
    assert not reply["disable_notification"]
    assert [buttons(each)[0]["callback_data"] for each in (first, reply)] == ["ack:1-2-b", "ack:1-2-b"]
    assert first["text"].startswith("#12 EMERGENCY, escalated")


async def test_news_is_short(api, sender):
    """A notice in reply has the headline and its sentence alone."""
    await sender.send(page())
    await sender.send(later(Kind.NOTICE, lead="One more alert fires."))
    _, reply = api.messages.values()
    assert reply["text"].endswith("0.95\n\nOne more alert fires.")


async def test_an_edit_that_is_late_or_in_vain_keeps_nothing_back(api, sender):
    """An edit that changes nothing, or of a deleted message, does not keep the news back; one to be repeated is first."""
    await sender.send(page())
    again = later(Kind.RESOLVED, headline="#12 resolved")
    assert isinstance(await sender.send(again), Delivered)
    assert isinstance(await sender.send(again), Delivered), "the edit changes nothing"
    api.messages.clear()
    assert isinstance(await sender.send(again), Delivered), "the first message is deleted"
    count, asked = len(api.messages), len(api.requests)
    assert isinstance(await send_anew(api, again, Reply(502, b"<html>Bad Gateway</html>")), Retry)
    assert [each.path.rpartition("/")[2] for each in api.requests[asked:]] == ["editMessageText"]
    assert len(api.messages) == count, "nothing is posted before the edit is done"


async def test_a_lost_answer_means_a_second_message(api, sender):
    """Telegram takes no key: when its answer is lost, the message is sent again, and people see it twice."""
    api.faults.append(lose_answer)
    assert isinstance(await sender.send(page()), Retry)
    assert isinstance(await sender.send(page()), Delivered)
    assert len(api.messages) == 2


FORBIDDEN, BAD = "Forbidden: ", "Bad Request: "
ANSWERS = {
    "limited": (refuse(429, "Too Many Requests: retry after 35", retry_after=35), Retry, "limits the rate"),
    "blocked": (refuse(403, f"{FORBIDDEN}bot was blocked by the user"), Rejected, "they unblock it"),
    "not begun": (refuse(403, f"{FORBIDDEN}bot can't initiate conversation with a user"), Rejected, "press Start"),
    "kicked": (refuse(403, f"{FORBIDDEN}bot was kicked from the supergroup chat"), Rejected, "add it again"),
    "not a member": (refuse(403, f"{FORBIDDEN}bot is not a member of the channel chat"), Rejected, "add the bot"),
    "deleted account": (refuse(403, f"{FORBIDDEN}user is deactivated"), Rejected, "account is deleted"),
    "unknown chat": (refuse(400, f"{BAD}chat not found"), Rejected, "is its id right?"),
    "rights": (refuse(400, f"{BAD}not enough rights to send text messages to the chat"), Rejected, "let the bot post"),
    "supergroup": (
        refuse(400, f"{BAD}group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1009876543210),
        Rejected,
        "write -1009876543210 into the policy",
    ),
    "another refusal": (refuse(400, f"{BAD}message is too long"), Rejected, "refuses it (Bad Request: message is too"),
    "wrong token": (refuse(401, "Unauthorized"), Rejected, "set TOCSIN_TELEGRAM_TOKEN"),
    "malformed token": (refuse(404, "Not Found"), Rejected, "set TOCSIN_TELEGRAM_TOKEN"),
    "another server": (Reply(404, b"<html>nginx</html>"), Rejected, "check TOCSIN_TELEGRAM_API_URL"),
    "a redirect": (Reply(302, b"", {"Location": "https://evil.example"}), Rejected, "TOCSIN_TELEGRAM_API_URL"),
    "no sense": (Reply(200, b"<html>login</html>"), Retry, "makes no sense"),
    "not done": (Reply(200, {"ok": False}), Retry, "makes no sense"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_what_its_answers_mean(api, sender, case):
    """What a person must mend is rejected, with what to do and, for a group that moved, its new id; all else repeats."""
    reply, expected, says = ANSWERS[case]
    api.faults.append(reply)
    outcome = await sender.send(page())
    assert isinstance(outcome, expected)
    assert says in outcome.reason
    assert TOKEN not in outcome.reason


async def test_the_wait_is_what_telegram_says(api):
    """`retry_after` is honoured, an hour at most."""
    for asked, waits in ((35, 35), (86_400, 3600)):
        reply = refuse(429, f"Too Many Requests: retry after {asked}", retry_after=asked)
        outcome = await send_anew(api, page(), reply)
        assert isinstance(outcome, Retry)
        assert outcome.after == waits * 1_000_000


@pytest.mark.parametrize("reference", ["", "C1:1700000000.1", "12", "-1:x", "1:2:3"])
def test_a_reference_that_is_none(reference):
    """A thread's reference of another type means no thread."""
    assert ChatMessage.parse(reference) is None


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "https://api.telegram.org"),
        ({"TOCSIN_TELEGRAM_API_URL": "http://bots.example:8081/"}, "http://bots.example:8081"),
    ],
)
def test_doctor_looks_at_its_address(given, place):
    """`tocsin doctor` asks whether Telegram's address, or that of the setting, can be reached."""
    settings = Settings.read({"TOCSIN_TELEGRAM_TOKEN": TOKEN, **given})
    assert list(_places(settings, "telegram", (GROUP,))) == [place]


def test_a_secret_that_telegram_would_not_take():
    """A webhook's secret with other letters than Telegram's is refused at the start, and not repeated."""
    given = {"TOCSIN_TELEGRAM_WEBHOOK_SECRET": "not this!", "TOCSIN_EXTERNAL_URL": "https://tocsin.example"}
    with pytest.raises(SettingsError) as caught:
        configure(Settings.read({"TOCSIN_TELEGRAM_TOKEN": TOKEN, **given}), lambda: 0)
    assert str(caught.value).startswith("TOCSIN_TELEGRAM_WEBHOOK_SECRET: must be")
    assert "not this" not in str(caught.value)
