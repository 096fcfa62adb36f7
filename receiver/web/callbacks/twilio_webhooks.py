"""Twilio's callbacks: delivery reports, keys pressed during a call, and SMS replies.

Rules: every request is signed over the exact public URL, so callbacks need an external URL; only numbers that the
policy names may reply by SMS, and unknown senders get no answer, since it costs money; answers are TwiML.
"""

from collections.abc import Mapping
from xml.sax.saxutils import escape

import structlog
from aiohttp import web

from receiver.channels.twilio import (
    DIGITS_PATH,
    SETTINGS_HEADER,
    SIGNATURE_HEADER,
    STATUS_PATH,
    meaning_of,
    signature_algorithm,
    valid_signature,
)
from receiver.channels.twilio_lookup import LOST
from receiver.core.audit_log import Origin
from receiver.core.events import Action, Escalate
from receiver.core.model import Notification, State
from receiver.messages.plain import line
from receiver.web.callbacks.actions import LATER, Answer, CallbackActions, stands
from receiver.web.callbacks.context import CallbackContext
from receiver.web.callbacks.sms_answers import TYPES, SmsAnswers, acknowledge, until_reported
from receiver.web.http.problem_details import Handler, HttpProblem
from receiver.web.http.request_body import parse_pairs, read_strangers_body

SMS_PATH = "/callbacks/twilio/sms"
"""Path for the number's *A message comes in*."""

ARRIVED = frozenset({"delivered", "read"})
"""States of a message that reached its recipient's device."""

MACHINES = ("machine", "fax")
"""Prefixes of `AnsweredBy` where no person answered."""

KEYS = {"1": "Acknowledged", "2": "Escalated"}
"""Digit → what its press does."""

log = structlog.get_logger()


class TwilioCallbacks:
    """Handlers of Twilio's callbacks."""

    def __init__(self, queue: CallbackActions, auth_token: str, external_url: str, shared_key: str = "") -> None:
        """`shared_key`: secret of the SharedKey with which a Webhooks Rule signs; empty: there is none."""
        self._queue = queue
        self._answers = SmsAnswers(queue)
        self._token = auth_token
        self._shared_key = shared_key
        self._external_url = external_url

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("POST", STATUS_PATH, self.status), ("POST", DIGITS_PATH, self.digits), ("POST", SMS_PATH, self.sms))

    async def status(self, request: web.Request) -> web.Response:
        """Takes a delivery report: a failure starts the fallback, a receipt marks the message as delivered.

        Any other report with an id ends the tries of a message whose response was lost.
        """
        form = await self._believe(request)
        message, sid = request.query.get("notification", ""), form.get("MessageSid") or form.get("CallSid") or ""
        if lost := _why_lost(form):
            await until_reported(lambda: self._queue.bounce(message, lost), lost)
        elif receipt := _receipt(form):
            await until_reported(lambda: self._queue.arrive(message, line(sid), receipt), receipt)
        elif sid:
            await self._queue.arrive(message, line(sid))
        return web.Response(status=204)

    async def digits(self, request: web.Request) -> web.Response:
        """Takes a key of a call: 1 acknowledges, 2 escalates."""
        form = await self._believe(request)
        message = request.query.get("notification", "")
        pages = await self._queue.message(message)
        if not pages:
            return _speak("Tocsin does not know this call.")
        await self._queue.arrive(message, line(form.get("CallSid", "")), "a person pressed a key")
        who, pressed = self._queue.name(pages[0].recipient, TYPES), form.get("Digits", "")
        origin = Origin(who, "phone", form.get("To", ""), f"twilio {form.get('CallSid', '')} {pressed}")
        if pressed not in KEYS:
            return _speak("This key does nothing. Goodbye.")
        answer = await self._queue.answer(pages, origin, lambda page: _pressed(who, pressed, page))
        return _speak(f"{_spoken(answer, KEYS[pressed])} Goodbye.")

    async def sms(self, request: web.Request) -> web.Response:
        """Takes an SMS reply. Twilio applies STOP itself and then refuses Tocsin's SMS (error 21610)."""
        form = await self._believe(request)
        reference = f"twilio {form.get('MessageSid', '')}"
        parts = await self._answers.answer(form.get("From", ""), form.get("Body", ""), reference, _word(form))
        return _twiml("".join(f"<Message>{escape(part)}</Message>" for part in parts))

    async def _believe(self, request: web.Request) -> dict[str, str]:
        """The verified form. Raises HttpProblem 401 for an invalid signature."""
        pairs = parse_pairs(await read_strangers_body(request))
        url, settings = f"{self._external_url}{request.raw_path}", request.headers.get(SETTINGS_HEADER, "")
        secret = self._shared_key if settings else self._token
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not secret or not valid_signature(secret, url, pairs, signature, signature_algorithm(settings)):
            cure = "TOCSIN_TWILIO_SHARED_KEY" if settings else "TOCSIN_EXTERNAL_URL"
            log.warning("callback refused: not signed by Twilio", path=request.path, is_it_right=cure)
            raise HttpProblem(401, "this is not signed by Twilio")
        return dict(pairs)


