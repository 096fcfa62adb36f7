"""Vonage's callbacks: delivery reports of SMS, and replies.

Rules: every request has a signature over its parameters, which come as a query, a form or JSON, by the account's
settings; an answer is sent as a separate SMS, because Vonage takes none in the response.
"""

import asyncio
from collections.abc import Mapping

import orjson
import structlog
from aiohttp import web

from receiver.channels.sms import VALIDITY
from receiver.channels.vonage import STATUS_PATH, Vonage, VonageAccount, account_of, valid_signature
from receiver.clients.egress import Egress
from receiver.core.events import Rejected, Retry
from receiver.messages.plain import line
from receiver.web.callbacks.actions import CallbackActions
from receiver.web.callbacks.context import CallbackContext
from receiver.web.callbacks.sms_answers import SmsAnswers, until_reported
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import parse_form, read_strangers_body

SMS_PATH = "/callbacks/vonage/sms"
"""Path for the account's or number's *Inbound SMS webhook*."""

LOST = frozenset({"expired", "failed", "rejected"})
"""States of a message that did not arrive."""

log = structlog.get_logger()


class VonageCallbacks:
    """Handlers of Vonage's callbacks."""

    def __init__(self, queue: CallbackActions, account: VonageAccount, egress: Egress) -> None:
        """`account`: has a signature secret."""
        self._queue = queue
        self._answers = SmsAnswers(queue)
        self._secret = account.signature_secret
        self._vonage = Vonage(account, egress)

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        handlers = ((STATUS_PATH, self.status), (SMS_PATH, self.sms))
        return tuple((method, path, handler) for path, handler in handlers for method in ("GET", "POST"))

    async def status(self, request: web.Request) -> web.Response:
        """Takes a delivery report: a failure starts the fallback, a receipt marks the message as delivered."""
        given = await self._believe(request)
        message, reference = given.get("client-ref", ""), line(given.get("messageId", ""))
        state = line(given.get("status", ""), 40)
        if state in LOST:
            news = f"Vonage says later: {state} (error {line(given.get('err-code', ''), 20) or 'not told'})"
            await until_reported(lambda: self._queue.bounce(message, news), news)
        elif state == "delivered":
            receipt = "its receipt says delivered"
            await until_reported(lambda: self._queue.arrive(message, reference, receipt), receipt)
        elif reference:
            await self._queue.arrive(message, reference)
        return web.Response(status=204)

    async def sms(self, request: web.Request) -> web.Response:
        """Takes a reply to an SMS."""
        given = await self._believe(request)
        sender, text = f"+{given.get('msisdn', '')}", given.get("text", "")
        keyword = line(text, 20).strip().upper()
        parts = await self._answers.answer(sender, text, f"vonage {given.get('messageId', '')}", keyword)
        outcomes = await asyncio.gather(*(self._vonage.text(sender, part, VALIDITY) for part in parts))
        for outcome in outcomes:
            if isinstance(outcome, Retry | Rejected):
                log.warning("the answer to an SMS could not be sent", reason=outcome.reason)
        return web.Response(status=204)

    async def close(self, _app: web.Application) -> None:
        """Closes the connections."""
        await self._vonage.close()

    async def _believe(self, request: web.Request) -> Mapping[str, str]:
        """The verified parameters. Raises HttpProblem 401 for an invalid signature."""
        given = await _parameters(request)
        if not valid_signature(self._secret, given):
            log.warning(
                "callback refused: not signed by Vonage",
                path=request.path,
                is_it_right="TOCSIN_VONAGE_SIGNATURE_SECRET",
            )
            raise HttpProblem(401, "this is not signed by Vonage")
        return given


def configure(context: CallbackContext) -> VonageCallbacks | None:
    """Configured if Vonage can call back, and its signature can be verified."""
    account = account_of(context.settings)
    if account is None or not account.is_heard:
        return None
    callbacks = VonageCallbacks(context.actions, account, Egress.of(context.settings))
    context.app.on_cleanup.append(callbacks.close)
    return callbacks


async def _parameters(request: web.Request) -> dict[str, str]:
    """Parameters from the query, the form or JSON. Raises HttpProblem 400."""
    if request.method == "GET":
        return dict(request.query)
    body = await read_strangers_body(request)
    if request.content_type != "application/json":
        return parse_form(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise HttpProblem(400, "the body is no JSON object")
    return {name: str(value) for name, value in document.items()}
