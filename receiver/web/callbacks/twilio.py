"""Twilio calls back: what became of a message, the key pressed during a call, and answers to SMS.

Rules: every request is signed over the public URL exactly as it was given out, so without an external URL there
are no callbacks; whoever answers an SMS must have a number that the policy names; answers are TwiML. Strangers get
no answer at all: an answer costs money.
"""

import asyncio
import re
from xml.sax.saxutils import escape

import structlog
from aiohttp import web

from receiver.audit import Origin
from receiver.channels.twilio import DIGITS_PATH, STATUS_PATH, valid_signature
from receiver.channels.twilio_lookup import LOST
from receiver.core.events import Acknowledge, Action, Escalate, Resolve
from receiver.core.model import State, Status
from receiver.messages.plain import line
from receiver.web.body import read_body
from receiver.web.callbacks.desk import CallbackDesk, stands
from receiver.web.forms import parse_pairs
from receiver.web.problems import Handler, Problem

SMS_PATH = "/callbacks/twilio/sms"
"""Where the number's *A message comes in* must point to."""

UNREPORTED_WAIT, UNREPORTED_TRIES = 0.5, 20
"""Seconds and times that we wait for our own sender's report, which the provider may outrun."""

HOW = "Answer ACK 12, ESC 12 or RESOLVE 12, with the incident's number."

_COMMAND = re.compile(r"\s*(ack|esc|res)[a-z]*\s*(?:t\s*)?#?\s*(\d{1,9})\b", re.IGNORECASE)

log = structlog.get_logger()


class TwilioCallbacks:
    """The handlers."""

    def __init__(self, desk: CallbackDesk, auth_token: str, external_url: str) -> None:
        self._desk = desk
        self._token = auth_token
        self._external_url = external_url

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler."""
        return (("POST", STATUS_PATH, self.status), ("POST", DIGITS_PATH, self.digits), ("POST", SMS_PATH, self.sms))

    async def status(self, request: web.Request) -> web.Response:
        """What became of a message: bad news tells the fallback; news of one whose answer was lost ends the tries."""
        form = await self._believe(request)
        notification = request.query.get("notification", "")
        status = form.get("MessageStatus") or form.get("CallStatus") or ""
        if status in LOST:
            code = form.get("ErrorCode", "")
            reason = f"Twilio says later: {status}{f' (error {line(code, 20)})' if code else ''}"
            await self._bounce(notification, reason)
        elif sid := form.get("MessageSid") or form.get("CallSid"):
            await self._arrive(notification, line(sid))
        return web.Response(status=204)

    async def digits(self, request: web.Request) -> web.Response:
        """Somebody pressed a key: 1 acknowledges, 2 escalates."""
        form = await self._believe(request)
        notification = await self._desk.notification(request.query.get("notification", ""))
        if notification is None:
            return _speak("Tocsin does not know this call.")
        who, pressed = notification.recipient, form.get("Digits", "")
        origin = Origin(who, "phone", form.get("To", ""), f"twilio {form.get('CallSid', '')} {pressed}")
        actions: dict[str, Action] = {
            "1": Acknowledge(who, "by phone", expects=State.OPEN, answers=notification.page),
            "2": Escalate(who, "by phone", expects=State.OPEN),
        }
        if pressed not in actions:
            return _speak("This key does nothing. Goodbye.")
        outcome = await self._desk.act(notification.incident_id, actions[pressed], origin)
        if outcome.done and pressed == "2":
            return _speak("Escalated. Goodbye.")
        spoken = stands(outcome.incident, "Incident {}".format) if outcome.incident else outcome.words
        return _speak(f"{spoken} {'Thank you.' if outcome.done else 'Your key changed nothing.'} Goodbye.")

    async def sms(self, request: web.Request) -> web.Response:
        """Somebody answered an SMS."""
        form = await self._believe(request)
        sender = form.get("From", "")
        if not self._is_responder(sender):
            log.warning("SMS from a number that no channel of the policy names; not answered")
            return _twiml("")
        command = _COMMAND.match(form.get("Body", ""))
        incident = await self._desk.by_number(int(command[2])) if command else None
        if command is None or incident is None:
            return _text(HOW if command is None else f"There is no incident {command[2]}. {HOW}")
        outcome = await self._desk.act(
            incident.id,
            _action(command[1].lower(), sender),
            Origin(sender, "sms", sender, f"twilio {form.get('MessageSid', '')}"),
        )
        return _text(f"T{outcome.words}" if outcome.incident else outcome.words)

    async def _believe(self, request: web.Request) -> dict[str, str]:
        """The form. Raises Problem 401 for what is not Twilio's."""
        pairs = parse_pairs(await read_body(request))
        url = f"{self._external_url}{request.raw_path}"
        if not valid_signature(self._token, url, pairs, request.headers.get("X-Twilio-Signature", "")):
            log.warning("callback refused: not signed by Twilio; is TOCSIN_EXTERNAL_URL right?", path=request.path)
            raise Problem(401, "this is not signed by Twilio")
        return dict(pairs)

    async def _arrive(self, notification_id: str, sid: str) -> None:
        desk = self._desk.desk
        await desk.run(desk.engine.arrive, notification_id, sid, desk.clock())
        desk.on_commit()

    async def _bounce(self, notification_id: str, reason: str) -> None:
        engine, desk = self._desk.desk.engine, self._desk.desk
        for _ in range(UNREPORTED_TRIES):
            status = await desk.run(engine.bounce, notification_id, reason, desk.clock())
            if status is not Status.WAITING:
                desk.on_commit()
                return
            await asyncio.sleep(UNREPORTED_WAIT)
        log.warning("bad news of a message that is not sent, as far as we know", reason=reason)

    def _is_responder(self, number: str) -> bool:
        channels = self._desk.desk.engine.current.policy.channels
        return any(number in channel.recipients for channel in channels if channel.type in {"sms", "phone"})


def _action(verb: str, by: str) -> Action:
    match verb:
        case "ack":
            return Acknowledge(by, "by SMS", expects=State.OPEN)
        case "esc":
            return Escalate(by, "by SMS")
        case _:
            return Resolve(by, "by SMS")


def _speak(words: str) -> web.Response:
    return _twiml(f"<Say>{escape(words)}</Say>")


def _text(words: str) -> web.Response:
    return _twiml(f"<Message>{escape(line(words, 300))}</Message>")


def _twiml(content: str) -> web.Response:
    return web.Response(
        text=f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>', content_type="text/xml"
    )
