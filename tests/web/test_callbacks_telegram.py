"""Telegram's button: by webhook and by long polling, in the name of who pressed, once, and answered with what is true."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.model import Incident, Instant
from receiver.service import Service
from receiver.settings import Settings
from receiver.web.auth.message_tokens import ANSWERS, BOUNCES, MessageTokens
from receiver.web.auth.signing import Signing
from rules.load import load_text
from rules.policy import HOUR
from tests.channels.providers.telegram import GROUP, PERSON, TOKEN, BotApi, refuse
from tests.end_to_end.conftest import until
from tests.patience import GIVES_UP
from tests.web.conftest import Running
from tests.web.test_fuzz import ANY_JSON, TEXT, dump
from tests.web.test_fuzz_callbacks import SOME, lives

PATH, SECRET = "/callbacks/telegram", "the-webhooks-own-secret_1"
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
HOME = "https://localhost:8443"
DANA = {"id": int(PERSON), "first_name": "Dana", "username": "dana_on_call"}
RON = {"id": 55555, "first_name": "dana"}
POLICY = f"""\
incident_response:
  alert_channels:
    - {{name: chat, type: telegram, recipients: ["{GROUP}"]}}
    - {{name: own, type: telegram, recipients: ["@dana"]}}
  detection:
    rules: [{{name: margin, condition: "margin < 0.95", severity: 4, channels: [chat, own]}}]
people: [{{name: dana, contacts: {{telegram: "{PERSON}"}}}}]
"""


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with BotApi() as api:
        yield api


def environ(api: BotApi, **more: str) -> dict[str, str]:
    return {"TOCSIN_TELEGRAM_TOKEN": api.token, "TOCSIN_TELEGRAM_API_URL": api.url, **more}


def by_webhook(api: BotApi) -> dict[str, str]:
    return environ(api, TOCSIN_TELEGRAM_WEBHOOK_SECRET=SECRET, TOCSIN_EXTERNAL_URL=HOME)


@asynccontextmanager
async def service_for(api: BotApi) -> AsyncIterator["Chat"]:
    """A whole receiver that sends to people's chats."""
    settings = Settings.read({"TOCSIN_LISTEN": "127.0.0.1:0", "TOCSIN_DATABASE": "sqlite://", **environ(api)})
    async with Service(settings, [], load_text(POLICY).policy) as service:
        yield Chat(api, service)


class Chat:
    """What people see in Telegram, and what Tocsin knows."""

    def __init__(self, api: BotApi, service: Service) -> None:
        self.api, self.service = api, service

    async def page(self) -> None:
        """Open an incident of level 4, and wait for both its messages."""
        async with aiohttp.ClientSession() as http:
            body = {"type": "margin", "level": 4, "by": "test"}
            async with http.post(f"{self.service.address}/api/v1/incidents", json=body) as answer:
                assert answer.status == 201
        await until(lambda: len(self.api.messages) == 2, "a page in both chats")

    def place(self, chat: str) -> int:
        """The id of the first message in a chat."""
        return next(number for where, number in self.api.messages if where == chat)

    async def incident(self) -> tuple[str, str | None]:
        url = f"{self.service.address}/api/v1/incidents/1"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            found = await answer.json()
        return found["state"], found["acknowledged_by"]


async def toast(api: BotApi) -> dict[str, Any]:
    """The next answer to a press."""
    async with asyncio.timeout(GIVES_UP):
        return await api.toasts.get()


async def test_a_press_acknowledges_without_a_public_address(api: BotApi) -> None:
    """A page in a group is acknowledged by a press that Tocsin asks Telegram for: in the name of the policy's person with
    that id, who is told; the messages of all chats then show it, and have no button.
    """
    async with service_for(api) as chat:
        await chat.page()
        number = chat.place(GROUP)
        api.put(api.press(GROUP, number, DANA))
        said = await toast(api)
        assert (said["text"], said["show_alert"]) == ("#1 is acknowledged by dana.", False)
        assert await chat.incident() == ("acknowledged", "dana")
        firsts = [(where, chat.place(where)) for where in (GROUP, PERSON)]
        await until(
            lambda: all(not api.messages[each]["reply_markup"]["inline_keyboard"] for each in firsts),
            "first messages without a button",
        )
        assert all("acknowledged" in api.messages[each]["text"] for each in firsts)


