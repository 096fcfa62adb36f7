"""Telegram: a bot's messages in a person's chat or a group, each page with a button that acknowledges.

The first message about an incident is edited to the present state; later ones are replies to it, because Telegram does
not notify of edits. Only pages and reminders make a sound. Text is sent with entities and not as HTML, so that what
alerts say formats nothing. Telegram has no idempotency key; an uncertain message is sent again. The bot's token stands
in every URL: no URL is logged or quoted.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson

from receiver.channels import Configured, Outgoing
from receiver.channels.posting import MAX_RETRY_AFTER, Answer, Poster, Unanswered, Unsendable, excerpt
from receiver.clients.egress import Egress
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind
from receiver.errors import SettingsError
from receiver.messages import Message
from receiver.messages.plain import cut
from receiver.settings import Settings
from rules.policy import SECOND

API_URL = "https://api.telegram.org"
TIMEOUT = 10.0
"""Seconds for a whole call; a message takes two at most."""

MOST = 4096
"""UTF-16 code units of a message's text: Telegram's limit."""
HEADLINE, LEAD, STEPS, TEXT = 300, 600, 1000, 1500
"""Characters of the headline, the reason, the first steps and of each other part. A character has up to two units, so
the first three always fit together.
"""
LEFT_OUT = "This message was too long for Telegram; the incident's page has the rest."

AT_ONCE, MOST_UPDATES = 20, 4 << 20
"""Updates in one answer, and the bytes of it that are read: each has its message, and the one to which that replies."""

ACKNOWLEDGE = "ack:"
"""Begins the data of the button; the message's token follows. Telegram allows 64 bytes."""

AUDIBLE = frozenset({Kind.PAGE, Kind.REMINDER})
TERSE = frozenset({Kind.NOTICE, Kind.REMINDER})
"""Kinds that are one sentence in a reply."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
"""What Telegram would take for a mention of a user, and notify them of."""

ADVICE = {
    "chat not found": "is its id right? A person must press Start in the bot's chat once; a group must have the bot",
    "blocked by the user": "that person blocked the bot; they unblock it in its chat",
    "initiate conversation": "that person must press Start in the bot's chat once",
    "deactivated": "that account is deleted; name another one in the policy",
    "kicked": "the bot was removed from that group; add it again",
    "not a member": "add the bot to that group",
    "rights": "let the bot post in that group",
    "WRITE_FORBIDDEN": "let the bot post in that group",
    "other getUpdates": "another program asks with this token; for several replicas set TOCSIN_TELEGRAM_WEBHOOK_SECRET",
}
"""Part of Telegram's description → what to do."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message's place in Telegram; stored as ``chat:message``, with ``:bundle`` if it is of several incidents."""

    chat: str
    message: int
    bundle: bool = False

    @classmethod
    def parse(cls, reference: str) -> "ChatMessage | None":
        """Returns the place in a reference; None: invalid."""
        found = re.fullmatch(r"(-?\d+):(\d+)(:bundle)?", reference, re.ASCII)
        return cls(found[1], int(found[2]), bool(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.chat}:{self.message}{':bundle' if self.bundle else ''}"


@dataclass(frozen=True, slots=True)
class TelegramFailure:
    """A call that Telegram did not carry out."""

    outcome: Retry | Rejected


class TelegramBot:
    """Calls the Bot API in the name of one bot."""

    def __init__(
        self, token: str, api_url: str = API_URL, egress: Egress | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """`timeout`: seconds for a whole call."""
        self._token = token
        self._url = f"{api_url.rstrip('/')}/bot{quote(token, safe=':')}"
        self._poster = Poster(timeout, egress)

    async def call(self, method: str, words: Mapping[str, Any]) -> Any | TelegramFailure:
        """Returns the call's result as Telegram answers it, or a TelegramFailure."""
        content = {"Content-Type": "application/json"}
        return judge(await self._poster.post(f"{self._url}/{method}", orjson.dumps(words), content), self._token)

    async def updates(self, offset: int, waits: int, kind: str) -> Any | TelegramFailure:
        """Returns the updates of one kind from that number on; Telegram drops those before it, and holds its answer for
        `waits` seconds until there is one.
        """
        asked = f"offset={offset}&timeout={waits}&limit={AT_ONCE}&allowed_updates=%5B%22{kind}%22%5D"
        return judge(await self._poster.get(f"{self._url}/getUpdates?{asked}", {}, MOST_UPDATES), self._token)

    async def close(self) -> None:
        """Closes the connections."""
        await self._poster.close()


