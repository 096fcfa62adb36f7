"""Telegram's updates: presses of the button under a page.

With TOCSIN_TELEGRAM_WEBHOOK_SECRET Telegram posts them to the external URL, with that secret in a header; Tocsin
registers the webhook at its start. Without it Tocsin asks Telegram for them, by requests that wait (long polling), so
that Telegram need not reach Tocsin.

The button's data is a message's token, because a client can send any data. It acknowledges, for a day, the alarms of
that message and no later one, in the name of the person who pressed: the policy's person with that Telegram id. Rules:
each press is answered with the state; one that comes twice is applied once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from hmac import compare_digest
from typing import Any

import orjson
import structlog
from aiohttp import web

from receiver.channels.telegram import ACKNOWLEDGE, TelegramBot, TelegramFailure, bot_of, webhook_secret
from receiver.clients.egress import Egress
from receiver.core.audit_log import Origin
from receiver.core.events import Retry
from receiver.errors import StoreDamaged, StoreUnavailable
from receiver.messages.plain import cut, line
from receiver.on_call.references import owner_of
from receiver.web.callbacks.button_presses import ButtonPresses
from receiver.web.callbacks.context import CallbackContext
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import read_strangers_body
from rules.policy import SECOND

PATH = "/callbacks/telegram"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
PRESS = "callback_query"
"""The only kind of update that Telegram is asked for."""
WAITS = 50
"""Seconds that Telegram holds a request for updates until there is one."""
APART = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds until the next try, after the first, second … failure; the last one repeats."""
TOAST = 200
"""Characters of an answer to a press: Telegram's limit."""

log = structlog.get_logger()


class TelegramUpdates:
    """Takes presses, by the webhook or by asking for them."""

    def __init__(self, context: CallbackContext, bot: TelegramBot, secret: str) -> None:
        """`bot`: its calls may last WAITS and somewhat more. `secret`: of the webhook; empty: there is none."""
        self._actions = context.actions
        self._presses = ButtonPresses(context)
        self._bot = bot
        self._secret = secret
        self._url = f"{context.settings.external_url}{PATH}"

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler; empty without a webhook's secret."""
        return (("POST", PATH, self.receive),) if self._secret else ()

    async def receive(self, request: web.Request) -> web.Response:
        """Takes an update."""
        given = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
        if not compare_digest(given, self._secret.encode()):
            log.warning("callback refused: not from Telegram", path=PATH, is_it_right="TOCSIN_TELEGRAM_WEBHOOK_SECRET")
            raise HttpProblem(401, "this is not from Telegram's webhook")
        try:
            update = orjson.loads(await read_strangers_body(request))
        except orjson.JSONDecodeError:
            raise HttpProblem(400, "the body is no JSON") from None
        await self._take(update)
        return web.Response()

    async def keep(self) -> None:
        """Registers the webhook; or removes it and asks for updates, again and again, until cancelled."""
        await self._until_done(self._register)
        log.info("Telegram's buttons are heard", by="webhook" if self._secret else "long polling")
        offset = 0
        while not self._secret:
            offset = await self._until_done(partial(self._ask, offset))

    async def close(self, _app: web.Application) -> None:
        """Closes the connections."""
        await self._bot.close()

    async def _until_done(self, call: Callable[[], Coroutine[Any, Any, Any | TelegramFailure]]) -> Any:
        """Repeats a call until it succeeds; returns its result."""
        failed = 0
        while isinstance(done := await call(), TelegramFailure):
            if not failed:
                log.warning("Telegram's buttons are not heard", reason=done.outcome.reason)
            asked = done.outcome.after if isinstance(done.outcome, Retry) else None
            await asyncio.sleep(max(APART[min(failed, len(APART) - 1)], (asked or 0) / SECOND))
            failed += 1
        if failed:
            log.info("Telegram answers again", calls=failed)
        return done

    async def _register(self) -> Any | TelegramFailure:
        if not self._secret:
            return await self._bot.call("setWebhook", {"url": ""})
        words = {"url": self._url, "secret_token": self._secret, "allowed_updates": [PRESS]}
        return await self._bot.call("setWebhook", words)

    async def _ask(self, offset: int) -> int | TelegramFailure:
        """Takes the updates from that one on; returns the number of the next one."""
        updates = await self._bot.updates(offset, WAITS, PRESS)
        if isinstance(updates, TelegramFailure):
            return updates
        for update in updates if isinstance(updates, list) else ():
            try:
                await self._take(update)
            except (StoreUnavailable, StoreDamaged):
                return TelegramFailure(Retry("the database does not answer"))  # Telegram gives the update again
            except Exception:
                log.exception("an update of Telegram's could not be carried out")
            if isinstance(update, dict) and isinstance(number := update.get("update_id"), int):
                offset = max(offset, number + 1)
        return offset

    async def _take(self, update: object) -> None:
        match update:
            case {"callback_query": {"id": str(press), "from": dict(user), **rest}}:
                token = str(rest.get("data", "")).removeprefix(ACKNOWLEDGE)
                pressed = await self._presses.take(token, self._origin(user, press), "in Telegram")
            case _:
                return
        answer = {"callback_query_id": press, "text": cut(pressed.words, TOAST), "show_alert": not pressed.done}
        failed = await self._bot.call("answerCallbackQuery", answer)
        if isinstance(failed, TelegramFailure):  # what was done is done; the message shows it
            log.info("a press in Telegram could not be answered", reason=failed.outcome.reason)

    def _origin(self, user: dict[str, Any], press: str) -> Origin:
        """The policy's person with that Telegram id, else the name in Telegram with the id: names are chosen freely."""
        number = line(str(user.get("id", "")), 40)
        said = line(str(user.get("username") or user.get("first_name") or "somebody"), 80)
        who = owner_of(self._actions.policy, number, ("telegram",)) or f"{said} (Telegram {number})"
        return Origin(who, "telegram", number, f"telegram {line(press, 80)}")


def configure(context: CallbackContext) -> TelegramUpdates | None:
    """Configured if there is a bot's token."""
    make = bot_of(context.settings)
    if make is None:
        return None
    bot = make(Egress.of(context.settings), timeout=WAITS + 15.0)
    updates = TelegramUpdates(context, bot, webhook_secret(context.settings))
    context.app.on_cleanup.append(updates.close)
    context.keep(updates.keep)
    return updates
