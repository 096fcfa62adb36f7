"""Apprise: what services get by it, and what its true or false and its log mean. What all channels promise: test_contract."""

import json
import logging

import pytest

from receiver.channels.apprise import AppriseSender, configure, judge, make_service
from receiver.core.events import Delivered, Rejected, Retry
from receiver.core.model import Kind, Reason
from receiver.errors import SettingsError
from receiver.settings import Settings
from rules.load import load_text
from rules.policy import Channel
from rules.problems import PolicyError
from tests.channels.outgoings import outgoing
from tests.channels.servers.push import Elsewhere, Ntfy
from tests.channels.servers.wire import Reply, Wire

LINK = "https://tocsin.example/act/12-1-q3f7k2m5axw4cabcd"
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/987654321"
DISCORD = "discord://417429632418316298/JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF7711o33MyqU344Qpgv7YTpadV_js"
TOKENS = ("abcdefghijklmnopqrstuvwxyzABCDEFGHI", "JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF7711o33MyqU344Qpgv7YTpadV_js")
VARIABLE = "TOCSIN_APPRISE_URL_OPS"


def page(**more):
    message = {"acknowledge": LINK, "lead": "Opened at 14:13 UTC.", "actions": ("Brake",)}
    return outgoing("apprise", "ops", message={**message, **more})


@pytest.fixture
async def far_away(monkeypatch, tmp_path):
    """Telegram and Discord, to which the environment's proxy leads, as where no machine may go out by itself."""
    async with Elsewhere("api.telegram.org", "discord.com") as servers:
        servers.authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("HTTPS_PROXY", servers.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        yield servers


def sender(url):
    make_service(VARIABLE, url)
    return AppriseSender({VARIABLE: url})


async def test_ntfy_gets_it_whole():
    """The title says which incident, the text first why now and how to acknowledge; nothing is taken for markup."""
    ntfy = Ntfy("tk_0123456789abcdefghijklmnopqrs")
    async with ntfy.wire:
        assert await sender(ntfy.url).send(page(headline="*#12* <b>EMERGENCY</b>")) == Delivered()
    (message,) = ntfy.messages
    assert (message["topic"], message["title"]) == ("alarms", "*#12* <b>EMERGENCY</b>")
    assert message["message"].startswith(
        f"Opened at 14:13 UTC.\n\nAcknowledge: {LINK}\n\nFirst do this:\n1. Brake\n\nLevel:"
    )
    assert message["message"].endswith("Runbook: https://runbooks.example/safety")


@pytest.mark.parametrize(("url", "limit"), [(TELEGRAM, 4096), (DISCORD, 2000)], ids=["telegram", "discord"])
async def test_telegram_and_discord_get_it_cut(far_away, url, limit, caplog):
    """Each gets one message of the length that it takes, with the link to acknowledge; no token stands in a log."""
    caplog.set_level(logging.DEBUG)
    assert await sender(url).send(page(paragraphs=["word " * 2000])) == Delivered()
    ((path, document),) = far_away.taken
    text = document.get("text") or document["content"]
    assert LINK in text
    assert limit // 2 < len(text) <= limit
    assert any(token in path for token in TOKENS)
    assert not [token for token in TOKENS if token in caplog.text]


@pytest.mark.parametrize("url", [TELEGRAM, DISCORD], ids=["telegram", "discord"])
@pytest.mark.parametrize(
    ("status", "wanted"), [(401, Rejected), (400, Rejected), (404, Rejected), (429, Retry), (502, Retry)]
)
async def test_their_refusals_are_told_apart(far_away, url, status, wanted):
    """What a person must mend is rejected and names the setting; limits and outages are tried again."""
    far_away.faults += [Reply(status, {"ok": False, "error_code": status, "description": "x"})] * 3
    outcome = await sender(url).send(page())
    assert isinstance(outcome, wanted)
    assert str(status) in outcome.reason
    assert (VARIABLE in outcome.reason) is (wanted is Rejected)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["Failed to send ntfy notification to topic 'a': limit reached, error=42901."], Retry),
        (["Failed to send ntfy notification to topic 'a': unauthorized, error=40101."], Rejected),
        (["Failed to send X notification: error=500.", "Failed to send X notification: error=401."], Retry),
        (["Failed to send X notification: error=401.", "Failed to send X notification: error=500."], Retry),
        (["A Connection error occurred sending ntfy:https://secret notification."], Retry),
        (["The message could not be sent."], Retry),
        ([], Retry),
    ],
)
def test_what_apprise_logs_is_judged_carefully(said, wanted):
    """A status that a person must mend is a refusal; all others are tried again, and no URL is shown."""
    outcome = judge("X", said, VARIABLE)
    assert isinstance(outcome, wanted)
    assert "secret" not in outcome.reason


async def test_an_all_clear_is_a_success():
    """Services that colour their messages colour an all-clear as one."""
    async with Wire(lambda _: Reply(200)) as wire:
        there = sender(f"json://{wire.host}:{wire.port}")
        for message in (page(), outgoing("apprise", "ops", kind=Kind.RESOLVED, reason=Reason.ACTION)):
            assert await there.send(message) == Delivered()
    assert [json.loads(each.body)["type"] for each in wire.requests] == ["failure", "success"]


@pytest.mark.parametrize(
    "policy",
    [
        "incident_response: {alert_channels: [{name: push, type: apprise, recipients: ['ntfys://tk_secret@h/t']}]}",
        "people: [{name: dana, contacts: {apprise: 'ntfys://tk_secret@h/t'}}]",
    ],
)
def test_a_url_in_a_policy_is_refused_and_not_repeated(policy):
    """Where a name belongs a URL is refused, with what to write instead, and the error shows nothing of it."""
    with pytest.raises(PolicyError) as caught:
        load_text(policy)
    (problem,) = caught.value.problems
    assert "(its URL is a setting)" in problem.message
    assert "secret" not in problem.message


def test_urls_are_settings():
    """A name without a URL is not configured; what Apprise does not know is refused at the start, and not shown."""
    configured = configure(Settings.read({VARIABLE: "json://user:secret@127.0.0.1"}), lambda: 0)
    served = [configured.serves(Channel("t", "apprise", recipients=(name,))) for name in ("ops", "other", "@dana")]
    assert served == [True, False, True]
    assert configure(Settings.read({}), lambda: 0) is None
    with pytest.raises(SettingsError, match=f"{VARIABLE}: is no URL of a service") as caught:
        configure(Settings.read({VARIABLE: "nothing://secret"}), lambda: 0)
    assert "secret" not in str(caught.value)