class TelegramSender:
    """The sender for channels of type telegram."""

    def __init__(self, bot: TelegramBot) -> None:
        self._bot = bot

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Posts the message, and edits the incident's first message to the present state."""
        kind = outgoing.notification.kind
        thread = ChatMessage.parse(outgoing.thread)
        first = thread if thread and not thread.bundle else None
        if first and kind in {Kind.ACKNOWLEDGED, Kind.RESOLVED}:
            # Before the post, because an edit may be repeated and a post may not.
            edited = await self._edit(outgoing, first)
            if isinstance(edited, TelegramFailure) and isinstance(edited.outcome, Retry):
                return edited.outcome
        done = await self._bot.call("sendMessage", _new_message(outgoing, thread))
        if isinstance(done, TelegramFailure):
            return done.outcome
        if first and kind is Kind.PAGE:
            await self._edit(outgoing, first)  # an outcome other than success is ignored: the page is out
        return Delivered(_place(done, outgoing))

    async def _edit(self, outgoing: Outgoing, first: ChatMessage) -> Any | TelegramFailure:
        words = {"chat_id": first.chat, "message_id": first.message, **_shown(outgoing.message, whole=True)}
        return await self._bot.call("editMessageText", words)

    async def close(self) -> None:
        """Closes the connections."""
        await self._bot.close()


def bot_of(settings: Settings) -> "partial[TelegramBot] | None":
    """Makes the bot in the settings from an egress; None: there is none."""
    token, url = (settings.of_channels.get(f"telegram_{name}") for name in ("token", "api_url"))
    if token is None:
        return None
    return partial(TelegramBot, token.get_secret_value(), url.get_secret_value() if url else API_URL)


def webhook_secret(settings: Settings) -> str:
    """The secret that Telegram's webhook sends; empty: it or the external URL is not set, and Tocsin asks Telegram."""
    secret = settings.of_channels.get("telegram_webhook_secret")
    return secret.get_secret_value() if secret and settings.external_url else ""


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a bot's token. Raises SettingsError."""
    secret = webhook_secret(settings)
    if secret and not _SECRET.fullmatch(secret):
        raise SettingsError("TOCSIN_TELEGRAM_WEBHOOK_SECRET: must be 1 to 256 letters of A-Z, a-z, 0-9, _ and -")
    bot = bot_of(settings)
    return Configured(lambda egress: TelegramSender(bot(egress))) if bot else None


def judge(answer: Answer | Unanswered | Unsendable, token: str) -> Any | TelegramFailure:
    """Returns the result in Telegram's answer, or why there is none."""
    match answer:
        case Unsendable(reason):
            return TelegramFailure(Rejected(f"{reason}: mend TOCSIN_TELEGRAM_API_URL"))
        case Unanswered(reason):
            return TelegramFailure(Retry(reason))
        case Answer():
            pass
    told = _document(answer.body)
    if 200 <= answer.status < 300:
        has_result = told.get("ok") is True and "result" in told
        return told["result"] if has_result else TelegramFailure(Retry("Telegram's answer makes no sense"))
    given = told.get("parameters")
    parameters = given if isinstance(given, dict) else {}
    return TelegramFailure(_judge_refusal(answer, str(told.get("description", "")), parameters, token))


