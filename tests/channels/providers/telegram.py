"""Telegram's Bot API as far as a bot that posts and takes presses needs it: what it accepts and refuses, and what people
then see. Its refusals are those of api.telegram.org.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from receiver.channels.telegram import TelegramBot, TelegramSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.wire import Reply, Request, Wire

PERSON, GROUP = "123456789", "-1001234567890"
TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
BAD = "Bad Request: "
SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content"
)


class BotApi(Wire):
    """One bot's messages: `messages` maps (chat, id) to the message as it is shown now."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__(self.answer)
        self.token = token
        self.messages: dict[tuple[str, int], dict] = {}
        self.refusals: dict[str, dict] = {}
        """Chat → what every message to it is refused with."""
        self.webhook: dict[str, object] = {}
        self.toasts: asyncio.Queue[dict] = asyncio.Queue()
        """Answers to presses."""
        self._updates: list[dict] = []
        self._number = 870_000_000
        self._pending = asyncio.Event()

    async def read(self, reader) -> Request:
        """Hold a request for updates until there is one, as long polling does."""
        request = await super().read(reader)
        if "/getUpdates?" in request.path and not self.webhook.get("url"):
            await self._pending.wait()
        return request

    def answer(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        _, bot, *method = path.split("/")
        if not method:
            return Reply(302, b"", {"Location": "https://core.telegram.org/bots"})
        if bot != f"bot{self.token}":
            return refuse(401, "Unauthorized")
        words = json.loads(request.body) if request.body else dict(parse_qsl(query))
        return {
            "sendMessage": self.send,
            "editMessageText": self.edit,
            "answerCallbackQuery": self.toast,
            "setWebhook": self.register,
            "getUpdates": self.give,
        }[method[0]](words)

    def send(self, words) -> Reply:
        chat = str(words["chat_id"])
        if refusal := self.refusals.get(chat):
            return Reply(refusal["error_code"], {"ok": False, **refusal})
        if chat not in {PERSON, GROUP}:
            return refuse(400, f"{BAD}chat not found")
        if wrong := self.fault(words):
            return refuse(400, BAD + wrong)
        answered = words.get("reply_parameters", {})
        if (chat, answered.get("message_id")) not in self.messages and not answered.get(
            "allow_sending_without_reply", True
        ):
            return refuse(400, f"{BAD}message to be replied not found")
        number = len(self.messages) + 7
        self.messages[chat, number] = words
        return done({"message_id": number, "chat": {"id": int(chat)}, "date": 1795400000, "text": words["text"]})

    def edit(self, words) -> Reply:
        place = str(words["chat_id"]), words["message_id"]
        shown = self.messages.get(place)
        if shown is None:
            return refuse(400, f"{BAD}message to edit not found")
        if fault := self.fault(words):
            return refuse(400, BAD + fault)
        if all(shown[name] == words[name] for name in ("text", "entities", "reply_markup")):
            return refuse(400, BAD + SAME)
        self.messages[place] = shown | words
        return done({"message_id": place[1], "chat": {"id": int(place[0])}, "text": words["text"]})

    def fault(self, words) -> str:
        """What Telegram would refuse it for."""
        if not words["text"].strip():
            return "message text is empty"
        if units(words["text"]) > 4096:
            return "message is too long"
        if any(each["offset"] + each["length"] > units(words["text"]) for each in words["entities"]):
            return "ENTITY_BOUNDS_INVALID"
        data = [button["callback_data"] for row in words["reply_markup"]["inline_keyboard"] for button in row]
        return "" if all(1 <= len(each.encode()) <= 64 for each in data) else "BUTTON_DATA_INVALID"

    def toast(self, words) -> Reply:
        if len(words["text"]) > 200:
            return refuse(400, f"{BAD}MESSAGE_TOO_LONG")
        self.toasts.put_nowait(words)
        return done(True)

    def register(self, words) -> Reply:
        if words["url"] and not words["url"].startswith("https://"):
            return refuse(400, f"{BAD}bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = words
        return done(True)

    def give(self, words) -> Reply:
        if self.webhook.get("url"):
            return refuse(409, "Conflict: can't use getUpdates method while webhook is active")
        assert json.loads(words["allowed_updates"]) == ["callback_query"]
        self._updates = [each for each in self._updates if each["update_id"] >= int(words["offset"])]
        if not self._updates:
            self._pending.clear()
        return done(self._updates[: int(words["limit"])])

    def press(self, chat: str, number: int, user: dict, data: str = "") -> dict:
        """The update of a press; a bad client sends any `data`."""
        shown = self.messages[chat, number]
        self._number += 1
        pressed = data or shown["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        return {
            "update_id": self._number,
            "callback_query": {
                "id": f"4382{self._number}",
                "from": {"is_bot": False, **user},
                "message": {"message_id": number, "chat": {"id": int(chat)}, "text": shown["text"]},
                "chat_instance": "3",
                "data": pressed,
            },
        }

    def put(self, update: dict) -> None:
        """Give an update to who asks."""
        self._updates.append(update)
        self._pending.set()


def units(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def done(result) -> Reply:
    return Reply(200, {"ok": True, "result": result})


def refuse(code: int, description: str, **parameters: int) -> Reply:
    more = {"parameters": parameters} if parameters else {}
    return Reply(code, {"ok": False, "error_code": code, "description": description, **more})


@asynccontextmanager
async def provider(patience):
    async with BotApi() as api:
        yield Provider(
            TelegramSender(TelegramBot(TOKEN, api.url, timeout=patience)),
            outgoing("telegram", GROUP),
            (TOKEN, TOKEN.partition(":")[2]),
            over_http(
                api,
                refuse(403, f"Forbidden: bot was blocked by the user {TOKEN}"),
                refuse(401, f"Unauthorized {TOKEN}"),
            ),
            lambda: len(api.messages),
            advice="TOCSIN_TELEGRAM_TOKEN",
        )
