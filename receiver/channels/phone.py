"""Calls through Twilio: the page is read twice, and one key acknowledges it.

Without an external URL Twilio cannot report the pressed key: then no key is offered, and the listener is told to
acknowledge elsewhere. News has no keys. A recipient that is a name without a number must be called by hand: it is
Rejected with that reason, and the core uses the next channel.
"""

from collections.abc import Callable
from functools import partial
from xml.sax.saxutils import escape, quoteattr

from receiver.channels import Configured, Outgoing
from receiver.channels.twilio import DIGITS_PATH, STATUS_PATH, TIMEOUT, Account, Twilio, account_of, is_number
from receiver.channels.twilio_lookup import Wanted
from receiver.clients.egress import Egress
from receiver.core.events import Outcome, Rejected
from receiver.core.model import Kind
from receiver.messages.plain import cut, plain
from receiver.settings import Settings

MAX_TWIML = 4000
"""Characters Twilio takes."""
KEYS = "Press 1 to acknowledge. Press 2 to escalate."
KEYS_OF_SEVERAL = "Press 1 to acknowledge all of these. Press 2 to escalate all of these."
ELSEWHERE = "Acknowledge it in Tocsin."
RING = 60
"""Seconds of ringing: Twilio's default, explicit because answering machines depend on it."""
EVENTS = ("initiated", "completed")
"""Call events that Twilio reports: the start, in case its answer was lost, and the end."""
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))
"""Code points that XML does not permit."""
_KEY_WAIT = 8
"""Seconds to press a key after the words end."""


class PhoneSender:
    """Makes one call per message."""

    def __init__(self, account: Account, egress: Egress | None = None, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for a whole request."""
        self._twilio = Twilio(account, egress, timeout=timeout)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: Twilio accepted the call; the status callback reports who answered."""
        notification, message, account = outgoing.notification, outgoing.message, self._twilio.account
        if not is_number(notification.recipient):
            return Rejected(f"no number for {notification.recipient}: call by hand")
        answer_url = account.callback(DIGITS_PATH, outgoing.name)
        status_url = account.callback(STATUS_PATH, outgoing.name)
        keys = KEYS if message.count == 1 else KEYS_OF_SEVERAL
        form = (
            ("To", notification.recipient),
            ("Twiml", twiml(message.speech, answer_url, keys if notification.kind is Kind.PAGE else "")),
            ("Timeout", str(RING)),
            ("StatusCallback", status_url),
            *(("StatusCallbackEvent", event) for event in EVENTS if status_url),
            *((name, value) for name, value in _asks_who_answers(status_url) if status_url),
        )
        wanted = Wanted(notification.recipient, notification.created_at)
        return await self._twilio.send("Calls", form, wanted, notification.attempts)

    async def close(self) -> None:
        """Closes the connections."""
        await self._twilio.close()


def _asks_who_answers(status_url: str) -> tuple[tuple[str, str], ...]:
    """Asks Twilio to detect a person or a machine during the words, and to call back with the result."""
    return (("MachineDetection", "Enable"), ("AsyncAmd", "true"), ("AsyncAmdStatusCallback", status_url))


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a Twilio account with a number."""
    account = account_of(settings)
    return Configured(partial(PhoneSender, account)) if account else None


def twiml(speech: str, answer_url: str, keys: str) -> str:
    """Returns the call's TwiML: the words twice, at most MAX_TWIML characters; no key the first time leads to the
    second. `keys`: what they do; empty: it is no page.
    """
    frame = _once("", answer_url, keys)
    room = (MAX_TWIML - len(_response(frame, frame))) // 2
    spoken = _once(_escape_to(plain(speech, MAX_TWIML), room), answer_url, keys)
    return _response(spoken, spoken)


def _response(*parts: str) -> str:
    return f"<Response>{''.join(parts)}</Response>"


def _once(speech: str, answer_url: str, keys: str) -> str:
    if not keys:
        return f'<Say>{speech}</Say><Pause length="1"/>'
    if not answer_url:
        return f'<Say>{speech} {ELSEWHERE}</Say><Pause length="1"/>'
    action = f"action={quoteattr(answer_url)}"
    return f'<Gather numDigits="1" timeout="{_KEY_WAIT}" {action}><Say>{speech} {keys}</Say></Gather>'


def _escape_to(text: str, room: int) -> str:
    """Returns the escaped text within `room` characters; cut before escaping, so that no entity is split."""
    text = text.translate(_NO_XML)
    length = min(len(text), room)
    while len(escape(cut(text, length))) > room:
        length -= 1
    return escape(cut(text, length))
