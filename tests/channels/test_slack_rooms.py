"""An incident's own channel in Slack: created once, people invited, the incident pinned, archived at the end."""

import pytest

from receiver.channels.slack import SlackSender
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from tests.channels.servers.slack import SlackWorkspace
from tests.channels.servers.wire import Reply
from tests.channels.stories import outgoing

TOKEN = "xoxb-1234-secret"
NAME = "inc-12-landing-7"
INVITE = "U0ADA ada\nU0BEN ben"


@pytest.fixture
async def slack():
    workspace = SlackWorkspace(TOKEN)
    async with workspace.wire:
        yield workspace


@pytest.fixture
def sender(slack):
    return SlackSender(TOKEN, f"{slack.wire.url}/api", 1.0)


def asked(attempts=0, invite=INVITE):
    return outgoing("slack", Kind.ROOM, Reason.ACTION, recipient=f"#{NAME}", attempts=attempts, by="ada", invite=invite)


def only(slack):
    """The one channel that was made."""
    ((id_, room),) = slack.rooms.items()
    return id_, room


async def test_it_is_made_with_people_and_the_incident(slack, sender):
    """Its first message is the incident with its buttons, without a mention, and pinned; the outcome has its link."""
    outcome = await sender.send(asked())
    id_, room = only(slack)
    ((ts, message),) = slack.messages.items()
    assert room | {"members": sorted(room["members"])} == {
        "name": NAME,
        "created": 1795435320,
        "members": ["U0ADA", "U0BEN", "UBOT"],
        "pins": [ts],
        "archived": False,
    }
    assert message["channel"] == id_
    assert "ada asked for this channel. It is archived when the incident closes." in str(message["blocks"])
    assert "acknowledge" in str(message["blocks"])
    assert "<!here>" not in str(message)
    link = f"https://slack.com/app_redirect?channel={id_}"
    assert outcome == Delivered(f"{id_}:{ts}", {"name": NAME, "link": link, "unmet": ""})


async def test_news_follows_in_the_thread_of_the_pinned_message(slack, sender):
    """The pinned message shows how the incident stands."""
    outcome = await sender.send(asked())
    news = outgoing("slack", Kind.ACKNOWLEDGED, Reason.ACTION, recipient=f"#{NAME}", thread=outcome.reference, by="ada")
    assert isinstance(await sender.send(news), Delivered)
    id_, _ = only(slack)
    assert [each["channel"] for each in slack.shown] == [id_, id_]
    assert slack.shown[1]["thread_ts"] == outcome.reference.split(":")[1]


@pytest.mark.parametrize(
    ("stranger", "why", "unmet"),
    [
        ("U0BEN", "user_not_found", "invitation of ben (user_not_found)"),
        ("U0BEN", "cant_invite_self", ""),
        ("U0BEN", "already_in_channel", ""),
    ],
)
async def test_one_who_cannot_be_invited_keeps_no_one_out(slack, sender, stranger, why, unmet):
    """The others are in, and the outcome says who is not; one who is in already is no failure."""
    slack.strangers = {stranger: why}
    outcome = await sender.send(asked())
    assert outcome.made["unmet"] == unmet
    assert "U0ADA" in only(slack)[1]["members"]


async def test_a_lack_of_scopes_for_invitations_and_pins_is_told(slack, sender):
    """The channel is open without them."""
    slack.errors = {"conversations.invite": "missing_scope", "pins.add": "missing_scope"}
    outcome = await sender.send(asked())
    assert outcome.made["unmet"] == "invitation of ada, ben (missing_scope); pin (missing_scope)"


@pytest.mark.parametrize("lost", ["conversations.create", "conversations.invite", "pins.add"])
async def test_a_try_whose_answer_is_lost_makes_no_second_channel(slack, sender, lost):
    """The next try goes on with the channel of the first: one channel, one message, one pin."""
    slack.loses = {lost}
    assert isinstance(await sender.send(asked()), Retry)
    outcome = await sender.send(asked(attempts=1))
    assert outcome.made["unmet"] == ""
    _, room = only(slack)
    assert room["members"] == {"UBOT", "U0ADA", "U0BEN"}
    assert len(slack.messages) == len(room["pins"]) == 1


async def test_a_taken_name_gets_a_number(slack, sender):
    """Another Tocsin, or a person, has a channel of that name: the next free one is taken, and told."""
    slack.taken = {NAME, f"{NAME}-2"}
    outcome = await sender.send(asked())
    assert outcome.made["name"] == only(slack)[1]["name"] == f"{NAME}-3"


async def test_a_channel_that_was_there_before_is_not_taken_for_ours(slack, sender):
    """A retry goes on only with a channel that is not older than the request."""
    slack.rooms["C0OLD0001"] = {"name": NAME, "created": 1_700_000_000, "members": set(), "pins": [], "archived": False}
    outcome = await sender.send(asked(attempts=1))
    assert outcome.made["name"] == f"{NAME}-2"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("missing_scope", "lacks the scope channels:manage"),
        ("restricted_action", "does not let the bot create channels"),
        ("invalid_auth", "Slack refuses the token"),
    ],
)
async def test_what_may_not_be_created_is_rejected_with_what_to_do(slack, sender, error, words):
    """No channel, no message."""
    slack.errors = {"conversations.create": error}
    outcome = await sender.send(asked())
    assert isinstance(outcome, Rejected)
    assert words in outcome.reason
    assert slack.rooms == slack.messages == {}


@pytest.mark.parametrize("step", ["conversations.create", "conversations.invite", "chat.postMessage", "pins.add"])
async def test_a_limit_is_waited_for(slack, sender, step):
    """Slack's limit at any step is tried again, as Retry-After says, without a second channel."""
    slack.limited = step
    limited = await sender.send(asked())
    assert limited == Retry("Slack asks us to slow down", 7_000_000)
    slack.limited = ""
    assert isinstance(await sender.send(asked(attempts=1)), Delivered)
    assert len(slack.rooms) == len(slack.messages) == 1


@pytest.mark.parametrize(
    "method", ["conversations.create", "conversations.invite", "pins.add", "conversations.archive"]
)
@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True, "channel": "id name", "errors": 1},
        {"ok": True, "channel": {"id": 1}, "errors": ["x", {"user": None}]},
        {"ok": False, "error": ["x"], "errors": {"user": "U0ADA"}},
        {"ok": True},
    ],
)
async def test_an_answer_that_makes_no_sense_raises_nothing(slack, sender, method, answer):
    """Whichever answer comes back, the sender gives an outcome."""
    slack.answers = {method: answer}
    reason, thread = (Reason.CLOSED, "C1:1.1") if method == "conversations.archive" else (Reason.ACTION, "")
    asked_for = outgoing("slack", Kind.ROOM, reason, recipient=f"#{NAME}", thread=thread, by="ada", invite=INVITE)
    assert isinstance(await sender.send(asked_for), Delivered | Retry | Rejected)


async def test_it_is_archived(slack, sender):
    """Once; a second try is no failure."""
    opened = await sender.send(asked())
    end = outgoing("slack", Kind.ROOM, Reason.CLOSED, recipient=f"#{NAME}", thread=opened.reference)
    assert await sender.send(end) == Delivered()
    assert only(slack)[1]["archived"]
    assert await sender.send(end) == Delivered()
    assert len(slack.messages) == 1


async def test_no_secret_in_what_is_told(slack, sender):
    """Slack may repeat the token in an error."""
    slack.wire.faults.append(Reply(200, {"ok": False, "error": f"odd {TOKEN}"}))
    outcome = await sender.send(asked())
    assert TOKEN not in outcome.reason