def configure(context: CallbackContext) -> TwilioCallbacks | None:
    """Configured if Twilio can call back, and its signature can be verified."""
    settings = context.settings
    token, shared = settings.twilio_auth_token, settings.twilio_shared_key
    if not settings.hears_twilio or not token or not settings.external_url:
        return None
    shared_key = shared.get_secret_value() if shared else ""
    return TwilioCallbacks(context.actions, token.get_secret_value(), settings.external_url, shared_key)


def _word(form: Mapping[str, str]) -> str:
    return line(form.get("OptOutType", "") or form.get("Body", ""), 20).strip().upper()


def _why_lost(form: Mapping[str, str]) -> str:
    """Why a message or call did not reach a person, in words; empty: not reported as failed."""
    status, answered_by = form.get("MessageStatus") or form.get("CallStatus") or "", form.get("AnsweredBy", "")
    if answered_by.startswith(MACHINES):
        return f"Twilio says later: no person answered ({line(answered_by, 40)})"
    if status not in LOST:
        return ""
    code = form.get("ErrorCode", "")
    known = meaning_of(int(code)) if code.isascii() and code.isdigit() and len(code) < 7 else ""
    more = f": {known}" if known else f" (error {line(code, 20)})" if code else ""
    return f"Twilio says later: {status}{more}"


def _receipt(form: Mapping[str, str]) -> str:
    """The evidence that a message arrived, in words; empty: none. An answered call alone is none."""
    if form.get("AnsweredBy") == "human":
        return "a person answered the call"
    status = form.get("MessageStatus", "")
    return f"its receipt says {status}" if status in ARRIVED else ""


def _pressed(who: str, key: str, page: Notification) -> Action:
    return acknowledge(who, "by phone", page) if key == "1" else Escalate(who, "by phone", expects=State.OPEN)


def _spoken(answer: Answer, deed: str) -> str:
    """The result of a key, to be spoken."""
    if answer is None:
        return LATER
    if len(answer.done) + len(answer.refused) != 1:
        return f"{deed}: {len(answer.done)} incidents. {'Thank you.' if answer.done else 'Your key changed nothing.'}"
    if answer.done and deed == KEYS["2"]:
        return f"{deed}."
    stood = stands((*answer.done, *(incident for incident, _ in answer.refused))[0], "Incident {}".format)
    return f"{stood} {'Thank you.' if answer.done else 'Your key changed nothing.'}"


def _speak(words: str) -> web.Response:
    return _twiml(f"<Say>{escape(words)}</Say>")


def _twiml(content: str) -> web.Response:
    return web.Response(
        text=f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>', content_type="text/xml"
    )