async def test_the_log_and_the_store_have_no_token(
    api: BotApi, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """For every answer of Telegram the token, which stands in each URL, is in no log, and not in the timeline."""
    caplog.set_level("DEBUG")
    api.refusals[GROUP] = {"error_code": 403, "description": f"Forbidden: {TOKEN}"}
    async with service_for(api) as chat, aiohttp.ClientSession() as http:
        url = f"{chat.service.address}/api/v1/incidents"
        async with http.post(url, json={"type": "margin", "level": 4, "by": "test"}) as answer:
            assert answer.status == 201
        await until(lambda: api.messages, "a page in the other chat")
        api.token = "revoked"
        asked = len(api.requests)
        api.put({})
        await until(lambda: len(api.requests) > asked, "another try")
        async with http.get(f"{url}/1/timeline") as answer:
            told = await answer.text()
    assert TOKEN not in told
    logged = caplog.text + capsys.readouterr().out
    assert "TOCSIN_TELEGRAM_TOKEN" in logged
    assert TOKEN.partition(":")[2] not in logged


@pytest.fixture
async def receiver(start: Callable[..., Any], api: BotApi) -> Running:
    """A receiver with one open incident, to which Telegram posts."""
    receiver = await start(**by_webhook(api))
    await receiver.send("single_firing")
    return receiver


def first_incident(receiver: Running) -> Incident:
    found = receiver.store.reads().by_number(1)
    assert found is not None
    return found


def token(receiver: Running, purpose: str = ANSWERS, installation: str = "") -> str:
    """The token of the incident's first message."""
    incident = first_incident(receiver)
    signing = Signing(receiver.store.key, receiver.clock)
    tokens = MessageTokens(signing, installation or receiver.store.installation, purpose)
    return tokens.make(incident, f"{incident.id}-1")


def press(data: str, user: dict[str, Any] = DANA, number: int = 1) -> dict[str, Any]:
    """An update as Telegram posts it."""
    message = {"message_id": 7, "chat": {"id": int(GROUP)}, "text": "#1 …"}
    query = {"id": f"4382{number}", "from": user, "message": message, "chat_instance": "3", "data": data}
    return {"update_id": number, "callback_query": query}


async def state(receiver: Running) -> tuple[str, str | None]:
    _, found = await receiver.get("/api/v1/incidents/1")
    return found["state"], found["acknowledged_by"]


async def test_the_webhook_is_registered(receiver: Running, api: BotApi) -> None:
    """At the start Telegram learns where to post presses, with which secret, and that nothing else is wanted."""
    await until(lambda: api.webhook, "a webhook")
    assert api.webhook == {
        "url": f"{HOME}{PATH}",
        "secret_token": SECRET,
        "allowed_updates": ["callback_query"],
    }


async def test_a_press_by_webhook(receiver: Running, api: BotApi) -> None:
    """A press acts once, in the name of who pressed; a name that a person chose stands with its id."""
    update = press(f"ack:{token(receiver)}", RON)
    assert (await receiver.post(PATH, update, headers=HEADERS))[0] == 200
    assert (await toast(api))["text"] == "#1 is acknowledged by dana (Telegram 55555)."
    assert await state(receiver) == ("acknowledged", "dana (Telegram 55555)")
    before = len(receiver.store.newest_audits(10))
    assert (await receiver.post(PATH, update, headers=HEADERS))[0] == 200
    assert len(receiver.store.newest_audits(10)) == before, "the same press"
    ((_, audit),) = receiver.store.newest_audits(1)
    assert (audit.via, audit.address) == ("telegram", "55555")


async def test_a_late_press_is_told_what_is_true(receiver: Running, api: BotApi) -> None:
    """Who presses after another person, or after a day, changes nothing and is told the state in a window."""
    data = f"ack:{token(receiver)}"
    await receiver.post(PATH, press(data, RON), headers=HEADERS)
    await toast(api)
    await receiver.post(PATH, press(data, DANA, 2), headers=HEADERS)
    said = await toast(api)
    assert said["text"].startswith("#1 is acknowledged by dana (Telegram 55555). Nothing was done")
    assert said["show_alert"]
    receiver.clock.now = Instant(receiver.clock.now + 25 * HOUR)
    await receiver.post(PATH, press(data, DANA, 3), headers=HEADERS)
    assert (await toast(api))["text"].startswith("Nothing was done, because this message is older than a day.")


@pytest.mark.parametrize("forged", ["another purpose", "another installation", "changed", "an incident's id", "none"])
async def test_data_that_tocsin_did_not_make_does_nothing(receiver: Running, api: BotApi, forged: str) -> None:
    """A client can send any data: without this installation's seal for answers it does nothing."""
    good = token(receiver)
    data = {
        "another purpose": token(receiver, BOUNCES),
        "another installation": token(receiver, installation="another"),
        "changed": good[:-20] + ("b" if good[-20] != "b" else "c") + good[-19:],
        "an incident's id": first_incident(receiver).id,
        "none": "",
    }[forged]
    assert (await receiver.post(PATH, press(f"ack:{data}"), headers=HEADERS))[0] == 200
    assert (await toast(api))["text"] == "Nothing was done: Tocsin does not know this message."
    assert await state(receiver) == ("open", None)


@pytest.mark.parametrize("headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": "another"}])
async def test_only_telegram_is_believed(receiver: Running, headers: dict[str, str]) -> None:
    """Without the webhook's secret a press is refused and does nothing."""
    assert (await receiver.post(PATH, press(f"ack:{token(receiver)}"), headers=headers))[0] == 401
    assert await state(receiver) == ("open", None)


