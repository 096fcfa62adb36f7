"""Handles SMS replies of every provider: commands, and delivery reports of the messages they answer.

Rules: only numbers that the policy names may reply; unknown senders get no answer, which would cost money; the provider
handles opt-out keywords.
"""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import assert_never

import structlog

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge, Action, Escalate, GiveBack, Resolve, Withdraw
from receiver.core.model import Notification, State
from receiver.messages.plain import line
from receiver.on_call.references import contacts
from receiver.web.callbacks.actions import LATER, CallbackActions
from receiver.web.callbacks.replies import Verb, read_reply
from rules.channel_types import ends_of, types_where

UNREPORTED_WAIT, UNREPORTED_TRIES = 0.5, 20
"""Seconds between tries, and tries, until the sender has reported a message: the provider may report earlier."""

HOW = (
    "Answer ACK 12, ESC 12 (asks for help), WITHDRAW 12, BACK 12 or RESOLVE 12 with the incident's number, or "
    "ACK ALL for all that this number was sent."
)

KEYWORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "START", "YES", "UNSTOP"})
"""Keywords that opt a number out of a sender's SMS, or in again; Twilio applies and forwards them."""

MESSAGE = 300
"""Characters of an SMS that Tocsin answers with; a long list takes several."""

TYPES = types_where(lambda facts: "twilio_from" in facts.settings)
"""Channel types whose recipients are telephone numbers that may reply."""

log = structlog.get_logger()


class SmsAnswers:
    """Runs the commands of SMS replies."""

    def __init__(self, queue: CallbackActions) -> None:
        """`queue`: runs the actions."""
        self._queue = queue

    async def answer(self, sender: str, text: str, reference: str, keyword: str) -> list[str]:
        """Runs a reply's command. Returns the answer in as few SMS as possible; empty: no answer.

        No number is split between SMS. `reference`: the provider's id, by which a repeated reply is applied once.
        `keyword`: the provider's classification of the text.
        """
        if not self._is_responder(sender):
            log.warning("SMS from a number that no channel of the policy names; not answered")
            return []
        who = self._queue.name(sender, TYPES)
        if keyword in KEYWORDS:
            shown = ends_of(sender) if who == sender else who
            log.warning("an SMS is a keyword that the provider itself obeys; not answered", who=shown, word=keyword)
            return []
        said = line(" ".join(await self._sentences(text, Origin(who, "sms", sender, reference))), 100 * MESSAGE)
        return textwrap.wrap(said, MESSAGE, break_on_hyphens=False)

    async def _sentences(self, text: str, origin: Origin) -> list[str]:
        reply = read_reply(text)
        if reply is None:
            return [HOW]
        if not reply.numbers:
            pages = await self._queue.sent_to(origin.address)
            answer = await self._queue.answer(pages, origin, lambda page: acknowledge(origin.who, "by SMS", page))
            return [*answer.words("Acknowledged")] if answer else [LATER]
        return [await self._do(reply.verb, number, origin) for number in reply.numbers]

    async def _do(self, verb: Verb, number: int, origin: Origin) -> str:
        """Runs the verb for one number; returns the incident's state in words."""
        incident = await self._queue.by_number(number)
        if incident is None:
            return f"There is no incident {number}. {HOW}"
        sms = replace(origin, reference=f"{origin.reference} {number}")
        outcome = await self._queue.act(incident.id, _action(verb, origin.who), sms)
        return f"T{outcome.words}" if outcome.incident else outcome.words

    def _is_responder(self, number: str) -> bool:
        policy = self._queue.policy
        numbers = {number for channel in policy.channels if channel.type in TYPES for number in channel.recipients}
        return number in numbers or any(number in contacts(person, TYPES) for person in policy.people)


async def until_reported(tell: Callable[[], Awaitable[bool]], news: str) -> None:
    """Repeats `tell` until the sender has reported the message."""
    for _ in range(UNREPORTED_TRIES):
        if not await tell():
            return
        await asyncio.sleep(UNREPORTED_WAIT)
    log.warning("news of a message that is not known as sent", news=news)


def acknowledge(who: str, how: str, page: Notification) -> Acknowledge:
    """Acknowledges the alarm of that page, and no later one."""
    return Acknowledge(who, how, expects=State.OPEN, answers=page.page)


def _action(verb: Verb, by: str) -> Action:
    match verb:
        case "acknowledge":
            return Acknowledge(by, "by SMS", expects=State.OPEN)
        case "escalate":
            return Escalate(by, "by SMS")
        case "withdraw":
            return Withdraw(by, "by SMS")
        case "give_back":
            return GiveBack(by, "by SMS")
        case "resolve":
            return Resolve(by, "by SMS")
        case _:
            assert_never(verb)
