"""What people answer to an SMS, whichever provider brings it: commands, and the fate of the messages they answer.

Rules: whoever answers must have a number that the policy names; strangers get no answer at all, which would cost money;
words that opt out of a sender's SMS are the providers' business.
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
"""Seconds and times that we wait for our own sender's report, which the provider may outrun."""

HOW = (
    "Answer ACK 12, ESC 12 (asks for help), WITHDRAW 12, BACK 12 or RESOLVE 12 with the incident's number, or "
    "ACK ALL for all that this number was sent."
)

KEYWORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "START", "YES", "UNSTOP"})
"""Words that opt a number out of a sender's SMS, or in again; Twilio obeys them and hands them on all the same."""

MESSAGE = 300
"""Characters of an SMS that we answer with; a long list takes several."""

TYPES = types_where(lambda facts: "twilio_from" in facts.settings)
"""The channel types whose recipients are telephone numbers that may answer."""

log = structlog.get_logger()


class SmsAnswers:
    """Carries out what was answered."""

    def __init__(self, queue: CallbackActions) -> None:
        """`queue`: where actions go."""
        self._queue = queue

    async def answer(self, sender: str, text: str, reference: str, keyword: str) -> list[str]:
        """Do what somebody wrote; what they are told, in as few messages as hold it all, none of which ends within a
        number. Empty: nothing. `reference`: the provider's, by which the same answer twice is one. `keyword`: what the
        provider takes the text for.
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
        """One number of an answer; how its incident stands then."""
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
    """Tell the engine again until our own sender has reported the message."""
    for _ in range(UNREPORTED_TRIES):
        if not await tell():
            return
        await asyncio.sleep(UNREPORTED_WAIT)
    log.warning("news of a message that is not known as sent", news=news)


def acknowledge(who: str, how: str, page: Notification) -> Acknowledge:
    """What takes the alarm that the page told of, and no later one."""
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