async def test_without_a_secret_there_is_no_path(start: Callable[..., Any], api: BotApi) -> None:
    """Where Tocsin asks for presses, posted ones are not taken, and a webhook of earlier is removed."""
    api.webhook = {"url": "https://earlier.example"}
    receiver = await start(**environ(api))
    assert (await receiver.post(PATH, b"{}", headers=HEADERS))[0] == 404
    await until(lambda: api.webhook == {"url": ""}, "no webhook")


async def test_nonsense_between_presses_is_passed_over(start: Callable[..., Any], api: BotApi) -> None:
    """Updates of other kinds and of no shape do not stop the asking, and a failure of Telegram's is asked again."""
    receiver = await start(**environ(api))
    await receiver.send("single_firing")
    data = f"ack:{token(receiver)}"
    odd: list[dict[str, Any]] = [
        {"update_id": 1, "message": {"text": "hi"}},
        {"update_id": 2, "callback_query": 3},
        {"update_id": 4},
    ]
    for update in (*odd, press(data, DANA, 5)):
        api.put(update)
    await toast(api)
    assert (await state(receiver))[0] == "acknowledged"
    await until(lambda: "offset=6&" in api.requests[-1].path, "the next number")


async def test_an_expired_press_is_done_all_the_same(receiver: Running, api: BotApi) -> None:
    """If Telegram takes no answer to a press any more, the press still acts, and Telegram gets its 200."""
    await until(lambda: api.webhook, "a webhook")
    query_is_old = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    api.faults.extend([refuse(400, query_is_old)] * 2)
    assert (await receiver.post(PATH, press(f"ack:{token(receiver)}"), headers=HEADERS))[0] == 200
    assert (await state(receiver))[0] == "acknowledged"


QUERY = st.fixed_dictionaries(
    {"id": TEXT, "from": ANY_JSON | st.fixed_dictionaries({"id": ANY_JSON}, optional={"username": ANY_JSON})},
    optional={"data": ANY_JSON | st.just("ack:TOKEN"), "message": ANY_JSON},
)
UPDATE = st.fixed_dictionaries({"update_id": ANY_JSON, "callback_query": ANY_JSON | QUERY})


@SOME
@given(body=st.binary(max_size=60) | (UPDATE | ANY_JSON).map(dump))
async def test_any_update(receiver: Running, body: bytes) -> None:
    """Nonsense and near misses in Telegram's name make no 500, and the receiver lives on."""
    sent = body.replace(b"TOKEN", token(receiver).encode())
    assert (await receiver.post(PATH, sent, headers=HEADERS))[0] in {200, 400}
    await lives(receiver)


def test_a_press_is_what_telegram_posts(api: BotApi) -> None:
    """What these tests post has the fields of what the local Bot API makes."""
    api.messages[GROUP, 7] = {"text": "#1 …", "reply_markup": {"inline_keyboard": [[{"callback_data": "ack:x"}]]}}
    made = json.loads(json.dumps(api.press(GROUP, 7, DANA)))
    assert made["callback_query"].keys() == press("ack:x")["callback_query"].keys()
