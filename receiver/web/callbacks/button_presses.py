"""The button that acknowledges, for providers whose buttons carry a message's token."""

from dataclasses import dataclass

from receiver.core.audit_log import Origin
from receiver.core.events import Acknowledge
from receiver.core.model import Notification, State
from receiver.web.auth.message_tokens import ANSWERS, LASTS, MessageTokens
from receiver.web.callbacks.actions import LATER, stands
from receiver.web.callbacks.context import CallbackContext

STALE = "Nothing was done, because this message is older than a day. "
UNKNOWN = "Nothing was done: Tocsin does not know this message."


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a press did."""

    words: str
    """For the person who pressed."""
    done: bool


class ButtonPresses:
    """Acknowledges by a message's token: for a day the alarms of that message, and no later one."""

    def __init__(self, context: CallbackContext) -> None:
        self._actions = context.actions
        self._clock = context.clock
        self._tokens = MessageTokens(context.signing, context.installation, ANSWERS)

    async def take(self, token: str, origin: Origin, where: str) -> Pressed:
        """Acknowledges in the name of `origin`. `where`: the acknowledgement's note, such as ``in Telegram``."""

        def acknowledge(page: Notification) -> Acknowledge:
            return Acknowledge(origin.who, where, expects=State.OPEN, answers=page.page or None)

        sent = await self._actions.by_token(self._tokens, token)
        if sent is None:
            return Pressed(UNKNOWN, done=False)
        pages = sent.notifications
        if pages[0].created_at + LASTS <= self._clock():
            return Pressed(STALE + stands(sent.incident), done=False)
        if len(pages) == 1:
            outcome = await self._actions.act(sent.incident.id, acknowledge(pages[0]), origin)
            return Pressed(outcome.words, outcome.done)
        answer = await self._actions.answer(pages, origin, acknowledge)
        if answer is None:
            return Pressed(LATER, done=False)
        return Pressed(" ".join(answer.words("Acknowledged")), bool(answer.done))