def _judge_refusal(answer: Answer, description: str, given: Mapping[str, Any], token: str) -> Retry | Rejected:
    status, said = answer.status, excerpt(description, (token,))
    if status == 429:
        return Retry("Telegram limits the rate (429)", _patience(given) or answer.retry_after)
    if status in {408, 425} or status >= 500:
        return Retry(f"Telegram is not ready ({status})", answer.retry_after)
    if 300 <= status < 400 or not said:
        return Rejected(f"Telegram's address answered {status}: check TOCSIN_TELEGRAM_API_URL")
    if status in {401, 404}:
        return Rejected(f"Telegram knows no such bot ({status}): set TOCSIN_TELEGRAM_TOKEN to what @BotFather shows")
    if isinstance(moved := given.get("migrate_to_chat_id"), int):
        return Rejected(f"that group became a supergroup, with a new id: write {moved} into the policy instead")
    advice = next((advice for part, advice in ADVICE.items() if part in description), "")
    return Rejected(f"Telegram refuses it ({said}){f': {advice}' if advice else ''}")


def _patience(given: Mapping[str, Any]) -> int | None:
    """Microseconds that Telegram asks to wait; None: not given."""
    asked = given.get("retry_after")
    return min(asked * SECOND, MAX_RETRY_AFTER) if isinstance(asked, int) and asked > 0 else None


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _place(done: Any, outgoing: Outgoing) -> str:
    """The reference of a sent message; empty: Telegram's answer does not name it."""
    match done:
        case {"message_id": int(message), "chat": {"id": int(chat)}}:
            return str(ChatMessage(str(chat), message, bundle=outgoing.message.count > 1))
        case _:
            return ""


def _new_message(outgoing: Outgoing, thread: ChatMessage | None) -> dict[str, Any]:
    kind = outgoing.notification.kind
    words = {
        "chat_id": outgoing.notification.recipient,
        "disable_notification": kind not in AUDIBLE,
        **_shown(outgoing.message, whole=thread is None or kind not in TERSE),
    }
    if thread:  # a reply to a message that was deleted is sent on its own
        words["reply_parameters"] = {"message_id": thread.message, "allow_sending_without_reply": True}
    return words


def _shown(message: Message, *, whole: bool) -> dict[str, Any]:
    """Text and button. `whole`: with all parts, not only headline and reason."""
    headline, *more = (_MENTION.sub("\uff20", part) for part in _parts(message, whole=whole))
    token = message.answer_token
    button = {"text": _label(message), "callback_data": f"{ACKNOWLEDGE}{token}"}
    return {
        "text": "\n\n".join((headline, *more)),
        "entities": [{"type": "bold", "offset": 0, "length": _units(headline)}],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [[button]] if token else []},
    }


def _label(message: Message) -> str:
    return f"Acknowledge these {message.count}" if message.count > 1 else "Acknowledge"


def _parts(message: Message, *, whole: bool) -> list[str]:
    """The paragraphs; of a long message the longest are left out, never the headline, the reason and the steps."""
    steps = "\n".join(f"{number}. {action}" for number, action in enumerate(message.actions, 1))
    first = [cut(message.headline or message.subject, HEADLINE), cut(message.lead, LEAD)]
    first += [f"First do this:\n{cut(steps, STEPS)}"] if steps and whole else []
    first = [part for part in first if part]
    more = [cut(part, TEXT) for part in _more(message) if part] if whole else []
    all_of_it = len(more)
    while True:
        parts = [*first, *more, *([LEFT_OUT] if len(more) < all_of_it else ())]
        if not more or _units("\n\n".join(parts)) <= MOST:
            return parts
        more.remove(max(more, key=len))


def _more(message: Message) -> Iterable[str]:
    yield "\n".join(f"{name}: {value}" for name, value in message.facts)
    yield from message.paragraphs
    labels = ", ".join(f"{name}={value}" for name, value in message.labels)
    yield labels and f"Labels: {labels}"
    yield "" if message.answer_token else message.command
    yield "\n".join(f"{label}: {url}" for label, url in message.links)


def _units(text: str) -> int:
    """UTF-16 code units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2
