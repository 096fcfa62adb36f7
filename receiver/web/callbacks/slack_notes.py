"""`!note` in an incident's thread in Slack: the rest of the message goes into the timeline.

Slack sends an event for each message of the channels that the bot is in; all but replies that begin with `!note`, in
the thread of a message about one incident that is not closed, are ignored. A check mark on the reply says that it is
stored.
"""

import asyncio
from dataclasses import dataclass
from html import unescape
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from receiver.channels.slack import TIMEOUT, quiet_client
from receiver.channels.slack_lookup import Posted
from receiver.clients.egress import Egress
from receiver.messages.plain import plain
from receiver.settings import Settings

WORD = "!note"
STORED = "white_check_mark"
"""Slack's name of the reaction."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ThreadNote:
    """A note that a person wrote in a thread."""

    thread: Posted
    """The thread's first message."""
    ts: str
    """The time, and so the id, of the person's message."""
    user: str
    """Slack id."""
    text: str


def read_note(event: object) -> ThreadNote | None:
    """Parses the event of a message; None: it is no note. Edited messages and those of bots are none."""
    match event:
        case {"type": "message", "channel": str(channel), "thread_ts": str(thread), "ts": str(ts), **rest}:
            user, text = rest.get("user"), rest.get("text")
            is_written = rest.get("subtype") in {None, "thread_broadcast"} and not rest.get("bot_id")
            if not is_written or not isinstance(user, str) or not isinstance(text, str):
                return None
            word, note = [*text.split(maxsplit=1), "", ""][:2]
            note = plain(unescape(note))
            return ThreadNote(Posted(channel, thread), ts, user, note) if word.lower() == WORD and note else None
        case _:
            return None


class SlackMarks:
    """Puts check marks on stored notes."""

    def __init__(self, settings: Settings) -> None:
        token = settings.slack_token.get_secret_value() if settings.slack_token else ""
        self._client = quiet_client(token, settings.slack_api_url, TIMEOUT, Egress.of(settings)) if token else None

    async def put(self, note: ThreadNote) -> None:
        """Adds the reaction; without the scope reactions:write the log says so, and the note is stored all the same."""
        if self._client is None:
            return
        words: dict[str, Any] = {"channel": note.thread.channel, "timestamp": note.ts, "name": STORED}
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._client.api_call("reactions.add", json=words)
        except SlackApiError as error:
            said = str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
            if said != "already_reacted":
                log.warning("a note of Slack's is stored, but not marked there", reason=said, scope="reactions:write")
        except Exception as error:  # noqa: BLE001 - network errors; the note is stored
            log.warning("a note of Slack's is stored, but not marked there", reason=type(error).__name__)
